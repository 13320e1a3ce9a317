# SPDX-License-Identifier: Apache-2.0
"""Checks of Nexus's own settings, if ``--nexus`` gives the address of its REST API.

A user who is not an administrator sees fewer settings; what the user may not see is reported and is not a problem.
"""

from __future__ import annotations

from airgap.errors import AirgapError, RegistryError
from airgap.i18n import tr
from airgap.records import replace
from airgap.targets.doctor.repository_settings import check_repository_settings, refused
from airgap.targets.doctor.rest_answer import explain_silence
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.realms import REALM_HINT, realm_for
from airgap.targets.nexus.refusals import REFUSALS_BY_ID
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.probe import Probe, asks_for_tokens, is_registry
from airgap.targets.protocols import Finding

#: Fraction of an edition's limit of components from which on a warning is given.
_NEARLY_FULL = 0.95
#: Requests for a new tag at the least: HEAD, PUT, and HEAD to read it back.
_REQUESTS_FOR_A_TAG = 3
#: As seen on 3.96; a server with smaller pages is asked for no more of them.
_COMPONENTS_ON_A_PAGE = 100


def readable(probe: Probe) -> NexusProbe | None:
    """Return the probe if it has a REST API, a Nexus answers there, and it does not refuse the user."""
    if not isinstance(probe, NexusProbe) or not probe.rest.answers or probe.rest.refusal is not None:
        return None
    return probe


def registries_of(probe: Probe) -> list[RepositorySettings]:
    """Return the settings of Nexus's registries; empty if they cannot be read."""
    nexus = readable(probe)
    if nexus is None:
        return []
    try:
        return nexus.rest.registries
    except AirgapError:
        return []


def addresses_of(probe: Probe) -> str:
    """Return, in words, the addresses at which this Nexus serves Docker according to its settings."""
    addresses = []
    for repository in registries_of(probe):
        label = f"{repository.name} ({repository.type})"
        addresses += [
            tr("{label} at {host}:{port}", label=label, host=probe.host, port=port) for port in repository.ports
        ]
        if repository.path_enabled:
            addresses.append(
                tr(
                    "{label} as {host}:{port}/{name}",
                    label=label,
                    host=probe.host,
                    port=probe.port,
                    name=repository.name,
                )
            )
        if repository.subdomain:
            addresses.append(
                tr("{label} at {subdomain}.{host}", label=label, subdomain=repository.subdomain, host=probe.host)
            )
        if not (repository.ports or repository.path_enabled or repository.subdomain):
            addresses.append(tr("{label}, without a connector", label=label))
    return ", ".join(addresses[:6]) or tr("no Docker repository that can be reached by a port, a path or a subdomain")


def check_rest(probe: Probe) -> list[Finding]:
    """Check that a Nexus answers at the address of the REST API, and takes the user.

    Nothing here prevents a push: without these settings as much works as without ``--nexus``.
    """
    if not isinstance(probe, NexusProbe):
        return []
    if not probe.rest.answers:
        return [explain_silence(probe)]
    if (refusal := probe.rest.refusal) is not None:
        what = tr(
            "the Nexus at {url} refuses this user, so its settings were not looked at ({what})",
            url=probe.rest.url,
            what=refusal.what,
        )
        return [
            Finding("warning", what, tr("check that --nexus is the Nexus behind this registry, and that user's rights"))
        ]
    nexus = " ".join(word for word in ("Nexus", *probe.version) if word)
    return [Finding("ok", tr("{nexus} answers at {url}", nexus=nexus, url=probe.rest.url))]


def check_licence(probe: Probe) -> list[Finding]:
    """Check that the licence of Community Edition was accepted."""
    nexus = readable(probe)
    if nexus is None:
        return []
    eula = nexus.rest.get("system/eula")
    if isinstance(eula, dict) and eula.get("accepted") is False and nexus.version[1] != "PRO":
        return [refused("eula", fix="eula")]
    return []


def check_writable(probe: Probe) -> list[Finding]:
    """Check that Nexus is not in read-only mode."""
    nexus = readable(probe)
    if nexus is None:
        return []
    status = nexus.rest.status("status/writable")
    if status == 503:
        return [refused("frozen")]
    return [Finding("ok", tr("Nexus takes writes"))] if status == 200 else []


