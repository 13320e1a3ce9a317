# SPDX-License-Identifier: Apache-2.0
"""Rewrite the resource files of a bundle for a target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from airgap.bundle import BundleReader
from airgap.events import Sink, Warned
from airgap.i18n import tr
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.scan import scan
from airgap.kube.files import ResourceFile
from airgap.kube.rewrite.file_set import RewrittenFile, rewrite_files
from airgap.oci import Reference


def rewrite_bundle_files(
    bundle: BundleReader, targets: Mapping[Reference, Reference], rules: CustomRules, emit: Sink
) -> list[RewrittenFile]:
    """Rewrite every resource file of ``bundle`` in memory.

    ``targets`` maps each image to its reference at the target; other images stay, with a warning. Raises
    :class:`airgap.errors.ResourceError`.
    """
    scanned = []
    for entry in bundle.inventory.resources:
        content = bundle.member(entry.member)
        scanned.append((ResourceFile(entry.name, entry.name, content), scan(content, entry.name, rules)))
    return rewrite_files(scanned, targets.get, keep_unknown=True, rules=rules, emit=emit)


def without_failed_images(
    files: Sequence[RewrittenFile], failed: Collection[str], rules: CustomRules, emit: Sink
) -> list[RewrittenFile]:
    """Return the files that need none of the ``failed`` images (references as text); warn about each other file."""
    if not failed:
        return list(files)
    kept = []
    for file in files:
        needed = {str(site.reference) for site in scan(file.before, file.name, rules).sites}
        if missing := sorted(needed & set(failed)):
            emit(Warned(tr("{name} is not written: it needs {missing}", name=file.name, missing=", ".join(missing))))
        else:
            kept.append(file)
    return kept
