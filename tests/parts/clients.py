# SPDX-License-Identifier: Apache-2.0
"""skopeo, podman and oras as commands, each with a home, storage and temporary folder of its own.

The trust policy, registry configuration and credentials are the ones given here; the user's are never read.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts.need import need, need_privilege
from tests.parts.service import clean_environment


class CommandFailed(AssertionError):
    """A real program refused: its command line and what it said."""


@dataclass(frozen=True)
class Command:
    """One program: ``run`` gives its standard output, ``try_run`` the whole result, whatever it is."""

    prefix: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    folder: Path

    def try_run(self, *arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        whole = [*self.prefix, *map(str, arguments)]
        return subprocess.run(
            whole,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=self.environment,
            cwd=self.folder,
            timeout=300,
            check=False,
        )

    def run(self, *arguments: str | Path, stdin: bytes | None = None) -> bytes:
        """Raises :class:`CommandFailed` with what the program said."""
        done = self.try_run(*arguments, stdin=stdin)
        if done.returncode:
            said = (done.stderr + done.stdout).decode(errors="replace")[-4000:]
            raise CommandFailed(f"{' '.join([*self.prefix, *map(str, arguments)])} gave {done.returncode}:\n{said}")
        return done.stdout

    def json(self, *arguments: str | Path) -> Any:
        """Standard output as JSON."""
        return json.loads(self.run(*arguments))


def skopeo(folder: Path, *, auth: dict[str, Any] | None = None, as_nobody: bool = False) -> Command:
    """skopeo with everything in ``folder``; ``auth`` is the content of an ``auth.json``.

    ``as_nobody`` runs it as the user nobody, who then owns ``folder``: one of :func:`open_folder`, since what pytest
    makes is closed to other users.
    """
    binary = need("skopeo")
    home = _home(folder, auth)
    prefix: tuple[str, ...] = (binary, "--policy", str(home / "policy.json"), "--tmpdir", str(home / "tmp"))
    prefix += ("--registries.d", str(home / "registries.d"), "--registries-conf", str(home / "registries.conf"))
    if as_nobody:
        need_privilege("become another user")
        for path in (home, *home.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")
        prefix = (need("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", *prefix)
    return Command(prefix, _environment(home), home)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach too."""
    folder = Path(tempfile.mkdtemp(prefix="airgap-open-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def podman(folder: Path, *, auth: dict[str, Any] | None = None) -> Command:
    """podman as root with storage of its own (vfs, so that it works inside containers too)."""
    binary = need("podman")
    need_privilege("run podman as root")
    # podman 4 takes no more than 50 characters for it, and a test's folder may be longer.
    short = tempfile.mkdtemp(prefix="airgap-pm-")
    atexit.register(shutil.rmtree, short, ignore_errors=True)
    home = _home(folder, auth, running=short)
    prefix: tuple[str, ...] = (
        binary,
        "--root",
        str(home / "storage"),
        "--runroot",
        short,
        "--storage-driver",
        "vfs",
    )
    prefix += ("--tmpdir", str(home / "libpod"), "--events-backend", "none", "--cgroup-manager", "cgroupfs")
    return Command(prefix, _environment(home), home)


def oras(folder: Path) -> Command:
    """oras with a home of its own; registries on loopback want ``--plain-http``."""
    binary = need("oras")
    home = _home(folder, None)
    return Command((binary,), _environment(home), home)


def _home(folder: Path, auth: dict[str, Any] | None, *, running: str = "") -> Path:
    for name in ("tmp", "registries.d", "run", ".config/containers", ".docker"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    policy = json.dumps({"default": [{"type": "insecureAcceptAnything"}]})
    (folder / "policy.json").write_text(policy)
    (folder / ".config/containers/policy.json").write_text(policy)
    (folder / "registries.conf").write_text("unqualified-search-registries = []\nshort-name-mode = 'disabled'\n")
    places = f"graphroot = '{folder}/storage'\nrunroot = '{running or folder / 'run'}'\n"
    (folder / "storage.conf").write_text(f"[storage]\ndriver = 'vfs'\n{places}")
    (folder / "containers.conf").write_text("")
    (folder / "auth.json").write_text(json.dumps(auth or {"auths": {}}))
    return folder


def _environment(home: Path) -> dict[str, str]:
    return clean_environment(
        home,
        TMPDIR=str(home / "tmp"),
        REGISTRY_AUTH_FILE=str(home / "auth.json"),
        DOCKER_CONFIG=str(home / ".docker"),
        CONTAINERS_REGISTRIES_CONF=str(home / "registries.conf"),
        CONTAINERS_STORAGE_CONF=str(home / "storage.conf"),
        CONTAINERS_CONF=str(home / "containers.conf"),
    )
