# SPDX-License-Identifier: Apache-2.0
"""Credentials: docker's ``config.json``, containers' ``auth.json``, helm's ``registry/config.json``, and what
credential helpers keep.

Credentials of the command line or the environment are for one registry, the target, and are never sent to another.
Secrets appear neither in a ``repr`` nor in an error.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airgap import bounded_json, limits
from airgap.errors import AirgapError, ContentError, Unauthorized
from airgap.i18n import tr
from airgap.oci.reference import DOCKER_HUB
from airgap.records import Record, field
from airgap.registry.auth.credential_helper import ask_helper, helper_for, run_helper

#: The hint for an entry that cannot be read.
_AGAIN = tr("sign in to it again, which replaces the entry, or remove the entry")
#: The key of Docker Hub in docker's file.
_HUB_KEY = "https://index.docker.io/v1/"


class Credential(Record):
    """A user name and password, or an OAuth2 refresh token in ``token`` (docker: ``identitytoken``)."""

    username: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header for Basic authentication."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


class Credentials:
    """The credentials of a run. ``explicit`` are those that the user gave for a registry. Files are read once."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, explicit: Mapping[str, Credential] | None = None
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._explicit = dict(explicit or {})
        self._files: list[tuple[Path, dict[str, Any]]] | None = None

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """Return the credential for ``registry``, or ``None``. Containers' files may have one for some repositories.

        Raises :class:`Unauthorized` if a file or a credential helper fails.
        """
        if registry in self._explicit:
            return self._explicit[registry]
        for path, document in self._read_files():
            credential = self._find_in_file(document, path, registry, repository)
            if credential is not None:
                return credential
        return None

    def save(self, registry: str, credential: Credential) -> Path:
        """Save a credential as ``docker login`` does: in docker's file, or with the configured helper.

        Returns the path of the file; raises :class:`AirgapError` if it cannot be written.
        """
        path = self._file_to_write()
        document = _load(path)
        helper = helper_for(document, registry, _docker_key(registry))
        entry: dict[str, str] = {}
        if helper:
            secret = {
                "ServerURL": _docker_key(registry),
                "Username": credential.username,
                "Secret": credential.password,
            }
            run_helper(helper, "store", json.dumps(secret))
        else:
            pair = f"{credential.username}:{credential.password}".encode()
            entry = {"auth": base64.b64encode(pair).decode()}
        auths = document.setdefault("auths", {})
        if not isinstance(auths, dict):
            raise AirgapError(tr("auths is no mapping"), where=str(path), hint=tr("mend or remove this file"))
        for key in _keys(registry, ""):
            auths.pop(key, None)
        auths[_docker_key(registry)] = entry
        _write(path, document)
        return path

    def erase(self, registry: str) -> Path | None:
        """Remove the credential that :meth:`save` wrote; return the path of the file, ``None`` if there was none."""
        path = self._file_to_write()
        document = _load(path)
        auths = document.get("auths")
        saved_keys = [key for key in _keys(registry, "") if isinstance(auths, dict) and key in auths]
        for key in saved_keys:
            del document["auths"][key]
        helper = helper_for(document, registry, _docker_key(registry))
        if helper:
            run_helper(helper, "erase", _docker_key(registry))
        if not saved_keys:
            return path if helper else None
        _write(path, document)
        return path

    def _file_to_write(self) -> Path:
        path = self._docker_file()
        if path is None:
            hint = tr("the variable DOCKER_CONFIG names a folder to keep it in")
            raise AirgapError(tr("this user has no home folder"), hint=hint)
        return path

    def _docker_file(self) -> Path | None:
        folder = self._environment.get("DOCKER_CONFIG")
        return Path(folder) / "config.json" if folder else self._in_home(".docker/config.json")

    def _in_home(self, name: str) -> Path | None:
        home = self._environment.get("HOME") or os.path.expanduser("~")
        # For a user without a home, expanduser leaves the ~, which would be a folder in the working folder.
        return Path(home) / name if os.path.isabs(home) else None

    def _read_files(self) -> list[tuple[Path, dict[str, Any]]]:
        if self._files is None:
            environment = self._environment
            paths = [self._docker_file()]
            if environment.get("REGISTRY_AUTH_FILE"):
                paths.insert(0, Path(environment["REGISTRY_AUTH_FILE"]))
            if environment.get("XDG_RUNTIME_DIR"):
                paths.append(Path(environment["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
            config = environment.get("XDG_CONFIG_HOME")
            name = "containers/auth.json"
            paths.append(Path(config) / name if config else self._in_home(f".config/{name}"))
            # helm registry login
            if environment.get("HELM_REGISTRY_CONFIG"):
                paths.append(Path(environment["HELM_REGISTRY_CONFIG"]))
            elif environment.get("HELM_CONFIG_HOME"):
                paths.append(Path(environment["HELM_CONFIG_HOME"]) / "registry/config.json")
            else:
                name = "helm/registry/config.json"
                paths.append(Path(config) / name if config else self._in_home(f".config/{name}"))
            self._files = [(path, _load(path)) for path in paths if path is not None]
        return self._files

    def _find_in_file(self, document: dict[str, Any], path: Path, registry: str, repository: str) -> Credential | None:
        auths = document.get("auths")
        for key in _keys(registry, repository):
            entry = auths.get(key) if isinstance(auths, dict) else None
            if isinstance(entry, dict) and (credential := _parse_entry(entry, path, key)):
                return credential
        helper = helper_for(document, registry, _docker_key(registry))
        secret = ask_helper(helper, _docker_key(registry)) if helper else None
        return Credential(*secret) if secret else None


class OneCredential(Credentials):
    """One credential, or none, whatever is asked for; no file is read."""

    def __init__(self, credential: Credential | None) -> None:
        super().__init__({})
        self._credential = credential

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """Return the credential."""
        return self._credential


def _keys(registry: str, repository: str) -> list[str]:
    """Return all keys that docker and containers use for a registry, the most specific first."""
    parts = repository.split("/") if repository else []
    by_repository = [f"{registry}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    by_registry = [
        registry,
        f"https://{registry}",
        f"http://{registry}",
        f"https://{registry}/v1/",
        f"https://{registry}/v2/",
    ]
    by_registry += [f"{key}/" for key in by_registry[:3]]
    hub = [_HUB_KEY, "index.docker.io", "registry-1.docker.io"] if registry == DOCKER_HUB else []
    return by_repository + by_registry + hub


def _docker_key(registry: str) -> str:
    return _HUB_KEY if registry == DOCKER_HUB else registry


def _parse_entry(entry: dict[str, Any], path: Path, key: str) -> Credential | None:
    token = str(entry.get("identitytoken") or "")
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            username, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            # "from None", because the cause contains the decoded text.
            raise Unauthorized(tr("the entry for {key} is damaged", key=key), where=str(path), hint=_AGAIN) from None
    password = password.rstrip("\0")
    return Credential(username, password, token) if username or token else None


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(limits.value("credentials-bytes") + 1)
        document = bounded_json.parse(content or b"{}", "credentials", where=str(path))
        if not isinstance(document, dict):
            raise ValueError(tr("no object"))
        return document
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        from airgap.durable import read_hint

        hint = read_hint(error, path)
        raise Unauthorized(tr("cannot read this file with credentials"), where=str(path), hint=hint) from error
    except bounded_json.TooLarge as error:
        raise Unauthorized(error.what, where=str(path), hint=error.hint) from None
    except (OSError, ValueError, ContentError):
        raise Unauthorized(
            tr("this file with credentials is no JSON object"), where=str(path), hint=tr("mend or remove it")
        ) from None


def _write(path: Path, document: dict[str, Any]) -> None:
    from airgap.durable import replace_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The file may be a symbolic link: replace its target.
        replace_file(path.resolve(), (json.dumps(document, indent="\t") + "\n").encode(), mode=0o600)
    except OSError as error:
        raise AirgapError(
            tr("cannot write credentials: {strerror}", strerror=error.strerror),
            where=str(path),
            hint=tr(
                "export DOCKER_CONFIG=FOLDER keeps them in another folder, for docker too; AIRGAP_USERNAME and "
                "AIRGAP_PASSWORD give them to each command"
            ),
        ) from error
