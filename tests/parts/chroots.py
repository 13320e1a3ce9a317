# SPDX-License-Identifier: Apache-2.0
"""Root folders of Debian releases, or empty ones, and programs that run in them with nothing of this machine around."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.parts.need import need, need_privilege

#: Where the archives of root folders are kept from one run to the next.
CACHE = Path(__file__).resolve().parents[2] / "build" / "chroots"


@dataclass(frozen=True)
class Root:
    """A root folder without ``/proc``, in whose ``/tmp`` nothing may be executed."""

    path: Path

    def run(
        self,
        *command: str,
        code: int | None = 0,
        user: int = 0,
        folder: str = "/",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program there as the user and group of this number; its environment is ``environment`` alone."""
        script = 'mount -t tmpfs -o noexec,nosuid,mode=1777 tmpfs "$1/tmp"; shift; exec env -i "$@"'
        inside = [need("unshare"), f"--root={self.path}", f"--wd={folder}", f"--setgid={user}", f"--setuid={user}"]
        given = [f"{name}={value}" for name, value in (environment or {}).items()]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-euc", script, "sh", self.path, *given, *inside, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert code is None or done.returncode == code, f"exit code {done.returncode}:\n{done.stderr}\n{done.stdout}"
        return done


def empty(folder: Path) -> Root:
    """A root folder with nothing in it but ``/tmp``."""
    need_privilege("mount file systems")
    (folder / "tmp").mkdir(parents=True)
    return Root(folder)


def debian(suite: str, folder: Path) -> Root:
    """The root folder of a Debian release, unpacked into ``folder``. The first call of all downloads its packages."""
    need_privilege("mount file systems")
    archive = CACHE / f"{suite}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        partial = archive.with_name(f"{suite}.partial.tar")
        subprocess.run([need("mmdebstrap"), "--quiet", "--variant=minbase", suite, partial], check=True)
        os.replace(partial, archive)
    root = folder / suite
    root.mkdir()
    subprocess.run(["tar", "xf", archive, "-C", root], check=True)
    return Root(root)
