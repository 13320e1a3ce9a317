# SPDX-License-Identifier: Apache-2.0
"""What Nexus's own settings say, where ``--nexus`` gives its address: state, repository, realms, quota, limits.

A user who is no administrator sees less; what he may not see is said, and is no problem.
"""

from __future__ import annotations

from airgap.errors import RegistryError
from airgap.targets.nexus.refusals import REFUSALS
from airgap.targets.nexus.rest import Hosted
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

DOCKER_REALM, OCI_REALM = "DockerToken", "OciBearerToken"
REALM_HINT = (
    "in Nexus: Settings > Security > Realms, add the format's Bearer Token Realm to the active ones (keep the others)"
)
_TEXTS = {one.id: one for one in REFUSALS}
#: From how full on an edition's limit is warned of.
_NEARLY = 0.95


def reachable(probe: Probe) -> list[Finding]:
    if probe.rest is None:
        return []
    if not probe.rest.answers:
        return [
            Finding(
                "warning",
                f"no Nexus answers at {probe.rest.url}, so its settings were not looked at",
                "--nexus is Nexus's own address, that of its pages, with its context path",
                run=(f"curl -i {probe.rest.url}/service/rest/v1/status",),
            )
        ]
    version, edition = probe.version
    return [Finding("ok", f"Nexus {version} {edition} answers at {probe.rest.url}".replace("  ", " "))]


def _silent(probe: Probe) -> bool:
    return probe.rest is None or not probe.rest.answers


def licence(probe: Probe) -> list[Finding]:
    """Community Edition's first run waits for its licence."""
    if _silent(probe):
        return []
    found = probe.rest.get("system/eula") if probe.rest else None
    if isinstance(found, dict) and found.get("accepted") is False and probe.version[1] != "PRO":
        return [Finding("problem", _TEXTS["eula"].what, _TEXTS["eula"].hint, fix="eula")]
    return []


def writable(probe: Probe) -> list[Finding]:
    if _silent(probe):
        return []
    assert probe.rest is not None
    status = probe.rest.status("status/writable")
    if status == 503:
        return [Finding("problem", _TEXTS["frozen"].what, _TEXTS["frozen"].hint)]
    return [Finding("ok", "Nexus takes writes")] if status == 200 else []


def repository(probe: Probe) -> list[Finding]:
    """Format, type, online, policy and connector of the repository that this address leads to."""
    if _silent(probe):
        return []
    assert probe.rest is not None
    if not probe.rest.repositories:
        return [
            Finding(
                "warning",
                "this user sees no repository in Nexus",
                "its role needs nx-repository-view-docker-REPOSITORY-browse; for the settings, an administrator",
            )
        ]
    if not probe.rest.registries:
        return [
            Finding(
                "problem",
                "Nexus has no Docker repository that this user may see",
                f"make one; --fix does: {probe.expect}, hosted, port {probe.wanted_port}",
                fix="repository",
            )
        ]
    hosted = probe.hosted
    if hosted is None:
        names = ", ".join(one.name for one in probe.rest.registries)
        return [Finding("ok", f"which of its repositories this address leads to cannot be told ({names})")]
    return _judged(hosted)


def _judged(hosted: Hosted) -> list[Finding]:
    if hosted.type in ("group", "proxy"):
        known = _TEXTS[hosted.type]
        return [Finding("problem", f"{hosted.name}: {known.what}", known.hint)]
    if hosted.online is False:
        return [Finding("problem", f"{hosted.name}: {_TEXTS['offline'].what}", _TEXTS["offline"].hint)]
    if hosted.policy == "DENY":
        return [Finding("problem", f"{hosted.name}: {_TEXTS['deny'].what}", _TEXTS["deny"].hint)]
    said = [f"{hosted.name} is a {hosted.type} {hosted.format} repository"]
    if hosted.policy == "ALLOW_ONCE":
        said.append(f"tags may not be moved (ALLOW_ONCE){', latest excepted' if hosted.latest_exempt else ''}")
    if hosted.force_basic is not None:
        said.append("sign-in is by Basic" if hosted.force_basic else "sign-in is by token")
    return [Finding("ok", "; ".join(said))]


def connector(probe: Probe) -> list[Finding]:
    """Where ``--connector`` asks for one: whether the repository that ``--fix`` speaks of has it."""
    if _silent(probe) or not probe.connector or (named := probe.expected) is None:
        return []
    if probe.connector in named.ports:
        return [Finding("ok", f"{named.name} has its connector on port {probe.connector}")]
    hint, fix = connector_lacks(probe, free=False)
    return [Finding("warning", f"{named.name} has no connector on port {probe.connector}", hint, fix=fix)]


