# SPDX-License-Identifier: Apache-2.0
"""A project with releases, and the registry that its images come from: what the tests of releases share."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airgap.release import Release, read_release
from tests.cli.command import Airgap, Registry, Result, pod, settings
from tests.parts.images import OCI_LAYER, Images, Layer, tar_of

TARGET = "http://10.100.0.102:32415/p"


@dataclass
class Project:
    """The project ``platform``: an application with a new layer in each version, and a large image that stays."""

    airgap: Airgap
    registry: Registry
    images: Images = field(default_factory=lambda: Images(5))
    settings: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = self.layer(60_000)
        self.registry.fill(self.images, {"x/base:1": self.images.image(layers=[self.base])})

    def layer(self, size: int) -> Layer:
        return self.images.layer(size=size, media_type=OCI_LAYER, level=1)

    @property
    def folder(self) -> Path:
        return self.airgap.folder

    def offer(self, version: str, *, size: int = 9_000) -> None:
        """Make the registry have the application of a version, with a Debian package of that version."""
        status = f"Package: app-lib\nVersion: {version}\n"
        package = self.images.layer_of(tar_of({"var/lib/dpkg/status": status.encode()}))
        image = self.images.image(layers=[self.base, self.layer(size), package])
        self.registry.fill(self.images, {f"x/app:{version}": image})

    def choose(self, version: str, **more: object) -> None:
        """Write the project's files for a version."""
        self.airgap.write("deploy.yaml", pod(f"quay.io/x/app:{version}", "quay.io/x/base:1"))
        known: dict[str, object] = {"name": "platform", "version": version, "resources": ["deploy.yaml"]}
        known |= {"target": TARGET, **self.settings, **more}
        self.airgap.write("airgap.yaml", settings({"quay.io": {"mirror": self.registry.url}}, **known))

    def release(self, *arguments: str | Path, code: int = 0) -> Result:
        return self.airgap.run("release", *arguments, code=code)

    def document(self, version: str, *, folder: str = ".") -> Release:
        return read_release(self.folder / folder / f"platform-{version}")

    def fetched_layers(self) -> list[str]:
        """The layers that were fetched since the last call. Configs are always, because they tell platforms."""
        asked = [line.split() for line in self.registry.requests()]
        blobs = [path.rpartition("/")[2] for method, path, _ in asked if method == "GET" and "/blobs/" in path]
        return [digest for digest in blobs if len(self.images.content[digest]) > 5_000]

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Project]:
        """The same project in another folder, whose releases may be spoiled."""
        shutil.copytree(self.folder, folder)
        airgap = Airgap(folder, self.airgap.home)
        other = object.__new__(Project)
        other.__dict__ = {**self.__dict__, "airgap": airgap, "settings": dict(self.settings)}
        self.registry.requests()
        yield other


def files_of(folder: Path) -> dict[str, str]:
    """The SHA-256 of everything in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
