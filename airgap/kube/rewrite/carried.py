# SPDX-License-Identifier: Apache-2.0
"""The resource files that a bundle carries, rewritten for a target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from airgap.bundle import BundleReader
from airgap.events import Sink, Warned
from airgap.kube.detect.custom_rules import Custom
from airgap.kube.detect.scan import scan
from airgap.kube.files import ResourceFile
from airgap.kube.rewrite.files import RewrittenFile, rewrite_files
from airgap.oci import Reference


def rewrite_carried(
    bundle: BundleReader, targets: Mapping[Reference, Reference], rules: Custom, emit: Sink
) -> list[RewrittenFile]:
    """Rewrite every resource file of ``bundle`` in memory. ``targets`` gives the reference at the target of each image;
    other images stay as they are, with a warning. Raises :class:`airgap.errors.ResourceError`."""
    scanned = []
    for entry in bundle.inventory.resources:
        content = bundle.member(entry.member)
        scanned.append((ResourceFile(entry.name, entry.name, content), scan(content, entry.name, rules)))
    return rewrite_files(scanned, targets.get, keep_unknown=True, emit=emit)


def without_failed_images(
    files: Sequence[RewrittenFile], failed: Collection[str], rules: Custom, emit: Sink
) -> list[RewrittenFile]:
    """The ``files`` that need none of the ``failed`` images (references as text); a warning for each of the others."""
    if not failed:
        return list(files)
    kept = []
    for file in files:
        needed = {str(site.reference) for site in scan(file.before, file.name, rules).sites}
        if missing := sorted(needed & set(failed)):
            emit(Warned(f"{file.name} is not written: it needs {', '.join(missing)}"))
        else:
            kept.append(file)
    return kept
