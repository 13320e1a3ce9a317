# SPDX-License-Identifier: Apache-2.0
"""The detection rules, as data: which places hold images, in which shape, how sure that is, and why.

``objects`` are ``apiVersion/Kind`` patterns for the nearest enclosing object, or ``LOOSE`` for YAML that is not a
Kubernetes object. ``path`` is a pattern for the keys below that object: ``[]`` is an item of a list, ``**`` any keys,
``{a,b}`` either key. ``key`` is the role of the last key (:mod:`airgap.kube.detect.keys`). The first rule that fits
decides. No rule is for a product by name, except for APIs whose types define a field as an image.
"""

from __future__ import annotations

from airgap.i18n import tr
from airgap.kube.detect import keys
from airgap.kube.detect.field_rules import FIELDS
from airgap.kube.detect.rule import BUT_SCHEMAS, COMPLETE, DATA, EVERYWHERE, NAME, QUALIFIED, SCHEMA, Rule
from airgap.kube.model import LIKELY, POSSIBLE

__all__ = ["FIELDS"]

IMAGE_VALUE = Rule(
    "image-value",
    "crd",
    LIKELY,
    "**.{ref,url,uri,reference,full,fullName}",
    tr("the whole reference below a key that is named image"),
    shape=QUALIFIED,
    objects=BUT_SCHEMAS,
)
NAMED_DATA = Rule(
    "data-images",
    "embedded",
    LIKELY,
    "data.*",
    tr("a value of a ConfigMap whose own name says image"),
    DATA,
    QUALIFIED,
)
TEMPLATE_DEFAULT = Rule(
    "template-default",
    "embedded",
    LIKELY,
    "**",
    tr("the literal default of a template: it is what runs when nothing else is set"),
    BUT_SCHEMAS,
    COMPLETE,
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
PATCHED = Rule(
    "patch-image",
    "kustomize",
    LIKELY,
    "**.value",
    tr("the value of a JSON patch whose path ends in a field for an image"),
    objects=BUT_SCHEMAS,
)
BUNDLE = Rule(
    "task-bundle",
    "crd",
    LIKELY,
    "**.{taskRef,pipelineRef,ref}.params[].value",
    tr("the type's contract: the bundle of a task is pulled from a registry (Tekton, bundles resolver)"),
    ("tekton.dev/*",),
    COMPLETE,
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
    tr("an address docker:// or oci://, with its tag in it or beside it: an image or artifact stands behind it"),
    BUT_SCHEMAS,
)
CHART = Rule(
    "chart-source",
    "crd",
    LIKELY,
    "**.repoURL",
    tr("a chart in a registry, by repository, chart and version: it is pulled as an artifact"),
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
    tr("a command that pulls, runs, copies or sets this image, a list of a script, or the FROM of a Dockerfile"),
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
    ("**.{taints,tolerations}[].{key,value}", tr("a taint is a name that anyone may choose")),
    ("**._example**", tr("an example for people, which no program reads")),
    ("**.{description,example,examples}", tr("text for people, which no program pulls")),
    ("**.rbd.image", tr("a Ceph block device, which no registry serves")),
    ("**.backingImage", tr("the disk of a machine, which no registry serves")),
    ("**.artifacts[].image", tr("an image that is built here, not pulled")),
    ("dependencies[].repository", tr("a repository of charts, which the chart's dependencies name")),
)

ENVIRONMENT_IMAGE = Rule(
    "env-image",
    "env",
    LIKELY,
    "**.env[].value",
    tr("a variable with the word image in its name; where that does not end the name, its value has a path and a tag"),
    name=r"RELATED_IMAGE_.+|(?:.+_)?IMAGES?",
    objects=BUT_SCHEMAS,
)
ENVIRONMENT_REFERENCE = Rule(
    "env-reference",
    "env",
    LIKELY,
    "**.env[].value",
    tr("a variable whose value is a complete reference"),
    shape=COMPLETE,
    name=r".*",
    objects=BUT_SCHEMAS,
)
PARTS_IN_LIST = Rule(
    "named-parts",
    "env",
    LIKELY,
    "**[].{value,default}",
    tr("entries of a list whose names say that their values are the parts of one reference"),
    objects=BUT_SCHEMAS,
)

ARGUMENT_PAIR = Rule(
    "arg-pair",
    "arg",
    POSSIBLE,
    "**.{args,command}[]",
    tr("a complete reference behind a name and = in an argument, as a label or a variable has it"),
    shape=COMPLETE,
    objects=BUT_SCHEMAS,
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
        LIKELY,
        "**.{args,command}[]",
        tr("an argument that holds a complete reference, or a path with a tag behind an option that says image"),
        shape=COMPLETE,
        name=r".*",
        objects=BUT_SCHEMAS,
    ),
)
