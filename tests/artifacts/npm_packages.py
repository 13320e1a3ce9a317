# SPDX-License-Identifier: Apache-2.0
"""Small npm packages, a registry that has them, and the real npm."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.doubles.registry import Answer, Double, Request
from tests.parts.need import need
from tests.parts.service import clean_environment

#: Files by name and version.
Packages = dict[tuple[str, str], bytes]


def package(name: str, version: str, *, value: str = "", folder: str = "package", **more: object) -> Packages:
    """A package whose only module is ``value`` or its version."""
    document = {"name": name, "version": version, "main": "index.js", **more}
    files = {"package.json": json.dumps(document), "index.js": f"module.exports = {(value or version)!r}\n"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for inner, text in files.items():
            info = tarfile.TarInfo(f"{folder}/{inner}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return {(name, version): buffer.getvalue()}


def file_path(name: str, version: str) -> str:
    return f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def integrity(data: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


@contextmanager
def registry(packages: Packages, *, lie: str = "", authorization: str = "") -> Iterator[Double]:
    """A registry below ``/npm``, to which packages can be published; ``lie`` is a wrong integrity for every file,
    ``authorization`` the header it wants."""

    def answer(request: Request) -> Answer:
        if authorization and request.authorization != authorization:
            return Answer(401, b"{}", {"WWW-Authenticate": 'Basic realm="npm", Bearer'})
        path = request.path.removeprefix("/npm/").replace("%2f", "/").replace("%2F", "/")
        if request.method == "PUT":
            document = json.loads(request.read())
            ((version, _),), ((_, attached),) = document["versions"].items(), document["_attachments"].items()
            packages[(path, version)] = base64.b64decode(attached["data"])
            return Answer(201, b"{}")
        for (name, version), data in packages.items():
            if path == file_path(name, version):
                return Answer(200, data)
        versions = {
            version: _version(server.url, name, version, data, lie)
            for (name, version), data in packages.items()
            if name == path
        }
        newest = max(versions, default="", key=lambda version: [int(part) for part in version.split(".")])
        document = {"name": path, "dist-tags": {"latest": newest}, "versions": versions}
        body = json.dumps(document).encode()
        return Answer(200, body, {"Content-Type": "application/json"}) if versions else Answer(404, b"{}")

    server = Double(answer)
    try:
        yield server
    finally:
        server.stop()


def _version(url: str, name: str, version: str, data: bytes, lie: str) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        file = archive.extractfile(next(m for m in archive if m.name.endswith("/package.json")))
        assert file is not None
        document = json.loads(file.read())
    return {
        **document,
        "dist": {"tarball": f"{url}/npm/{file_path(name, version)}", "integrity": lie or integrity(data)},
    }


def lock(packages: Packages, url: str = "", *, lie: str = "") -> dict[str, Any]:
    """A lock file of version 3 with these packages, two versions of one in different folders; without ``url`` it has no
    addresses."""
    entries: dict[str, Any] = {"": {"name": "web", "version": "1.0.0", "dependencies": dict(packages.keys())}}
    for (name, version), data in packages.items():
        entry = {"version": version, "integrity": lie or integrity(data)}
        entry |= {"resolved": f"{url}/{file_path(name, version)}"} if url else {}
        place = f"node_modules/{name}"
        entries[f"node_modules/x/{place}" if place in entries else place] = entry
    return {"name": "web", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": entries}


def npm_install(
    folder: Path, npmrc: str, *wanted: str, lockfile: Mapping[str, Any] | None = None, prefix: Sequence[str] = ()
) -> dict[str, str]:
    """Install by the real npm with this ``.npmrc`` alone, by ``npm ci`` if there is a lock file; the version of each
    package that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".npmrc").write_text(npmrc)
    own = dict(lockfile["packages"][""]) if lockfile else {"name": "web", "version": "1.0.0"}
    (folder / "package.json").write_text(json.dumps(own))
    if lockfile:
        (folder / "package-lock.json").write_text(json.dumps(lockfile))
    # Whoever enters a namespace is in its root folder, in which npm does not work.
    command = [*prefix, "sh", "-c", 'cd "$0" && exec "$@"', str(folder), need("npm"), "ci" if lockfile else "install"]
    command += ["--no-audit", "--no-fund", "--fetch-retries=0", *wanted]
    environment = clean_environment(folder, npm_config_globalconfig="/dev/null", npm_config_update_notifier="false")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    documents = [json.loads(path.read_text()) for path in (folder / "node_modules").glob("**/package.json")]
    return {document["name"]: document["version"] for document in documents}
