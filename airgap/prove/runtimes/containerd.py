# SPDX-License-Identifier: Apache-2.0
"""containerd: ``config_path`` with ``hosts.toml`` (containerd docs/hosts.md), or ``registry.mirrors`` and ``configs``.

The hosts of a file are asked in their order, then ``server``; without ``server``, the registry itself. Each manifest
and blob may come from another host. A ``hosts.toml`` that containerd cannot read counts as a folder of certificates,
as it does there.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Mapping
from typing import Any

from airgap.i18n import tr
from airgap.nodes.containerd import CONFIG_FILE, REGISTRY_TABLES
from airgap.oci import Reference
from airgap.oci.reference import DOCKER_HUB
from airgap.prove.model import IF_PLAIN, NO_FALLBACK, Endpoint, Fault, Login, PullPlan
from airgap.prove.node_files import NodeFileError, NodeFiles, parse_toml
from airgap.prove.runtimes.certificates import certificate_folder, client_pair, system_roots, trusted_file
from airgap.prove.runtimes.hosts_toml import HostsFileError, absolute, headers_of, split_address, texts
from airgap.prove.runtimes.kubelet import kubelet_logins
from airgap.records import Record, field, replace
from airgap.registry import Credential
from airgap.registry.http.connect import Trust
from airgap.registry.settings import is_loopback

HUB_HOST = "registry-1.docker.io"
#: What containerd 2 reads if its configuration sets nothing about registries.
_DEFAULT_FOLDERS = ("/etc/containerd/certs.d", "/etc/docker/certs.d")
_CAPABILITIES = {"pull", "resolve", "push", "referrers"}


class Containerd(Record, eq=False):
    """containerd with the ``registry`` table of its configuration, and ``folders``, those of ``config_path``.

    ``is_version_1`` is true for containerd 1.x, which takes no ``hosts.toml`` without a ``[host]``.
    """

    files: NodeFiles
    registry: Mapping[str, Any]
    folders: tuple[str, ...]
    is_version_1: bool = True
    uses_pull_secrets: bool = True
    _hosts: dict[str, list[Endpoint] | Fault] = field(default_factory=dict)
    _ignored: dict[str, Fault] = field(default_factory=dict)

    def plan(self, reference: Reference, text: str) -> PullPlan:
        """Return the hosts that containerd asks for ``reference``."""
        if reference.registry not in self._hosts:
            self._hosts[reference.registry] = self._hosts_of(reference.registry)
        hosts = self._hosts[reference.registry]
        if isinstance(hosts, Fault):
            return PullPlan(faults=(hosts,))
        endpoints = [replace(host, repository=reference.repository, login=self._login(host.host)) for host in hosts]
        needed = [host for host in endpoints if host.pulls and (reference.digest or host.resolves)]
        if not needed:
            return PullPlan(faults=(_nobody_resolves(reference.registry, endpoints),))
        ignored = self._ignored.get(reference.registry)
        return PullPlan(tuple(endpoints), remarks=(ignored,) if ignored else (), shares_blobs=True)

    def logins(self, reference: Reference) -> list[Login]:
        """Return the logins of the kubelet."""
        return kubelet_logins(self.files, reference)

    def _login(self, host: str) -> Login | None:
        """The login in containerd's configuration for an address, which is sent there without a pull secret."""
        auth = _table(_table(_table(self.registry, "configs"), host), "auth")
        if not auth.get("username"):
            return None
        credential = Credential(str(auth["username"]), str(auth.get("password") or ""))
        return Login(credential, self.files.place(CONFIG_FILE))

    def _hosts_of(self, registry: str) -> list[Endpoint] | Fault:
        try:
            return self._from_folders(registry) if self.folders else self._from_mirrors(registry)
        except NodeFileError as error:
            where = error.where or ""
            return Fault(
                "node-file",
                where,
                tr("containerd cannot use {where}: {what}", where=where, what=error.what),
                (tr("correct that file; it is read again at the next pull"),),
            )

    def _from_folders(self, registry: str) -> list[Endpoint]:
        for root in self.folders:
            for name in _folder_names(registry):
                folder = f"{root}/{name}"
                if self.files.has(folder):
                    return self._from_folder(registry, folder)
        return [_completed(Endpoint("", "", "", trust=Trust(roots=system_roots(self.files))), registry, explicit=False)]

    def _from_folder(self, registry: str, folder: str) -> list[Endpoint]:
        path = f"{folder}/hosts.toml"
        content = self.files.read(path)
        hosts = None
        if content:
            try:
                hosts = self._parse(parse_toml(content, self.files.place(path)), folder, path, registry)
            except NodeFileError as error:
                if error.where != self.files.place(path):
                    raise
                self._ignored[registry] = _ignored(error)
        if hosts is None:
            trust = certificate_folder(self.files, folder)
            explicit = bool(trust.extra or trust.client)
            return [_completed(Endpoint("", "", "", trust=trust), registry, explicit=explicit)]
        return hosts

    def _parse(self, document: Mapping[str, Any], folder: str, path: str, registry: str) -> list[Endpoint]:
        hosts = document.get("host") or {}
        if not isinstance(hosts, dict):
            raise HostsFileError(tr("host is no table"), where=self.files.place(path))
        if not hosts and self.is_version_1:
            raise HostsFileError(tr("it has no [host] table, which containerd 1.x needs"), where=self.files.place(path))
        endpoints = []
        for address, settings in hosts.items():
            if not isinstance(settings, dict):
                raise HostsFileError(tr("host is no table"), where=self.files.place(path))
            endpoints.append(self._endpoint(str(address), settings, folder, path, registry))
        server = document.get("server") or ""
        endpoints.append(self._endpoint(str(server), document, folder, path, registry))
        return endpoints

    def _endpoint(self, address: str, settings: Mapping[str, Any], folder: str, path: str, registry: str) -> Endpoint:
        where = self.files.place(path)
        capabilities = settings.get("capabilities") or sorted(_CAPABILITIES)
        if not isinstance(capabilities, list) or not {str(item).lower() for item in capabilities} <= _CAPABILITIES:
            raise HostsFileError(tr("capabilities holds something unknown"), where=where)
        known = {str(item).lower() for item in capabilities}
        override = settings.get("override_path", False)
        skip_verify = settings.get("skip_verify")
        if not isinstance(override, bool) or not isinstance(skip_verify, bool | None):
            raise HostsFileError(tr("override_path and skip_verify are true or false"), where=where)
        extra = "".join(trusted_file(self.files, absolute(ca, folder)) + "\n" for ca in texts(settings, "ca", where))
        client = self._client(settings.get("client"), folder, where)
        explicit = bool(extra or client or skip_verify is not None)
        endpoint = Endpoint(
            "",
            "",
            "",
            trust=Trust(roots=system_roots(self.files), extra=extra, client=client, insecure=bool(skip_verify)),
            headers=headers_of(settings.get("header"), where),
            origin=where,
            resolves="resolve" in known,
            pulls="pull" in known,
            overrides_path=override,
        )
        if not address:
            return _completed(replace(endpoint, origin="", resolves=True, pulls=True), registry, explicit=explicit)
        parts = split_address(address if address.startswith("http") else f"https://{address}", where)
        clean = posixpath.normpath(parts.path) if parts.path else ""
        if not override and not clean.endswith("/v2"):
            clean = f"{clean.rstrip('/')}/v2"
        endpoint = replace(endpoint, scheme=parts.scheme, host=parts.netloc, path=clean.rstrip("/"))
        return _with_fallback(replace(endpoint, query=_namespace(registry, parts.netloc)), explicit=explicit)

    def _client(self, value: Any, folder: str, where: str) -> str:
        """The first client certificate: containerd takes a file with both, a list of such files, or a list of pairs."""
        pairs = [value] if isinstance(value, str) else value or []
        if not isinstance(pairs, list):
            raise HostsFileError(tr("client names no files"), where=where)
        for pair in pairs:
            files = [pair, ""] if isinstance(pair, str) else pair
            if not isinstance(files, list) or len(files) != 2 or not all(isinstance(file, str) for file in files):
                raise HostsFileError(tr("client names no files"), where=where)
            certificate, key = (absolute(file, folder) if file else "" for file in files)
            return client_pair(self.files, certificate, key)
        return ""

    def _from_mirrors(self, registry: str) -> list[Endpoint]:
        """The hosts of a configuration without ``config_path``."""
        mirrors = _table(self.registry, "mirrors")
        listed = _table(mirrors, registry if registry in mirrors else "*").get("endpoint") or []
        where = self.files.place(CONFIG_FILE)
        addresses = [_with_scheme(str(address)) for address in listed] if isinstance(listed, list) else []
        own = HUB_HOST if registry == DOCKER_HUB else registry
        if all(split_address(address, where).netloc != registry for address in addresses):
            addresses.append(_with_scheme(own))
        endpoints = []
        for address in addresses:
            parts = split_address(address, where)
            tls = _table(_table(_table(self.registry, "configs"), parts.netloc), "tls")
            loopback = is_loopback(registry) and parts.scheme == "http"
            ca, certificate = str(tls.get("ca_file") or ""), str(tls.get("cert_file") or "")
            trust = Trust(
                roots=system_roots(self.files),
                extra=trusted_file(self.files, ca) if ca else "",
                client=client_pair(self.files, certificate, str(tls.get("key_file") or "")) if certificate else "",
                insecure=tls.get("insecure_skip_verify") is True or loopback,
            )
            path = parts.path.rstrip("/") or "/v2"
            is_default = address == _with_scheme(own)
            endpoints.append(
                Endpoint(
                    parts.scheme, parts.netloc, "", path, trust,
                    query=_namespace(registry, parts.netloc), origin="" if is_default else where,
                    overrides_path=path != "/v2",
                )
            )  # fmt: skip
        return endpoints


