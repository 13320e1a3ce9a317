# SPDX-License-Identifier: Apache-2.0
"""Large files take no more memory than small ones, on the way into a bundle, into Nexus and into a folder; and many
files take few requests."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.artifacts.carrying import carry, export, far_nexus, uploads, write_project
from tests.artifacts.npm_packages import lock, package, registry
from tests.bundle.test_cost import MIB, MOST_MEMORY, measured, sha256_of_zeros
from tests.cli.command import Airgap
from tests.doubles.nexus import ADMIN
from tests.doubles.registry import Answer, Request
from tests.suites.store_suite import noise


class Drain:
    """What a Nexus does with one file that no test wants to hold: it hashes it, and knows its path afterwards."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.digest = ""

    def post(self, request: Request) -> Answer:
        left, head = request.length, b""
        while b"filename=" not in head or not head.endswith(b"\r\n\r\n"):
            head += request.file.read(1)
        left -= len(head)
        content_hash, rest = hashlib.sha256(), self.size
        while rest:
            piece = request.file.read(min(rest, MIB))
            content_hash.update(piece)
            rest -= len(piece)
        request.file.read(left - self.size)
        self.digest = content_hash.hexdigest()
        return Answer(204, early=True)  # the body was read here

    def assets(self, request: Request) -> Answer:
        items = [{"id": "1", "path": "/run/big.run", "checksum": {"sha256": self.digest}}] if self.digest else []
        return Answer(200, json.dumps({"items": items}).encode(), {"Content-Type": "application/json"})

    def head(self, request: Request) -> Answer:
        return Answer(200 if self.digest else 404)


def peak_memory(size: int, folder: Path) -> list[int]:
    """The largest memory in bytes of an export of a file of so many MiB, full of zeros, of an import into a Nexus and
    of one into a folder."""
    folder.mkdir()
    with (folder / "big.run").open("wb") as file:
        file.truncate(size * MIB)
    document = {"name": "demo", "artifacts": {"raw": [{"path": "big.run", "directory": "run"}]}}
    (folder / "airgap.yaml").write_text(json.dumps(document))
    digest = sha256_of_zeros(size * MIB)
    exported = measured(folder, "export", "--only-artifacts").memory
    drain, command = Drain(size * MIB), ("import", "demo.tar", "--only-artifacts", "--force")
    with far_nexus("raw") as server:
        server.main.always("POST", "/components", drain.post)
        server.main.always("GET", "/assets", drain.assets)
        server.main.always("HEAD", "/run/big.run", drain.head)
        words = f"machine 127.0.0.1 login {ADMIN.name} password {ADMIN.password}\n"
        (folder / ".netrc").write_text(words)
        imported = measured(folder, *command, "--nexus", server.url).memory
        # A large file is not fetched again to be compared: the list has its checksum.
        assert not [seen for seen in server.seen if (seen.method, seen.target[-7:]) == ("GET", "big.run")]
    assert drain.digest == digest
    written = measured(folder, *command, "--artifacts-to", "raw=file:out").memory
    found = hashlib.sha256()
    with (folder / "out/run/big.run").open("rb") as file:
        while piece := file.read(MIB):
            found.update(piece)
    assert found.hexdigest() == digest
    shutil.rmtree(folder)
    return [exported, imported, written]


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    assert max(peak_memory(65, tmp_path / "work")) <= MOST_MEMORY


@pytest.mark.long
def test_memory_is_the_same_for_2_gib(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 6 << 30:
        pytest.skip("there is too little space for 2 GiB three times")
    small, large = peak_memory(96, tmp_path / "small"), peak_memory(2048, tmp_path / "large")
    assert max(large) <= MOST_MEMORY
    assert max(abs(b - a) for a, b in zip(small, large, strict=True)) <= 10 * MIB, (small, large)


def test_uploaded_files_are_asked_for_by_the_path_that_clients_use(airgap: Airgap) -> None:
    for number in range(150):
        airgap.write(f"many/{number:03}.bin", f"content {number}\n" * 20)
    write_project(airgap, {"raw": [{"path": "many"}]})
    export(airgap)
    with far_nexus("raw") as server:
        carry(airgap, "--nexus", server.url)
        assert uploads(server) == 150
        by_path = server.asked("GET", "/repository/raw-hosted/")
        assert 50 <= len(by_path) == len({seen.target for seen in by_path}) <= 70
        assert len(server.seen) <= 1.5 * 150
        before = len(server.seen)
        carry(airgap, "--nexus", server.url)
        assert len(server.seen) - before <= 15
    airgap.write("airgap.yaml", json.dumps({"name": "demo", "artifacts": {"raw": [{"path": "many/000.bin"}]}}))
    export(airgap)
    path = "/repository/raw-hosted/000.bin"
    for answer, expected in (
        (Answer(404), "its address does not have it"),
        (Answer(200, b"x"), hashlib.sha256(b"x").hexdigest()),
    ):
        with far_nexus("raw") as server:
            # Free before the upload; then a proxy in front leads elsewhere.
            server.main.on("GET", path, lambda request: None, answer)
            said = carry(airgap, "--nexus", server.url, code=32 if answer.status == 404 else 31)
            assert expected in said.errors[0]
            assert "raw 000.bin" in said.errors[0]


@pytest.mark.long
@pytest.mark.requires("npm")
def test_a_thousand_packages_take_few_requests(airgap: Airgap) -> None:
    """CPU: bench/artifacts.py."""
    packages = {}
    for number in range(1000):
        packages |= package(f"package-{number}", "1.0.0", value=noise(20_000).hex())
    with registry(packages) as source:
        airgap.write("package-lock.json", json.dumps(lock(packages, f"{source.url}/npm")))
        write_project(airgap, {"npm": [{"lockfile": "package-lock.json"}]})
        export(airgap)
    with far_nexus("npm") as server:
        carry(airgap, "--nexus", server.url)
        assert len(server.repository("npm-hosted").files) == 1000
        assert len(server.seen) <= 1500
