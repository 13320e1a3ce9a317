# SPDX-License-Identifier: Apache-2.0
"""k3s and RKE2: ``registries.yaml`` (docs.k3s.io "Private Registry Configuration"), from which they write containerd's.

Written from documentation. A mirror with a path is asked at that path; ``rewrite`` changes the repository for mirrors
alone. The registry itself is asked last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airgap.i18n import tr
from airgap.kube import ResourceFile
from airgap.oci import Reference
from airgap.oci.reference import DOCKER_HUB
from airgap.prove.model import Endpoint, Fault, Login, PullPlan
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.prove.objects import documents
from airgap.prove.runtimes.certificates import client_pair, system_roots, trusted_file
from airgap.prove.runtimes.kubelet import kubelet_logins
from airgap.records import Record
from airgap.registry import Credential
from airgap.registry.http.connect import Trust
from airgap.registry.settings import is_loopback

CONFIG_FILES = ("/etc/rancher/k3s/registries.yaml", "/etc/rancher/rke2/registries.yaml")
HUB_HOST = "registry-1.docker.io"
#: k3s matches in linear time and Python does not. A group that is repeated may take for ever, and each repetition
#: without an end multiplies the time by the length of the name.
_REPEATED_GROUP = re.compile(r"(?<!\\)\)[*+{]")
_REPETITION = re.compile(r"(?<!\\)[*+{]")
_MAX_REPETITIONS = 3


class K3s(Record, eq=False):
    """k3s with its ``registries.yaml``, which lies at ``path``."""

    files: NodeFiles
    path: str
    mirrors: Mapping[str, Any]
    configs: Mapping[str, Any]
    uses_pull_secrets: bool = True

    def plan(self, reference: Reference, text: str) -> PullPlan:
        """Return the mirrors of the registry and the registry itself."""
        try:
            return PullPlan(tuple(self._endpoints(reference)), shares_blobs=True)
        except NodeFileError as error:
            where = error.where or ""
            what = tr("k3s cannot use {where}: {what}", where=where, what=error.what)
            return PullPlan(faults=(Fault("node-file", where, what, (tr("correct that file, and restart k3s"),)),))

    def logins(self, reference: Reference) -> list[Login]:
        """Return the logins of the kubelet."""
        return kubelet_logins(self.files, reference)

    def _endpoints(self, reference: Reference) -> list[Endpoint]:
        registry = reference.registry
        mirror = _table(self.mirrors, registry if registry in self.mirrors else "*")
        listed = mirror.get("endpoint") or []
        if not isinstance(listed, list):
            raise NodeFileError(tr("{key} is no list of texts", key="endpoint"), where=self.files.place(self.path))
        repository = _rewritten(reference.repository, _table(mirror, "rewrite"))
        endpoints = [self._endpoint(str(address), repository, registry) for address in listed]
        own = HUB_HOST if registry == DOCKER_HUB else registry
        if all(endpoint.host != own for endpoint in endpoints):
            endpoints.append(self._endpoint(own, reference.repository, registry, name=registry))
        return endpoints

    def _endpoint(self, address: str, repository: str, registry: str, *, name: str = "") -> Endpoint:
        has_scheme = "://" in address
        parts = urlsplit(address if has_scheme else f"//{address}")
        scheme = parts.scheme if has_scheme else "http" if is_loopback(parts.netloc) else "https"
        path = parts.path.rstrip("/")
        config = _table(self.configs, name or parts.netloc) or _table(self.configs, parts.netloc)
        tls, auth = _table(config, "tls"), _table(config, "auth")
        ca, certificate = str(tls.get("ca_file") or ""), str(tls.get("cert_file") or "")
        login = None
        if auth.get("username"):
            credential = Credential(str(auth["username"]), str(auth.get("password") or ""))
            login = Login(credential, self.files.place(self.path))
        is_own = bool(name) or parts.netloc == registry
        return Endpoint(
            scheme,
            parts.netloc,
            repository,
            path if path not in ("", "/v2") else "/v2",
            Trust(
                roots=system_roots(self.files),
                extra=trusted_file(self.files, ca) if ca else "",
                client=client_pair(self.files, certificate, str(tls.get("key_file") or "")) if certificate else "",
                insecure=str(tls.get("insecure_skip_verify")).lower() == "true",
            ),
            query="" if is_own else f"?ns={registry}",
            origin="" if name else self.files.place(self.path),
            overrides_path=path not in ("", "/v2"),
            login=login,
        )


def runtime(files: NodeFiles, name: str = "k3s", version: str = "") -> K3s:
    """Return k3s as the node's ``registries.yaml`` configures it. Raises :class:`NodeFileError`."""
    path = next((path for path in CONFIG_FILES if files.has(path)), CONFIG_FILES[0])
    content = files.read(path)
    if not content:
        return K3s(files, path, {}, {})
    where = files.place(path)
    found = documents(ResourceFile(where, where, content))
    if not found or not isinstance(found[0], dict | None):
        raise NodeFileError(tr("not valid YAML"), where=where)
    document = found[0] or {}
    return K3s(files, path, _table(document, "mirrors"), _table(document, "configs"))


def _rewritten(repository: str, rules: Mapping[str, Any]) -> str:
    """The repository after ``rewrite``: each expression is replaced, with ``$1`` for its first group."""
    for pattern, replacement in ((str(key), value) for key, value in rules.items()):
        if _REPEATED_GROUP.search(pattern) or len(_REPETITION.findall(pattern)) > _MAX_REPETITIONS:
            raise NodeFileError(tr("rewrite has {pattern!r}, which repeats too much to be followed", pattern=pattern))
        try:
            repository = re.sub(pattern, re.sub(r"\$\{?(\d+)\}?", r"\\g<\1>", str(replacement)), repository)
        except (re.error, IndexError):
            raise NodeFileError(tr("rewrite has {pattern!r}, which is no expression", pattern=pattern)) from None
    return repository


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
