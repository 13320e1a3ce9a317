# SPDX-License-Identifier: Apache-2.0
"""The images that are carried, made once into a cache: blobs in a folder, and ``images.json`` that names them.

``w1`` is four images of two platforms over a base a platform; ``w2`` forty images over four bases, a third of what
they hold shared; ``w3`` one image of one layer. Layers are gzip at level 6 of package files, closed when they have
reached their size. The same packages, scale and zlib give the same digests; a half-made folder is never used.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.transfer import packages
from bench.transfer.packages import Piece

MB = 1_000_000
NAMES = ("w1", "w2", "w3")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_WHEN = "2020-01-01T00:00:00Z"
_RAW = 4.5  # bytes of files for each byte of layers: gzip makes one of about 3.5, the rest is slack


@dataclass(frozen=True)
class Manifest:
    """One manifest as pushed: ``tag`` is empty for a platform's, ``blobs`` are digests with their sizes."""

    digest: str
    media_type: str
    tag: str
    blobs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Image:
    """A repository such as ``w1/part-0`` and its manifests, those of platforms before their index."""

    repository: str
    manifests: tuple[Manifest, ...]

    @property
    def digest(self) -> str:
        """What its tag ``v1`` names."""
        return self.manifests[-1].digest


@dataclass(frozen=True)
class Workload:
    """``blobs`` is a folder of content, each file named by the hex of its digest."""

    name: str
    scale: float
    blobs: Path
    images: tuple[Image, ...]
    packages: tuple[str, ...] = field(repr=False, default=())

    @property
    def sizes(self) -> dict[str, int]:
        """Every distinct blob, manifests not among them."""
        return dict(blob for image in self.images for manifest in image.manifests for blob in manifest.blobs)

    @property
    def unique(self) -> int:
        """Bytes of blobs, each digest once."""
        return sum(self.sizes.values())

    @property
    def repeated(self) -> int:
        """Bytes of blobs, each image's own: what a tool carries that shares nothing."""
        return sum(sum(dict(b for m in image.manifests for b in m.blobs).values()) for image in self.images)

    @property
    def fingerprint(self) -> str:
        """The same for the same images, so that results can be compared."""
        return hashlib.sha256("".join(image.digest for image in self.images).encode()).hexdigest()[:12]


def plan(name: str, scale: float) -> tuple[dict[str, float], dict[str, dict[str, list[str]]]]:
    """Layers with their sizes in bytes, and for each repository its platforms' layers, lowest first."""
    layers: dict[str, float] = {}
    images: dict[str, dict[str, list[str]]] = {}
    if name == "w1":
        for platform in ("amd64", "arm64"):
            layers[f"base {platform}"] = 20
            for number, size in enumerate((13, 17, 20, 25)):
                layers[f"own {number} {platform}"] = size
                own = [f"base {platform}", f"own {number} {platform}"]
                images.setdefault(f"w1/part-{number}", {})[platform] = own
    elif name == "w2":
        layers.update((f"base {number}", 20) for number in range(4))
        for number in range(40):
            own = [f"own {number} {k}" for k in range(3)]
            sizes = ((12, 24, 36, 60)[number % 4] * share for share in (0.6, 0.3, 0.1))
            layers.update(zip(own, sizes, strict=True))
            images[f"w2/image-{number:02}"] = {"amd64": [f"base {number // 10}", *own]}
    else:
        layers["large"] = 1500
        images["w3/large"] = {"amd64": ["large"]}
    return {layer: size * scale * MB for layer, size in layers.items()}, images


def load(cache: Path, name: str, scale: float, say: Callable[[str], None], *, installed: bool = False) -> Workload:
    """The workload from ``cache``, made first where it is not there yet.

    Raises :class:`packages.TooLittleError` when there are not enough package files.
    """
    folder = cache / f"{name}-{scale:g}{'-installed' if installed else ''}"
    if not (folder / "images.json").exists():
        layers, _ = plan(name, scale)
        say(f"making {name} at scale {scale:g} in {folder}")
        if installed:
            versions, roots = packages.installed()
        else:
            versions, roots = packages.download(cache / "packages", int(sum(layers.values()) * _RAW))
        build(folder, name, scale, roots, versions)
        shutil.rmtree(cache / "packages" / "unpacked", ignore_errors=True)
    described = json.loads((folder / "images.json").read_text())
    images = tuple(
        Image(
            image["repository"],
            tuple(Manifest(**{**m, "blobs": tuple(map(tuple, m["blobs"]))}) for m in image["manifests"]),
        )
        for image in described["images"]
    )
    return Workload(name, scale, folder / "blobs", images, tuple(described["packages"]))


