# SPDX-License-Identifier: Apache-2.0
"""The four routes to a repository of Nexus, told apart by requests: connector port, subdomain, path, and
``/repository/NAME``.

With the first three, ``/v2/`` at the host is a registry. The last one is a registry, too, but no container runtime can
pull from it, because runtimes only request ``HOST/v2/``. Images can be pushed there if another route serves them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.errors import AirgapError, NotReady
from airgap.i18n import tr
from airgap.records import Record, replace
from airgap.targets.address import TargetAddress
from airgap.targets.mapping import Mapping
from airgap.targets.nexus.detection import has_server_header, is_nexus
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.rest import API, is_status
from airgap.targets.probe import Probe, is_registry

if TYPE_CHECKING:
    from airgap.registry import Registries
    from airgap.registry.http.transport import Response


class RepositoryRoute(Record):
    """``/repository/NAME`` at ``base``; ``inner`` is the rest of the target's prefix. ``connector`` is the port of the
    repository's connector if it has one and this user sees the settings, else 0."""

    repository: str
    base: str
    inner: str
    connector: int = 0

    @property
    def label(self) -> str:
        """The repository's name, with its connector's port if that is known."""
        if not self.connector:
            return self.repository
        return tr("{name} (port {ports})", name=self.repository, ports=self.connector)


def pushes_by_repository_route(probe: Probe) -> bool:
    """Whether images may have to be pushed below ``/repository/NAME``.

    That is so if the address is no registry, or if its prefix contains that path and Nexus answers; ``--via`` excludes
    it.
    """
    if probe.client.settings.endpoint or probe.response is None:
        return False
    has_route = "repository" in probe.mapping.address.prefix.split("/")[:-1]
    return not is_registry(probe.response) or (has_route and is_nexus(probe))


def probe_repository_route(registries: Registries, probe: Probe, *, any_route: bool = False) -> Probe | None:
    """Return the probe of the first ``/repository/NAME`` that answers as a registry, or ``None``.

    Its mapping makes the names that nodes pull. Raises :class:`NotReady` if nodes cannot pull them by any route, unless
    ``any_route``: then its mapping makes the names below ``/repository/NAME``.
    """
    for route in repository_routes(probe):
        if not _answers_as_registry(probe, f"{route.base}/v2/"):
            continue
        if any_route:
            return probe_of_route(registries, probe, route)
        mapping = _mapping_for_nodes(probe, route)
        if mapping is None:
            raise NotReady(
                tr(
                    "{base} can be pushed to, but no node can pull from there: they only ever ask HOST/v2/",
                    base=route.base,
                ),
                where=str(probe.mapping.address),
                hint=tr(
                    "give the address that nodes pull from as target (the connector of "
                    "{repository}, or {netloc}/{repository} with path-based routing), and this way by "
                    "--via {base}; --nexus URL lets airgap find it",
                    repository=route.repository,
                    netloc=probe.netloc,
                    base=route.base,
                ),
            )
        if mapping.address.registry == probe.registry:
            same_address = replace(probe, mapping=mapping)
            same_address.answer = probe.answer
            return same_address
        return replace(probe, client=registries.client_at(probe.registry, route.base), mapping=mapping)
    return None


def probe_of_route(registries: Registries, probe: Probe, route: RepositoryRoute) -> Probe:
    """Return the probe of ``/repository/NAME`` itself; names are those in the repository."""
    path = route.base.partition("://")[2].partition("/")[2]
    mapping = replace(probe.mapping, address=replace(probe.mapping.address, prefix=route.inner, route=path))
    return replace(probe, client=registries.client_at(probe.registry, route.base), mapping=mapping)


def find_repository_route(probe: Probe) -> RepositoryRoute | None:
    """Return the first ``/repository/NAME`` of the target's prefix that answers as a registry."""
    routes = (route for route in repository_routes(probe) if _answers_as_registry(probe, f"{route.base}/v2/"))
    return next(routes, None)


def repository_routes(probe: Probe) -> list[RepositoryRoute]:
    """Return the ``/repository/NAME`` that the prefix contains; else the one that its first element may name."""
    parts = probe.mapping.address.prefix.split("/") if probe.mapping.address.prefix else []
    routes = []
    for index, part in enumerate(parts[:-1]):
        if part == "repository":
            base = "/".join([probe.root, *parts[: index + 2]])
            routes.append(RepositoryRoute(parts[index + 1], base, "/".join(parts[index + 2 :])))
    if parts and not routes:
        routes.append(RepositoryRoute(parts[0], f"{probe.root}/repository/{parts[0]}", "/".join(parts[1:])))
    return routes


def serves_nexus_pages(probe: Probe) -> bool:
    """Whether the address is that of Nexus's own pages and REST API. Its status needs no user."""
    if probe.response is not None and has_server_header(probe.response):
        return True
    response = get(probe, f"{probe.url}{API}/status")
    return response is not None and is_status(response)


def _mapping_for_nodes(probe: Probe, route: RepositoryRoute) -> Mapping | None:
    """Names by which nodes can pull what is pushed by ``route``: by path if that is enabled, else by a connector that
    the settings name and that answers."""
    mapping = probe.mapping
    if probe.response is not None and is_registry(probe.response):
        response = get(probe, f"{probe.root}/v2/{route.repository}/airgap-probe/tags/list")
        if response is not None and response.headers.get_content_type() == "application/json":
            prefix = "/".join(part for part in (route.repository, route.inner) if part)
            return replace(mapping, address=replace(mapping.address, prefix=prefix))
    registries = probe.rest.registries if isinstance(probe, NexusProbe) else []
    settings = next((repository for repository in registries if repository.name == route.repository), None)
    if settings is None:
        return None
    host = f"[{probe.host}]" if ":" in probe.host else probe.host
    for port, is_plain in ((settings.https_port, False), (settings.http_port, True)):
        if port and _answers_as_registry(probe, f"{'http' if is_plain else 'https'}://{host}:{port}/v2/"):
            return replace(mapping, address=TargetAddress(f"{host}:{port}", route.inner, is_plain))
    return None


def _answers_as_registry(probe: Probe, url: str) -> bool:
    response = get(probe, url)
    return response is not None and is_registry(response)


def get(probe: Probe, url: str) -> Response | None:
    """GET ``url`` without a credential; ``None`` if there is no answer."""
    try:
        return probe.client.request_url("GET", url)
    except AirgapError:
        return None
