# SPDX-License-Identifier: Apache-2.0
"""Export, import, rewrite and serve where nothing is that only Linux has (tests/parts/other_system.py)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from airgap import system
from tests.cli.command import Airgap, Registry
from tests.flows.test_serve import serving
from tests.parts import other_system


@dataclass
class Elsewhere(Airgap):
    """Runs every command by an interpreter without Linux's own calls."""

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", other_system.__name__, *map(str, arguments)]


@pytest.fixture
def elsewhere(prepared: Airgap) -> Elsewhere:
    return Elsewhere(prepared.folder, prepared.home, fresh=True)


def test_the_names_that_are_removed_are_names_of_linux() -> None:
    """A list of misspelt names would remove nothing."""
    program = "from tests.parts import other_system as o; o.become(); import os, socket; print("
    program += "[n for n in ('sendfile', 'fdatasync', 'preadv', 'posix_fallocate') if hasattr(os, n)], "
    program += "hasattr(socket, 'MSG_MORE'))\n"
    program += "try: open('/proc/self/status')\nexcept FileNotFoundError: print('no proc')"
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout == "[] False\nno proc\n"


def test_the_whole_procedure_gives_what_linux_gives(elsewhere: Elsewhere, prepared: Airgap, nexus: Registry) -> None:
    lock = ("--lock", "airgap.lock")
    prepared.run("export", "cert-manager.yaml", "-o", "linux.tar", *lock)
    elsewhere.run("export", "cert-manager.yaml", "-o", "b.tar", *lock)
    elsewhere.run("export", "cert-manager.yaml", "-o", "b.tar.zst", *lock)
    elsewhere.run("export", "cert-manager.yaml", "-o", "v.tar", "--volume-size", "1MiB", *lock)
    made = elsewhere.files()
    assert made["b.tar"] == made["linux.tar"]
    for name in ("b.tar", "b.tar.zst", "v.tar.001"):
        elsewhere.run("verify", name)
    elsewhere.run("import", "b.tar", "--to", f"{nexus.address}/p", "--output", "out")
    assert len(nexus.names()) == 4
    prepared.run("import", "b.tar", "--to", f"{nexus.address}/p", "--output", "linux")
    assert (elsewhere.folder / "out/cert-manager.yaml").read_bytes() == (
        elsewhere.folder / "linux/cert-manager.yaml"
    ).read_bytes()
    assert (elsewhere.folder / "out/cert-manager.yaml").stat().st_mode & 0o777 == 0o644
    elsewhere.run("rewrite", "cert-manager.yaml", "--to", f"{nexus.address}/p", "--in-place")
    assert elsewhere.files()["cert-manager.yaml"] == elsewhere.files()["out/cert-manager.yaml"]
    elsewhere.run("rewrite", "cert-manager.yaml", "--revert", "--in-place")
    assert elsewhere.files()["cert-manager.yaml"] == made["cert-manager.yaml"]


def test_a_bundle_is_served(elsewhere: Elsewhere, bundle: Path) -> None:
    name = "quay.io/jetstack/cert-manager-webhook"
    with serving(elsewhere, bundle) as (_, url), httpx.Client(base_url=url) as client:
        index = client.get(f"/v2/{name}/manifests/v1.14.4").json()
        manifest = client.get(f"/v2/{name}/manifests/{index['manifests'][0]['digest']}").json()
        for blob in (manifest["config"], *manifest["layers"]):
            assert len(client.get(f"/v2/{name}/blobs/{blob['digest']}").content) == blob["size"]
    with serving(elsewhere, "layout", "--writable") as (_, url):
        elsewhere.run("import", bundle, "--to", f"{url}/p")
        assert (elsewhere.folder / "layout/index.json").is_file()


def test_where_fsync_is_not_enough_there_is_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import os

    given: list[int] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda fd, command: given.append(command))
    monkeypatch.setattr(os, "fsync", lambda fd: given.append(-1))
    monkeypatch.delattr(os, "fdatasync")
    with (tmp_path / "file").open("wb") as file:
        system.sync_file(file.fileno())
        system.sync_data(file.fileno())
    assert given == [51, 51]
