# SPDX-License-Identifier: Apache-2.0
"""A function that looks up where an image is on the target by the mapping alone."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import TargetError
from airgap.i18n import tr
from airgap.kube.detect.custom_rules import NO_CUSTOM_RULES, CustomRules
from airgap.kube.detect.scan import scan
from airgap.kube.files import ResourceFile
from airgap.kube.model import Scan
from airgap.kube.rewrite.file_set import Locate
from airgap.kube.rewrite.log import first_contents
from airgap.oci import Reference
from airgap.targets import Mapping, collision_hint


def lookup_by_mapping(
    mapping: Mapping, files: Sequence[tuple[ResourceFile, Scan]] = (), paths: Sequence[str] = (),
    rules: CustomRules = NO_CUSTOM_RULES,
) -> Locate:  # fmt: skip
    """Return a lookup that knows every image: its target follows from ``mapping``.

    The lookup raises :class:`TargetError` for an image that would get the same name as an earlier one. One that has
    its name on the target already is none, but counts as the image that an earlier run has rewritten in ``files``, read
    from ``paths`` and scanned by ``rules``.
    """
    present = {site.reference for _, scanned in files for site in scanned.sites}
    sources: dict[Reference, Reference] = {}
    for file, content in first_contents([file for file, _ in files], paths):
        for site in scan(content, file.path, rules, strict=False).sites:
            target = mapping.locate(site.reference)
            if target in present and target != site.reference:
                sources.setdefault(target, site.reference)

    def locate(source: Reference) -> Reference:
        target = mapping.locate(source)
        first = source if target == source else sources.setdefault(target, source)
        if first != source:
            raise TargetError(
                tr("{first} and {source} would both become {target}", first=first, source=source, target=target),
                hint=collision_hint(first, source, mapping),
            )
        return target

    return locate
