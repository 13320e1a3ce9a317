# SPDX-License-Identifier: Apache-2.0
"""airgap beside skopeo on the same four images: export and import, in turns, as ratios.

    python bench/speed.py [--rounds 5] [--folder DIR]

Two of Debian's docker-registry on loopback, the target's storage on tmpfs so that no disk under it is timed.
Four images of two platforms with a shared base, about 190 MB of unique blobs that do not shrink, as gzip
layers do not. skopeo writes one oci-archive an image, its usual form. Wall and CPU (user + system, of the
whole process tree) are medians; the ratio is taken round by round, so that a busy machine weighs on both.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGES = ("cainjector", "controller", "webhook", "acmesolver")
MB = 1_000_000


class Registry:
    """One docker-registry in a folder of its own."""

    def __init__(self, folder: Path, storage: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.storage = storage
        config = folder / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
            f"storage: {{filesystem: {{rootdirectory: {storage}, maxthreads: 100}}, delete: {{enabled: true}}}}\n"
            f'http: {{addr: "127.0.0.1:{self.port}"}}\n'
        )
        self.process = subprocess.Popen(
            ["docker-registry", "serve", config],
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            try:
                self.call("GET", "/v2/")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("docker-registry does not start")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        response = connection.getresponse()
        response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status}")
        return response.getheader("Location") or ""

    def push_blob(self, repository: str, content: bytes, kind: str) -> dict[str, object]:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        location = self.call("POST", f"/v2/{repository}/blobs/uploads/").split("/v2/", 1)[1]
        self.call("PUT", f"/v2/{location}&digest={digest}", content, "application/octet-stream")
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def push_manifest(self, repository: str, name: str, document: object, kind: str) -> dict[str, object]:
        content = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.call("PUT", f"/v2/{repository}/manifests/{name or digest}", content, kind)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def empty(self) -> None:
        """Safe while it runs, since no descriptor cache is configured."""
        shutil.rmtree(self.storage / "docker", ignore_errors=True)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def fill(registry: Registry) -> None:
    layer = "application/vnd.oci.image.layer.v1.tar+gzip"
    for name in IMAGES:
        children = []
        for architecture in ("amd64", "arm64"):
            seeds = (
                (f"base {architecture}", 35 * MB),
                (f"{name} {architecture}", 12 * MB),
                (f"{name} more", 7 * MB // 2),
            )
            layers = [registry.push_blob(f"jetstack/{name}", random.Random(s).randbytes(n), layer) for s, n in seeds]
            config = json.dumps({"architecture": architecture, "os": "linux", "name": name, "rootfs": {}}).encode()
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": registry.push_blob(f"jetstack/{name}", config, "application/vnd.oci.image.config.v1+json"),
                "layers": layers,
            }
            child = registry.push_manifest(f"jetstack/{name}", "", manifest, MANIFEST)
            children.append({**child, "platform": {"os": "linux", "architecture": architecture}})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}
        registry.push_manifest(f"jetstack/{name}", "v1", index, INDEX)


def timed(commands: list[list[str]], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of ``commands`` one after the other."""
    os.sync()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def commands(folder: Path, source: Registry, target: Registry) -> dict[str, dict[str, list[list[str]]]]:
    airgap = [sys.executable, "-m", "airgap"]
    yaml = folder / "all.yaml"
    yaml.write_text(
        "---\n".join(f"kind: Pod\nspec: {{containers: [{{image: 'quay.io/jetstack/{n}:v1'}}]}}\n" for n in IMAGES)
    )
    (folder / "airgap.yaml").write_text(f'registries: {{quay.io: {{mirror: "http://{source.address}"}}}}\n')
    skopeo = ["skopeo", f"--tmpdir={folder}", "copy", "-q", "--all"]
    return {
        "export": {
            "airgap": [[*airgap, "export", str(yaml), "-o", "bundle.tar", "--force", "--progress=none"]],
            "skopeo": [
                [
                    *skopeo,
                    "--src-tls-verify=false",
                    f"docker://{source.address}/jetstack/{n}:v1",
                    f"oci-archive:{n}.tar:v1",
                ]
                for n in IMAGES
            ],
        },
        "import": {
            "airgap": [
                [*airgap, "import", "bundle.tar", "--to", f"{target.address}/mine", "--force", "--progress=none"]
            ],
            "skopeo": [
                [
                    *skopeo,
                    "--dest-tls-verify=false",
                    f"oci-archive:{n}.tar:v1",
                    f"docker://{target.address}/mine/{n}:v1",
                ]
                for n in IMAGES
            ],
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to work; a disk, not tmpfs, to time real writing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as disk, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        work = Path(disk) / "work"
        folders = [Path(disk) / "a", Path(disk) / "b", work]
        for folder in folders:
            folder.mkdir()
        source, target = Registry(folders[0], folders[0] / "data"), Registry(folders[1], Path(memory) / "data")
        try:
            fill(source)
            measure(options.rounds, commands(work, source, target), work, target)
        finally:
            source.stop()
            target.stop()


def measure(rounds: int, todo: dict[str, dict[str, list[list[str]]]], work: Path, target: Registry) -> None:
    print(f"| {'':8} | airgap wall / CPU s | skopeo wall / CPU s | ratio wall / CPU |\n|-|-|-|-|")
    for verb, tools in todo.items():
        times: dict[str, list[tuple[float, float]]] = {tool: [] for tool in tools}
        for round_ in range(rounds + 1):
            for tool, lines in tools.items():
                before(verb, work, target)
                seconds = timed(lines, work)
                if round_:  # the first round warms caches
                    times[tool].append(seconds)
        print(row(verb, times))


def before(verb: str, work: Path, target: Registry) -> None:
    if verb == "export":
        for archive in work.glob("*.tar"):
            if archive.name != "bundle.tar":
                archive.unlink()
    else:
        target.empty()


def row(verb: str, times: dict[str, list[tuple[float, float]]]) -> str:
    middle: Callable[[list[float]], float] = statistics.median
    cells = [
        f"{middle([t[0] for t in times[x]]):.2f} / {middle([t[1] for t in times[x]]):.2f}" for x in ("airgap", "skopeo")
    ]
    pairs = list(zip(times["airgap"], times["skopeo"], strict=True))
    ratios = [middle([ours[i] / theirs[i] for ours, theirs in pairs]) for i in (0, 1)]
    return f"| {verb:8} | {cells[0]:19} | {cells[1]:19} | {ratios[0]:.2f} / {ratios[1]:.2f} |"


if __name__ == "__main__":
    main()
