# SPDX-License-Identifier: Apache-2.0
"""What npm keeps in ``.npmrc`` and in variables (npm's "npmrc" and "config"): registries, users, passwords and tokens.

Files are only read.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from airgap.artifacts.formats.npm.names import scope_of
from airgap.artifacts.web import Address
from airgap.errors import AirgapError
from airgap.registry import Credential

_VARIABLE = re.compile(r"(?<!\\)\$\{([^{}]+)\}")
_PREFIX = "npm_config_"
#: Where npm's own, Debian's and a hand-installed node look for everyone's settings.
_GLOBAL = ("/usr/local/etc/npmrc", "/usr/etc/npmrc", "/etc/npmrc")
_MAX_FILE = 1024 * 1024


class NpmSettings:
    """The settings of an ``environment``, and of a project's folder before the user's own; ``registries`` are
    addresses that may have a user and password in them."""

    def __init__(
        self, environment: Mapping[str, str], folders: Sequence[Path] = (), registries: Sequence[str] = ()
    ) -> None:
        self._values: dict[str, str] = {}
        for key, value in _settings(environment, folders):
            self._values.setdefault(key, value)
        self._by_host: dict[str, Credential] = {}
        for url in registries:
            address = Address.parse(url)
            if address.credential is not None:
                self._by_host.setdefault(address.host, address.credential)

    def get(self, key: str) -> str:
        """Return a setting, empty if it is not set."""
        return self._values.get(key, "")

    def scope_registry(self, name: str) -> str:
        """Return the registry of a package's scope, empty if it has none of its own."""
        return self.get(f"{scope}:registry") if (scope := scope_of(name)) else ""

    def find(self, url: str) -> Credential | None:
        """Return the credential for an address: its own, or that of the nearest address above it, or of a registry on
        the same host."""
        address = Address.parse(url)
        own = address.credential or self._by_host.get(address.host) or self._nearest(url)
        if own is not None:
            return own
        for key, value in self._values.items():
            if (key == "registry" or key.endswith(":registry")) and urlsplit(value).netloc == urlsplit(url).netloc:
                return self._nearest(value)
        return None

    def _nearest(self, url: str) -> Credential | None:
        """As npm walks up an address: ``//host/a/b``, ``//host/a/``, ``//host/a``, ``//host/``, ``//host``."""
        parts = urlsplit(url)
        place = f"//{parts.netloc.rpartition('@')[2]}{parts.path}"
        while len(place) > len("//"):
            credential = self._at(place)
            if credential is not None:
                return credential
            place = place[:-1] if place.endswith("/") else place[: place.rfind("/") + 1]
        return None

    def _at(self, place: str) -> Credential | None:
        if token := self.get(f"{place}:_authToken"):
            return Credential("", "", token)
        user, encoded = self.get(f"{place}:username"), self.get(f"{place}:_password")
        pair = _decoded(self.get(f"{place}:_auth"))
        if pair:
            user, _, password = pair.partition(":")
            return Credential(user, password)
        return Credential(user, _decoded(encoded)) if user and encoded else None


def _settings(environment: Mapping[str, str], folders: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Every setting, those that go before others first."""
    named = {}
    for variable, value in environment.items():
        if variable.lower().startswith(_PREFIX) and value:
            key = variable[len(_PREFIX) :]
            named[key if key.startswith("//") else key.lower().replace("_", "-")] = value
    yield from named.items()
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    user = Path(named.get("userconfig") or home / ".npmrc")
    everyone = [Path(named["globalconfig"])] if "globalconfig" in named else [Path(path) for path in _GLOBAL]
    for path in (*(folder / ".npmrc" for folder in folders), user, *everyone):
        yield from _read(path, environment)


def _read(path: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE).decode()
    except (OSError, UnicodeDecodeError):
        return  # missing, or npm says what is wrong with it
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith((";", "#", "[")):
            expanded = _VARIABLE.sub(lambda match: environment.get(match[1].rstrip("?"), ""), _unquoted(value.strip()))
            yield key.strip(), expanded


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == "'" else value


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, ValueError):
        return ""


def environment_for(url: str, credential: Credential | None) -> dict[str, str]:
    """Return the variables by which npm uses a registry with a credential, so that no argument holds it.

    Raises :class:`airgap.errors.UsageError` for what is no address.
    """
    address = Address.parse(url)
    variables = {f"{_PREFIX}registry": f"{address}/"}
    place = f"{_PREFIX}//{address.host}{address.path}/"
    if credential is not None and credential.token and not credential.username:
        variables[f"{place}:_authToken"] = credential.token
    elif credential is not None:
        variables[f"{place}:_auth"] = credential.basic.removeprefix("Basic ")
    return variables


def is_address(url: str) -> bool:
    """Whether a setting is an address that can be asked."""
    try:
        Address.parse(url)
    except AirgapError:
        return False
    return True
