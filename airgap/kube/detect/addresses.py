# SPDX-License-Identifier: Apache-2.0
"""Addresses of images and charts: ``docker://REF``, ``oci://REF``, and charts by repository, name and version.

The tag of an address may stand beside it: in ``ref`` (Flux, OCIRepository) or in ``targetRevision`` (Argo CD).
"""

from __future__ import annotations

import re

from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect.inherited import non_empty
from airgap.kube.detect.nodes import ClosedNode, Node, ScalarToken
from airgap.kube.detect.shapes import has_registry, has_tag
from airgap.kube.detect.split_references import SplitPart, SplitReference

SCHEMES = ("docker://", "oci://")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")
#: One version; anything else in its place is a range of versions.
_ONE_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9]+)*(?:-[0-9A-Za-z.-]+)?|sha256:[0-9a-f]{64}|[A-Za-z][\w.-]*")
_CHART = tr("it is a Helm chart to carry, not an image; render it to list its images")
_RANGE = tr("a range of versions: which one is taken is decided in the cluster")


def address_reference(node: Node, key: str, token: ScalarToken, kind: str) -> SplitReference | str | None:
    """Return the image at the address, or why there is none; ``None`` if the value is no address."""
    value = token.value.strip()
    scheme = next((scheme for scheme in SCHEMES if value.startswith(scheme)), None)
    if key == "repoURL":
        return _source(node, token, scheme or "")
    if scheme is None:
        return None
    lead = len(token.value) - len(token.value.lstrip()) + len(scheme)
    span = (lead, lead + len(value) - len(scheme))
    name = token.value[slice(*span)]
    if _VERSION.fullmatch(name):
        return tr("it is a version, not an image")
    if kind == "HelmRepository":
        return tr("it is a repository of Helm charts, not an image")
    if has_tag(name) or scheme == "docker://":
        return SplitReference(name, (SplitPart(model.WHOLE, token, span),), True)
    reference = (node.children or {}).get("ref")
    return _with_version(SplitPart(model.NAME, token, span), name, node if reference is None else reference)


def chart_notice(node: Node) -> str | None:
    """Return that the value of ``chart`` is a chart to carry, or ``None`` if it is something else."""
    tokens = node.tokens or {}
    repository = tokens.get("repoURL") or tokens.get("repo")
    if repository is not None and not repository.value.startswith(("http://", "https://")):
        return None
    if repository is not None or "sourceRef" in (node.children or {}) or "version" in tokens:
        return _CHART
    return None


def _source(node: Node, token: ScalarToken, scheme: str) -> SplitReference | str | None:
    """The OCI artifact that a source of an Argo CD application names."""
    value = token.value.strip()
    if "://" in value and not scheme:
        return None
    span = (len(scheme), len(value))
    name = value[len(scheme) :].rstrip("/")
    chart = non_empty((node.tokens or {}).get("chart"))
    if chart is None:
        if not scheme:
            return None
        return _with_version(SplitPart(model.NAME, token, span), name, node)
    if not has_registry(name + "/"):
        return None
    joined = _with_version(SplitPart(model.NAME, chart), f"{name}/{chart.value.strip()}", node)
    if isinstance(joined, str):
        return joined
    registry = SplitPart(model.REGISTRY, token, span)
    return joined._replace(parts=(joined.parts[0], registry, *joined.parts[1:]))


def _with_version(part: SplitPart, name: str, node: ClosedNode) -> SplitReference | str:
    """The name with the digest, tag or version that stands in ``node``."""
    tokens = node.tokens or {}
    digest = non_empty(tokens.get("digest"))
    if digest is not None:
        return SplitReference(f"{name}@{digest.value.strip()}", (part, SplitPart(model.DIGEST, digest)), True)
    for key in ("semver", "tag", "targetRevision", "version"):
        version = non_empty(tokens.get(key))
        if version is not None:
            if not _ONE_VERSION.fullmatch(version.value.strip()):
                return _RANGE
            return SplitReference(f"{name}:{version.value.strip()}", (part, SplitPart(model.TAG, version)), True)
    return tr("no tag or digest stands beside this address")
