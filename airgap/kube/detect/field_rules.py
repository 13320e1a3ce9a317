# SPDX-License-Identifier: Apache-2.0
"""The rules for fields: typed places of the built-in objects, and keys whose names say image."""

from __future__ import annotations

from collections.abc import Iterator

from airgap.i18n import tr
from airgap.kube.detect import keys
from airgap.kube.detect.rule import ANY, DATA, LOOSE, QUALIFIED, SCHEMA, Rule
from airgap.kube.model import CERTAIN, LIKELY

_CONTAINERS = "{containers,initContainers,ephemeralContainers}[].image"
_VOLUME = "volumes[].image.reference"
#: The path of the pod specification in each built-in workload (Kubernetes API reference, "Workloads").
_POD_SPECS = (
    ("spec", ("v1/Pod",)),
    (
        "spec.template.spec",
        (
            "v1/ReplicationController",
            *(f"{api}/{kind}" for api in ("apps/*", "extensions/*") for kind in
              ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
            "batch/*/Job",
        ),
    ),
    ("spec.jobTemplate.spec.template.spec", ("batch/*/CronJob",)),
    ("template.spec", ("v1/PodTemplate",)),
)  # fmt: skip


def _workloads(id: str, below: str, why: str) -> Iterator[Rule]:
    """Yield a rule for each path of a pod specification, in an object and in a typed list (``kind: PodList``)."""
    for spec, objects in _POD_SPECS:
        yield Rule(id, "field", CERTAIN, f"{spec}.{below}", why, objects)
        yield Rule(id, "field", CERTAIN, f"items[].{spec}.{below}", why, tuple(f"{name}List" for name in objects))


def _key_rules(id: str, kind: str, objects: tuple[str, ...], where: str) -> Iterator[Rule]:
    """Yield the rules for keys whose names say image."""
    image, repository = keys.IMAGE, keys.REPOSITORY
    yield Rule(
        f"{id}-image",
        kind,
        LIKELY,
        "**",
        tr("a field named image in {where}", where=where),
        objects,
        key=image,
        exact=True,
        split=True,
    )
    yield Rule(
        f"{id}-image-field",
        kind,
        LIKELY,
        "**",
        tr("a field whose name ends in image, imageName or the like, in {where}", where=where),
        objects,
        QUALIFIED,
        key=image,
        split=True,
    )
    yield Rule(
        f"{id}-repository",
        kind,
        LIKELY,
        "**",
        tr("a repository with a tag or digest beside it, in {where}", where=where),
        objects,
        key=repository,
        split=True,
    )
    yield Rule(
        f"{id}-image-name",
        kind,
        LIKELY,
        "**.name",
        tr("a name with a tag or digest below image, in {where}", where=where),
        objects,
        key=keys.NAME,
        split=True,
    )


FIELDS: tuple[Rule, ...] = (
    *_workloads("pod-container", _CONTAINERS, tr("a container's image in a workload")),
    *_workloads("pod-image-volume", _VOLUME, tr("an image mounted as a volume")),
    Rule(
        "template-container",
        "crd",
        LIKELY,
        f"**.{_CONTAINERS}",
        tr("a container's image in the pod template of another object"),
    ),
    Rule(
        "template-image-volume", "crd", LIKELY, f"**.{_VOLUME}", tr("an image volume in the template of another object")
    ),
    Rule(
        "compose-service",
        "compose",
        LIKELY,
        "services.*.image",
        tr("the image of a compose service"),
        LOOSE,
    ),
    Rule(
        "package",
        "crd",
        LIKELY,
        "spec.package",
        tr("the type's contract: its controller pulls and unpacks this OCI image (Crossplane, Package API)"),
        ("pkg.crossplane.io/*",),
        QUALIFIED,
    ),
    *_key_rules("object", "crd", ANY, tr("an object whose type is not built in")),
    *_key_rules("loose", "helm-values", LOOSE, tr("YAML that is no Kubernetes object")),
    Rule(
        "schema-default-image",
        "crd",
        LIKELY,
        "**.default.**",
        tr("an image in the default of a field: the API server fills it in"),
        SCHEMA,
        QUALIFIED,
        key=keys.IMAGE,
        split=True,
    ),
    Rule(
        "schema-default-repository",
        "crd",
        LIKELY,
        "**.default.**",
        tr("repository and tag in the default of a field: the API server fills them in"),
        SCHEMA,
        key=keys.REPOSITORY,
        split=True,
    ),
    Rule(
        "data-image",
        "embedded",
        LIKELY,
        "{data,stringData}**",
        tr("a setting whose name says image"),
        DATA,
        QUALIFIED,
        key=keys.IMAGE,
        split=True,
    ),
    Rule(
        "data-repository",
        "embedded",
        LIKELY,
        "{data,stringData}**",
        tr("settings for repository and tag that are called alike"),
        DATA,
        key=keys.REPOSITORY,
        split=True,
    ),
)
