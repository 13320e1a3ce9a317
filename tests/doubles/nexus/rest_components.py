# SPDX-License-Identifier: Apache-2.0
"""Components, assets and search: pages with opaque tokens, one component a tag (36, 45, section 3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tests.doubles.nexus import answers
from tests.doubles.nexus.content import Content
from tests.doubles.nexus.routes import base_of
from tests.doubles.nexus.settings import User
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus

SEARCH_PAGE = 50


def components(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """A page of 10 (up to 3.71) or 100; a repository that is not here is 422 (45)."""
    return _of_repository(nexus, request, user, scheme, _components)


def assets(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """Tagged manifests, manifests by digest alone, and blobs, each an asset of its own."""
    return _of_repository(nexus, request, user, scheme, _assets)


def _of_repository(
    nexus: Nexus,
    request: Request,
    user: User,
    scheme: str,
    make: Callable[[Nexus, Content, str], list[dict[str, Any]]],
) -> Answer:
    name = request.query.get("repository", [""])[0]
    if not name:
        return answers.document(422, [{"id": "*", "message": "The repository query parameter is required"}])
    content = nexus.contents.get(name)
    if content is None:
        return answers.only_reason(422, "Unprocessable Entity")
    refused = _may(nexus, user, "browse", content)
    if refused is not None:
        return refused
    with nexus.lock:
        items = make(nexus, content, base_of(request, scheme) + nexus.settings.context)
    return _page(request, items, nexus.settings.page_size)


def search(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """Pages of 50 over all repositories, by ``repository``, ``format``, ``name`` and ``version`` (with ``*``); what
    was tagged in the last two seconds is not known yet."""
    base, now = base_of(request, scheme) + nexus.settings.context, nexus.clock()
    with nexus.lock:
        components = [
            entry
            for content in nexus.contents.values()
            if user.may("browse", content.name)
            for entry in _components(nexus, content, base)
            if content.tagged.get((entry["name"], entry["version"]), ("", now))[1] <= now - nexus.settings.search_lag
        ]
    for key in ("repository", "format", "name", "version"):
        pattern = request.query.get(key, ["*"])[0]
        components = [entry for entry in components if fnmatchcase(str(entry[key]), pattern)]
    return _page(request, components, SEARCH_PAGE)


def component(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    match = _by_id(nexus, request)
    if match is None:
        return answers.only_reason(404, "Not Found")
    content, name, version = match
    refused = _may(nexus, user, "read", content)
    if refused is not None:
        return refused
    base = base_of(request, scheme) + nexus.settings.context
    entries = _components(nexus, content, base)
    (document,) = [entry for entry in entries if (entry["name"], entry["version"] or "") == (name, version)]
    return answers.document(200, document)


def delete(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """One tag goes, the manifest stays until garbage is collected (36); of other formats all files of a component."""
    match = _by_id(nexus, request)
    if match is None:
        return answers.only_reason(404, "Not Found")
    content, name, version = match
    refused = _may_delete(nexus, user, content)
    if refused is not None:
        return refused
    with nexus.lock:
        content.tagged.pop((name, version), None)
        for path in [path for path in content.files if _component_of(content, path) == (name, version)]:
            del content.files[path]
    return Answer(204)


def delete_asset(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """One file goes (Sonatype's "Assets API"); that a component without files goes too is inferred."""
    parts = _id_parts(request)
    content = nexus.contents.get(parts[0]) if len(parts) == 4 else None
    if content is None or parts[1] not in content.files:
        return answers.only_reason(404, "Not Found")
    refused = _may_delete(nexus, user, content)
    if refused is not None:
        return refused
    with nexus.lock:
        del content.files[parts[1]]
    return Answer(204)


def _may_delete(nexus: Nexus, user: User, content: Content) -> Answer | None:
    """DENY does not permit a deletion, the other policies do (41)."""
    if content.settings.write_policy == "DENY":
        return answers.only_reason(400, "Repository is read-only")
    return _may(nexus, user, "delete", content)


def _may(nexus: Nexus, user: User, action: str, content: Content) -> Answer | None:
    if user.may(action, content.name):
        return None
    return answers.only_reason(403, "Forbidden") if user.name != "anonymous" else nexus.access.refuse_rest()


def _page(request: Request, items: list[dict[str, Any]], size: int) -> Answer:
    """Ordered by id; the token is the last id of the page before, and nobody's business."""
    token = request.query.get("continuationToken", [""])[0]
    try:
        after = base64.b64decode(token, b"-_", validate=True)[::-1].decode() if token else ""
    except (binascii.Error, UnicodeDecodeError):
        return answers.only_reason(406, "Not Acceptable")
    items = sorted((item for item in items if item["id"] > after), key=lambda item: str(item["id"]))
    page = items[:size]
    next_token = base64.urlsafe_b64encode(page[-1]["id"].encode()[::-1]).decode() if len(items) > size else None
    return answers.document(200, {"items": page, "continuationToken": next_token})


def _id(content: Content, *parts: str) -> str:
    return base64.urlsafe_b64encode("\n".join([content.name, *parts]).encode()).decode().rstrip("=")


def _id_parts(request: Request) -> list[str]:
    given = request.path.rpartition("/")[2]
    try:
        return base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode().split("\n")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []


def _by_id(nexus: Nexus, request: Request) -> tuple[Content, str, str] | None:
    parts = _id_parts(request)
    content = nexus.contents.get(parts[0]) if len(parts) == 3 else None
    if content is None:
        return None
    _, name, version = parts
    known = (name, version) in content.tagged
    known = known or any(_component_of(content, path) == (name, version) for path in content.files)
    return (content, name, version) if known else None


def _component_of(content: Content, path: str) -> tuple[str, str]:
    """The name and version of the component that a file belongs to: of maven2 and pypi all files of a folder."""
    if content.settings.format in ("maven2", "pypi") and path.count("/") >= 2:
        folder, _, _ = path.rpartition("/")
        return folder.rpartition("/")[0], folder.rpartition("/")[2]
    return path, ""


def _components(nexus: Nexus, content: Content, base: str) -> list[dict[str, Any]]:
    """Name is the image, version the tag, and the one asset's sha256 the manifest's digest."""
    components = []
    for (image, tag), (digest, _) in content.tagged.items():
        manifest = content.manifests[image, digest]
        path = f"v2/{image}/manifests/{tag}"
        asset = _asset(content, base, path, manifest.content, manifest.media_type, manifest.modified)
        entry = {"id": _id(content, image, tag), "repository": content.name, "format": content.settings.format}
        components.append({**entry, "group": None, "name": image, "version": tag, "assets": [asset]})
    files: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path, data in content.files.items():
        asset = _asset(content, base, path, data, "application/octet-stream", 0.0)
        files.setdefault(_component_of(content, path), []).append(asset)
    for (name, version), assets in files.items():
        entry = {"id": _id(content, name, version), "repository": content.name, "format": content.settings.format}
        group = "/" + name.rpartition("/")[0]
        components.append({**entry, "group": group, "name": name, "version": version or None, "assets": assets})
    return components


def _assets(nexus: Nexus, content: Content, base: str) -> list[dict[str, Any]]:
    assets = [asset for entry in _components(nexus, content, base) for asset in entry["assets"]]
    for (image, digest), manifest in content.manifests.items():
        path = f"v2/{image}/manifests/{digest}"
        assets.append(_asset(content, base, path, manifest.content, manifest.media_type, manifest.modified))
    for digest, blob in content.blobs.items():
        assets.append(_asset(content, base, f"v2/-/blobs/{digest}", blob.content, blob.media_type, blob.modified))
    return assets


def _asset(content: Content, base: str, path: str, data: bytes, media_type: str, modified: float) -> dict[str, Any]:
    return {
        "downloadUrl": f"{base}/repository/{content.name}/{path}",
        "path": path,
        "id": _id(content, path, "", ""),
        "repository": content.name,
        "format": content.settings.format,
        "checksum": {"sha1": hashlib.sha1(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()},
        "contentType": media_type,
        "lastModified": formatdate(modified, usegmt=True),
        "fileSize": len(data),
    }
