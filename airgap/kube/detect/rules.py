# SPDX-License-Identifier: Apache-2.0
"""The detection rules, as data: which places hold images, in which shape, how sure that is, and why.

``objects`` are ``apiVersion/Kind`` patterns for the nearest enclosing object, or ``LOOSE`` for YAML that is not a
Kubernetes object. ``path`` is a pattern for the keys below that object: ``[]`` is an item of a list, ``**`` any keys,
``{a,b}`` either key. ``key`` is the role of the last key (:mod:`airgap.kube.detect.keys`). The first rule that fits
decides. No rule is for a product by name, except for APIs whose types define a field as an image.
"""

from __future__ import annotations

from collections.abc import Iterator

from airgap.i18n import tr
from airgap.kube.detect import keys
from airgap.kube.detect.rule import ANY, BUT_SCHEMAS, COMPLETE, DATA, EVERYWHERE, LOOSE, NAME, QUALIFIED, SCHEMA, Rule
from airgap.kube.model import CERTAIN, LIKELY, POSSIBLE

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

KUSTOMIZE = Rule(
    "kustomize-images",
    "kustomize",
    LIKELY,
    "**.images[].{name,newName}",
    tr("an entry of a kustomization's images: newName, else name, with newTag or digest"),
    objects=EVERYWHERE,
)
DOCKER_IMAGE_FROM = Rule(
    "from-image",
    "crd",
    LIKELY,
    "**.from.name",
    tr("a reference by kind and name, where the kind is DockerImage"),
    shape=NAME,
    objects=EVERYWHERE,
)
DEFAULT = Rule(
    "schema-default",
    "crd",
    LIKELY,
    "**.default",
    tr("the default of a field that is named image: the API server fills it in"),
    SCHEMA,
    QUALIFIED,
)
PARAMETER = Rule(
    "parameter-image",
    "crd",
    LIKELY,
    "**.{value,default}",
    tr("a parameter whose name says that its value is an image"),
    shape=QUALIFIED,
    objects=EVERYWHERE,
)
LISTED = Rule(
    "list-images",
    "crd",
    LIKELY,
    "**",
    tr("an entry of a list or mapping that is called images"),
    shape=QUALIFIED,
    objects=EVERYWHERE,
)
ITEM = Rule(
    "list-variable",
    "crd",
    LIKELY,
    "**[]",
    tr("an item NAME=value whose name says image"),
    shape=QUALIFIED,
    objects=EVERYWHERE,
)
ANNOTATION = Rule(
    "annotation-image", "crd", LIKELY, "**.annotations**", tr("an annotation whose name says image"), shape=COMPLETE
)
APPLIED = Rule(
    "last-applied",
    "embedded",
    POSSIBLE,
    f"**.annotations['{keys.APPLIED}']**",
    tr("what was applied last: kubectl compares with it, and nothing is pulled for it"),
    EVERYWHERE,
)
ADDRESS = Rule(
    "image-address",
    "crd",
    LIKELY,
    "**",
    tr("an address of the form docker://: it says that an image stands behind it"),
    EVERYWHERE,
)
MODEL_STORAGE_URI = Rule(
    "storage-image",
    "crd",
    LIKELY,
    "**.{storageUri,storage_uri}",
    tr("an address oci:// of what a model server loads: the node pulls it as an image"),
)
SHAPE = Rule(
    "reference-shape",
    "crd",
    POSSIBLE,
    "**",
    tr("a value with a registry's address, a path and a tag or digest: only its shape says image"),
    BUT_SCHEMAS,
    COMPLETE,
)
SETTING_LINE = Rule(
    "setting-image",
    "embedded",
    LIKELY,
    "**",
    tr("a line NAME=value whose name says image"),
    shape=QUALIFIED,
    objects=BUT_SCHEMAS,
)
LINE = Rule(
    "setting-reference",
    "embedded",
    POSSIBLE,
    "**",
    tr("a line whose value is a complete reference"),
    shape=COMPLETE,
    objects=BUT_SCHEMAS,
)
SETTING_GROUP = Rule(
    "setting-parts",
    "embedded",
    LIKELY,
    "**",
    tr("lines for repository and tag that are called alike, where a name says image"),
    objects=BUT_SCHEMAS,
)
PULLED = Rule(
    "script-pull",
    "embedded",
    LIKELY,
    "**",
    tr("a command that pulls this image, or runs it"),
    shape=QUALIFIED,
    objects=BUT_SCHEMAS,
)
SCRIPT = Rule(
    "script-option", "embedded", LIKELY, "**", tr("an option of a script whose name ends in image"), objects=BUT_SCHEMAS
)

#: Paths where a value is not an image that is pulled. Only a certain rule goes before them. Each with the reason.
NEVER_PULLED: tuple[tuple[str, str], ...] = (
    ("{status,items[].status}.**", tr("a status tells what was, nothing is pulled for it")),
    (
        "**.{labels,annotations,matchLabels,selector,nodeSelector}.**",
        tr("labels, annotations and selectors are names that anyone may choose"),
    ),
    ("**._example**", tr("an example for people, which no program reads")),
    ("**.{description,example,examples}", tr("text for people, which no program pulls")),
)

ENVIRONMENT: tuple[Rule, ...] = (
    Rule(
        "env-image",
        "env",
        LIKELY,
        "**.env[].value",
        tr("a variable whose name says that its value is an image"),
        shape=NAME,
        name=r"RELATED_IMAGE_.+|(?:.+_)?IMAGE",
        objects=BUT_SCHEMAS,
    ),
    Rule(
        "env-reference",
        "env",
        POSSIBLE,
        "**.env[].value",
        tr("a variable whose value is a complete reference"),
        shape=COMPLETE,
        name=r".*",
        objects=BUT_SCHEMAS,
    ),
)

ARGUMENTS: tuple[Rule, ...] = (
    Rule(
        "arg-image",
        "arg",
        LIKELY,
        "**.{args,command}[]",
        tr("an option whose name ends in image"),
        name=r"-{1,2}(?:[A-Za-z0-9._-]*[-._])?[iI]mage|-{1,2}[A-Za-z0-9._-]*[a-z0-9]Image",
        objects=BUT_SCHEMAS,
    ),
    Rule(
        "arg-images",
        "arg",
        LIKELY,
        "**.{args,command}[]",
        tr("an option whose name ends in images, with name=reference behind it"),
        shape=QUALIFIED,
        name=r"-{1,2}(?:[A-Za-z0-9._-]*[-._])?images|-{1,2}[A-Za-z0-9._-]*[a-z0-9]Images",
        objects=BUT_SCHEMAS,
    ),
    Rule(
        "arg-reference",
        "arg",
        POSSIBLE,
        "**.{args,command}[]",
        tr("an argument that holds a complete reference"),
        shape=COMPLETE,
        name=r".*",
        objects=BUT_SCHEMAS,
    ),
)
