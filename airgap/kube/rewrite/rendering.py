# SPDX-License-Identifier: Apache-2.0
"""Rewrite what a chart renders to, by a table of references. A post-renderer of helm runs this."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.events import Sink, ignore
from airgap.i18n import tr
from airgap.kube.detect.scan import scan
from airgap.kube.files import ResourceFile
from airgap.kube.rewrite.file_set import rewrite_files
from airgap.oci import Reference


def rewrite_rendering(
    content: bytes, targets: Mapping[Reference, Reference], label: str = "stdin", emit: Sink = ignore
) -> bytes:
    """Return ``content`` with each image of ``targets`` at its target, every other byte as it was.

    Images that are at a target already stay, so that a second run changes nothing; other images stay with a warning.
    Raises ResourceError for content that is not YAML, and for an image that cannot be rewritten where it stands.
    """
    known = {**{target: target for target in targets.values()}, **targets}
    file = ResourceFile(label, label, content)
    origin = tr("mapping of this post-renderer")
    rewritten = rewrite_files([(file, scan(content, label))], known.get, keep_unknown=True, origin=origin, emit=emit)
    return rewritten[0].after