def check_repository(probe: Probe) -> list[Finding]:
    """Check format, type, state and deployment policy of the repository that the address leads to."""
    nexus = readable(probe)
    if nexus is None:
        return []
    if not nexus.rest.repositories:
        return [
            Finding(
                "warning",
                tr("this user sees no repository in Nexus"),
                tr("its role needs nx-repository-view-docker-REPOSITORY-browse; for the settings, an administrator")
                if nexus.rest.has_user
                else tr(
                    "no user is known for Nexus: airgap login {login_arguments}",
                    login_arguments=nexus.client.settings.login_arguments(nexus.registry),
                ),
            )
        ]
    if not nexus.rest.registries:
        serves = probe.response is not None and is_registry(probe.response)
        return [
            Finding(
                "warning" if serves else "problem",
                tr("Nexus has no Docker repository that this user may see"),
                tr("its role needs nx-repository-view-docker-REPOSITORY-browse")
                if serves
                else tr(
                    "make one; --fix does: {fix_repository}, hosted, port {fix_port}",
                    fix_repository=nexus.fix_repository,
                    fix_port=nexus.fix_port,
                ),
                fix="" if serves else "repository",
            )
        ]
    repository = nexus.repository
    if repository is None:
        names = ", ".join(registry.name for registry in nexus.rest.registries)
        return [
            Finding("ok", tr("which of its repositories this address leads to cannot be told ({names})", names=names))
        ]
    finding, *warnings = check_repository_settings(repository)
    if finding.level == "problem" and not nexus.repository_is_certain:
        # It is only the single one that this user sees: the address may lead to another.
        return [replace(finding, level="warning"), *warnings]
    return [finding, *warnings]


def check_connector(probe: Probe) -> list[Finding]:
    """With ``--connector``, check that the repository of ``--fix`` has a connector on that port."""
    nexus = readable(probe)
    if nexus is None or not nexus.fix_connector or (repository := nexus.repository_to_fix) is None:
        return []
    if nexus.fix_connector in repository.ports:
        return [
            Finding(
                "ok",
                tr(
                    "{name} has its connector on port {fix_connector}",
                    name=repository.name,
                    fix_connector=nexus.fix_connector,
                ),
            )
        ]
    hint, fix = connector_remedy(nexus, port_is_free=False)
    return [
        Finding(
            "warning",
            tr(
                "{name} has no connector on port {fix_connector}",
                name=repository.name,
                fix_connector=nexus.fix_connector,
            ),
            hint,
            fix=fix,
        )
    ]


def connector_remedy(probe: NexusProbe, *, port_is_free: bool) -> tuple[str, str]:
    """Return how to get the connector that ``--fix`` speaks of, in words, and the name of the fix.

    Both are empty if the connector exists or the repository's settings are not known; the fix is empty if ``--fix``
    cannot do it. An existing connector is never changed. The connector may get the port of the address only if nothing
    listens there (``port_is_free``); otherwise ``--connector`` must name a port.
    """
    repository = probe.repository_to_fix
    if repository is None or probe.fix_port in repository.ports:
        return "", ""
    if repository.ports:
        if not probe.fix_connector:
            return "", ""
        ports = " and ".join(map(str, repository.ports))
        return (
            tr(
                "{name} has its connector on port {ports}, and --fix changes none that is there: use that "
                "port, or change it in Nexus (Settings > Repositories > {name}) when nobody pulls by it any "
                "more",
                name=repository.name,
                ports=ports,
            )
        ), ""
    if repository.path_enabled:
        return tr("{name} has path-based routing, beside which Nexus allows no connector", name=repository.name), ""
    if repository.format != "docker":
        name = repository.name
        return tr("{name} has no connector: give it one in Nexus, Settings > Repositories > {name}", name=name), ""
    if not probe.fix_connector and (not port_is_free or probe.scheme == "https"):
        return tr("{name} has no connector; --fix --connector PORT adds one by HTTP", name=repository.name), ""
    return tr(
        "{name} has no connector; --fix adds one by HTTP, on port {fix_port}",
        name=repository.name,
        fix_port=probe.fix_port,
    ), "connector"


