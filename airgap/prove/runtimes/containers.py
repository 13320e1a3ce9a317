# SPDX-License-Identifier: Apache-2.0
"""podman and CRI-O (the containers/image library): mirrors in their order, the registry itself last.

The first address that gives the manifest must have all the rest. ``insecure`` turns verification off, and plain HTTP is
asked where HTTPS fails. The login of an image is sent to its own registry; a mirror gets that of its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airgap.errors import AirgapError, ContentError
from airgap.i18n import tr
from airgap.nodes.model import ROOT_HOME
from airgap.oci import Reference
from airgap.oci.reference import DOCKER_HUB
from airgap.prove.model import IF_FAILED, NO_FALLBACK, Endpoint, Fault, Login, PullPlan, is_short
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.prove.pull_secrets import parse_entries
from airgap.prove.runtimes.certificates import certificate_folder
from airgap.prove.runtimes.kubelet import kubelet_logins
from airgap.prove.runtimes.registries_conf import ENFORCING, Location, RegistriesConf, load, match_prefix
from airgap.records import Record, field, replace
from airgap.registry.http.connect import Trust

HUB_HOST = "registry-1.docker.io"
_CERTS_FOLDERS = (f"{ROOT_HOME}/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d")
_LOGIN_FILES = (
    "/run/containers/0/auth.json",
    f"{ROOT_HOME}/.config/containers/auth.json",
    f"{ROOT_HOME}/.docker/config.json",
)


class Containers(Record, eq=False):
    """One of the two, with its ``registries.conf``. podman knows no pull secrets."""

    files: NodeFiles
    name: str
    conf: RegistriesConf
    uses_pull_secrets: bool
    login_files: tuple[str, ...]
    _trusts: dict[tuple[str, bool], Trust] = field(default_factory=dict)
    _entries: dict[str, list[tuple[str, Login]]] = field(default_factory=dict)

    def plan(self, reference: Reference, text: str) -> PullPlan:
        """Return the addresses that are asked for ``reference``, or for the names that a short one may stand for."""
        try:
            candidates = self._candidates(reference, text)
            endpoints: list[Endpoint] = []
            blocked: list[str] = []
            for group, candidate in enumerate(candidates):
                endpoints += self._endpoints(candidate, group, blocked)
        except NodeFileError as error:
            where = error.where or ""
            what = tr("{runtime} cannot use {where}: {what}", runtime=self.name, where=where, what=error.what)
            return PullPlan(faults=(Fault("node-file", where, what, (tr("correct that file"),)),))
        if not candidates:
            return PullPlan(faults=(self._unresolved(text),))
        if not endpoints:
            return PullPlan(faults=(self._blocked(blocked[0]),))
        return PullPlan(tuple(endpoints), stays=True)

    def logins(self, reference: Reference) -> list[Login]:
        """Return the logins of the kubelet; those of the node's own files are for addresses."""
        return kubelet_logins(self.files, reference) if self.uses_pull_secrets else []

    def _candidates(self, reference: Reference, text: str) -> list[Reference]:
        """The full names that are tried; none if a short name stands for nothing."""
        if not is_short(text):
            return [reference]
        name, _, digest = text.partition("@")
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = name, ""
        rest = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
        alias = self.conf.aliases.get(repository)
        if alias:
            return [Reference.parse(f"{alias}{rest}")]
        found = [Reference.parse(f"{registry}/{repository}{rest}") for registry in self.conf.search]
        return [] if len(found) > 1 and self.conf.mode == ENFORCING else found

    def _endpoints(self, reference: Reference, group: int, blocked: list[str]) -> list[Endpoint]:
        entry = self.conf.entry_for(reference.name)
        if entry is None:
            return [self._endpoint(Location(reference.registry), reference, reference, "", group)]
        by_digest = bool(reference.digest)
        mirrors = [mirror for mirror in entry.mirrors if _is_used(mirror, by_digest, digest_only=entry.digest_only)]
        endpoints = []
        for location in (*mirrors, entry.primary):
            physical = _rewritten(reference, entry.prefix, location.location)
            other = self.conf.entry_for(physical.name)
            if other is not None and other.blocked:
                blocked.append(other.prefix)
                continue
            endpoints.append(self._endpoint(location, physical, reference, self.conf.origin, group))
        return endpoints

    def _endpoint(
        self, location: Location, physical: Reference, logical: Reference, origin: str, group: int
    ) -> Endpoint:
        return Endpoint(
            "https",
            HUB_HOST if physical.registry == DOCKER_HUB else physical.registry,
            physical.repository,
            trust=self._trust(physical.registry, insecure=location.insecure),
            origin=origin if origin and physical != logical else "",
            fallback=IF_FAILED if location.insecure else NO_FALLBACK,
            sends_credentials=physical.registry == logical.registry,
            login=self._login(physical),
            pings=True,
            group=group,
        )

    def _trust(self, host: str, *, insecure: bool) -> Trust:
        key = host, insecure
        if key not in self._trusts:
            folders = [f"{folder}/{host}" for folder in _CERTS_FOLDERS if self.files.has(f"{folder}/{host}")]
            folder = folders[0] if folders else f"{_CERTS_FOLDERS[-1]}/{host}"
            self._trusts[key] = certificate_folder(self.files, folder, insecure=insecure)
        return self._trusts[key]

    def _login(self, reference: Reference) -> Login | None:
        """The login in the node's own files, by the longest part of the name."""
        parts = reference.repository.split("/")
        keys = [f"{reference.registry}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
        keys.append(reference.registry)
        for path in self.login_files:
            entries = self._entries_of(path)
            for key in keys:
                for name, login in entries:
                    if name == key:
                        return login
        return None

    def _entries_of(self, path: str) -> list[tuple[str, Login]]:
        if path not in self._entries:
            document: Mapping[str, Any] | None = self.files.json(path)
            where = self.files.place(path)
            try:
                found = parse_entries(document, where) if document and "auths" in document else []
            except ContentError as error:
                raise NodeFileError(error.what, where=where) from None
            self._entries[path] = [(_entry_name(key), Login(credential, where)) for key, credential in found]
        return self._entries[path]

    def _unresolved(self, text: str) -> Fault:
        several = ", ".join(self.conf.search)
        what = (
            tr("{runtime} resolves short names by one of {several} only if somebody chooses, and nobody can",
               runtime=self.name, several=several) if self.conf.search
            else tr("{runtime} has no registry for short names", runtime=self.name)
        )  # fmt: skip
        fix = tr("write the full name, or an alias in [aliases] of {file}", file=self.conf.origin)
        return Fault("short-name", self.conf.origin, what, (fix,), text)

    def _blocked(self, prefix: str) -> Fault:
        return Fault(
            "blocked",
            prefix,
            tr("{prefix} is blocked in {file}", prefix=prefix, file=self.conf.origin),
            (tr("take blocked = true out there, or give it a mirror that is not blocked"),),
        )


def runtime(files: NodeFiles, name: str, version: str = "") -> Containers:
    """Return podman or CRI-O as the node configures it. Raises :class:`NodeFileError`."""
    is_crio = name == "crio"
    return Containers(files, name, load(files), is_crio, _crio_logins(files) if is_crio else _LOGIN_FILES)


def _crio_logins(files: NodeFiles) -> tuple[str, ...]:
    """The files with logins of CRI-O: ``global_auth_file`` (crio.conf(5)) before those that podman reads."""
    paths = ["/etc/crio/crio.conf"]
    paths += [f"/etc/crio/crio.conf.d/{name}" for name in files.names("/etc/crio/crio.conf.d")]
    found = ""
    for path in paths:
        table: Any = files.toml(path)
        for key in ("crio", "image"):
            table = table.get(key) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(table.get("global_auth_file"), str):
            found = table["global_auth_file"]
    return (found, *_LOGIN_FILES) if found else _LOGIN_FILES


def _is_used(mirror: Location, by_digest: bool, *, digest_only: bool) -> bool:
    if digest_only or mirror.pulls == "digest-only":
        return by_digest
    return mirror.pulls != "tag-only" or not by_digest


def _rewritten(reference: Reference, prefix: str, location: str) -> Reference:
    """The reference with ``location`` instead of ``prefix``. Raises :class:`NodeFileError` if that is no name."""
    if not location:
        return reference
    rest = reference.name[match_prefix(reference.name, prefix) :]
    registry, _, repository = f"{location}{rest}".partition("/")
    try:
        Reference.parse(f"{location}{rest}")
    except AirgapError as error:
        raise NodeFileError(error.what, where=location) from None
    return replace(reference, registry=registry, repository=repository)


def _entry_name(key: str) -> str:
    """The key of a login as it is compared: docker's keys may have a scheme, and then only their host counts."""
    _scheme, separator, rest = key.partition("://")
    host = rest.partition("/")[0] if separator else key
    return DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io") else host
