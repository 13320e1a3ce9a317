# SPDX-License-Identifier: Apache-2.0
"""Places whose values look like images and name something else: disks of machines, block devices, what is built."""

from __future__ import annotations

import re
from functools import lru_cache

from airgap.i18n import tr
from airgap.kube.detect import keys, rules
from airgap.kube.detect.inherited import is_machine
from airgap.kube.detect.nodes import Node, ScalarToken
from airgap.kube.detect.rule import compile_path
from airgap.kube.detect.shapes import has_tag, is_complete_reference, not_an_image_reason

#: Types whose images are disks: machines and their templates in any provider's API, and instances of clouds.
_MACHINE_KIND = re.compile(
    r"(?!.*Docker).*(?:Machine(?:Set|Deployment|Pool|Template|Config|Class|Spec)?|MachineProviderSpec|InstanceGroup"
    r"|InstanceTemplate)(?:List)?|Instance|VirtualMachine|Disk|Volume|Droplet|Server"
)
#: Parts of a path below which an image is a disk.
_DISK_KEY = re.compile(
    r"(?:disks?|boot_?disks?|root_?(?:disk|volume)|initialize_?params|block_?devices?)", re.IGNORECASE
)
_DISK = tr("it is the disk of a machine, which no registry serves")


@lru_cache(maxsize=1024)
def never_pulled_reason(rule_path: str) -> str | None:
    """Return why a value at this path is not an image that is pulled, or ``None``."""
    return next((reason for place, reason in rules.NEVER_PULLED if compile_path(place).fullmatch(rule_path)), None)


def other_meaning(node: Node, token: ScalarToken, object_type: tuple[str, str], top: Node | None) -> str | None:
    """Return why the value of a key that says image is something else here, or ``None``."""
    value = token.value.strip()
    if (reason := not_an_image_reason(value)) is not None:
        return reason
    if is_complete_reference(value):
        return None
    if is_machine(node) or _is_below_disk(node, top):
        return _DISK
    kind = object_type[1]
    if (
        not has_tag(value)
        and not node.is_container
        and _MACHINE_KIND.fullmatch(kind)
        and not object_type[0].startswith("kubevirt.")
    ):
        return _DISK
    return None


def _is_below_disk(node: Node, top: Node | None) -> bool:
    """Whether one of the three nearest keys is that of a disk."""
    ancestor: Node | None = node
    for _ in range(3):
        if ancestor is None or ancestor is top:
            return False
        if isinstance(ancestor.parent_key, str) and _DISK_KEY.fullmatch(ancestor.parent_key):
            return True
        ancestor = ancestor.parent
    return False


def is_written_to(option: str) -> bool:
    """Return whether an option of this name says where an image is written, as ``--destination`` does."""
    return option.lstrip("-").lower() in _WRITTEN_TO


_WRITTEN_TO = frozenset({"destination", "dest", "push", "output", "tag", "t", "cache-repo", "target-image"})
WRITTEN_TO = tr("it is where an image is written, not one that is pulled")


def is_package(node: Node) -> bool:
    """Return whether the mapping describes a package of software: a name, a version and a repository, but no tag."""
    roles = {keys.classify(key).role for key in node.tokens or ()}
    return {keys.NAME, keys.VERSION, keys.REPOSITORY} <= roles and not roles & {keys.TAG, keys.DIGEST, keys.IMAGE}
