# SPDX-License-Identifier: Apache-2.0
"""``dist/airgap-VERSION-portable-linux-ARCH.tar.gz``, on a Debian or Ubuntu of any architecture.

    python -m tools.portable                          # for this machine
    python -m tools.portable --architecture aarch64   # for another one

Nothing is installed and nothing is run that was built for another machine: the byte code, which is the same everywhere,
and the archive are made by a portable folder for this machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from airgap import __version__
from tools.portable.folder import ROOT, Folder, seeds
from tools.portable.packages import ARCHITECTURES, Apt

_PACK = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from airgap.bundle.portable import pack_folder
target = pathlib.Path(sys.argv[3])
partial = target.with_name(target.name + ".partial")
with partial.open("wb") as file:
    pack_folder(pathlib.Path(sys.argv[2]), file)
os.replace(partial, target)
"""


def build(architecture: str, output: Path, work: Path) -> Path:
    """Make the folder in ``work`` and its archive in ``output``; return the archive's path."""
    output.mkdir(parents=True, exist_ok=True)
    folder, runner = build_folder(architecture, work)
    archive = output / f"airgap-{__version__}-portable-linux-{architecture}.tar.gz"
    runner.run_python("-c", _PACK, str(runner.path / "app"), str(folder.path), str(archive))
    return archive


def build_folder(architecture: str, work: Path) -> tuple[Folder, Folder]:
    """Make the folder in ``work``; return it, and one for this machine, which is the same if it is for this machine."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SystemExit("the portable folder is made of Debian packages: apt-get and dpkg-deb are needed")
    os.umask(0o022)
    folder = runner = _filled(architecture, work)
    if architecture != platform.machine():
        runner = _filled(platform.machine(), work)
        if runner.python != folder.python:
            raise SystemExit(f"this machine's packages have {runner.python}, those of {architecture} {folder.python}")
    folder.compile(runner)
    return folder, runner


def _filled(architecture: str, work: Path) -> Folder:
    apt = Apt(work / architecture / "apt", architecture)
    apt.update()
    folder = Folder(work / architecture / "folder", architecture, apt.fetch(seeds()))
    folder.fill()
    return folder


def run(builder: Callable[[str, Path, Path], Path], description: str | None) -> None:
    """Run ``builder`` with the architecture, output and working folder of the command line; print what it made."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default=platform.machine())
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "portable", metavar="FOLDER")
    given = parser.parse_args()
    print(builder(given.architecture, given.output.resolve(), given.work.resolve()))


if __name__ == "__main__":
    run(build, __doc__)
