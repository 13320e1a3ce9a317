# SPDX-License-Identifier: Apache-2.0
"""nuget: one package a request, kept under ``ID/VERSION`` (the path of the list of assets and of the V2 API); V3 below
``index.json``, contents below ``v3/content``; or a PUT of a form with the package.

Where "Where to push" leads in the V3 index is (I); everything in V3 addresses is in lower case.
"""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree
import zipfile
from typing import TYPE_CHECKING

from tests.doubles.nexus.formats import FileFormat, Refused, Upload
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.content import Content

_JSON = {"Content-Type": "application/json"}


def _path(upload: Upload) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(upload.data)) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".nuspec") and "/" not in name)
            root = xml.etree.ElementTree.fromstring(archive.read(name))
    except (zipfile.BadZipFile, StopIteration):
        raise Refused("Unable to extract .nuspec from NuGet package") from None
    values = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    return f"{values['id']}/{values['version']}"


def _index(content: Content, inner: str, base: str) -> Answer | None:
    if inner == "index.json":
        resources = {
            "PackageBaseAddress/3.0.0": f"{base}/v3/content",
            "RegistrationsBaseUrl": f"{base}/v3/registration",
            "PackagePublish/2.0.0": f"{base}/v2/package",
        }
        entries = [{"@id": url, "@type": kind} for kind, url in resources.items()]
        return Answer(200, json.dumps({"version": "3.0.0", "resources": entries}).encode(), _JSON)
    by_id: dict[str, dict[str, bytes]] = {}
    for path, data in content.files.items():
        package, _, version = path.lower().partition("/")
        by_id.setdefault(package, {})[version] = data
    words = inner.removeprefix("v3/content/").split("/")
    if not inner.startswith("v3/content/") or words[0] not in by_id:
        return None
    versions = by_id[words[0]]
    if words[1:] == ["index.json"]:
        return Answer(200, json.dumps({"versions": list(versions)}).encode(), _JSON)
    if len(words) == 3 and words[1] in versions and words[2] == f"{words[0]}.{words[1]}.nupkg":
        return Answer(200, versions[words[1]], {"Content-Type": "application/zip"})
    return None


def _receive(request: Request, inner: str) -> dict[str, bytes] | Answer | None:
    from tests.doubles.nexus.rest_uploads import read_form

    if request.method != "PUT" or inner.rstrip("/") not in ("", "v2/package"):
        return None
    _, files = read_form(request)
    (file,) = files.values()
    return {_path(Upload({}, *file)): file[1]}


FORMAT = FileFormat("nuget", _path, index=_index, receive=_receive, media_type="application/zip")
