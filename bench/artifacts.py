# SPDX-License-Identifier: Apache-2.0
"""What an import of packages into Nexus costs: requests a package, and CPU of this program beside a bare transfer.

    python bench/artifacts.py [PACKAGES] [BYTES]        1000 packages of 20000 bytes by default

The packages are npm's. The double of Nexus runs in a process of its own, whose CPU does not count. The bare transfer is
http.client, which sends forms of the same size to the same double over one connection.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from airgap.registry import Credential
from tests.artifacts.carrying import far_nexus
from tests.artifacts.npm_packages import Packages, lock, package, registry
from tests.doubles.nexus import ADMIN
from tests.doubles.nexus.settings import Repository


def main() -> None:
    count, size = [*map(int, sys.argv[1:3]), *(1000, 20_000)[len(sys.argv[1:3]) :]]
    packages: Packages = {}
    for number in range(count):
        packages |= package(f"package-{number:05}", "1.0.0", value=os.urandom(max(size - 500, 1)).hex())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _export(folder, packages)
        pipe, other_end = multiprocessing.Pipe()
        double = multiprocessing.get_context("fork").Process(target=_serve, args=(other_end,), daemon=True)
        double.start()
        url = pipe.recv()
        bare = _seconds(lambda: _bare(url, packages))
        pipe.send("requests")
        before = pipe.recv()
        own = _children(lambda: _airgap(folder, "import", "demo.tar", "--only-artifacts", "--force", "--artifacts-to",
                                        f"npm={url}/repository/npm-hosted"))  # fmt: skip
        pipe.send("requests")
        requests = pipe.recv() - before
        pipe.send("stop")
        double.join()
    total = sum(map(len, packages.values()))
    print(f"{count:,} packages, {total / 1e6:.1f} MB: {requests:,} requests, {requests / count:.2f} a package")
    more = 1000 * (own - bare) / requests
    print(f"CPU: import {own:.2f} s, bare transfer {bare:.2f} s; {more:.2f} ms a request more")


def _export(folder: Path, packages: Packages) -> None:
    with registry(packages) as server:
        (folder / "package-lock.json").write_text(json.dumps(lock(packages, f"{server.url}/npm")))
        project = {"name": "demo", "artifacts": {"npm": [{"lockfile": "package-lock.json"}]}}
        (folder / "airgap.yaml").write_text(json.dumps(project))
        _airgap(folder, "export", "--only-artifacts")


def _serve(pipe: Connection) -> None:
    """A Nexus with two repositories, until it is told to stop; it tells how many requests it has seen."""
    names = ("npm-hosted", "bare")
    with far_nexus(repositories=tuple(Repository(name, format="npm") for name in names)) as server:
        pipe.send(server.url)
        while pipe.recv() != "stop":
            pipe.send(len(server.seen))


def _bare(url: str, packages: Packages) -> None:
    connection = http.client.HTTPConnection(url.partition("//")[2])
    authorization = Credential(ADMIN.name, ADMIN.password).basic
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": authorization}
    for data in packages.values():
        head = b'--x\r\nContent-Disposition: form-data; name="npm.asset"; filename="x.tgz"\r\n\r\n'
        body = head + data + b"\r\n--x--\r\n"
        connection.request("POST", "/service/rest/v1/components?repository=bare", body, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 204, response.status


def _airgap(folder: Path, *arguments: str) -> None:
    words = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password, "HOME": str(folder)}
    environment = {**os.environ, **words, "PYTHONPATH": sys.path[0]}
    command = [sys.executable, "-m", "airgap", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, stderr=subprocess.DEVNULL)


def _seconds(action: object) -> float:
    return _used(resource.RUSAGE_SELF, action)


def _children(action: object) -> float:
    return _used(resource.RUSAGE_CHILDREN, action)


def _used(who: int, action: object) -> float:
    """The CPU seconds of this process, or of its children that have ended, during an action."""
    assert callable(action)
    before = resource.getrusage(who)
    action()
    after = resource.getrusage(who)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
