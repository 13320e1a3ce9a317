# SPDX-License-Identifier: Apache-2.0
"""What a running cluster needs, read by the user's own ``kubectl``: workloads, custom resources, and the images that
its nodes hold.

Only specifications are read: status, managed fields and the last applied configuration are not. An object that a
controller made from another, such as a Pod of a Deployment, is listed only if it names an image that no other names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, ResourceError, UsageError
from airgap.i18n import tr
from airgap.kube.detect import keys
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.reference_list import scan_list
from airgap.kube.detect.scan import scan
from airgap.kube.files import ResourceFile
from airgap.kube.model import Scan
from airgap.kube.parse.source import Source
from airgap.kube.render.programs import run_program, try_program
from airgap.kube.walk.reader import ReadFiles
from airgap.kube.walk.skipped import OBJECTS, SkippedFile
from airgap.records import Record

_WORKLOADS = (
    "pods", "podtemplates", "replicationcontrollers", "deployments.apps", "statefulsets.apps", "daemonsets.apps",
    "replicasets.apps", "jobs.batch", "cronjobs.batch",
)  # fmt: skip
#: The groups with a dot that Kubernetes itself serves; all others belong to custom resources and other programs.
_OWN_GROUPS = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration", "apiextensions", "apiregistration", "authentication", "authorization", "certificates",
        "coordination", "custom.metrics", "discovery", "events", "external.metrics", "flowcontrol.apiserver",
        "internal.apiserver", "metrics", "networking", "node", "rbac.authorization", "resource", "scheduling",
        "storage", "storagemigration",
    )
)  # fmt: skip
#: A large cluster has some ten thousand objects; schemas of custom resources are nested deeply.
_MAX_VALUES, _MAX_DEPTH = 16_777_216, 200
#: What bounds the output of kubectl.
_LIMIT = "cluster-bytes"
_PULL_TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
#: What messages call the list of the nodes' images.
NODES = "nodes"


class ClusterScope(Record):
    """Which cluster, and which namespace; "" for kubectl's current context and for all namespaces."""

    context: str = ""
    namespace: str = ""


def read_cluster(scope: ClusterScope, rules: CustomRules) -> ReadFiles:
    """Return the cluster's objects as resource files that are not carried.

    Types that may not be listed are in ``skipped``. Raises ResourceError if the cluster cannot be reached, and
    UsageError without kubectl.
    """
    kubectl = _Kubectl(scope)
    result = ReadFiles()
    found = [
        _resource_file(item) for item in kubectl.objects(kubectl.types(result.skipped), result.skipped) if _runs(item)
    ]
    scanned = [(file, scan(file.content, file.path, rules, strict=False), owned) for file, owned in found]
    own_references = {site.reference for _, scanned_file, owned in scanned if not owned for site in scanned_file.sites}
    for file, scanned_file, owned in scanned:
        if not owned or any(site.reference not in own_references for site in scanned_file.sites):
            result.files.append((file, scanned_file))
    if not scope.namespace:
        result.files += _node_images(kubectl.objects([NODES], result.skipped), rules)
    return result


def read_pull_secrets(scope: ClusterScope) -> tuple[list[dict[str, Any]], list[SkippedFile]]:
    """Return the service accounts and pull secrets of the cluster, and the types that may not be listed.

    Raises UsageError without kubectl.
    """
    kubectl = _Kubectl(scope)
    found: list[dict[str, Any]] = []
    skipped: list[SkippedFile] = []
    for types, *selector in (("serviceaccounts",), *(("secrets", f"--field-selector=type={t}") for t in _PULL_TYPES)):
        try:
            found += kubectl.get(types, *selector)
        except ResourceError as error:
            skipped.append(SkippedFile(f"cluster/{types}", types, OBJECTS, error))
    return found, skipped