def runtime(files: NodeFiles, name: str = "containerd", version: str = "") -> Containerd:
    """Return containerd as the node's ``config.toml`` and the files that it imports configure it.

    Without ``version``, a configuration of version 3 is one of containerd 2, and any other one of 1.x.
    """
    registry, of_file = _registry_table(files)
    is_version_1 = version.startswith(("0.", "1.")) if version else of_file < 3
    folders = tuple(folder for folder in str(registry.get("config_path") or "").split(":") if folder)
    if not folders and not is_version_1 and not any(registry.get(key) for key in ("mirrors", "configs", "auths")):
        folders = _DEFAULT_FOLDERS
    return Containerd(files, registry, folders, is_version_1)


def _registry_table(files: NodeFiles) -> tuple[Mapping[str, Any], int]:
    document = files.toml(CONFIG_FILE)
    if document is None:
        return {}, 0
    version = document.get("version", 1)
    version = version if isinstance(version, int) else 1
    documents = [document]
    for pattern in document.get("imports") or []:
        folder, _, name = str(pattern).rpartition("/")
        folder = folder if folder.startswith("/") else posixpath.join(posixpath.dirname(CONFIG_FILE), folder)
        matching = [entry for entry in files.names(folder) if fnmatch.fnmatchcase(entry, name)]
        documents += [imported for entry in matching if (imported := files.toml(f"{folder}/{entry}")) is not None]
    merged: dict[str, Any] = {}
    for one in documents:
        own = one.get("version", version)
        table: Mapping[str, Any] = one
        for key in REGISTRY_TABLES.get(own if isinstance(own, int) else version, REGISTRY_TABLES[2]):
            table = _table(table, key)
        merged.update(table)
    return merged, version


