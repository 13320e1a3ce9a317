# SPDX-License-Identifier: Apache-2.0
"""Requests for lists: tags, referrers, repositories (distribution-spec "Content Discovery")."""

from __future__ import annotations

from urllib.parse import urlencode

from airgap.oci.manifest import OCI_INDEX
from airgap.server.exchange import Request, Response, json_response
from airgap.server.problems import Problem
from airgap.server.repositories import Repositories, check_digest


class DiscoveryHandler:
    """Answers requests to ``_catalog``, ``tags/list`` and ``referrers``."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def tags(self, request: Request, repository: str) -> Response:
        """Answer with a page of the tags of a repository; raise NAME_UNKNOWN."""
        tags = self._repositories.tags(repository, request.parameter("ns"))
        if tags is None:
            raise Problem(404, "NAME_UNKNOWN", "repository unknown to this registry", {"name": repository})
        page, headers = _page(request, tags, f"/v2/{repository}/tags/list")
        return json_response({"name": repository, "tags": page}, headers=headers)

    def catalog(self, request: Request) -> Response:
        """Answer with a page of the repositories."""
        page, headers = _page(request, self._repositories.all(), "/v2/_catalog")
        return json_response({"repositories": page}, headers=headers)

    def referrers(self, request: Request, repository: str, digest: str) -> Response:
        """Answer with an index of the referrers of a digest. The digest itself need not exist."""
        referrers = self._repositories.referrers(repository, check_digest(digest), request.parameter("ns"))
        artifact_types = [value for value in request.query.get("artifactType", []) if value]
        headers = []
        if artifact_types:
            referrers = [descriptor for descriptor in referrers if descriptor.artifact_type in artifact_types]
            headers.append(("OCI-Filters-Applied", "artifactType"))
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [descriptor.to_json() for descriptor in referrers],
        }
        return json_response(document, headers=headers, media_type=OCI_INDEX)


def _page(request: Request, items: list[str], path: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the page of sorted ``items`` that ``n`` and ``last`` request, and the Link to the next (RFC 8288)."""
    last, limit = request.parameter("last"), request.parameter("n")
    if last:
        items = [item for item in items if item > last]
    if limit is None:
        return items, []
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        raise Problem(400, "PAGINATION_NUMBER_INVALID", "n must be a whole number of entries", {"n": limit[:160]})
    page = items[: int(limit)]
    if not page or len(page) == len(items):
        return page, []
    query = [("n", limit), ("last", page[-1])]
    query += [("ns", registry)] if (registry := request.parameter("ns")) else []
    return page, [("Link", f'<{path}?{urlencode(query)}>; rel="next"')]
