# SPDX-License-Identifier: Apache-2.0
"""What a bundle costs: each byte is written once, and memory does not grow with the size of a layer.

The commands run in processes of their own, which tell at their end what the kernel counted for them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.server import Server
from airgap.store import ImageLayout
from airgap.store.readers import bytes_opener
from tests.cli.command import ROOT
from tests.parts.images import OCI_LAYER_PLAIN, Images, Layer
from tests.parts.service import clean_environment
from tests.suites.store_suite import noise

MIB = 1 << 20
#: What the README of bench/ promises for up to 1,000 blobs.
MOST_MEMORY = 80 * MIB
_MEASURED = """
import sys
from airgap.cli.run import run
code = run(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    for name in ("io", "status"):
        try:
            file.write(open(f"/proc/self/{name}").read())
        except OSError:
            pass
sys.exit(code)
"""


@dataclass(frozen=True)
class Cost:
    """``calls`` is what was handed to write calls, ``disk`` what was sent to the disk, ``reads`` what read calls got of
    files; all in bytes, ``None`` where the kernel does not say. ``memory`` is the largest resident size."""

    calls: int | None
    disk: int | None
    memory: int
    reads: int | None


def measured(folder: Path, *arguments: str | Path) -> Cost:
    told = folder / "told"
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(told), *map(str, arguments)],
        capture_output=True,
        cwd=folder,
        # Where the interpreter keeps no compiled modules yet, it would write them into what is counted.
        env=clean_environment(folder, PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1"),
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = {key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+)", told.read_text(), re.MULTILINE)}
    return Cost(found.get("wchar"), found.get("write_bytes"), found["VmHWM"] * 1024, found.get("rchar"))


@dataclass
class Journey:
    """A folder, and an image of one layer that a registry serves from disk."""

    folder: Path
    root: Descriptor
    layer: Descriptor
    server: Server
    name: str = "b.tar"

    def export(self, *options: str) -> Cost:
        return measured(self.folder, "export", "--image", f"{self.server.address}/a/x:1", "-o", self.bundle, *options)

    @property
    def bundle(self) -> Path:
        return self.folder / self.name

    def import_(self, *options: str) -> Cost:
        """Into another registry over a folder, which must then hold the same."""
        layout = ImageLayout.create(self.folder / "target")
        with Server(layout, writable=True, uploads=self.folder) as target:
            cost = measured(self.folder, "import", self.bundle, "--to", f"{target.address}/p", *options)
        assert layout.resolve("p/x:1").digest == self.root.digest
        assert layout.exists(self.layer)
        return cost

    def discard(self) -> None:
        """What is large goes at once, not with the folders of the last runs."""
        for pattern in ("source/blobs/sha256/*", "work/target/blobs/sha256/*", "work/b.tar*"):
            for path in self.folder.parent.glob(pattern):
                path.unlink()


@contextlib.contextmanager
def journey_of(size: int, folder: Path) -> Iterator[Journey]:
    """With a layer of so many MiB: noise up to 64 of them, beyond that a hole full of zeros."""
    mebibytes, size = size, size * MIB
    store, images = ImageLayout.create(folder / "source"), Images(50)
    if mebibytes <= 64:
        layer = images.blob(noise(size), OCI_LAYER_PLAIN)
    else:
        layer = Descriptor(OCI_LAYER_PLAIN, f"sha256:{sha256_of_zeros(size)}", size)
        (folder / "source/blobs/sha256").mkdir()
        with (folder / "source/blobs/sha256" / digests.encoded(layer.digest)).open("wb") as file:
            file.truncate(size)
        images.content[layer.digest], images.descriptors[layer.digest] = b"", layer
    root = images.image(layers=[Layer(layer, layer.digest), images.layer()])
    for one in images.needed(root):
        if not store.exists(one):
            store.push(one, bytes_opener(images.content[one.digest]))
    store.tag(root, "a/x:1")
    (folder / "work").mkdir()
    with Server(store) as server:
        made = Journey(folder / "work", root, layer, server)
        try:
            yield made
        finally:
            made.discard()


@pytest.fixture
def journey(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Journey]:
    """The parameter is the layer's size in MiB."""
    with journey_of(request.param, tmp_path) as made:
        yield made


def sha256_of_zeros(size: int) -> str:
    found, zeros = hashlib.sha256(), bytes(MIB)
    for _ in range(size // MIB):
        found.update(zeros)
    return found.hexdigest()


@pytest.mark.parametrize("journey", [64], indirect=True)
def test_each_byte_is_written_once_and_signing_reads_none(journey: Journey) -> None:
    measured(journey.folder, "keygen", "-o", "maker", "--no-passphrase")
    cost = journey.export("--sign", "maker.key")
    size = journey.bundle.stat().st_size
    assert size > 64 * MIB
    if cost.calls is None:
        pytest.skip("this kernel does not count what a process writes")
    assert size <= cost.calls + 1024 * 10  # padding and places kept free are not written at all
    assert cost.calls <= size * 1.01
    assert (cost.disk or 0) <= size * 1.01
    assert json.loads(_inventory(journey.bundle))["blobs"][-2]["size"] == 64 * MIB
    # A further signature reads no blob, and writes only the end.
    measured(journey.folder, "keygen", "-o", "other", "--no-passphrase")
    cost = measured(journey.folder, "sign", journey.bundle, "--key", "other.key")
    assert (cost.reads or 0) < 32 * MIB  # the program itself is a part of it
    assert (cost.calls or 0) < MIB


def _inventory(bundle: Path) -> bytes:
    return subprocess.run(["tar", "-xOf", bundle, "airgap/bundle.json"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("journey", [256], indirect=True)
def test_memory_does_not_grow_with_a_layer(journey: Journey) -> None:
    assert journey.export().memory <= MOST_MEMORY
    assert journey.import_().memory <= MOST_MEMORY


@pytest.mark.requires("age")
@pytest.mark.long
@pytest.mark.parametrize("journey", [96, 1024], indirect=True)
def test_memory_does_not_grow_with_a_layer_that_is_sealed(journey: Journey) -> None:
    subprocess.run(["age-keygen", "-o", journey.folder / "id.txt"], check=True, capture_output=True)
    recipient = subprocess.run(
        ["age-keygen", "-y", journey.folder / "id.txt"], check=True, capture_output=True, text=True
    ).stdout.strip()
    journey.name = "b.tar.age"
    exported = journey.export("--encrypt-to", recipient)
    assert exported.memory <= MOST_MEMORY
    size = journey.bundle.stat().st_size
    if exported.calls is not None:
        assert exported.calls <= 2 * size * 1.01, "plain and sealed once each"
    assert measured(journey.folder, "verify", journey.bundle, "--identity", "id.txt").memory <= MOST_MEMORY
    imported = journey.import_("--identity", "id.txt")
    assert imported.memory <= MOST_MEMORY
    if imported.calls is not None:
        assert imported.calls <= size * 1.01, "nothing plain is written beside the uploads"


@pytest.mark.long
def test_memory_is_the_same_for_layers_of_every_size(tmp_path: Path) -> None:
    """0.2, 2 and more than 8 GB; the size of the last no longer fits a tar header's octal digits (tests/interop has
    the same with a hole). What is really carried is read back."""
    sizes = (200, 2048, 8193)
    # A bundle, what the target collects, and what it keeps.
    if shutil.disk_usage(tmp_path).free < 3.2 * sizes[-1] * MIB:
        pytest.skip("there is too little space for 8 GB three times")
    exported, imported = {}, {}
    for size in sizes:
        (tmp_path / str(size)).mkdir()
        with journey_of(size, tmp_path / str(size)) as journey:
            exported[size] = journey.export().memory
            check_carried(journey)
            imported[size] = journey.import_().memory
    for memory in (exported, imported):
        assert max(memory.values()) <= MOST_MEMORY
        assert max(memory.values()) - min(memory.values()) <= 10 * MIB, memory


def check_carried(journey: Journey) -> None:
    """Other programs find the layer in the bundle, and so does verify."""
    with tarfile.open(journey.bundle) as tar:
        members = {member.name: member.size for member in tar}
    name = f"blobs/sha256/{digests.encoded(journey.layer.digest)}"
    assert members[name] == journey.layer.size
    with subprocess.Popen(["tar", "-xOf", journey.bundle, name], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = subprocess.run(["sha256sum"], stdin=process.stdout, capture_output=True, check=True).stdout
    assert found.split()[0].decode() == digests.encoded(journey.layer.digest)
    assert measured(journey.folder, "verify", journey.bundle).memory <= MOST_MEMORY
