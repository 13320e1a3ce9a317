# SPDX-License-Identifier: Apache-2.0
"""Which credentials the kubelet uses for an image (Kubernetes, pkg/credentialprovider).

The entries of all pull secrets of a pod are sorted by their keys, the longest path first, and each one that matches the
image's name is tried. ``*`` in a key stands for one part of the host name. The name is the one in the pod: a mirror
that the runtime asks instead has no part in it.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from airgap import bounded_json
from airgap.errors import AirgapError, ContentError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.oci.reference import DOCKER_HUB
from airgap.prove.model import Login, PodPull
from airgap.records import Record, field
from airgap.registry import Credential

_HUB_KEY = "index.docker.io"
_TYPES = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}


class PullSecret(Record):
    """The entries of a Secret: each key, such as ``nexus.corp:8443``, with its credential."""

    namespace: str
    name: str
    entries: tuple[tuple[str, Credential], ...] = field(repr=False)
    problem: str = ""

    @property
    def origin(self) -> str:
        """How messages call it."""
        return secret_name(self.namespace, self.name)


class PullSecrets(Record, eq=False):
    """The pull secrets and the service accounts of all namespaces that were read.

    ``service_accounts`` has the pull secrets of each, by (namespace, name). ``complete`` is false if secrets may exist
    that were not read, because only files were, or because they may not be listed.
    """

    secrets: dict[tuple[str, str], PullSecret] = field(default_factory=dict)
    service_accounts: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def add(self, document: Mapping[str, Any], namespace: str) -> None:
        """Take in an object if it is a pull secret or a service account; ``namespace`` is for one that names none."""
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            return
        key = str(metadata.get("namespace") or namespace), metadata["name"]
        if document.get("kind") == "ServiceAccount":
            self.service_accounts[key] = names_of(document.get("imagePullSecrets"))
        elif document.get("kind") == "Secret" and document.get("type") in _TYPES:
            self.secrets[key] = _pull_secret(document, key)

    def names_for(self, pod: PodPull) -> tuple[str, ...]:
        """Return the names of a pod's pull secrets: its own, else those of its service account."""
        return pod.secrets or self.service_accounts.get((pod.namespace, pod.service_account or "default"), ())

    def logins(self, pod: PodPull, reference: Reference) -> list[Login]:
        """Return the credentials that the kubelet tries for an image of a pod, in their order."""
        found = [self.secrets.get((pod.namespace, name)) for name in self.names_for(pod)]
        return lookup([secret for secret in found if secret is not None], reference)

    def elsewhere(self, name: str, namespace: str) -> list[PullSecret]:
        """Return the secrets of this name in other namespaces."""
        return [
            secret for (place, other), secret in sorted(self.secrets.items()) if other == name and place != namespace
        ]


def lookup(secrets: Sequence[PullSecret], reference: Reference) -> list[Login]:
    """Return the credentials in ``secrets`` that match an image, in the order in which the kubelet tries them."""
    entries: list[tuple[str, Login]] = []
    for secret in secrets:
        for key, credential in secret.entries:
            entries.append((_effective_key(key), Login(credential, secret.origin)))
    matching = [entry for entry in entries if entry[0] and _matches(entry[0], reference)]
    if not matching and reference.registry == DOCKER_HUB:
        matching = [entry for entry in entries if entry[0] == _HUB_KEY]
    ordered = sorted(matching, key=lambda entry: entry[0], reverse=True)
    return list(dict.fromkeys(login for _, login in ordered))


def parse_entries(document: Any, where: str) -> list[tuple[str, Credential]]:
    """Return the entries of a ``config.json`` (with ``auths``) or of a ``.dockercfg``.

    Raises :class:`ContentError` for what the kubelet could not read.
    """
    auths = document.get("auths", document) if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        raise ContentError(tr("auths is no mapping"), where=where)
    entries = []
    for key, entry in auths.items():
        credential = _credential(entry, key, where)
        if credential is not None:
            entries.append((str(key), credential))
    return entries


def secret_name(namespace: str, name: str) -> str:
    """Return how messages call a Secret."""
    return tr("Secret {namespace}/{name}", namespace=namespace, name=name)


def names_of(references: Any) -> tuple[str, ...]:
    """Return the names in a list such as ``imagePullSecrets``."""
    if not isinstance(references, list):
        return ()
    names = (item.get("name") for item in references if isinstance(item, dict))
    return tuple(name for name in names if isinstance(name, str) and name)


def hosts_of(secrets: Iterable[PullSecret]) -> list[str]:
    """Return the keys of all entries, sorted."""
    return sorted({_effective_key(key) for secret in secrets for key, _ in secret.entries} - {""})


def _credential(entry: Any, key: str, where: str) -> Credential | None:
    if not isinstance(entry, dict):
        raise ContentError(tr("the entry for {key} is damaged", key=str(key)[:200]), where=where)
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            username, colon, password = (
                base64.b64decode(str(entry["auth"]), validate=True).decode().rstrip("\0").partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            # "from None", because the cause contains the decoded text.
            raise ContentError(tr("the entry for {key} is damaged", key=str(key)[:200]), where=where) from None
    token = str(entry.get("identitytoken") or "")
    return Credential(username, password, token) if username or token else None


def _pull_secret(document: Mapping[str, Any], key: tuple[str, str]) -> PullSecret:
    name = _TYPES[document["type"]]
    where = secret_name(*key)
    try:
        content = _content(document, name)
        parsed = bounded_json.parse(content, "credentials", where=where)
        return PullSecret(*key, tuple(parse_entries(parsed, where)))
    except AirgapError as error:
        return PullSecret(*key, (), error.what)


def _content(document: Mapping[str, Any], name: str) -> bytes:
    text, data = document.get("stringData"), document.get("data")
    if isinstance(text, dict) and isinstance(text.get(name), str):
        return str(text[name]).encode()
    if isinstance(data, dict) and isinstance(data.get(name), str):
        try:
            return base64.b64decode(data[name], validate=False)
        except (binascii.Error, ValueError):
            raise ContentError(tr("{key} is no base64", key=name)) from None
    raise ContentError(tr("it has no {key}", key=name))


def _effective_key(key: str) -> str:
    """The key as the kubelet compares it: without scheme, and without ``/v1/`` or ``/v2/`` before its path."""
    text = key if key.startswith(("http://", "https://")) else f"https://{key}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    path = parts.path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    host = parts.netloc.rpartition("@")[2]
    return f"{host}{path}" if path not in ("", "/") else host


def _matches(key: str, reference: Reference) -> bool:
    host, slash, path = key.partition("/")
    image_host = reference.registry
    own_host, own_port = _split_port(host)
    other_host, other_port = _split_port(image_host)
    patterns, parts = own_host.split("."), other_host.split(".")
    if own_port != other_port or len(patterns) != len(parts):
        return False
    if not f"/{reference.repository}".startswith(f"{slash}{path}"):
        return False
    return all(fnmatch.fnmatchcase(part, pattern) for part, pattern in zip(parts, patterns, strict=True))


def _split_port(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not host.endswith("]") else (host, "")
