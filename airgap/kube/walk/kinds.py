# SPDX-License-Identifier: Apache-2.0
"""Tell resource files from the other YAML and JSON of a repository.

A resource file holds Kubernetes objects, or is a kustomization, a values file or a compose file. Values files have no
schema: a file whose content names an image with its tag, or a complete reference, is taken for one.
"""

from __future__ import annotations

import os
import re

from airgap.kube.detect import keys
from airgap.kube.detect.shapes import is_complete_reference
from airgap.kube.files import ResourceFile, holds_objects
from airgap.kube.model import POSSIBLE, Scan, Site
from airgap.kube.render.programs import KUSTOMIZATION_NAMES

#: The keys of an object in block style, in the first column.
_API_VERSION = re.compile(rb"^[\"']?apiVersion[\"']?[ \t]*:", re.MULTILINE)
_KIND = re.compile(rb"^[\"']?kind[\"']?[ \t]*:", re.MULTILINE)
_SERVICES = re.compile(rb"^[\"']?services[\"']?[ \t]*:", re.MULTILINE)
#: An operation of a JSON patch (RFC 6902), as kustomizations have them in files of their own.
_PATCH = re.compile(rb"^[ \t]*(?:-[ \t]+)?[\"']?op[\"']?[ \t]*:[ \t]*[\"']?(?:add|replace)\b", re.MULTILINE)
_VALUES_NAME = re.compile(r"(?:^|[._-])values(?:[._-]|$)", re.IGNORECASE)
_COMPOSE_NAME = re.compile(r"(?:^|[._-])compose(?:[._-]|$)", re.IGNORECASE)


def is_resource_file(file: ResourceFile, scan: Scan) -> bool:
    """Return whether ``file``, which was scanned, is a resource file."""
    content, name = file.content, os.path.basename(file.path)
    return bool(
        any(map(_is_convincing, scan.sites))
        or any(is_complete_reference(miss.text) for miss in scan.misses)
        or (_API_VERSION.search(content) and _KIND.search(content))
        or name in KUSTOMIZATION_NAMES
        or _VALUES_NAME.search(name)
        or _COMPOSE_NAME.search(name)
        or _SERVICES.search(content)
        or (_PATCH.search(content) and scan.sites)
        or os.path.exists(os.path.join(os.path.dirname(file.path), "Chart.yaml"))
        or holds_objects(content, file.path)
    )


def _is_convincing(site: Site) -> bool:
    """Whether the site alone shows that its file names images: complete, or with a tag or digest at an image's key."""
    if is_complete_reference(site.value):
        return True
    if site.confidence == POSSIBLE:
        return False
    if len(site.parts) > 1:
        return any(map(keys.names_image, re.split(r"[.\[\]]", site.path)))
    return ":" in site.value or "@" in site.value
