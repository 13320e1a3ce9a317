# SPDX-License-Identifier: Apache-2.0
"""How long ``airgap prove`` takes for 5,000 images, and how many requests it sends.

    python -m bench.prove [IMAGES]

The images are in repositories of ten tags. Each is an index of two platforms; the one for the node has a config and a
layer of its own and two layers that its repository shares. The registry is the double of the tests in a process of its
own, on loopback; the node is containerd with a hosts.toml for it.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from airgap.oci import Descriptor, Platform
from airgap.oci import manifest as manifests
from airgap.records import replace
from tests.doubles.registry import Double, Shelf
from tests.parts.images import OCI_LAYER, Images

ROOT = Path(__file__).resolve().parents[1]
TAGS = 10
NAME = "nexus.test:5000"
CONFIG = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/certs.d"\n'


def image(images: Images, platform: str, shared: list[Descriptor], text: str) -> Descriptor:
    """A manifest with a config and a layer of its own."""
    where = Platform.parse(platform)
    config = images.json({**where.to_json(), "name": text, "rootfs": {"type": "layers", "diff_ids": []}},
                         manifests.OCI_CONFIG)  # fmt: skip
    layers = [*shared, images.blob(f"layer {text} {platform}".encode(), OCI_LAYER)]
    document = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return replace(images.json(document, manifests.OCI_MANIFEST), platform=where)


def serve(count: int, pipe: Connection) -> None:
    """Fill a double with ``count`` images, say at which port it is, and at the end how many requests came."""
    shelf = Shelf()
    for repository in range(-(-count // TAGS)):
        images = Images(repository)
        shared = [images.blob(f"shared {repository} {number}".encode(), OCI_LAYER) for number in range(2)]
        for tag in range(min(TAGS, count - repository * TAGS)):
            children = [image(images, p, shared, f"{repository} {tag}") for p in ("linux/amd64", "linux/arm64")]
            shelf.put(f"team/app{repository}", images, **{f"v{tag}": images.index(children)})
    double = Double(shelf)
    pipe.send(double.port)
    pipe.recv()
    pipe.send(len(double.requests))
    double.stop()


def measure(count: int, folder: Path) -> tuple[float, int]:
    """The seconds of the command, and the requests that the registry saw."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(count, theirs))
    process.start()
    try:
        port = ours.recv()
        certs = folder / f"etc/containerd/certs.d/{NAME}"
        certs.mkdir(parents=True)
        (folder / "etc/containerd/config.toml").write_text(CONFIG)
        (certs / "hosts.toml").write_text(f'[host."http://127.0.0.1:{port}"]\n  capabilities = ["pull", "resolve"]\n')
        containers = [{"name": f"c{n}", "image": f"{NAME}/team/app{n // TAGS}:v{n % TAGS}"} for n in range(count)]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "all"}, "spec": {"containers": containers}}
        (folder / "all.json").write_text(json.dumps(pod))
        command = [sys.executable, "-m", "airgap", "prove", str(folder / "all.json"), "--against", NAME]
        started = time.perf_counter()
        subprocess.run([*command, "--root", str(folder), "--platform", "linux/amd64"], check=True, cwd=ROOT)
        seconds = time.perf_counter() - started
        ours.send("done")
        return seconds, ours.recv()
    finally:
        process.terminate()
        process.join()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as folder:
        seconds, requests = measure(count, Path(folder))
    print(f"{count} images: {seconds:.1f} s, {requests} requests, {requests / count:.2f} an image, "
          f"{requests / seconds:.0f} a second")  # fmt: skip


if __name__ == "__main__":
    main()
