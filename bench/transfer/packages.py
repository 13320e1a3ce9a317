# SPDX-License-Identifier: Apache-2.0
"""Real files to fill layers with: those of Debian packages, fetched by apt-get or already on this machine.

A file is used in pieces of at most 1 MiB, in a fixed order that keeps neighbours together, so that the same package
versions always give the same layers. Refuses to go on with less than the layers need.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

_LIST = Path(__file__).with_name("packages.txt")
PIECE = 1 << 20
_INFO = Path("/var/lib/dpkg/info")


class Piece(NamedTuple):
    """``length`` bytes at ``offset`` of the file at ``path``, which is ``name`` inside a layer."""

    path: str
    name: str
    offset: int
    length: int


class TooLittleError(Exception):
    """The packages hold fewer bytes than the layers need."""


def download(folder: Path, raw_bytes: int) -> tuple[list[str], list[Path]]:
    """Fetch packages until their files are ``raw_bytes`` and unpack them below ``folder``: versions, and their files.

    Raises :class:`TooLittleError` when the list is not long enough, ``CalledProcessError`` when apt-get or
    dpkg-deb fails.
    """
    chosen, missing = [], raw_bytes
    for name, version, size in _offered():
        if missing > 0:
            chosen.append((name, version))
            missing -= size
    if missing > 0:
        raise TooLittleError(f"apt-get offers {missing / 1e6:.0f} MB too little; apt-get update, or a smaller --scale")
    archives, unpacked = folder / "debs", folder / "unpacked"
    archives.mkdir(parents=True, exist_ok=True)
    wanted = [f"{name}={version}" for name, version in chosen]
    quiet = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []  # the cache is closed to apt's own user
    subprocess.run(["apt-get", "-qq", *quiet, "download", *wanted], cwd=archives, check=True, stdin=subprocess.DEVNULL)
    shutil.rmtree(unpacked, ignore_errors=True)
    for name, _ in chosen:
        (unpacked / name).mkdir(parents=True)
        archive = max(archives.glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)
        subprocess.run(["dpkg-deb", "-x", archive, unpacked / name], check=True)
    return [f"{name} {version}" for name, version in chosen], [unpacked]


def _offered() -> list[tuple[str, str, int]]:
    """Name, version and bytes when installed, of each package of the list that this release has, in that order."""
    names = [line for line in _LIST.read_text().splitlines() if line and line[0] != "#"]
    command = ["apt-cache", "show", "--no-all-versions", *names]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    known = {}
    for paragraph in shown.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if "Package" in fields:
            known[fields["Package"]] = (fields["Version"], 1024 * int(fields.get("Installed-Size", 0)))
    return [(name, *known[name]) for name in names if name in known]


def installed() -> tuple[list[str], list[Path]]:
    """Versions and files of every package that is installed here: what lies below /usr, links left out."""
    command = ["dpkg-query", "-W", "-f", "${binary:Package} ${Version}\n"]
    versions = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    paths = {line for file in _INFO.glob("*.list") for line in file.read_text().splitlines()}
    return sorted(versions), [Path(path) for path in sorted(paths) if path.startswith("/usr/")]


def pieces(roots: Iterable[Path], together: int) -> list[list[Piece]]:
    """Runs of pieces of every regular file at or below ``roots``, shuffled by a fixed seed.

    A run is about ``together`` bytes of files that are neighbours.
    """
    runs: list[list[Piece]] = [[]]
    size = 0
    for root in roots:
        for path in _files(root):
            for offset in range(0, path.stat().st_size, PIECE):
                length = min(PIECE, path.stat().st_size - offset)
                name = str(path.relative_to(root) if path != root else path.relative_to("/"))
                runs[-1].append(Piece(str(path), name + (f".{offset // PIECE}" if offset else ""), offset, length))
                size += length
                if size >= together:
                    runs.append([])
                    size = 0
    random.Random("airgap").shuffle(runs)
    return runs


def _files(root: Path) -> Iterable[Path]:
    if root.is_symlink() or not root.exists():
        return
    if root.is_file():
        yield root
    elif root.is_dir():
        for base, folders, names in os.walk(root):
            folders.sort()
            for path in (Path(base, name) for name in sorted(names)):
                if path.is_file() and not path.is_symlink():
                    yield path


def dealt(runs: Sequence[list[Piece]], shares: Sequence[float]) -> list[list[Piece]]:
    """The pieces of ``runs`` divided in proportion to ``shares``, each run staying whole."""
    hands: list[list[Piece]] = [[] for _ in shares]
    sizes = [0] * len(shares)
    for run in runs:
        least = min(range(len(shares)), key=lambda n: (sizes[n] / shares[n], n))
        hands[least] += run
        sizes[least] += sum(piece.length for piece in run)
    return hands
