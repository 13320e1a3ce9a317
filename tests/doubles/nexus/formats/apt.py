# SPDX-License-Identifier: Apache-2.0
"""apt: one .deb a request, kept in the pool under what its control file says (with the epoch); or a POST of it.

The index of each architecture has its own packages, those of "all" an index of their own (S AptHostedFacet
@3.77.1); it is written anew with each upload, and here with each request.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import tempfile
from email.utils import formatdate
from typing import TYPE_CHECKING

from tests.doubles.nexus.formats import FileFormat, Refused, Upload
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.content import Content


def _control(data: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".deb") as file:
        file.write(data)
        file.flush()
        done = subprocess.run(["dpkg-deb", "--field", file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused("Invalid debian package: no control file")
    return done.stdout


def _field(control: str, name: str) -> str:
    match = re.search(rf"^{name}: (.*)$", control, re.MULTILINE)
    assert match is not None
    return match[1]


def _path(upload: Upload) -> str:
    control = _control(upload.data)
    name, version, architecture = (_field(control, field) for field in ("Package", "Version", "Architecture"))
    return f"pool/{name[0]}/{name}/{name}_{version}_{architecture}.deb"


def _index(content: Content, inner: str, base: str) -> Answer | None:
    repository = content.settings
    prefix = f"dists/{repository.distribution}/"
    if not inner.startswith(prefix):
        return None
    by_architecture: dict[str, str] = {}
    for path, data in content.files.items():
        control = _control(data).rstrip("\n")
        entry = f"{control}\nFilename: {path}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
        architecture = _field(control, "Architecture")
        by_architecture[architecture] = by_architecture.get(architecture, "") + entry
    indexes = {}
    for architecture, text in by_architecture.items():
        indexes[f"main/binary-{architecture}/Packages"] = text.encode()
        indexes[f"main/binary-{architecture}/Packages.gz"] = gzip.compress(text.encode(), mtime=0)
    name = inner.removeprefix(prefix)
    if name.endswith("Packages"):
        content.index_requests += 1
        if repository.index_lag < 0 or content.index_requests <= repository.index_lag:
            return Answer(200, b"", {"Content-Type": "text/plain"})
    if name in indexes:
        return Answer(200, indexes[name], {"Content-Type": "text/plain"})
    release = f"Suite: {repository.distribution}\nCodename: {repository.distribution}\nComponents: main\n"
    release += f"Date: {formatdate(usegmt=True)}\nArchitectures: {' '.join(by_architecture)}\nSHA256:\n"
    for path, data in indexes.items():
        release += f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n"
    if name == "Release":
        return Answer(200, release.encode(), {"Content-Type": "text/plain"})
    if name == "InRelease" and repository.sign is not None:
        return Answer(200, repository.sign(release.encode()), {"Content-Type": "text/plain"})
    return None


def _receive(request: Request, inner: str) -> dict[str, bytes] | Answer | None:
    if request.method != "POST" or inner:
        return None
    data = request.read()
    return {_path(Upload({}, "", data)): data}


FORMAT = FileFormat("apt", _path, index=_index, receive=_receive, media_type="application/vnd.debian.binary-package")
