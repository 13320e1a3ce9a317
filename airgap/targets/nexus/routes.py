# SPDX-License-Identifier: Apache-2.0
"""The four ways to a repository of Nexus, told apart by asking: connector port, subdomain, path, ``/repository/NAME``.

The first three look alike to a client: ``/v2/`` at the host is a registry. The last is a registry that no container
runtime can pull from, since those only ever ask ``HOST/v2/``; it is for pushing, beside an address for pulling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap.errors import AirgapError
from airgap.records import replace
from airgap.targets.address import TargetAddress
from airgap.targets.mapping import Mapping
from airgap.targets.products import is_registry

if TYPE_CHECKING:
    from airgap.registry import Registries
    from airgap.registry.http.transport import Response
    from airgap.targets.nexus.rest import Rest
    from airgap.targets.probe import Probe


def ask(probe: Probe, url: str) -> Response | None:
    """A GET without a credential; ``None`` where nothing comes."""
    client = probe.client
    try:
        return client.transport.request("GET", url, client.trust, {}, None, client.timeout).read()
    except AirgapError:
        return None


def nexus_is_at(probe: Probe) -> bool:
    """Whether the pages of a Nexus are where the registry was looked for; its status needs no user."""
    first = probe.first
    if first is not None and first.headers.get("Server", "").startswith("Nexus/"):
        return True
    answer = ask(probe, f"{probe.url}/service/rest/v1/status")
    return answer is not None and answer.status in (200, 503) and answer.headers.get_content_type() != "text/html"


def repository_paths(probe: Probe) -> tuple[str, str] | None:
    """The repository that the target's prefix names and the base at which ``/repository/NAME/v2/`` answers."""
    for name, base, _ in candidates(probe):
        answer = ask(probe, f"{base}/v2/")
        if answer is not None and is_registry(answer):
            return name, base
    return None


def candidates(probe: Probe) -> list[tuple[str, str, str]]:
    """(repository, base, rest of the prefix) that the prefix may mean."""
    parts = probe.mapping.address.prefix.split("/") if probe.mapping.address.prefix else []
    scheme = probe.place[0]
    root = f"{scheme}://{probe.address}"
    found = []
    for index, part in enumerate(parts[:-1]):
        if part == "repository":
            base = "/".join([root, *parts[: index + 2]])
            found.append((parts[index + 1], base, "/".join(parts[index + 2 :])))
    if parts and not found:
        found.append((parts[0], f"{root}/repository/{parts[0]}", "/".join(parts[1:])))
    return found


def pulled_as(probe: Probe, rest: Rest | None, registries: Registries, name: str, inner: str) -> Mapping | None:
    """The names under which nodes can pull what is pushed below ``/repository/NAME``: by the path where that is open,
    else by the repository's connector, if settings name one and it answers."""
    mapping, host = probe.mapping, probe.place[1]
    scheme = probe.place[0]
    answer = ask(probe, f"{scheme}://{probe.address}/v2/{name}/airgap-probe/tags/list")
    opened = probe.first is not None and is_registry(probe.first)
    if opened and answer is not None and answer.headers.get_content_type() == "application/json":
        return replace(mapping, address=replace(mapping.address, prefix=_joined(name, inner)))
    known = next((one for one in rest.registries if one.name == name), None) if rest is not None else None
    if known is None:
        return None
    for port, plain in ((known.https_port, False), (known.http_port, True)):
        if not port:
            continue
        url = f"{'http' if plain else 'https'}://{_bracketed(host)}:{port}"
        answer = ask(probe, f"{url}/v2/")
        if answer is not None and is_registry(answer):
            return replace(mapping, address=TargetAddress(f"{_bracketed(host)}:{port}", inner, plain))
    return None


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
