# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor --artifacts-to``: examine the repositories of artifacts. Nothing is uploaded."""

from __future__ import annotations

from collections.abc import Iterable

from airgap.artifacts.publish.folder import FolderRepository
from airgap.artifacts.publish.opening import Opener
from airgap.errors import AirgapError
from airgap.i18n import tr
from airgap.records import replace
from airgap.targets.protocols import Finding


def examine_artifacts(formats: Iterable[str], opener: Opener) -> list[Finding]:
    """Open and check the repository of each format; the first problem of one is no end of the others."""
    findings: list[Finding] = []
    for name in formats:
        try:
            repository = opener.open(name)
            found = repository.check()
        except AirgapError as error:
            findings.append(Finding("problem", str(error), error.hint or "", check=name))
            continue
        if not any(finding.level == "problem" for finding in found):
            what = tr("{repository} takes {format} artifacts", repository=repository, format=name)
            # No server tells it without taking a file: Nexus asks for the privilege of the path that is written.
            is_asked = isinstance(repository, FolderRepository)
            hint = "" if is_asked else tr("whether this user may upload was not checked: only an upload tells")
            findings.append(Finding("ok", what, hint, check=name))
        findings += [replace(finding, check=name) for finding in found]
    return findings
