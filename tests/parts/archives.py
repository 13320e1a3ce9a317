# SPDX-License-Identifier: Apache-2.0
"""Archives of images as other programs write them: what docker save writes, and tars of OCI image layouts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from airgap.oci import Descriptor
from airgap.store import ImageLayout
from tests.parts.images import Images, tar_of

LAYERS = [tar_of({"a": b"first"}), tar_of({"b": b"second"})]


def write_tar(
    path: Path,
    members: Mapping[str, bytes],
    *,
    form: int = tarfile.USTAR_FORMAT,
    links: Iterable[tuple[str, bytes, str]] = (),
) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, kind, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return path


def docker_members(
    layers: Sequence[bytes], tags: Sequence[str] | None, names: Sequence[str] | None = None, **config: str
) -> dict[str, bytes]:
    """What docker save writes for one image."""
    plain = [gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer for layer in layers]
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in plain]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    document = {"architecture": "amd64", "os": "linux", "rootfs": rootfs, **config}
    content = json.dumps(document).encode()
    name = f"{hashlib.sha256(content).hexdigest()}.json"
    names = names or [f"{number}/layer.tar" for number in range(len(layers))]
    entry = {"Config": name, "RepoTags": tags, "Layers": names}
    return {name: content, "manifest.json": json.dumps([entry]).encode(), **dict(zip(names, layers, strict=True))}


def layout(folder: Path, names: Mapping[str, Descriptor], images: Images) -> Path:
    store = ImageLayout.create(folder / "layout")
    images.push_to(store, names)
    return store.path


def archive(folder: Path) -> Path:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return write_tar(folder.with_suffix(".tar"), files)