def build(folder: Path, name: str, scale: float, roots: list[Path], versions: list[str]) -> None:
    """Make a workload in ``folder`` of the files at ``roots``; ``images.json`` appears last, when all is there."""
    blobs = folder / "blobs"
    shutil.rmtree(folder, ignore_errors=True)
    blobs.mkdir(parents=True)
    sizes, images = plan(name, scale)
    stripes = _stripes(sizes)
    shares = [sum(sizes[layer] for layer in stripe) for stripe in stripes]
    together = min(4 << 20, int(sum(shares) / len(shares) / 8))
    hands = packages.dealt(packages.pieces(roots, together), shares)
    jobs = [(blobs, [(layer, sizes[layer]) for layer in s], hand) for s, hand in zip(stripes, hands, strict=True)]
    made: dict[str, dict[str, Any]] = {}
    processes = min(len(jobs), os.cpu_count() or 1)
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for layers in pool.map(_make_layers, jobs):
            made.update(layers)
    described = [asdict(_image(blobs, repository, made, platforms)) for repository, platforms in images.items()]
    part = folder / "images.part"
    part.write_text(json.dumps({"images": described, "packages": versions}, indent=1))
    part.rename(folder / "images.json")


def _stripes(sizes: dict[str, float]) -> list[list[str]]:
    """Layers in eight heaps of like size: each is made by one process, whatever the number of processors."""
    heaps: list[list[str]] = [[] for _ in range(min(8, len(sizes)))]
    weights = [0.0] * len(heaps)
    for layer in sorted(sizes, key=lambda layer: (-sizes[layer], layer)):
        lightest = weights.index(min(weights))
        heaps[lightest].append(layer)
        weights[lightest] += sizes[layer]
    return heaps


def _make_layers(job: tuple[Path, list[tuple[str, float]], list[Piece]]) -> dict[str, dict[str, Any]]:
    blobs, layers, hand = job
    rest = iter(hand)
    made = {}
    for layer, size in layers:
        part = blobs / f"{layer}.part"
        with part.open("wb") as file:
            sink = _Gzip(file)
            with tarfile.open(mode="w|", fileobj=sink, bufsize=1 << 16) as tar:
                while sink.size < size:
                    piece = next(rest, None)
                    if piece is None:
                        raise packages.TooLittleError(f"the packages' files end {size - sink.size:.0f} bytes early")
                    info = tarfile.TarInfo(piece.name)
                    info.size, info.mode = piece.length, 0o755
                    with open(piece.path, "rb") as content:
                        content.seek(piece.offset)
                        tar.addfile(info, content)
            sink.finish()
        digest = sink.packed.hexdigest()
        part.rename(blobs / digest)
        made[layer] = {"digest": f"sha256:{digest}", "size": sink.size, "diff_id": f"sha256:{sink.plain.hexdigest()}"}
    return made


class _Gzip(io.RawIOBase):
    """A file object that compresses into ``file`` and hashes both sides. ``size`` is what has come out so far."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, 31)
        self.plain, self.packed = hashlib.sha256(), hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self.plain.update(data)
        self._out(self._gzip.compress(data))
        return len(data)

    def finish(self) -> None:
        self._out(self._gzip.flush())

    def _out(self, data: bytes) -> None:
        self.packed.update(data)
        self.size += len(data)
        self._file.write(data)


def _image(blobs: Path, repository: str, made: dict[str, dict[str, Any]], platforms: dict[str, list[str]]) -> Image:
    manifests, children = [], []
    for platform, layers in platforms.items():
        rootfs = {"type": "layers", "diff_ids": [made[layer]["diff_id"] for layer in layers]}
        history = [{"created": _WHEN, "created_by": f"{repository}: {layer}"} for layer in layers]
        config = _document(
            blobs,
            CONFIG,
            {"architecture": platform, "os": "linux", "created": _WHEN, "rootfs": rootfs, "history": history},
        )
        below = [{"mediaType": LAYER, "digest": made[x]["digest"], "size": made[x]["size"]} for x in layers]
        child = _document(
            blobs, MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": below}
        )
        children.append({**child, "platform": {"os": "linux", "architecture": platform}})
        contents = tuple((blob["digest"], blob["size"]) for blob in [config, *below])
        manifests.append(Manifest(child["digest"], MANIFEST, "" if len(platforms) > 1 else "v1", contents))
    if len(platforms) > 1:
        index = _document(blobs, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
        manifests.append(Manifest(index["digest"], INDEX, "v1"))
    return Image(repository, tuple(manifests))


def _document(blobs: Path, media_type: str, document: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(document, sort_keys=True).encode()
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
