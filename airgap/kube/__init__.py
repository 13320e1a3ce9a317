# SPDX-License-Identifier: Apache-2.0
"""Resource files: Kubernetes YAML and JSON in, the places that name images out, and new names spliced in.

``scan`` finds sites, ``rewrite`` replaces their bytes and nothing else, ``revert`` undoes it, ``load`` reads
files, folders and standard input. A file is never dumped again, nothing is composed or constructed, and what is
not valid is refused with file:line. Charts and kustomizations are rendered by the user's own programs (``render``),
and ``solving`` finds the values that move a chart's images. This room knows no registry.
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
