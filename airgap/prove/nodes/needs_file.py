# SPDX-License-Identifier: Apache-2.0
"""What is needed, as pods on the nodes get it: a compressed JSON file for the images, one for pull secrets."""

from __future__ import annotations

import gzip
import json
from typing import Any

from airgap import bounded_json, limits
from airgap.errors import ContentError, ResourceError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.prove.model import Need, PodPull
from airgap.prove.needs import Needs
from airgap.prove.pull_secrets import PullSecret, PullSecrets
from airgap.registry import Credential


def images_file(needs: Needs) -> bytes:
    """Return the images with the pods that need them; nothing secret is in it."""
    document = [
        {
            "image": str(need.reference),
            "text": need.text,
            "places": need.places[:1],
            "pods": [[pod.namespace, pod.service_account, *pod.secrets] for pod in need.pods],
        }
        for need in needs.images
    ]
    return _packed(document)


def secrets_file(secrets: PullSecrets) -> bytes:
    """Return the pull secrets with their passwords, and the service accounts."""
    document = {
        "secrets": [
            {
                "namespace": secret.namespace,
                "name": secret.name,
                "problem": secret.problem,
                "entries": [[key, login.username, login.password, login.token] for key, login in secret.entries],
            }
            for secret in secrets.secrets.values()
        ],
        "accounts": [[*key, *names] for key, names in secrets.service_accounts.items()],
    }
    return _packed(document)


def read_needs_files(images: str, secrets: str) -> Needs:
    """Return what :func:`images_file` and :func:`secrets_file` have written; the latter may be missing.

    Raises :class:`ResourceError`.
    """
    try:
        needs = tuple(
            Need(
                Reference.parse(item["image"]),
                str(item["text"]),
                tuple(map(str, item["places"])),
                tuple(PodPull(str(n), str(account), tuple(map(str, names))) for n, account, *names in item["pods"]),
            )
            for item in _unpacked(images)
        )
        document = _unpacked(secrets) if secrets else {"secrets": [], "accounts": []}
        found = PullSecrets()
        for item in document["secrets"]:
            entries = tuple((str(key), Credential(*map(str, login))) for key, *login in item["entries"])
            key = str(item["namespace"]), str(item["name"])
            found.secrets[key] = PullSecret(*key, entries, str(item["problem"]))
        for namespace, name, *names in document["accounts"]:
            found.service_accounts[str(namespace), str(name)] = tuple(map(str, names))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResourceError(tr("this is no list of airgap prove ({error})", error=error), where=images) from None
    return Needs(needs, found)


def _packed(document: Any) -> bytes:
    return gzip.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), mtime=0)


def _unpacked(path: str) -> Any:
    most = limits.value("needs-bytes")
    try:
        with gzip.open(path) as file:
            content = file.read(most + 1)
        return bounded_json.parse(content, "needs", where=path)
    except (OSError, EOFError) as error:
        raise ResourceError(tr("cannot be read: {strerror}", strerror=error), where=path) from error
    except ContentError as error:
        raise ResourceError(error.what, where=path, hint=error.hint) from None
