# SPDX-License-Identifier: Apache-2.0
"""The checks of ``airgap doctor``, over one :class:`airgap.targets.probe.Probe`.

``CHECKS`` lists them in the order in which they run: from the network to the settings, so that the first problem is the
cause. A check that depends on something that failed is skipped. Targets run some of them before an import.

``network``, ``certificates`` and ``tls_probe`` examine the connection; ``registry_answer`` what answers (``web_page``
quotes what is no registry) and ``rest_answer`` what answers instead of Nexus's REST API; ``signin`` the
sign-in; ``nexus_settings`` Nexus's REST API; ``harbor_project`` Harbor's; ``upload`` a push of the image that
``probe_image`` names; ``nodes`` what the nodes need. ``fixes`` holds the changes of ``--fix``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airgap.records import Record, replace
from airgap.targets.doctor import (
    certificates,
    harbor_project,
    network,
    nexus_settings,
    nodes,
    registry_answer,
    signin,
    upload,
)
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding


class Check(Record):
    """One check and its name. After a problem of a ``decisive`` one, the checks behind it make no sense."""

    name: str
    run: Callable[[Probe], list[Finding]]
    decisive: bool = True


CHECKS = (
    Check("name", network.check_name),
    Check("connection", network.check_connection),
    Check("protocol", network.check_protocol),
    Check("certificate", certificates.check_certificate),
    Check("registry", registry_answer.check_registry),
    Check("challenge", signin.check_challenge),
    Check("sign-in", signin.check_sign_in),
    Check("rest", nexus_settings.check_rest, decisive=False),
    Check("licence", nexus_settings.check_licence),
    Check("writable", nexus_settings.check_writable),
    Check("repository", nexus_settings.check_repository),
    Check("connector", nexus_settings.check_connector, decisive=False),
    Check("realms", nexus_settings.check_realms),
    Check("project", harbor_project.check_project),
    Check("quota", nexus_settings.check_quota, decisive=False),
    Check("components", nexus_settings.check_components, decisive=False),
    Check("begin", upload.check_begin),
    Check("push", upload.check_push),
    Check("nodes", nodes.check_nodes, decisive=False),
)
#: ``push`` does what ``begin`` does, and more.
DOCTOR = tuple(check.name for check in CHECKS if check.name != "begin")


def run(probe: Probe, names: Sequence[str] = DOCTOR) -> list[Finding]:
    """Run the named checks in the order of ``CHECKS``, up to the first problem of a decisive one."""
    findings: list[Finding] = []
    for check in CHECKS:
        if check.name not in names:
            continue
        results = [replace(finding, check=finding.check or check.name) for finding in check.run(probe)]
        findings += results
        if check.decisive and any(finding.level == "problem" for finding in results):
            break
    return findings
