# SPDX-License-Identifier: Apache-2.0
"""What ``airgap doctor`` looks at, one small function for each, over one :class:`airgap.targets.probe.Probe`.

They run in the order of ``CHECKS``: what lies nearer comes first, and what depends on something broken is not asked,
so that the first problem is the true cause. ``READING`` is what anything asks of a Nexus first, ``PREFLIGHT`` what is
asked before it is pushed to; ``begin`` is asked when it is known that uploads follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airgap.records import replace
from airgap.targets.doctor import push, reach, settings, signin
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

Check = Callable[[Probe], list[Finding]]


def project(probe: Probe) -> list[Finding]:
    """Harbor alone: the prefix's first element is a project that exists."""
    if probe.product != "harbor":
        return []
    from airgap.targets.harbor.target import HarborTarget

    name = probe.mapping.address.prefix.partition("/")[0]
    if not name:
        return [Finding("warning", "in Harbor every image lies in a project", "give one: HOST/PROJECT as target")]
    status = HarborTarget(probe).exists(name)
    if status == 404:
        said = f"Harbor has no project {name} that this user may see"
        return [Finding("problem", said, "make it: --fix, or airgap import --create-projects", fix="project")]
    return [Finding("ok", f"the project {name} is there")]


#: Each with its name, and whether nothing behind it makes sense while it has a problem.
CHECKS: tuple[tuple[str, Check, bool], ...] = (
    ("name", reach.name, True),
    ("connection", reach.connection, True),
    ("protocol", reach.protocol, True),
    ("certificate", reach.certificate, True),
    ("registry", reach.registry, True),
    ("challenge", signin.challenge, True),
    ("sign-in", signin.sign_in, True),
    ("rest", settings.reachable, False),
    ("licence", settings.licence, True),
    ("writable", settings.writable, True),
    ("repository", settings.repository, True),
    ("connector", settings.connector, False),
    ("realms", settings.realms, True),
    ("project", project, True),
    ("quota", settings.quota, False),
    ("components", settings.components, False),
    ("begin", push.begin, True),
    ("push", push.upload, True),
    ("nodes", reach.nodes, False),
)
READING = ("registry", "challenge", "sign-in", "rest")
PREFLIGHT = (*READING, "licence", "writable", "repository", "realms")
DOCTOR = tuple(name for name, *_ in CHECKS if name != "begin")


def run(probe: Probe, names: Sequence[str] = DOCTOR) -> list[Finding]:
    """What the checks found, up to the first problem that makes the rest meaningless."""
    found: list[Finding] = []
    for name, check, decisive in CHECKS:
        if name not in names:
            continue
        new = [replace(finding, check=finding.check or name) for finding in check(probe)]
        found += new
        if decisive and any(finding.level == "problem" for finding in new):
            break
    return found