def _nobody_resolves(registry: str, endpoints: list[Endpoint]) -> Fault:
    origins = ", ".join(dict.fromkeys(endpoint.origin for endpoint in endpoints if endpoint.origin))
    return Fault(
        "no-capability",
        registry,
        tr("no host in {files} may both pull and resolve, so tags of {registry} are not found", files=origins,
           registry=registry),
        (tr('write capabilities = ["pull", "resolve"] for one host in {files}', files=origins),),
    )  # fmt: skip


def _ignored(error: NodeFileError) -> Fault:
    where = error.where or ""
    what = tr("containerd ignores {where}: {what}", where=where, what=error.what)
    return Fault("hosts-file-ignored", where, what, (tr("correct that file; it is read again at the next pull"),))


def _folder_names(registry: str) -> list[str]:
    """The names of a registry's folder in certs.d, in the order in which containerd looks for them."""
    host, colon, port = registry.rpartition(":")
    with_port = [f"{host}_{port}_"] if colon and host else []
    return [*with_port, registry, "_default"]


def _completed(endpoint: Endpoint, registry: str, *, explicit: bool) -> Endpoint:
    """Give an endpoint without an address that of the registry itself. Loopback is not verified, and HTTP is tried."""
    if registry == DOCKER_HUB:
        return replace(endpoint, scheme="https", host=HUB_HOST, path="/v2")
    endpoint = replace(endpoint, scheme="https", host=registry, path="/v2")
    if not is_loopback(registry):
        return endpoint
    port = registry.removeprefix(registry.rpartition("]")[0]).rpartition(":")[2] if ":" in registry else ""
    if port == "80":
        return _with_fallback(replace(endpoint, scheme="http"), explicit=explicit)
    endpoint = replace(endpoint, trust=replace(endpoint.trust, insecure=True))
    if port in ("", "443"):
        return endpoint
    return _with_fallback(replace(endpoint, scheme="http"), explicit=True)


def _with_fallback(endpoint: Endpoint, *, explicit: bool) -> Endpoint:
    """For ``http://`` with settings about TLS, containerd asks by HTTPS first, and by HTTP if that is the answer."""
    is_ambiguous = endpoint.scheme == "http" and explicit and not endpoint.host.endswith(":80")
    if not is_ambiguous:
        return replace(endpoint, fallback=NO_FALLBACK)
    return replace(endpoint, scheme="https", fallback=IF_PLAIN)


def _namespace(registry: str, host: str) -> str:
    """The query by which containerd tells a mirror for which registry it asks."""
    is_own = host == registry or (registry == DOCKER_HUB and host == HUB_HOST)
    return "" if is_own else f"?ns={registry}"


def _with_scheme(address: str) -> str:
    if "://" in address:
        return address
    return f"{'http' if is_loopback(address) else 'https'}://{address}"


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