class _Kubectl:
    def __init__(self, scope: ClusterScope) -> None:
        program = shutil.which("kubectl")
        if program is None:
            raise UsageError(
                tr("--cluster asks kubectl, and it is not on the PATH"),
                hint=tr("where it is: kubectl get deploy,ds,sts,job,cronjob,pod -A -o json | airgap images -"),
            )
        self._program = program
        self._scope = scope
        self._context = [f"--context={scope.context}"] if scope.context else []

    def types(self, skipped: list[SkippedFile]) -> list[str]:
        """The workloads and the custom resources that the cluster knows, as ``plural.group``.

        Where the server of an aggregated API does not answer, kubectl prints the other types and fails.
        """
        arguments = ["api-resources", "--verbs=list", "--output=name"]
        if self._scope.namespace:
            arguments.append("--namespaced=true")
        output, error = try_program(self._program, [*arguments, *self._context], "cluster", _LIMIT)
        if error is not None:
            if not output.strip():
                raise error
            skipped.append(SkippedFile("cluster/api-resources", "api-resources", OBJECTS, error))
        known = output.decode("utf-8", "replace").split()
        custom = sorted(name for name in known if _is_custom(name))
        return [*(name for name in _WORKLOADS if name in known), *custom]

    def objects(self, types: Sequence[str], skipped: list[SkippedFile]) -> list[dict[str, Any]]:
        """All objects of ``types``: by one request, or if that is refused, by one for each type."""
        if not types:
            return []
        try:
            return self.get(",".join(types))
        except ResourceError as error:
            if len(types) == 1:
                skipped.append(SkippedFile(f"cluster/{types[0]}", types[0], OBJECTS, error))
                return []
        return [item for name in types for item in self.objects([name], skipped)]

    def get(self, types: str, *options: str) -> list[dict[str, Any]]:
        """All objects of ``types``, by one request. Raises ResourceError."""
        scope = f"--namespace={self._scope.namespace}" if self._scope.namespace else "--all-namespaces"
        arguments = ["get", types, scope, "--output=json", *options, *self._context]
        output = run_program(self._program, arguments, types, _LIMIT)
        try:
            document = bounded_json.loads(output, values=_MAX_VALUES, depth=_MAX_DEPTH)
            items = document["items"] if document["kind"].endswith("List") else [document]
        except (ContentError, KeyError, TypeError, AttributeError) as error:
            raise ResourceError(tr("kubectl did not print a list of objects"), where=types) from error
        return [item for item in items if isinstance(item, dict)]


def _is_custom(name: str) -> bool:
    _, _, group = name.partition(".")
    return "." in group and group not in _OWN_GROUPS


def _runs(item: Mapping[str, Any]) -> bool:
    """False for the ReplicaSets that a Deployment keeps of its former revisions."""
    return item.get("kind") != "ReplicaSet" or not _is_owned(item) or (item.get("spec") or {}).get("replicas") != 0


def _is_owned(item: Mapping[str, Any]) -> bool:
    owners = (item.get("metadata") or {}).get("ownerReferences") or []
    return any(isinstance(owner, dict) and owner.get("controller") for owner in owners)


def _resource_file(item: dict[str, Any]) -> tuple[ResourceFile, bool]:
    """The object's specification as a file, and whether a controller made the object."""
    metadata = item.get("metadata") or {}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != keys.APPLIED}
    kept_metadata = {key: value for key, value in metadata.items() if key != "managedFields"}
    if "annotations" in metadata:
        kept_metadata["annotations"] = annotations
    kept = {**{key: value for key, value in item.items() if key != "status"}, "metadata": kept_metadata}
    name = "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key))
    content = json.dumps(kept, ensure_ascii=False).encode(errors="replace")
    kind = str(item.get("kind"))
    return ResourceFile(f"cluster/{kind}/{name}.json", f"{kind} {name}", content, carried=False), _is_owned(item)


def _node_images(nodes: Sequence[Mapping[str, Any]], rules: CustomRules) -> Iterator[tuple[ResourceFile, Scan]]:
    """Yield the images that nodes list in their status, each once: by tag, or by digest where there is no tag."""
    references: dict[str, None] = {}
    for node in nodes:
        for image in (node.get("status") or {}).get("images") or []:
            names = [name for name in image.get("names") or [] if isinstance(name, str) and "<none>" not in name]
            tagged = [name for name in names if "@" not in name]
            references.update(dict.fromkeys(tagged or names[:1]))
    if references:
        content = "\n".join(references).encode(errors="replace")
        file = ResourceFile("cluster/nodes.txt", NODES, content, carried=False)
        yield file, scan_list(Source(content, NODES), rules, strict=False)
