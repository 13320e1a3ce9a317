# SPDX-License-Identifier: Apache-2.0
"""The images, settings and commands from which the data of this folder is made.

The bytes must never change, so layers are stored uncompressed: what gzip writes depends on the version of zlib.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import zstandard

from airgap.oci import Descriptor
from tests.cli.command import SAMPLES, Airgap, Registry, pod, settings
from tests.parts.images import OCI_LAYER_PLAIN, Images, Layer

DATA = Path(__file__).resolve().parent / "0.1.0"
#: What zstd writes depends on its version.
ZSTD = ".".join(map(str, zstandard.ZSTD_VERSION))
#: What nodes call the target; commands reach it through --via.
TARGET = "10.100.0.102:32415/p"
#: What a migration calls its two sides; airgap.yaml says where they are.
OLD, NEW = "old.example:5000", "new.example:5000"
#: What airgap.yaml has where the addresses of the source and of the target belong.
STAND_INS = ("http://127.0.0.1:5000", "http://127.0.0.1:5001")
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")
LARGE_IMAGES = ("--image", "quay.io/example/large:1", "--image", "quay.io/example/tool:1")
#: The unfinished exports: folder, then the output and the options that give it its form.
UNFINISHED = {
    "tar": ("b.tar",),
    "volumes": ("b.tar", "--volume-size", "7MiB"),
    "zstd": ("b.tar.zst",),
}
#: Exports whose sums are kept: name, then what follows ``airgap export``. A later one may use files of an earlier one.
LATER = ("--image", "quay.io/jetstack/later:1")
SAMPLE_FILES = ("cert-manager.yaml", "falco.yaml", "nginx.yaml")
SUMS = {
    "plain": (*SAMPLE_FILES, "-o", "plain.tar"),
    "zstd": (*SAMPLE_FILES, "-o", "zstd.tar.zst"),
    "volumes": (*SAMPLE_FILES, "--volume-size", "1MiB", "-o", "volumes.tar"),
    "one platform": (*SAMPLE_FILES, "--platform", "linux/amd64", "-o", "one.tar"),
    "two platforms": (*SAMPLE_FILES, "--platform", "linux/amd64", "--platform", "linux/arm64", "-o", "two.tar"),
    "no resources": ("falco.yaml", "--no-resources", "--no-referrers", "-o", "bare.tar"),
    "base": (*SAMPLE_FILES, *LATER, "--base", "plain.tar", "-o", "base.tar"),
    "base, zstd": (*SAMPLE_FILES, *LATER, "--base", "plain.tar", "-o", "base.tar.zst"),
    "base, volumes": (
        *(*SAMPLE_FILES, *LATER, "--base", "one.tar", "--volume-size", "1MiB", "-o", "base-volumes.tar"),
    ),
}  # fmt: skip


def layer(images: Images, size: int, seed: int) -> Layer:
    """Half of it text, which shrinks, and half of it noise, which does not."""
    noise = hashlib.shake_256(str(seed).encode()).digest(size // 2)
    content = (f"layer {seed} " * size).encode()[: size - len(noise)] + noise
    made = images.blob(content, OCI_LAYER_PLAIN)
    return Layer(made, made.digest)


def several_platforms(images: Images, base: Layer, size: int, seed: int, *, docker: bool = False) -> Descriptor:
    """An index of three platforms that share their first layer, with an attestation of the first one."""
    children = [
        images.image(platform, layers=[base, layer(images, size, seed + number)], docker=docker)
        for number, platform in enumerate(PLATFORMS)
    ]
    return images.index([*children, images.attestation(children[0])], docker=docker)


def releases() -> tuple[Images, dict[str, Descriptor]]:
    """Two releases of a small platform by ``repository:tag``, which share layers, and a referrer of the first."""
    images = Images(10)
    base = layer(images, 1200, 1)
    tool = images.image(layers=[base, layer(images, 700, 2)], docker=True)
    names = {
        "example/app:1": several_platforms(images, base, 400, 10),
        "example/tool:1": tool,
        "example/app:2": several_platforms(images, base, 500, 20),
        "example/tool:2": tool,
    }
    signature = images.artifact(subject=names["example/app:1"], content=b"a signature")
    return images, {**names, f"example/app@{signature.digest}": signature}


def large() -> tuple[Images, dict[str, Descriptor]]:
    """An image with a layer of 20 MiB, every block of which has another number, and a small image."""
    images = Images(11)
    noise = hashlib.shake_256(b"block").digest(8184)
    content = b"".join(number.to_bytes(8, "big") + noise for number in range(2560))
    made = images.blob(content, OCI_LAYER_PLAIN)
    return images, {
        "example/large:1": images.image(layers=[Layer(made, made.digest)]),
        "example/tool:1": images.image(layers=[layer(images, 2000, 3), layer(images, 3000, 4)]),
    }


def samples() -> tuple[Images, dict[str, Descriptor]]:
    """Every image that the sample files name, and one more that shares a layer with them."""
    images = Images(12)
    base = layer(images, 5000, 100)
    names = {
        name: several_platforms(images, base, 60_000, 1000 * number, docker=number % 2 == 1)
        for number, name in enumerate(
            (
                "jetstack/cert-manager-acmesolver:v1.14.4",
                "jetstack/cert-manager-cainjector:v1.14.4",
                "jetstack/cert-manager-controller:v1.14.4",
                "jetstack/cert-manager-webhook:v1.14.4",
                "falcosecurity/falcoctl:0.11.2",
                "falcosecurity/falco:0.41.3",
                "library/nginx:latest",
                "jetstack/later:1",
            ),
            start=1,
        )
    }
    signature = images.artifact(subject=names["falcosecurity/falco:0.41.3"], content=b"a signature")
    return images, {**names, f"falcosecurity/falco@{signature.digest}": signature}


def fill(registry: Registry, made: tuple[Images, dict[str, Descriptor]]) -> None:
    images, names = made
    registry.fill(images, {name: root for name, root in names.items() if "@" not in name})
    images.push_to(registry.store, {name: root for name, root in names.items() if "@" in name})


def project(source: str, target: str) -> str:
    """``airgap.yaml`` of the data, for registries at these addresses."""
    return (DATA / "airgap.yaml").read_text().replace(STAND_INS[0], source).replace(STAND_INS[1], target)


def mirrors(url: str) -> str:
    """An ``airgap.yaml`` by which every registry of the samples is the one at ``url``."""
    return settings({"quay.io": {"mirror": url}, "docker.io": {"mirror": url}})


def sides(old: str, new: str) -> str:
    """An ``airgap.yaml`` that says where the two sides of a migration are."""
    return settings({OLD: {"endpoint": old, "plain_http": True}, NEW: {"endpoint": new, "plain_http": True}})


def write_samples(airgap: Airgap, url: str) -> None:
    airgap.write("airgap.yaml", mirrors(url))
    for name in SAMPLE_FILES:
        airgap.write(name, (SAMPLES / name.removesuffix(".yaml") / name).read_bytes())


def inputs_sum() -> str:
    """One digest of all that the sums depend on: the images, and the sample files."""
    _, names = samples()
    files = [(SAMPLES / name.removesuffix(".yaml") / name).read_bytes() for name in SAMPLE_FILES]
    known = {name: root.digest for name, root in names.items()}
    return hashlib.sha256(b"".join([json.dumps(known, sort_keys=True).encode(), *files])).hexdigest()


def release_files(airgap: Airgap, source: str, target: str, release: int) -> None:
    """The working folder of a release: its settings and resource files."""
    airgap.write("airgap.yaml", project(source, target))
    airgap.write("corp-ca.pem", "")
    airgap.write("notes.txt", "What changed.\n")
    text = pod(f"quay.io/example/app:{release}", f'"quay.io/example/tool:{release}"  # quoted')
    airgap.write("deploy/a.yaml", text)
    airgap.write("deploy/sub/b.yaml", f"# comment\r\n---\r\n{pod(f'quay.io/example/app:{release}')}")


def sums_of(folder: Path, name: str) -> dict[str, str]:
    """The sha256 of each file of the finished bundle ``name``."""
    files = re.compile(re.escape(name) + r"(\.\d+|\.sha256)?")
    paths = sorted(path for path in folder.iterdir() if files.fullmatch(path.name))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
