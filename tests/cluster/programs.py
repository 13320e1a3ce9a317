# SPDX-License-Identifier: Apache-2.0
"""Images whose containers run, made of programs that are at hand: busybox, and the image of airgap."""

from __future__ import annotations

import gzip
import io
import json
import platform
import re
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.bundle import open_bundle
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.readers import fetch
from tests.cluster.kubernetes import ROOT
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


class PythonImages:
    """Images with the Python of airgap's own image, which ``archive`` holds."""

    def __init__(self, images: Images, archive: Path) -> None:
        self._images = images
        with open_bundle(archive) as bundle:
            manifest = bundle.manifest(str(bundle.inventory.images[0].reference))
            assert manifest.config is not None
            config = json.loads(fetch(bundle, manifest.config, limit=1 << 20))
            (layer,) = manifest.layers
            images.blob(fetch(bundle, layer, limit=layer.size), layer.media_type)
        (diff_id,) = config["rootfs"]["diff_ids"]
        self._layer = Layer(layer, diff_id)
        *python, app = (word for word in config["config"]["Entrypoint"] if word != "-I")
        self._app: str = app
        self._python: list[str] = python

    def python(self) -> Descriptor:
        """An image with ``python3`` on the PATH, and nothing that a program must bring."""
        script = f'#!/bin/sh\nexec {" ".join(self._python)} "$@"\n'
        layers = [self._layer, program_layer(self._images, {"bin/python3": script.encode()})]
        return self._images.image(PLATFORM, layers=layers, settings={"Env": ["PATH=/bin"], "Cmd": ["python3"]})

    def nexus(self) -> Descriptor:
        """The mock server of Nexus, which starts as the real one does: without arguments, with ``/nexus-data``."""
        files = {}
        for folder in ("tests", "tests/parts", "tests/doubles", "tests/cluster"):
            for path in (ROOT / folder).glob("*.py"):
                files[f"nexus/{path.relative_to(ROOT)}"] = path.read_bytes()
        for path in (ROOT / "tests/doubles").rglob("*.py"):
            files[f"nexus/{path.relative_to(ROOT)}"] = path.read_bytes()
        # Nothing that it calls uses pytest.
        files |= {"nexus/pytest.py": b"", "nexus/tests/__init__.py": b""}
        settings = {
            "Env": ["PATH=/bin", f"PYTHONPATH=/nexus:{self._app}", "PYTHONDONTWRITEBYTECODE=1"],
            "Entrypoint": [*self._python, "-m", "tests.cluster.nexus_server"],
            "User": "nexus",
        }
        accounts = {"etc/passwd": b"nexus:x:200:200::/nexus-data:/bin/sh\n", "etc/group": b"nexus:x:200:\n"}
        layers = [self._layer, program_layer(self._images, {**files, **accounts})]
        return self._images.image(PLATFORM, layers=layers, settings=settings)


def nginx_image(images: Images) -> Descriptor:
    """This machine's nginx with its libraries."""
    nginx = need("nginx")
    said = subprocess.run(["ldd", nginx], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(?:=> |^\t)(/\S+)", said, re.MULTILINE)
    files = {path.lstrip("/"): Path(path).read_bytes() for path in libraries}
    layer = program_layer(images, {**files, "bin/nginx": Path(nginx).read_bytes()})
    return images.image(PLATFORM, layers=[layer], settings={"Env": ["PATH=/bin"], "Cmd": ["nginx"]})
