# SPDX-License-Identifier: Apache-2.0
"""Debian packages of any architecture, by the machine's own apt sources and keys, without touching what is installed.

apt gets state, lists and cache of its own in a work folder. It checks what it downloads by the archive's signatures.
"""

from __future__ import annotations

import io
import posixpath
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

#: Debian's names of the architectures by those of the kernel.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass
class DebianPackage:
    """An unpacked package: its files by path without the first slash; ``links`` are symbolic links and their targets,
    as paths of the same form."""

    name: str
    version: str
    source: str
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


class Apt:
    """apt for one architecture, in ``folder``."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self._folder = folder
        self._architecture = ARCHITECTURES[architecture]
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()

    def update(self) -> None:
        """Read the package lists. Raises CalledProcessError."""
        self._run("apt-get", "update", "-q")

    def fetch(self, names: list[str]) -> list[DebianPackage]:
        """Download packages with all that they depend on, and unpack them; sorted by name."""
        self._run("apt-get", "clean")
        self._run("apt-get", "install", "--no-install-recommends", "--download-only", "-q", "-y", *names)
        paths = (self._folder / "cache/archives").glob("*.deb")
        return sorted(map(unpack, paths), key=lambda package: package.name)

    def _run(self, program: str, *arguments: str) -> None:
        settings = {
            "Dir::State": self._folder / "state",
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder / "cache",
            "APT::Architecture": self._architecture,
            "APT::Architectures": self._architecture,
            "APT::Sandbox::User": "",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        done = subprocess.run([program, *options, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{program} {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def unpack(path: Path) -> DebianPackage:
    """The files of a ``.deb``."""
    fields = ("Package", "Version", "Source")
    shown = subprocess.run(["dpkg-deb", "-f", path, *fields], capture_output=True, text=True, check=True).stdout
    values = dict(line.split(": ", 1) for line in shown.splitlines())
    source = values.get("Source", values["Package"]).partition(" ")[0]
    package = DebianPackage(values["Package"], values["Version"], source)
    content = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = posixpath.normpath(member.name)
            if member.isfile():
                file = archive.extractfile(member)
                assert file is not None
                package.files[name] = file.read()
            elif member.issym():
                package.links[name] = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), member.linkname))[
                    1:
                ]
            elif member.islnk():
                package.files[name] = package.files[posixpath.normpath(member.linkname)]
    return package
