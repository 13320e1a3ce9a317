# SPDX-License-Identifier: Apache-2.0
"""The rules by which something is an image, as data: where it stands, what shape it has, how sure that is, and why.

``objects`` are ``apiVersion/Kind`` patterns of the nearest enclosing object, or ``LOOSE`` for YAML that is no
Kubernetes object; ``path`` is a pattern over the keys below that object, ``[]`` for an item of a list, ``**`` for
any keys, ``{a,b}`` for either. The first rule that fits decides. Names of products have no place here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from airgap.kube.model import CERTAIN, LIKELY, POSSIBLE

#: ``objects`` of a rule for YAML without apiVersion and kind.
LOOSE = ("",)
#: ``objects`` of a rule for every object, but those of ``UNTYPED``.
ANY = ("*",)
#: Objects whose data are text or schemas, not fields: an ``image`` key there means something else.
UNTYPED = ("v1/ConfigMap", "v1/Secret", "apiextensions.k8s.io/*/CustomResourceDefinition")

#: Shapes: "name" is whatever parses as a reference; "tagged" has a tag or digest, or a path; "complete" has a
#: registry's address and a tag or digest.
NAME, TAGGED, COMPLETE = "name", "tagged", "complete"


@dataclass(frozen=True)
class Rule:
    """``name`` narrows an option's or variable's name; ``alone`` refuses a value whose rest stands under other keys."""

    id: str
    kind: str
    confidence: str
    path: str
    why: str
    objects: tuple[str, ...] = ANY
    shape: str = NAME
    name: str = ""
    alone: bool = False

    def fits(self, api: str, kind: str, path: str) -> bool:
        """Whether ``path`` below an object of that type is this rule's place; both are empty outside of objects."""
        return _object_fits(self.objects, api, kind) and compile_path(self.path).fullmatch(path) is not None

    def named(self, name: str) -> bool:
        """Whether an option or variable is called as this rule wants it."""
        return re.fullmatch(self.name, name) is not None


@lru_cache(maxsize=4096)
def _object_fits(patterns: tuple[str, ...], api: str, kind: str) -> bool:
    if not kind:
        return patterns == LOOSE
    if patterns == ANY:
        return not any(fnmatchcase(f"{api}/{kind}", one) for one in UNTYPED)
    return any(fnmatchcase(f"{api}/{kind}", one) for one in patterns)


@lru_cache(maxsize=256)
def compile_path(pattern: str) -> re.Pattern[str]:
    """``**.spec.{a,b}[].image`` as a regular expression over paths with ``[]`` for indexes."""
    parts = []
    for piece in re.split(r"(\*\*\.?|\*|\{[^}]*\})", pattern):
        if piece == "**.":
            parts.append(r"(?:.*[.\]])?")
        elif piece == "**":
            parts.append(".*")
        elif piece == "*":
            parts.append(r"[^.\[\]]+")
        elif piece.startswith("{"):
            parts.append("(?:" + "|".join(re.escape(one) for one in piece[1:-1].split(",")) + ")")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts))


_CONTAINERS = "{containers,initContainers,ephemeralContainers}[].image"
_VOLUME = "volumes[].image.reference"
#: Keys beside ``image`` that hold the tag or digest it lacks, those that hold the registry it lacks, and those of
#: either sort that a mapping around may hold for many.
TAG_KEYS = frozenset({"tag", "imageTag", "image_tag", "version", "digest"})
REGISTRY_KEYS = frozenset({"registry", "imageRegistry", "repository", "hub"})
SHARED = frozenset({"hub", "tag", "registry", "imageRegistry"})

#: Where the pod specification lies in each built-in workload, by its API (Kubernetes API reference, "Workloads").
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
    """One rule for each place of a pod specification, alone and in a typed list (``kind: PodList``)."""
    for spec, objects in _POD_SPECS:
        yield Rule(id, "field", CERTAIN, f"{spec}.{below}", why, objects)
        yield Rule(id, "field", CERTAIN, f"items[].{spec}.{below}", why, tuple(f"{one}List" for one in objects))


FIELDS: tuple[Rule, ...] = (
    *_workloads("pod-container", _CONTAINERS, "a container's image in a workload"),
    *_workloads("pod-image-volume", _VOLUME, "an image mounted as a volume"),
    Rule(
        "template-container",
        "crd",
        LIKELY,
        f"**.{_CONTAINERS}",
        "a container's image in the pod template of another object",
    ),
    Rule("template-image-volume", "crd", LIKELY, f"**.{_VOLUME}", "an image volume in the template of another object"),
    Rule(
        "object-image",
        "crd",
        LIKELY,
        "**.image",
        "a field named image in an object whose type is not built in",
        alone=True,
    ),
    Rule(
        "compose-service",
        "compose",
        LIKELY,
        "services.*.image",
        "the image of a compose service",
        LOOSE,
    ),
    Rule(
        "loose-image",
        "helm-values",
        LIKELY,
        "**.image",
        "a field named image in YAML that is no Kubernetes object",
        LOOSE,
        alone=True,
    ),
)

#: Where a key named image means something else, whatever a rule that is less than certain says.
ELSEWHERE: tuple[tuple[str, str], ...] = (
    ("{status,items[].status}.**", "a status tells what was, nothing is pulled for it"),
    (
        "**.{labels,annotations,matchLabels,selector,nodeSelector}.**",
        "labels, annotations and selectors are names that anyone may choose",
    ),
)

ENVIRONMENT: tuple[Rule, ...] = (
    Rule(
        "env-image",
        "env",
        LIKELY,
        "**.env[].value",
        "a variable whose name says that its value is an image",
        shape=NAME,
        name=r"RELATED_IMAGE_.+|(?:.+_)?IMAGE",
    ),
    Rule(
        "env-reference",
        "env",
        POSSIBLE,
        "**.env[].value",
        "a variable whose value is a complete reference",
        shape=COMPLETE,
        name=r".*",
    ),
)

ARGUMENTS: tuple[Rule, ...] = (
    Rule(
        "arg-image",
        "arg",
        LIKELY,
        "**.{args,command}[]",
        "an option whose name ends in image",
        name=r"-{1,2}(?:[A-Za-z0-9._-]*[-._])?[iI]mage|-{1,2}[A-Za-z0-9._-]*[a-z0-9]Image",
    ),
    Rule(
        "arg-images",
        "arg",
        LIKELY,
        "**.{args,command}[]",
        "an option whose name ends in images, with name=reference behind it",
        shape=TAGGED,
        name=r"-{1,2}(?:[A-Za-z0-9._-]*[-._])?images|-{1,2}[A-Za-z0-9._-]*[a-z0-9]Images",
    ),
    Rule(
        "arg-reference",
        "arg",
        POSSIBLE,
        "**.{args,command}[]",
        "an argument that holds a complete reference",
        shape=COMPLETE,
        name=r".*",
    ),
)

#: A mapping's key for which its value is looked at: the last key of a field rule, and those that read siblings.
TRIGGERS = frozenset({"image", "reference"})
#: Scalars that a mapping keeps while it is open, because a rule may ask for them.
SIBLINGS = TRIGGERS | TAG_KEYS | REGISTRY_KEYS | {"name", "value", "kind", "apiVersion"}
#: A list's key whose items are arguments.
ARGUMENT_LISTS = frozenset({"args", "command"})
