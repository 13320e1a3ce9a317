# SPDX-License-Identifier: Apache-2.0
"""Three releases of one platform and the site that all of them were imported into, with what others pushed there.

====== ============================ ========================= ======================
image  1.8                          1.9                       1.10
====== ============================ ========================= ======================
app    an index: arm, amd 1         an index: arm, amd 2      amd 3
db     one image                    the same tag, 1.8         1.10
alias  the tag 1                    -                         2, the same image as 1
tool   latest                       latest, moved             -
====== ============================ ========================= ======================

app:1.8 has a signature under cosign's tag. All images share their first layer.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path

from airgap.oci import Descriptor
from tests.cli.command import Airgap, Registry, Result, pod, settings
from tests.parts.images import Images

#: The target as nodes know it; where it is reached is said by --via.
NAME = "10.100.0.102:32415"
TARGET = f"http://{NAME}/p"
RELEASES = {
    "1.8": ("app:1.8", "db:1.8", "alias:1", "tool:latest"),
    "1.9": ("app:1.9", "db:1.8", "tool:latest"),
    "1.10": ("app:1.10", "db:1.10", "alias:2"),
}


@dataclass
class World:
    """The images by ``name:tag`` as each release has them; ``signature`` is that of app:1.8."""

    images: Images = field(default_factory=lambda: Images(9))
    tags: dict[str, dict[str, Descriptor]] = field(default_factory=dict)
    signature: Descriptor = field(init=False)
    arm: Descriptor = field(init=False)

    def __post_init__(self) -> None:
        images = self.images
        base = images.layer(size=50_000)

        def image(platform: str = "linux/amd64") -> Descriptor:
            return images.image(platform, layers=[base, images.layer(size=20_000)])

        self.arm = image("linux/arm64")
        database, alias = image(), image()
        first = {"app:1.8": images.index([self.arm, image()]), "db:1.8": database, "alias:1": alias}
        second = {"app:1.9": images.index([self.arm, image()]), "db:1.8": database, "tool:latest": image()}
        self.tags = {
            "1.8": {**first, "tool:latest": image()},
            "1.9": second,
            "1.10": {"app:1.10": image(), "db:1.10": image(), "alias:2": alias},
        }
        self.signature = images.artifact("application/vnd.dev.cosign.simplesigning.v1+json")

    @property
    def signature_tag(self) -> str:
        return f"{self.tags['1.8']['app:1.8'].digest.replace(':', '-')}.sig"

    def fill_quay(self, quay: Registry, version: str) -> None:
        """What the connected side pulls a release from."""
        names = {f"team/{name}": root for name, root in self.tags[version].items()}
        if version == "1.8":
            names[f"team/app:{self.signature_tag}"] = self.signature
        quay.fill(self.images, names)

    def fill_site(self, far: Registry) -> None:
        """What the site has after the imports of all three releases, each of them as an import leaves it."""
        for version in RELEASES:
            far.fill(self.images, {f"p/{name}": root for name, root in self.tags[version].items()})
        far.fill(self.images, {f"p/app:{self.signature_tag}": self.signature})


def write_releases(airgap: Airgap, far_url: str, world: World) -> None:
    """Export and import every release: bundles, receipts and the history are there afterwards."""
    with Registry() as quay:
        for version, names in RELEASES.items():
            world.fill_quay(quay, version)
            airgap.write(f"{version}.yaml", pod(*(f"quay.io/team/{name}" for name in names)))
            airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}, name="platform", version=version))
            airgap.run("export", f"{version}.yaml", "-o", f"{version}.tar", "--force")
            airgap.run(
                "import", f"{version}.tar", "--to", TARGET, "--via", far_url, "--force", "--overwrite",
                "--output", f"out-{version}",
            )  # fmt: skip
    (airgap.folder / "airgap.yaml").unlink()


@dataclass
class Site:
    """The site, the machine that imported, and what ``airgap prune`` says there."""

    airgap: Airgap
    far_url: str
    world: World

    def prune(self, *more: str | Path, code: int = 0, target: str = TARGET) -> Result:
        return self.airgap.run("prune", target, "--via", self.far_url, *more, code=code)

    def json(self, *more: str | Path, code: int = 0) -> dict[str, object]:
        """What is planned, or done."""
        found: dict[str, object] = self.prune("--json", *more, code=code).json
        return found


@functools.cache
def documents(folder: Path) -> dict[str, bytes]:
    """The files that three exports and imports leave on the machine, without images: made once for a folder."""
    work, home = folder / "work", folder / "user"
    work.mkdir(parents=True)
    home.mkdir()
    airgap = Airgap(work, home)
    with Registry() as far:
        write_releases(airgap, far.url, World())
        world = World()
        with Registry() as expected:
            world.fill_site(expected)
            names = expected.names()
        assert far.names() == names
    kept = {f"work/{name}": content for name, content in airgap.files().items()}
    history = home / ".local/state/airgap/history.jsonl"
    assert len(history.read_bytes().splitlines()) == 3
    return {**kept, "user/.local/state/airgap/history.jsonl": history.read_bytes()}


def images_of(document: dict[str, object]) -> list[str]:
    """The names of the images of a plan, without registry and prefix."""
    entries = document["images"]
    assert isinstance(entries, list)
    return sorted(entry["image"].removeprefix(f"{NAME}/p/") for entry in entries)


def left_of(document: dict[str, object]) -> dict[str, str]:
    """What is left, by name, with the reason."""
    entries = document["left"]
    assert isinstance(entries, list)
    return {entry["name"].removeprefix(f"{NAME}/p/"): entry["reason"] for entry in entries}


def receipt(images: dict[str, str], *, bundle: str | None = "0" * 64, target: str = f"{NAME}/p") -> str:
    """A receipt of images: digests by ``name:tag``."""
    entries = [
        {"source": f"quay.io/team/{name}", "target": f"{target}/{name}", "digest": digest}
        for name, digest in images.items()
    ]
    return json.dumps({"format": 1, "target": target, "bundle": bundle, "images": entries, "blobs": {}})
