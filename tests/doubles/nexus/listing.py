# SPDX-License-Identifier: Apache-2.0
"""``_catalog`` and ``tags/list`` with every form of ``Link`` that was seen (33 to 35)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.doubles.nexus import answers
from tests.doubles.nexus.content import Content
from tests.doubles.nexus.routes import Route
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus


def catalog(nexus: Nexus, route: Route, content: Content, request: Request) -> Answer:
    """Images by name; ``ghosts`` are names that are listed and cannot be asked for (section 6)."""
    names = {name for held in nexus.read_from(content) for name in held.images}
    return _page(nexus, route, content, request, "repositories", sorted(names | set(nexus.settings.ghosts)), "_catalog")


def tags(nexus: Nexus, route: Route, content: Content, request: Request, image: str) -> Answer:
    """Tags by name; an image that is not here is 404 NAME_UNKNOWN (35)."""
    style = nexus.settings.errors
    if image in nexus.settings.ghosts:
        return answers.problem(400, "NAME_INVALID", "invalid repository name", image, style=style)
    holding = [held for held in nexus.read_from(content) if image in held.images]
    if not holding:
        detail = {"name": image}
        return answers.problem(404, "NAME_UNKNOWN", "repository name not known to registry", detail, style=style)
    tag_names = {tag for held in holding for tag in held.tags.get(image, {})}
    return _page(nexus, route, content, request, "tags", sorted(tag_names), f"{image}/tags/list")


def _page(
    nexus: Nexus, route: Route, content: Content, request: Request, key: str, names: list[str], path: str
) -> Answer:
    """At most ``n`` names after ``last``; without ``n`` all of them (33)."""
    said, last = request.query.get("n", [""])[0], request.query.get("last", [""])[0]
    names = [name for name in names if name > last]
    limit = int(said) if said.isdigit() else len(names)
    body: dict[str, object] = {"name": path.removesuffix("/tags/list")} if key == "tags" else {}
    answer = answers.document(200, {**body, key: names[:limit]})
    form = _form(nexus, route, content)
    if limit and len(names) > limit and form != "none":
        root = {"right": route.root, "bare": "", "prefixed": f"{nexus.settings.context}/repository/{content.name}"}
        query = f"?n={limit}&last={quote(names[limit - 1], safe='')}"
        prefix = route.prefix if key == "tags" and form == "right" else ""
        answer.headers["Link"] = f'<{root[form]}/v2/{prefix}{path}{query}>; rel="next"'
    return answer


def _form(nexus: Nexus, route: Route, content: Content) -> str:
    """3.71 and before: without the prefix, and none of a group (np#117). Later: right on the repository's path, and
    with that prefix, which it must not have there, on a proxy repository's connector (34)."""
    settings = nexus.settings
    if settings.link is not None:
        return settings.link
    if content.settings.kind == "group" and settings.profile == "legacy":
        return "none"
    if not settings.modern:
        return "bare"
    return "prefixed" if content.settings.kind == "proxy" and route.kind == "connector" else "right"


def referrers(nexus: Nexus, content: Content, image: str, digest: str) -> Answer:
    """The referrers API, a switch: the docker format is taken not to have it (31)."""
    manifests = []
    for held in nexus.read_from(content):
        for (name, own), manifest in held.manifests.items():
            document = json.loads(manifest.content)
            if name == image and (document.get("subject") or {}).get("digest") == digest:
                entry = {"mediaType": manifest.media_type, "digest": own, "size": len(manifest.content)}
                kind = document.get("artifactType") or (document.get("config") or {}).get("mediaType")
                manifests.append({**entry, "artifactType": kind, "annotations": document.get("annotations") or {}})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    return answers.document(200, index, **{"Content-Type": "application/vnd.oci.image.index.v1+json"})
