# SPDX-License-Identifier: Apache-2.0
"""What the program writes has the mode that the umask leaves; what is secret is for its owner alone."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest

from tests.cli.command import Airgap, Registry


@pytest.mark.parametrize(("umask", "mode"), [pytest.param(0o002, 0o664, marks=pytest.mark.long), (0o027, 0o640)])
def test_every_file(prepared: Airgap, nexus: Registry, umask: int, mode: int) -> None:
    def run(*arguments: str, stdin: bytes = b"") -> None:
        subprocess.run(
            prepared.command(*arguments),
            cwd=prepared.folder,
            env=prepared.whole_environment(),
            input=stdin,
            capture_output=True,
            check=True,
            umask=umask,
        )

    given = set(prepared.folder.iterdir())
    run("export", "cert-manager.yaml", "-o", "b.tar", "--lock", "airgap.lock")
    run("export", "cert-manager.yaml", "-o", "v.tar", "--volume-size", "1MiB")
    run("export", "cert-manager.yaml", "-o", "b.tar.zst")
    run("import", "b.tar", "--to", f"{nexus.url}/p")
    run("inventory", f"{nexus.url}/p", "-o", "held.json")
    run("inspect", "b.tar", "--html", "b.html", "--csv", "b.csv")
    run("rewrite", "cert-manager.yaml", "--to", "t.test:1/p", "--output", "rewritten")
    run("migrate", f"{nexus.url}/p", f"{nexus.url}/q", "--report", "moved.json")
    run("hosts", "https://t.test", "--for", "containerd", "-o", "nodes")
    written = [path for path in prepared.folder.rglob("*") if path.is_file() and path not in given]
    assert len(written) >= 12
    assert {str(path): oct(stat.S_IMODE(path.stat().st_mode)) for path in written} == {
        str(path): oct(mode) for path in written
    }
    run("hosts", "https://t.test", "--for", "podman", "-o", "secret", "--pull-secret", "s")
    assert stat.S_IMODE(os.stat(prepared.folder / "secret/pull-secret.yaml").st_mode) == 0o600