def check_realms(probe: Probe) -> list[Finding]:
    """Check that the realm of the repository's format is active; tokens and anonymous pulls need it.

    Where a token was accepted, or the registry asks for Basic, a push does not need to know.
    """
    nexus = readable(probe)
    if nexus is None or nexus.rest.realms is None:
        return []
    repository = nexus.repository
    realm = realm_for(repository)
    if realm in nexus.rest.realms:
        return [Finding("ok", tr("the realm {realm} is active", realm=realm))]
    if not asks_for_tokens(probe) or (repository is not None and repository.force_basic):
        what = tr("the realm {realm} is not active, and not needed while all sign in by Basic", realm=realm)
        fix = "realm" if repository is not None else ""
        return [Finding("ok", what, tr("whoever pulls without signing in needs it: ") + REALM_HINT, fix=fix)]
    if probe.signed_in or repository is None:
        return (
            [Finding("ok", tr("the realm {realm} is not active, and tokens are accepted", realm=realm))]
            if probe.signed_in
            else []
        )
    what = tr("the realm {realm} is not active, so tokens are given and not taken", realm=realm)
    return [Finding("problem", what, REALM_HINT, fix="realm")]


def check_quota(probe: Probe) -> list[Finding]:
    """Warn of a blob store over its quota. Nexus accepts uploads until the disk is full."""
    nexus = readable(probe)
    if nexus is None or (repository := nexus.repository) is None or not repository.blob_store:
        return []
    violation = nexus.rest.quota_violation(repository.blob_store)
    if not violation:
        return []
    return [
        Finding(
            "warning",
            tr(
                "the blob store {blob_store} is over its quota: {violation}",
                blob_store=repository.blob_store,
                violation=violation,
            ),
            tr(
                "Nexus goes on taking uploads until the disk is full: make room by the tasks Docker - Delete unused "
                "manifests and images and Admin - Compact blob store, or raise quota and disk"
            ),
        )
    ]


def component_limit(version: str, edition: str) -> int | None:
    """Return how many components an edition may have: Community 40,000 since 3.87 and 100,000 before; else ``None``."""
    if edition.upper() != "COMMUNITY":
        return None
    try:
        major, minor = (int(part) for part in version.split("-")[0].split(".")[:2])
    except ValueError:
        return 40_000
    return 40_000 if (major, minor) >= (3, 87) else 100_000


def check_components(probe: Probe) -> list[Finding]:
    """Compare the components with the limit of Community Edition, above which Nexus refuses all uploads.

    Each tag is one component. Nothing but their lists tells how many there are. So before a push (``new_tags``) they
    are counted only if that takes at most a tenth of the requests that the push itself sends.
    """
    nexus = readable(probe)
    if nexus is None or (limit := component_limit(*nexus.version)) is None:
        return []
    new = tr(", and {new_tags:,} tags are to be added", new_tags=nexus.new_tags) if nexus.new_tags else ""
    if nexus.new_tags > limit:
        what = tr("Community Edition may hold {limit:,} components", limit=limit)
        return [Finding("problem", f"{what}{new}", REFUSALS_BY_ID["limit"].hint)]
    max_pages = nexus.new_tags * _REQUESTS_FOR_A_TAG // 10
    if nexus.new_tags and max_pages * _COMPONENTS_ON_A_PAGE <= limit - nexus.new_tags:
        return []
    try:
        count = nexus.rest.count_components(limit=limit + 1, max_pages=max_pages)
    except RegistryError as error:
        what = tr(
            "how many of the {limit:,} components of Community Edition there are could not be counted", limit=limit
        )
        return [Finding("warning", f"{what} ({error.what})", tr("look at the usage on Nexus's own pages"))]
    if count is None:
        return []
    what = tr("{count:,} of the {limit:,} components that Community Edition may hold", count=count, limit=limit)
    if count + nexus.new_tags > limit:
        return [Finding("problem", f"{what}{new}", REFUSALS_BY_ID["limit"].hint)]
    if count + nexus.new_tags > limit * _NEARLY_FULL:
        return [
            Finding(
                "warning",
                tr("{what}: nearly full", what=what),
                tr("clean up tags that nobody pulls before the next import"),
            )
        ]
    return [Finding("ok", what)]
