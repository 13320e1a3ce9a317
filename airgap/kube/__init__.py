# SPDX-License-Identifier: Apache-2.0
"""Find the images in Kubernetes YAML and JSON, and rewrite them.

- ``load`` reads files, folders and standard input.
- ``scan`` finds the sites: the places in a file that name images.
- ``rewrite_content`` replaces the bytes of sites and no others; ``revert_content`` restores the original.

``walk`` reads folders and says what it left out. ``parse`` turns YAML and JSON into events, ``detect`` applies the
rules to them, ``rewrite`` edits files and keeps the log of edits, and ``render`` runs helm and kustomize and finds the
values that move a chart's images. Files are edited, never dumped. Nothing here connects to a registry.
"""

from airgap.kube.detect.custom_rules import NO_CUSTOM_RULES, CustomRules, IgnoreRule, TakeRule
from airgap.kube.detect.scan import scan
from airgap.kube.files import ResourceFile, load
from airgap.kube.model import Edit, NearMiss, Rewritten, Scalar, Scan, Site
from airgap.kube.rewrite.rewriter import revert_content, rewrite_content

__all__ = [
    "NO_CUSTOM_RULES",
    "CustomRules",
    "Edit",
    "IgnoreRule",
    "NearMiss",
    "ResourceFile",
    "Rewritten",
    "Scalar",
    "Scan",
    "Site",
    "TakeRule",
    "load",
    "revert_content",
    "rewrite_content",
    "scan",
]
