# SPDX-License-Identifier: Apache-2.0
"""What recoding saves and costs, on layers of Debian packages and Python wheels that are one version apart.

    python bench/recode.py [FOLDER [WRITER...]]

Fetches the two newest versions of each Debian package that apt offers, and two versions of each wheel, into FOLDER
(kept; a temporary one without it), and makes the tar of each. Each pair of tars is written as layers by

- ``go``: Go's gzip at its default level, as docker and BuildKit write layers (the encoder of ``airgap.recode``);
- ``pgzip``: pgzip at level 5, as podman, buildah and skopeo do (the encoder of ``airgap.recode``);
- ``skopeo``: the program, which compresses a layer that it copies;
- ``docker``: the program, which compresses a layer that it pushes to a registry on loopback. Needs root.

The last two prove that layers of real programs are made again. For each new layer: the share that zstd of its tar is of
it, without and with the old tar as prefix; the throughput of export (``encode``: finding the encoder, recoding, proving
it) and of import (``restore``), in MB of tar a second on one core; ``sha256sum`` reads what was restored. Memory is the
growth of the process that recodes and restores a writer's layers.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from airgap import recode
from airgap.bundle.recoded import RecodedLayer
from airgap.bundle.recoding import encode
from airgap.bundle.recoding.raw_files import RawFile, RawFiles
from airgap.bundle.recoding.restore import RestoringReader, restore_failure
from airgap.bundle.required_layers import RequiredLayer
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.readers import FileRange
from tests.cli.command import Registry
from tests.parts.dockerd import dockerd
from tests.parts.images import OCI_LAYER, Images, Layer

DEBIAN = ("openjdk-21-jre-headless", "libssl3t64", "nginx")
WHEELS = (
    ("pandas", "2.2.2", "2.2.3"), ("cryptography", "43.0.0", "43.0.1"), ("Django", "5.1.1", "5.1.2"),
    ("numpy", "2.1.1", "2.1.2"), ("grpcio", "1.66.1", "1.66.2"),
)  # fmt: skip
WRITERS = ("go", "pgzip", "skopeo", "docker")
ENCODERS = {"go": "go1.8-1.26/6", "pgzip": "pgzip/kp-1.18.2+/5"}
Write = Callable[[bytes], bytes]


def fetch(folder: Path) -> list[tuple[str, Path, Path]]:
    """Return the name, the old and the new tar of each pair."""
    pairs = []
    for name in DEBIAN:
        listed = subprocess.run(["apt-cache", "madison", name], capture_output=True, text=True, check=True).stdout
        versions = list(dict.fromkeys(line.split("|")[1].strip() for line in listed.splitlines()))[:2]
        if len(versions) < 2:
            print(f"{name}: apt offers one version only", file=sys.stderr)
            continue
        pairs.append((name, *(debian_tar(folder, name, version) for version in reversed(versions))))
    for name, old, new in WHEELS:
        pairs.append((name, wheel_tar(folder, name, old), wheel_tar(folder, name, new)))
    return pairs


def debian_tar(folder: Path, name: str, version: str) -> Path:
    tar = folder / f"{name}_{version.replace(':', '.')}.tar"
    if not tar.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            subprocess.run(
                ["apt-get", "download", "-q", f"{name}={version}"], cwd=work, check=True, capture_output=True
            )
            (package,) = Path(work).glob("*.deb")
            content = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
        tar.write_bytes(content)
    return tar


def wheel_tar(folder: Path, name: str, version: str) -> Path:
    tar = folder / f"{name}_{version}.tar"
    if not tar.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", work]
            platform = ["--python-version", "3.12", "--platform", "manylinux2014_x86_64", f"{name}=={version}"]
            subprocess.run([*command, *platform], check=True)
            (wheel,) = Path(work).iterdir()
            made = io.BytesIO()
            with (
                zipfile.ZipFile(wheel) as archive,
                tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as out,
            ):
                for member in (entry for entry in archive.infolist() if not entry.is_dir()):
                    entry = tarfile.TarInfo(f"usr/lib/python3/site-packages/{member.filename}")
                    entry.size, entry.mtime = member.file_size, 1_700_000_000 + len(version)
                    out.addfile(entry, io.BytesIO(archive.read(member)))
        tar.write_bytes(made.getvalue())
    return tar


def by_encoder(codec: str) -> Write:
    def write(plain: bytes) -> bytes:
        with recode.Encoder(codec) as encoder:
            return encoder.update(plain) + encoder.finish()

    return write


def image_of(plain: bytes) -> tuple[Images, Descriptor]:
    """An image with one layer that is not compressed."""
    images = Images(1)
    layer = Layer(images.blob(plain, OCI_LAYER.removesuffix("+gzip")), digests.of(plain))
    return images, images.image(layers=[layer])


def skopeo(plain: bytes) -> bytes:
    """What skopeo makes of a layer that it copies into a folder."""
    images, root = image_of(plain)
    with Registry() as registry, tempfile.TemporaryDirectory() as work:
        registry.fill(images, {"bench/layer:1": root})
        command = ["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", "--dest-compress"]
        subprocess.run([*command, f"docker://{registry.address}/bench/layer:1", f"dir:{work}/out"], check=True)
        return largest(Path(work) / "out")


@contextlib.contextmanager
def docker() -> Iterator[Write]:
    """What dockerd makes of a layer that it pushes."""
    with tempfile.TemporaryDirectory() as work, Registry() as registry, dockerd(Path(work) / "d") as daemon:

        def write(plain: bytes) -> bytes:
            tar = Path(work) / "layer.tar"
            tar.write_bytes(plain)
            name = f"{registry.address}/bench/layer:{digests.encoded(digests.of(plain))[:12]}"
            daemon.docker.run("import", tar, name)
            daemon.docker.run("push", name)
            root = registry.store.resolve(name.partition("/")[2])
            manifest = json.loads(read(registry, root))
            (layer,) = manifest["layers"]
            return read(registry, Descriptor("", layer["digest"], layer["size"]))

        yield write


def read(registry: Registry, descriptor: Descriptor) -> bytes:
    content = memoryview(bytearray(descriptor.size))
    reader, filled = registry.store.open(descriptor), 0
    while count := reader.readinto(content[filled:]):
        filled += count
    reader.close()
    return bytes(content)


def largest(folder: Path) -> bytes:
    return max(folder.iterdir(), key=lambda path: path.stat().st_size).read_bytes()


def write_layers(folder: Path, writer: str) -> None:
    """In a process of its own: write the new tar of each pair as a layer."""
    with contextlib.ExitStack() as stack:
        if writer in ENCODERS:
            write = by_encoder(ENCODERS[writer])
        else:
            write = skopeo if writer == "skopeo" else stack.enter_context(docker())
        for name, _, new in fetch(folder):
            (folder / f"{name}.{writer}.gz").write_bytes(write(new.read_bytes()))


def measure(folder: Path, writer: str) -> None:
    """In a process of its own, so that its memory is that of the work: print a row for each pair, and one for all."""
    before, exact = peak(), 0
    sizes = {"raw": 0, "gzip": 0, "alone": 0, "delta": 0}
    encoded = restored = 0.0
    pairs = fetch(folder)
    with RawFiles(folder) as tars:
        for name, old, new in pairs:
            gzip = folder / f"{name}.{writer}.gz"
            layer = Descriptor(OCI_LAYER, file_digest(gzip), gzip.stat().st_size)
            alone, _ = recoded(folder, layer, gzip, None)
            raw = tars.add(pieces(old))
            found, seconds = recoded(folder, layer, gzip, encode.OldLayer(RequiredLayer(digests.of(b""), 1), raw))
            row = {
                "raw": new.stat().st_size,
                "gzip": layer.size,
                "alone": size_of(alone, layer),
                "delta": size_of(found, layer),
            }
            what = f"whole: {found.why}" if isinstance(found, encode.Whole) else found.codec
            back = 0.0
            if isinstance(found, RecodedLayer):
                exact, back = exact + 1, restore(folder, found, raw if found.prefix else None)
            print_row(writer, name, row, seconds, back, what)
            sizes = {key: sizes[key] + row[key] for key in sizes}
            encoded, restored = encoded + seconds, restored + back
    what = f"{exact} of {len(pairs)} exact; {peak() - before:.0f} MiB"
    print_row(writer, "all", sizes, encoded, restored, what)


def recoded(
    folder: Path, layer: Descriptor, gzip: Path, old: encode.OldLayer | None
) -> tuple[RecodedLayer | encode.Whole, float]:
    started = time.monotonic()
    found = encode.recode(layer, gzip, folder / "layer.zst", lambda: [old] if old else [], lambda: None)
    return found, time.monotonic() - started


def restore(folder: Path, layer: RecodedLayer, raw: RawFile | None) -> float:
    """Return the seconds that it takes; ``sha256sum`` must agree."""
    payload = FileRange(os.open(folder / "layer.zst", os.O_RDONLY), 0, layer.payload.size, owned=True)
    started = time.monotonic()
    reader = RestoringReader(layer, payload, raw, restore_failure(layer, "", ""))
    buffer = memoryview(bytearray(1 << 20))
    with open(folder / "restored.gz", "wb") as file:
        while count := reader.readinto(buffer):
            file.write(buffer[:count])
    seconds = time.monotonic() - started
    reader.close()
    assert file_digest(folder / "restored.gz") == layer.digest
    return seconds


def file_digest(path: Path) -> str:
    shown = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout
    return f"sha256:{shown.split()[0]}"


def pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def size_of(found: RecodedLayer | encode.Whole, layer: Descriptor) -> int:
    return found.payload.size if isinstance(found, RecodedLayer) else layer.size


def print_row(writer: str, name: str, sizes: dict[str, int], seconds: float, restored: float, what: str) -> None:
    raw, gzip = sizes["raw"] / 1e6, sizes["gzip"]
    rates = f"{raw / seconds:.0f} | {raw / restored:.0f}" if restored else "– | –"
    shares = f"{sizes['alone'] / gzip:.2f} | {sizes['delta'] / gzip:.3f}"
    print(f"| {writer} | {name} | {gzip / 1e6:.1f} | {shares} | {rates} | {what} |", flush=True)


def peak() -> float:
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def main(folder: Path, writers: Sequence[str]) -> None:
    """Print the table."""
    fetch(folder)
    print("| writer | pair | gzip MB | alone | with the old tar | encode MB/s | restore MB/s | encoder |")
    print("|-|-|-|-|-|-|-|-|", flush=True)
    for writer in writers:
        if writer not in ENCODERS and shutil.which(writer) is None:
            print(f"{writer} is not here", file=sys.stderr)
            continue
        if subprocess.run([sys.executable, __file__, str(folder), "write", writer], check=False).returncode == 0:
            subprocess.run([sys.executable, __file__, str(folder), "measure", writer], check=True)


if __name__ == "__main__":
    if sys.argv[2:3] == ["write"]:
        write_layers(Path(sys.argv[1]), sys.argv[3])
    elif sys.argv[2:3] == ["measure"]:
        measure(Path(sys.argv[1]), sys.argv[3])
    elif len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(exist_ok=True)
        main(Path(sys.argv[1]), sys.argv[2:] or WRITERS)
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made), WRITERS)
