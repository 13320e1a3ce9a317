# SPDX-License-Identifier: Apache-2.0
"""``dist/airgap-VERSION-image-linux-ARCH.tar``: a container image of the portable folder, without docker.

    python -m tools.portable.image                          # for this machine
    python -m tools.portable.image --architecture aarch64   # for another one

The file is a bundle with one image, so it is an OCI archive, and ``airgap import`` pushes it. The image has one layer:
the folder, busybox (for ``kubectl cp`` and ``kubectl exec``), the certificates of Debian's ``ca-certificates``, and a
user without rights. Its entrypoint is the loader. See ADR 0026.
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airgap import __version__
from airgap.bundle.portable import PACKAGES, Package, PackageList
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_CONFIG, OCI_MANIFEST
from airgap.store.layout import ImageLayout
from airgap.store.readers import bytes_opener
from tools.portable.__main__ import build_folder, run
from tools.portable.folder import Folder, loader_arguments
from tools.portable.packages import ARCHITECTURES, Apt, DebianPackage

HERE = "/opt/airgap"
NAME = "localhost/airgap"
USER = 10001
#: What busybox does under these names.
TOOLS = ("cat", "ls", "sh", "sleep", "tar")
EPOCH = 315532800
_CREATED = "1980-01-01T00:00:00Z"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PASSWD = f"root:x:0:0:root:/root:/bin/sh\nairgap:x:{USER}:{USER}::/data:/bin/sh\n"
_GROUP = f"root:x:0:\nairgap:x:{USER}:\n"
_LABELS = {
    "org.opencontainers.image.title": "airgap",
    "org.opencontainers.image.description": "Carry the images that Kubernetes YAML names into a closed network",
    "org.opencontainers.image.version": __version__,
    "org.opencontainers.image.licenses": "Apache-2.0",
}


def build(architecture: str, output: Path, work: Path) -> Path:
    """Make the portable folder and the image of it; return the path of its archive."""
    folder, _ = build_folder(architecture, work)
    packages = Apt(work / architecture / "image-apt", architecture)
    packages.update()
    layer = pack_layer(folder, packages.fetch(["busybox-static", "ca-certificates"]))
    output.mkdir(parents=True, exist_ok=True)
    archive = output / f"airgap-{__version__}-image-linux-{architecture}.tar"
    with tempfile.TemporaryDirectory() as layout:
        write_layout(Path(layout), architecture, layer, config(folder))
        command = [sys.executable, "-m", "airgap", "export", "--from", f"oci:{layout}", "-o", str(archive), "--force"]
        subprocess.run([*command, "--progress", "none"], cwd=layout, check=True)
    return archive


def config(folder: Folder) -> dict[str, Any]:
    """The ``config`` of the image: how its containers start."""
    return {
        "User": f"{USER}:{USER}",
        "Entrypoint": [f"{HERE}/lib/{folder.loader().name}", *loader_arguments(HERE, folder.python)],
        "WorkingDir": "/data",
        "Env": [f"PATH={HERE}:/bin", "HOME=/data"],
        "Labels": _LABELS,
    }


def pack_layer(folder: Folder, packages: Iterable[DebianPackage]) -> bytes:
    """The layer as a tar, with sorted members and fixed times."""
    files: dict[str, tuple[bytes, int]] = {}
    for path in folder.path.rglob("*"):
        if path.is_file():
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            files[f"{HERE[1:]}/{path.relative_to(folder.path)}"] = (path.read_bytes(), mode)
    by_name = {package.name: package for package in packages}
    busybox, certificates = by_name["busybox-static"], by_name["ca-certificates"]
    (program,) = (name for name in busybox.files if name.endswith("bin/busybox"))
    files["bin/busybox"] = (busybox.files[program], 0o755)
    bundle = [content for name, content in sorted(certificates.files.items()) if name.endswith(".crt")]
    files["etc/ssl/certs/ca-certificates.crt"] = (b"\n".join(bundle), 0o644)
    files["etc/passwd"], files["etc/group"] = (_PASSWD.encode(), 0o644), (_GROUP.encode(), 0o644)
    listed = PackageList.parse(files[f"{HERE[1:]}/{PACKAGES}"][0])
    added = tuple(Package(one.name, one.version, one.source) for one in (busybox, certificates))
    whole = tuple(sorted((*listed.packages, *added), key=lambda package: package.name))
    files[f"{HERE[1:]}/{PACKAGES}"] = (PackageList(listed.architecture, whole).to_bytes(), 0o644)
    for package in (busybox, certificates):
        files[f"{HERE[1:]}/licences/{package.name}"] = (package.files[f"usr/share/doc/{package.name}/copyright"], 0o644)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        folders = {parent for name in files for parent in map(str, Path(name).parents) if parent != "."}
        for name in sorted(folders):
            archive.addfile(_member(name, tarfile.DIRTYPE, 0o755))
        archive.addfile(_member("tmp", tarfile.DIRTYPE, 0o1777))
        archive.addfile(_member("data", tarfile.DIRTYPE, 0o755, owner=USER))
        for name, (content, mode) in sorted(files.items()):
            member = _member(name, tarfile.REGTYPE, mode)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name in TOOLS:
            link = _member(f"bin/{name}", tarfile.SYMTYPE, 0o777)
            link.linkname = "busybox"
            archive.addfile(link)
    return buffer.getvalue()


def write_layout(path: Path, architecture: str, layer: bytes, settings: dict[str, Any]) -> None:
    """Make an image layout with the image, called ``localhost/airgap:VERSION``."""
    layout = ImageLayout.create(path)
    packed = gzip.compress(layer, 9, mtime=0)
    document = {
        "created": _CREATED,
        "architecture": ARCHITECTURES[architecture],
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [digests.of(layer)]},
        "history": [{"created": _CREATED, "created_by": f"tools/portable/image.py, airgap {__version__}"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _push(layout, OCI_CONFIG, json.dumps(document).encode()).to_json(),
        "layers": [_push(layout, _LAYER, packed).to_json()],
        "annotations": _LABELS,
    }
    layout.tag(_push(layout, OCI_MANIFEST, json.dumps(manifest).encode()), f"{NAME}:{__version__}")


def _push(layout: ImageLayout, media_type: str, content: bytes) -> Descriptor:
    descriptor = Descriptor(media_type, digests.of(content), len(content))
    layout.push(descriptor, bytes_opener(content))
    return descriptor


def _member(name: str, kind: bytes, mode: int, *, owner: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.mtime = kind, mode, EPOCH
    member.uid = member.gid = owner
    return member


if __name__ == "__main__":
    run(build, __doc__)