def connector_lacks(probe: Probe, *, free: bool) -> tuple[str, str]:
    """What ``--fix`` can do about the connector that is wanted, in words, and the name of that change; both empty where
    the settings say nothing of the repository that it speaks of. A connector that is there stays as it is. Where
    nothing listens on the address's own port (``free``), that may be the connector's; else ``--connector`` names it."""
    named = probe.expected
    if named is None or probe.wanted_port in named.ports:
        return "", ""
    port = probe.wanted_port
    if named.ports:
        if not probe.connector:
            return "", ""
        there = " and ".join(str(one) for one in named.ports)
        return (
            f"{named.name} has its connector on port {there}, and --fix changes none that is there: use that port, or "
            f"change it in Nexus (Settings > Repositories > {named.name}) when nobody pulls by it any more"
        ), ""
    if named.path_enabled:
        return f"{named.name} has path-based routing, beside which Nexus allows no connector", ""
    if named.format != "docker":
        return f"{named.name} has no connector: give it one in Nexus, Settings > Repositories > {named.name}", ""
    if not probe.connector and (not free or probe.place[0] == "https"):
        return f"{named.name} has no connector; --fix --connector PORT adds one by HTTP", ""
    return f"{named.name} has no connector; --fix adds one by HTTP, on port {port}", "connector"


def realms(probe: Probe) -> list[Finding]:
    """Tokens want the realm of the format, and so does anonymous pulling."""
    if _silent(probe) or probe.rest is None or probe.rest.realms is None:
        return []
    hosted = probe.hosted
    realm = OCI_REALM if hosted is not None and hosted.format == "oci" else DOCKER_REALM
    if realm in probe.rest.realms:
        return [Finding("ok", f"the realm {realm} is active")]
    if hosted is not None and hosted.force_basic:
        said = f"the realm {realm} is not active, and not needed while all sign in by Basic"
        return [Finding("ok", said, "whoever pulls without signing in needs it: " + REALM_HINT, fix="realm")]
    return [
        Finding(
            "problem",
            f"the realm {realm} is not active, so tokens are given and not taken",
            REALM_HINT,
            fix="realm",
        )
    ]


def quota(probe: Probe) -> list[Finding]:
    """Soft: Nexus stops nobody, until the disk does."""
    if _silent(probe) or probe.rest is None or (hosted := probe.hosted) is None:
        return []
    said = probe.rest.quota(hosted.blob_store) if hosted.blob_store else ""
    if said:
        return [
            Finding(
                "warning",
                f"the blob store {hosted.blob_store} is over its quota: {said}",
                "Nexus goes on taking uploads until the disk is full: make room by the tasks Docker - Delete unused "
                "manifests and images and Admin - Compact blob store, or raise quota and disk",
            )
        ]
    return []


def limit_of(version: str, edition: str) -> int | None:
    """How many components an edition may hold: Community 40,000 since 3.87, 100,000 before; the others any number."""
    if edition.upper() != "COMMUNITY":
        return None
    try:
        major, minor = (int(part) for part in version.split("-")[0].split(".")[:2])
    except ValueError:
        return 40_000
    return 40_000 if (major, minor) >= (3, 87) else 100_000


def components(probe: Probe) -> list[Finding]:
    """Community Edition's headroom; each tag is one component. An instance over its limit takes no more uploads."""
    if _silent(probe) or probe.rest is None:
        return []
    limit = limit_of(*probe.version)
    if limit is None:
        return []
    try:
        held = probe.rest.components(most=limit + 1)
    except RegistryError as error:
        said = f"how many of the {limit:,} components of Community Edition there are could not be counted"
        return [Finding("warning", f"{said} ({error.what})", "look at the usage on Nexus's own pages")]
    said = f"{held:,} of the {limit:,} components that Community Edition may hold"
    if held + probe.tags > limit:
        more = f", and {probe.tags:,} tags are to be added" if probe.tags else ""
        return [Finding("problem", f"{said}{more}", _TEXTS["limit"].hint)]
    if held + probe.tags > limit * _NEARLY:
        return [Finding("warning", f"{said}: nearly full", "clean up tags that nobody pulls before the next import")]
    return [Finding("ok", said)]
