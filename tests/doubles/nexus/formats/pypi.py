# SPDX-License-Identifier: Apache-2.0
"""pypi: one archive a request, whose metadata say where it goes; ``simple/`` lists it; or a POST of twine's form."""

from __future__ import annotations

import email.parser
import hashlib
import io
import re
import zipfile
from typing import TYPE_CHECKING

from tests.doubles.nexus.formats import FileFormat, Refused, Upload
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.content import Content


def _path(upload: Upload) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(upload.data)) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            message = email.parser.BytesParser().parsebytes(archive.read(name))
    except (zipfile.BadZipFile, StopIteration):
        raise Refused("Unable to extract PyPI metadata") from None
    return f"packages/{_normalized(message['Name'])}/{message['Version']}/{upload.sent}"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _index(content: Content, inner: str, base: str) -> Answer | None:
    match = re.fullmatch(r"simple/(?:([^/]+)/)?", inner)
    if match is None:
        return None
    files = {path.split("/")[1]: [] for path in content.files} if match[1] is None else {}
    links = [f'<a href="{name}/">{name}</a>' for name in sorted(files)]
    for path, data in content.files.items():
        if match[1] is not None and path.split("/")[1] == match[1]:
            digest = hashlib.sha256(data).hexdigest()
            links.append(f'<a href="../../{path}#sha256={digest}">{path.rpartition("/")[2]}</a>')
    if not links and match[1] is not None:
        return None
    page = f"<html><body>{''.join(links)}</body></html>"
    return Answer(200, page.encode(), {"Content-Type": "text/html"})


def _receive(request: Request, inner: str) -> dict[str, bytes] | Answer | None:
    from tests.doubles.nexus.rest_uploads import read_form

    if request.method != "POST" or inner:
        return None
    values, files = read_form(request)
    if values.get(":action") != "file_upload" or "content" not in files:
        raise Refused("Unsupported action")
    upload = Upload({}, *files["content"])
    return {_path(upload): upload.data}


FORMAT = FileFormat("pypi", _path, index=_index, receive=_receive)
