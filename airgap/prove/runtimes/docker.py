# SPDX-License-Identifier: Apache-2.0
"""docker: ``daemon.json`` and ``/etc/docker/certs.d`` (moby, daemon/pkg/registry).

``registry-mirrors`` are asked for images of Docker Hub alone. An insecure registry, which loopback is too, is not
verified, and is asked by plain HTTP where HTTPS fails. Each address must have all of an image.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airgap.i18n import tr
from airgap.nodes.model import ROOT_HOME
from airgap.oci import Reference
from airgap.oci.reference import DOCKER_HUB
from airgap.prove.model import Endpoint, Fault, Login, PullPlan
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.prove.runtimes.certificates import certificate_folder, system_roots
from airgap.prove.runtimes.kubelet import CONFIG_FILES, kubelet_logins
from airgap.records import Record, field, replace
from airgap.registry.http.connect import Trust

CONFIG_FILE = "/etc/docker/daemon.json"
CERTS_FOLDER = "/etc/docker/certs.d"
HUB_HOST = "registry-1.docker.io"
#: ``docker login`` of root, which ``docker pull`` uses.
_LOGIN_FILES = (*CONFIG_FILES, f"{ROOT_HOME}/.docker/config.json")
_LOOPBACK = ("127.0.0.0/8", "::1/128")


class Docker(Record, eq=False):
    """dockerd with its ``daemon.json``."""

    files: NodeFiles
    mirrors: tuple[str, ...]
    insecure: tuple[str, ...]
    uses_pull_secrets: bool = True
    _hosts: dict[str, tuple[Endpoint, ...] | Fault] = field(default_factory=dict)

    def plan(self, reference: Reference, text: str) -> PullPlan:
        """Return the addresses that dockerd asks for ``reference``."""
        if reference.registry not in self._hosts:
            self._hosts[reference.registry] = self._hosts_of(reference.registry)
        hosts = self._hosts[reference.registry]
        if isinstance(hosts, Fault):
            return PullPlan(faults=(hosts,))
        return PullPlan(tuple(replace(host, repository=reference.repository) for host in hosts))

    def logins(self, reference: Reference) -> list[Login]:
        """Return the logins of the kubelet and of ``docker login``."""
        return kubelet_logins(self.files, reference, _LOGIN_FILES)

    def _hosts_of(self, registry: str) -> tuple[Endpoint, ...] | Fault:
        try:
            if registry == DOCKER_HUB:
                mirrors = [endpoint for mirror in self.mirrors for endpoint in self._mirror(mirror)]
                return (*mirrors, Endpoint("https", HUB_HOST, "", trust=Trust(roots=system_roots(self.files))))
            return self._own(registry)
        except NodeFileError as error:
            where = error.where or ""
            what = tr("docker cannot use {where}: {what}", where=where, what=error.what)
            return Fault("node-file", where, what, (tr("correct that file, and restart docker"),))

    def _mirror(self, address: str) -> list[Endpoint]:
        parts = urlsplit(address)
        trust = self._trust(parts.netloc)
        path = f"{parts.path.rstrip('/')}/v2"
        return [Endpoint(parts.scheme, parts.netloc, "", path, trust, origin=self.files.place(CONFIG_FILE))]

    def _own(self, registry: str) -> tuple[Endpoint, ...]:
        origin = self.files.place(CONFIG_FILE) if self._is_insecure(registry) else ""
        secure = Endpoint("https", registry, "", trust=self._trust(registry), origin=origin)
        return (secure, replace(secure, scheme="http")) if secure.trust.insecure else (secure,)

    def _trust(self, host: str) -> Trust:
        if self._is_insecure(host):
            return Trust(insecure=True)
        return certificate_folder(self.files, f"{CERTS_FOLDER}/{host}")

    def _is_insecure(self, host: str) -> bool:
        if host in self.insecure:
            return True
        networks = []
        for entry in (*self.insecure, *_LOOPBACK):
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                continue
        return any(address in network for address in _addresses(host) for network in networks)


def runtime(files: NodeFiles, name: str = "docker", version: str = "") -> Docker:
    """Return dockerd as the node's ``daemon.json`` configures it. Raises :class:`NodeFileError`."""
    document = files.json(CONFIG_FILE) or {}
    mirrors = _texts(files, document, "registry-mirrors")
    for mirror in mirrors:
        parts = urlsplit(mirror)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment or parts.username:
            raise NodeFileError(
                tr("dockerd does not start with the mirror {mirror!r}", mirror=mirror.rpartition("@")[2]),
                where=files.place(CONFIG_FILE),
                hint=tr("write it as http://host:port or https://host:port"),
            )
    insecure = tuple(entry.partition("://")[2] or entry for entry in _texts(files, document, "insecure-registries"))
    return Docker(files, tuple(dict.fromkeys(f"{mirror.rstrip('/')}/" for mirror in mirrors)), insecure)


def _texts(files: NodeFiles, document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise NodeFileError(tr("{key} is no list of texts", key=key), where=files.place(CONFIG_FILE))
    return tuple(value)


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses of ``host[:port]``, resolved on this machine; none for an unknown name."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return [ipaddress.ip_address(name)]
    except ValueError:
        pass
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        return []
    return [ipaddress.ip_address(address.partition("%")[0]) for address in sorted(found)]
