# SPDX-License-Identifier: Apache-2.0
"""Find the images of a list of references: a file that ends in ``.txt``, or standard input with nothing else in it."""

from __future__ import annotations

from airgap.errors import AirgapError, InvalidReference, ResourceError, raise_all
from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.model import CERTAIN, NearMiss, Scalar, Scan, Site, SitePart
from airgap.kube.parse import line_events
from airgap.kube.parse.budget import SITE, Budget
from airgap.kube.parse.source import Source
from airgap.oci import Reference

#: The kind and the rule of its sites.
KIND = RULE = "list"


def is_list(source: Source) -> bool:
    """Return whether ``source`` is to be read as a list, by its name, or for standard input by all its lines."""
    if source.file != "-":
        return source.file.lower().endswith(".txt")
    found = False
    for _, value, _, _, style, *_ in line_events.parse(source):
        if style == line_events.STYLE:
            found = True
            try:
                Reference.parse(value)
            except InvalidReference:
                return False
    return found


def scan_list(source: Source, custom_rules: CustomRules, *, strict: bool) -> Scan:
    """Return a site for each line. A line that is no reference is an error, or without ``strict`` a near miss."""
    sites: list[Site] = []
    misses: list[NearMiss] = []
    errors: list[AirgapError] = []
    budget = Budget()
    for _, value, start, end, style, *_ in line_events.parse(source):
        if style != line_events.STYLE:
            continue
        line, column = source.line_and_column(start)
        path = f"lines[{line - 1}]"
        budget.keep(SITE, lambda line=line: f"{source.file}:{line}")  # type: ignore[misc] # bound now
        try:
            reference = Reference.parse(value)
        except InvalidReference as error:
            if strict:
                errors.append(ResourceError(error.what, where=f"{source.file}:{line}", hint=error.hint))
            misses.append(NearMiss(source.file, line, column, path, value, error.what, certain=True))
            continue
        if reason := custom_rules.ignore_reason(reference):
            ignored = tr("ignored by airgap.yaml: {reason}", reason=reason)
            misses.append(NearMiss(source.file, line, column, path, value, ignored))
            continue
        span = (start + source.bom_length, end + source.bom_length)
        scalar = Scalar(*span, line_events.STYLE, flow=False)
        part = SitePart(model.WHOLE, span, (0, len(value)), value, value, scalar, line, span)
        sites.append(Site(source.file, 1, path, line, column, (part,), reference, KIND, RULE, CERTAIN))
    raise_all(errors)
    return Scan(tuple(sites), tuple(misses))
