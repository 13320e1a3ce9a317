# SPDX-License-Identifier: Apache-2.0
"""What is needed: each image once, with the places that name it, and with what the pods there pull it.

An image in a pod's own specification is pulled with that pod's pull secrets. One that stands elsewhere, such as in an
argument of an operator, counts as pulled by a pod like the one where it stands, or by one with the default service
account of the namespace: what its program will really do is not written anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airgap.kube import ResourceFile, Scan, Site
from airgap.kube.model import WHOLE
from airgap.oci import Reference
from airgap.prove.model import Need, PodPull, is_short
from airgap.prove.objects import documents, objects
from airgap.prove.pull_secrets import PullSecrets, names_of
from airgap.records import Record

_STEP = re.compile(r"\[([0-9]+)\]|\['([^']*)'\]|\.?([^.\[\]]+)")
_CONTAINERS = ("containers", "initContainers")
_PULLED_KINDS = {"Secret", "ServiceAccount"}


class Needs(Record):
    """The images, sorted, and the pull secrets and service accounts that were found beside them."""

    images: tuple[Need, ...]
    secrets: PullSecrets


def read_needs(
    files: Iterable[tuple[ResourceFile, Scan]], extra: Sequence[Reference], namespace: str, secrets: PullSecrets
) -> Needs:
    """Return what ``files`` need, and ``extra``, which nothing names; adds to ``secrets``.

    ``namespace`` is that of objects that name none. Images for which the scan has no more than a shape are left out.
    """
    texts: dict[tuple[Reference, str], tuple[dict[str, None], dict[PodPull, None]]] = {}
    for reference in extra:
        texts.setdefault((reference, str(reference)), ({}, {}))
    for file, scan in files:
        by_document = {number: list(objects(document)) for number, document in enumerate(documents(file), 1)}
        for found in by_document.values():
            for _, document in found:
                if document.get("kind") in _PULLED_KINDS:
                    secrets.add(document, namespace)
        for site in scan.sites:
            text = _text_of(site)
            places, pods = texts.setdefault((site.reference, text), ({}, {}))
            places[f"{site.file}:{site.line}" if file.carried else f"{site.file} {site.path}"] = None
            pods[_pod_of(site, by_document.get(site.document, []), namespace)] = None
    needs = [
        Need(reference, text, tuple(places), tuple(sorted(pods))) for (reference, text), (places, pods) in texts.items()
    ]
    return Needs(tuple(sorted(needs, key=lambda need: (str(need.reference), need.text))), secrets)


def _text_of(site: Site) -> str:
    """The reference as it is written, where that is a short name; else as it is normalised."""
    is_whole = len(site.parts) == 1 and site.parts[0].role == WHOLE
    return site.value if is_whole and is_short(site.value) else str(site.reference)


def _pod_of(site: Site, found: Sequence[tuple[str, dict[str, Any]]], namespace: str) -> PodPull:
    for prefix, document in found:
        if site.path.startswith(prefix):
            metadata = document.get("metadata")
            own = metadata.get("namespace") if isinstance(metadata, dict) else None
            pod = _pod_around(document, site.path[len(prefix) :])
            account = str(pod.get("serviceAccountName") or pod.get("serviceAccount") or "")
            return PodPull(str(own or namespace), account, names_of(pod.get("imagePullSecrets")))
    return PodPull(namespace)


def _pod_around(document: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The pod specification that encloses the value at ``path``; an empty one if there is none."""
    value: Any = document
    pod: Mapping[str, Any] = {}
    for index, quoted, key in _STEP.findall(path):
        if isinstance(value, dict):
            if any(isinstance(value.get(name), list) for name in _CONTAINERS):
                pod = value
            value = value.get(quoted or key)
        elif isinstance(value, list) and index and int(index) < len(value):
            value = value[int(index)]
        else:
            break
    return pod
