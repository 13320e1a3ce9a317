# SPDX-License-Identifier: Apache-2.0
"""Small wheels, an index that has them, and the real pip."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.doubles.registry import Answer, Double, Request
from tests.parts.service import clean_environment


def wheel(
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    python: str = ">=3.8",
    tag: str = "py3-none-any",
    value: str = "",
) -> tuple[str, bytes]:
    """A wheel with one module, whose ``VALUE`` is ``value`` or the version; its file name and content."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n"]
    metadata += [f"Requires-Dist: {requirement}\n" for requirement in requires]
    files = {
        f"{name}.py": f"VALUE = {value or version!r}\n",
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}\n")
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-{tag}.whl", buffer.getvalue()


@contextmanager
def index(files: Mapping[str, bytes], *, lie: Mapping[str, str] | None = None, user: str = "") -> Iterator[Double]:
    """A simple index under ``/simple/``; ``lie`` gives wrong digests by file name; ``user`` is ``name:password``."""

    def answer(request: Request) -> Answer:
        wanted = f"Basic {base64.b64encode(user.encode()).decode()}"
        if user and request.authorization != wanted:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="index"'})
        if request.path.startswith("/files/"):
            name = request.path.removeprefix("/files/")
            return Answer(200, files[name]) if name in files else Answer(404)
        project = request.path.removeprefix("/simple/").rstrip("/")
        links = [
            f'<a href="/files/{name}#sha256={(lie or {}).get(name) or hashlib.sha256(data).hexdigest()}">{name}</a>'
            for name, data in files.items()
            if name.partition("-")[0].replace("_", "-") == project
        ]
        page = f"<html><body>{''.join(links)}</body></html>".encode()
        return Answer(200, page, {"Content-Type": "text/html"}) if links else Answer(404)

    server = Double(answer)
    try:
        yield server
    finally:
        server.stop()


def pip_install(home: Path, index_url: str, *requirements: str, prefix: Sequence[str] = ()) -> dict[str, str]:
    """Install by the real pip into a folder, from this index alone; return the value of each module."""
    target = home / "site"
    command = [*prefix, sys.executable, "-m", "pip", "install", "--target", str(target), "--no-cache-dir", "--quiet"]
    command += ["--index-url", index_url, "--trusted-host", "127.0.0.1", *requirements]
    environment = clean_environment(home, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_CONFIG_FILE="/dev/null")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return {path.stem: json.loads(path.read_text().partition("=")[2].replace("'", '"')) for path in target.glob("*.py")}
