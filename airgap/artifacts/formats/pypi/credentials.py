# SPDX-License-Identifier: Apache-2.0
"""Users and passwords as pip keeps them: in the addresses of indexes, in pip.conf or in the environment."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from airgap.artifacts.web import Address
from airgap.errors import UsageError
from airgap.registry import Credential

_KEYS = ("index-url", "extra-index-url")


class PipCredentials:
    """The credentials in ``urls``, in ``environment`` and in the files that it leads to, by host."""

    def __init__(self, environment: Mapping[str, str], urls: Sequence[str] = ()) -> None:
        self._by_host: dict[str, Credential] = {}
        for url in (*urls, *_index_urls(environment)):
            try:
                address = Address.parse(url)
            except UsageError:
                continue  # pip says so itself
            if address.credential is not None:
                self._by_host.setdefault(address.host, address.credential)

    def find(self, url: str) -> Credential | None:
        """Return the credential for an address: its own, else that of an index of the same host."""
        address = Address.parse(url)
        return address.credential or self._by_host.get(address.host)


def _index_urls(environment: Mapping[str, str]) -> Iterator[str]:
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        yield from environment.get(variable, "").split()
    for path in _files(environment):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(path.read_text())
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue  # missing, or pip says what is wrong with it
        for section in parser.sections():
            for key in _KEYS:
                yield from parser.get(section, key, fallback="").split()


def _files(environment: Mapping[str, str]) -> list[Path]:
    """The configuration files that pip reads (pip's "Configuration"), the last one being the most general."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [config / "pip/pip.conf", home / ".pip/pip.conf", Path("/etc/pip.conf")]
    if (named := environment.get("PIP_CONFIG_FILE")) is not None:
        paths.insert(0, Path(named))
    if prefix := environment.get("VIRTUAL_ENV"):
        paths.insert(0, Path(prefix) / "pip.conf")
    return paths
