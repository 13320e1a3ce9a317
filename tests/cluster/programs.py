# SPDX-License-Identifier: Apache-2.0
"""Images whose containers run, made of programs that are at hand: busybox, and the image of airgap."""

from __future__ import annotations

import gzip
import io
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from tests.parts.images import OCI_LAYER, Images, Layer
from tests.parts.need import need

PLATFORM = f"linux/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }"
TOOLS = ("cat", "chmod", "cmp", "cp", "httpd", "ls", "mkdir", "mv", "sh", "sleep", "tar")
#: A shell's program that ends at once when its pod does.
STAY = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"
#: Health pages, where the containers of cert-manager and others have them.
SERVE_HEALTH = "httpd -p 6080 -h /www; httpd -p 9403 -h /www; "


def program_layer(images: Images, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Layer:
    """A layer with files that may be executed, and symbolic links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    plain = buffer.getvalue()
    return Layer(images.blob(gzip.compress(plain, 1, mtime=0), OCI_LAYER), digests.of(plain))


def busybox_layer(images: Images) -> Layer:
    """busybox, and pages that say that all is well."""
    files = {"bin/busybox": Path(need("busybox", package="busybox-static")).read_bytes()}
    files |= {"www/livez": b"ok\n", "www/healthz": b"ok\n"}
    return program_layer(images, files, {f"bin/{name}": "busybox" for name in TOOLS})


def shell_image(images: Images, layers: Sequence[Layer], script: str = STAY) -> Descriptor:
    """An image that runs ``script``, whatever arguments it is given, as a user without rights."""
    settings = {"Entrypoint": ["/bin/sh", "-c", script, "sh"], "User": "65532:65532", "Env": ["PATH=/bin"]}
    return images.image(PLATFORM, layers=layers, settings=settings)
