# SPDX-License-Identifier: Apache-2.0
"""helm: one .tgz a request, kept under the name that it was sent with; ``index.yaml`` lists them; or a PUT of it.

A POST to ``/api/charts`` is 405 (np#912).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import yaml

from tests.doubles.nexus.formats import FileFormat, Refused, Upload
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.content import Content


def _chart(data: bytes) -> dict[str, Any]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if member.name.count("/") == 1 and member.name.endswith("/Chart.yaml"):
                    file = archive.extractfile(member)
                    assert file is not None
                    chart: dict[str, Any] = yaml.load(file.read(), Loader=yaml.BaseLoader)
                    return {**chart, "deprecated": chart.get("deprecated") == "true"}
    except tarfile.TarError:
        pass
    raise Refused("Unable to extract chart attributes")


def _path(upload: Upload) -> str:
    if not upload.sent.endswith((".tgz", ".tgz.prov")):
        raise Refused("Unsupported extension")
    if upload.sent.endswith(".tgz"):
        _chart(upload.data)
    return upload.sent.rpartition("/")[2]


def _index(content: Content, inner: str, base: str) -> Answer | None:
    if inner != "index.yaml":
        return None
    entries: dict[str, list[dict[str, Any]]] = {}
    for path, data in content.files.items():
        chart = _chart(data)
        digest = hashlib.sha256(data).hexdigest()
        entries.setdefault(chart["name"], []).append({**chart, "urls": [path], "digest": digest})
    document = {"apiVersion": "1.0", "entries": entries}
    return Answer(200, json.dumps(document).encode(), {"Content-Type": "text/x-yaml"})


def _receive(request: Request, inner: str) -> dict[str, bytes] | Answer | None:
    if request.method != "PUT" or "/" in inner:
        return None
    data = request.read()
    return {_path(Upload({}, inner, data)): data}


FORMAT = FileFormat("helm", _path, index=_index, receive=_receive, media_type="application/x-tgz")
