# SPDX-License-Identifier: Apache-2.0
"""Checks that the project of a Harbor exists."""

from __future__ import annotations

from airgap.i18n import tr
from airgap.targets.harbor.detection import is_harbor
from airgap.targets.harbor.projects import HarborProjects
from airgap.targets.nexus.detection import is_nexus
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding


def check_project(probe: Probe) -> list[Finding]:
    """Check the project that the first element of the prefix names. Nothing for other products."""
    if is_nexus(probe) or not is_harbor(probe):
        return []
    project = probe.mapping.address.prefix.partition("/")[0]
    if not project:
        return [
            Finding("warning", tr("in Harbor every image lies in a project"), tr("give one: HOST/PROJECT as target"))
        ]
    if HarborProjects(probe).status(project) == 404:
        what = tr("Harbor has no project {project} that this user may see", project=project)
        return [Finding("problem", what, tr("make it: --fix, or airgap import --create-projects"), fix="project")]
    return [Finding("ok", tr("the project {project} is there", project=project))]
