# SPDX-License-Identifier: Apache-2.0
"""Releases of one platform and the far side that they go to: what the tests of differential bundles share."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from airgap.oci import Descriptor
from tests.cli.command import Airgap, Registry, Result, pod, settings
from tests.parts.images import OCI_LAYER, Images, Layer

#: The target as nodes know it; where it is reached is said by --via.
NAME = "10.100.0.102:32415"
TARGET = f"http://{NAME}/p"


@dataclass
class Far:
    """A registry on the far side; ``requests`` gives what was asked since it was last called, without statuses."""

    url: str
    requests: Callable[[], list[str]]
    delete: Callable[[str, str], None] = lambda repository, digest: None

    def changed(self) -> list[str]:
        """The requests that change something."""
        return [line for line in self.requests() if line.split()[0] in ("POST", "PUT", "PATCH", "DELETE")]


@dataclass
class Platform:
    """A registry that plays quay.io, its images, and the commands that carry one release after the other."""

    airgap: Airgap
    registry: Registry
    images: Images = field(default_factory=lambda: Images(5))

    def layer(self, size: int = 2000) -> Layer:
        return self.images.layer(size=size, media_type=OCI_LAYER, level=1)

    def offer(self, names: Mapping[str, Sequence[Layer]], tag: str) -> None:
        """Make quay.io have these images of these layers under ``tag``."""
        self.registry.fill(
            self.images, {f"{name}:{tag}": self.images.image(layers=layers) for name, layers in names.items()}
        )

    def export(self, version: str, *names: str, base: str | Path = "", code: int = 0, **more: str) -> Result:
        """Export ``NAME:VERSION`` of all ``names`` to ``VERSION.tar``, its bundle.json beside it."""
        self.airgap.write(f"{version}.yaml", pod(*(f"quay.io/{name}:{version}" for name in names)))
        config = settings({"quay.io": {"mirror": self.registry.url}}, name="platform", version=version)
        self.airgap.write("airgap.yaml", config)
        arguments = ["export", f"{version}.yaml", "-o", f"{version}.tar", "--force"]
        arguments += ["--base", str(base)] if base else []
        for option, value in more.items():
            arguments += [f"--{option}", value]
        said = self.airgap.run(*arguments, code=code)
        if code == 0:
            with tarfile.open(self.airgap.folder / f"{version}.tar") as tar:
                content = tar.extractfile("airgap/bundle.json")
                assert content is not None
                self.airgap.write(f"{version}.json", content.read())
        return said

    def carry(self, version: str, far: Far, code: int = 0, *more: str) -> Result:
        """Import a release's bundle."""
        command = ["import", f"{version}.tar", "--to", TARGET, "--via", far.url, "--force", *more]
        return self.airgap.run(*command, code=code) if code == 0 else self.airgap.fails(code, *command)

    def inventory(self, version: str) -> dict[str, Any]:
        """The bundle.json of a release."""
        found: dict[str, Any] = json.loads((self.airgap.folder / f"{version}.json").read_bytes())
        return found

    def id(self, version: str) -> str:
        """What ``airgap inspect`` calls the bundle, which is the sha256 of its bundle.json."""
        said = self.airgap.run("inspect", f"{version}.tar").text
        found = next(line.removeprefix("ID ") for line in said.splitlines() if line.startswith("ID "))
        assert found == hashlib.sha256((self.airgap.folder / f"{version}.json").read_bytes()).hexdigest()
        return found

    def size(self, version: str) -> int:
        return (self.airgap.folder / f"{version}.tar").stat().st_size

    def member(self, version: str, name: str) -> Any:
        with tarfile.open(fileobj=io.BytesIO((self.airgap.folder / f"{version}.tar").read_bytes())) as tar:
            content = tar.extractfile(name)
            assert content is not None
            return json.loads(content.read())


def whole(far: Far, images: Images, repository: str, tag: str, root: Descriptor) -> None:
    """Everything under this tag can be pulled from this repository and is what it says."""
    with httpx.Client(base_url=far.url) as client:
        for descriptor in images.needed(root):
            kind = "manifests" if "manifest" in descriptor.media_type else "blobs"
            answer = client.get(
                f"/v2/{repository}/{kind}/{descriptor.digest}", headers={"Accept": descriptor.media_type}
            )
            assert answer.status_code == 200, descriptor
            assert answer.content == images.content[descriptor.digest]
        head = client.head(f"/v2/{repository}/manifests/{tag}", headers={"Accept": root.media_type})
        assert head.headers["Docker-Content-Digest"] == root.digest
