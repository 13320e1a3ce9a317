# SPDX-License-Identifier: Apache-2.0
"""dockerd with data, state and socket of its own: the classic store (vfs) and the containerd one (native)."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.parts.clients import Command
from tests.parts.need import need, need_privilege
from tests.parts.network import ClosedNetwork
from tests.parts.service import clean_environment, running


@dataclass(frozen=True)
class Dockerd:
    """``docker`` is the client, already pointed at this daemon; ``file`` is its daemon.json, read again at SIGHUP."""

    docker: Command
    log: Path
    pid: int
    file: Path


@contextlib.contextmanager
def dockerd(
    folder: Path,
    *,
    containerd_store: bool = False,
    configuration: Mapping[str, object] | None = None,
    within: ClosedNetwork | None = None,
) -> Iterator[Dockerd]:
    """Start a daemon without network of its own; ``containerd_store`` takes the newer image store.

    ``configuration`` is a ``daemon.json``, in whose ``features`` the store is set; the daemon runs ``within`` a closed
    network."""
    binary, client = need("dockerd", at_least=(24, 0) if containerd_store else ()), need("docker")
    need("containerd")
    need_privilege("run dockerd")
    folder.mkdir(parents=True, exist_ok=True)
    # A socket's path has at most 107 bytes, and dockerd's containerd makes some below the exec root.
    short = Path(tempfile.mkdtemp(prefix="airgap-dd-"))
    try:
        file = folder / "daemon.json"
        features = {"features": {"containerd-snapshotter": containerd_store}}
        file.write_text(json.dumps({**(configuration or {}), **features}))
        environment = clean_environment(folder, DOCKER_CONFIG=str(folder / ".docker"), TMPDIR=str(folder))
        address = f"unix://{short}/s"
        docker = Command((client, "--host", address), environment, folder)
        command = [
            *(
                *(within.prefix if within else ()),
                binary,
                "--config-file",
                str(file),
                "--data-root",
                str(folder / "data"),
            ),
            *("--exec-root", str(short / "x"), "-p", str(short / "pid"), "-H", address),
            *("--iptables=false", "--ip6tables=false", "--bridge=none"),
            f"--storage-driver={'native' if containerd_store else 'vfs'}",
        ]
        log = folder / "log"

        def ready() -> bool:
            return (short / "s").exists() and docker.try_run("version").returncode == 0

        with running(command, log=log, ready=ready, environment=environment, seconds=60) as process:
            yield Dockerd(docker, log, process.pid, file)
    finally:
        shutil.rmtree(short, ignore_errors=True)
