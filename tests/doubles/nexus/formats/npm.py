# SPDX-License-Identifier: Apache-2.0
"""npm: one package a request, whose package.json says where it goes; ``NAME`` is its document; or a PUT of that
document, with the file in it as base64."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from tests.doubles.nexus.formats import FileFormat, Refused, Upload
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.content import Content


def _package_json(data: bytes) -> dict[str, Any]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            file = archive.extractfile("package/package.json")
            assert file is not None
            document: dict[str, Any] = json.loads(file.read())
            return document
    except (tarfile.TarError, KeyError, ValueError, EOFError):
        raise Refused("Unable to extract package.json from npm package") from None


def _path(upload: Upload) -> str:
    document = _package_json(upload.data)
    name, version = document["name"], document["version"]
    return f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def _index(content: Content, inner: str, base: str) -> Answer | None:
    versions = {}
    for path, data in content.files.items():
        if path.startswith(f"{inner}/-/"):
            document = _package_json(data)
            sha512 = base64.b64encode(hashlib.sha512(data).digest()).decode()
            dist = {
                "tarball": f"{base}/{path}",
                "integrity": f"sha512-{sha512}",
                "shasum": hashlib.sha1(data).hexdigest(),
            }
            versions[document["version"]] = {**document, "dist": dist}
    if not versions:
        return None
    newest = max(versions, key=lambda version: [int(part) for part in version.split(".")])
    document = {"name": inner, "dist-tags": {"latest": newest}, "versions": versions}
    return Answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _receive(request: Request, inner: str) -> dict[str, bytes] | Answer | None:
    if request.method != "PUT" or "/-/" in inner:
        return None
    document = json.loads(request.read())
    attached = document.get("_attachments", {})
    return {f"{inner}/-/{file}": base64.b64decode(entry["data"]) for file, entry in attached.items()}


FORMAT = FileFormat("npm", _path, index=_index, receive=_receive)
