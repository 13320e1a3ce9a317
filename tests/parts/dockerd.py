# SPDX-License-Identifier: Apache-2.0
"""dockerd with data, state and socket of its own: the classic store (vfs) and the containerd one (native)."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.parts.clients import Command
from tests.parts.need import need, need_root
from tests.parts.service import clean_environment, running


@dataclass(frozen=True)
class Dockerd:
    """``docker`` is the client, already pointed at this daemon."""

    docker: Command
    log: Path


@contextlib.contextmanager
def dockerd(folder: Path, *, containerd_store: bool = False) -> Iterator[Dockerd]:
    """Start a daemon without network of its own; ``containerd_store`` takes the newer image store."""
    binary, client = need("dockerd"), need("docker")
    need("containerd")
    need_root("dockerd")
    folder.mkdir(parents=True, exist_ok=True)
    # A socket's path has at most 107 bytes, and dockerd's containerd makes some below the exec root.
    short = Path(tempfile.mkdtemp(prefix="airgap-dd-"))
    try:
        configuration = folder / "daemon.json"
        configuration.write_text(json.dumps({"features": {"containerd-snapshotter": containerd_store}}))
        environment = clean_environment(folder, DOCKER_CONFIG=str(folder / ".docker"), TMPDIR=str(folder))
        address = f"unix://{short}/s"
        docker = Command((client, "--host", address), environment, folder)
        command = [
            *(binary, "--config-file", str(configuration), "--data-root", str(folder / "data")),
            *("--exec-root", str(short / "x"), "-p", str(short / "pid"), "-H", address),
            *("--iptables=false", "--ip6tables=false", "--bridge=none"),
            f"--storage-driver={'native' if containerd_store else 'vfs'}",
        ]
        log = folder / "log"

        def ready() -> bool:
            return (short / "s").exists() and docker.try_run("version").returncode == 0

        with running(command, log=log, ready=ready, environment=environment, seconds=60):
            yield Dockerd(docker, log)
    finally:
        shutil.rmtree(short, ignore_errors=True)
