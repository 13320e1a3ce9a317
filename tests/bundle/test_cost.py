# SPDX-License-Identifier: Apache-2.0
"""What a bundle costs: each byte is written once, and memory does not grow with the size of a layer.

The commands run in processes of their own, which tell at their end what the kernel counted for them.
"""

from __future__ import annotations

import hashlib
import json
import re
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
from airgap.store import Layout
from airgap.store.base import opener_of
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
    """``calls`` is what was handed to write calls, ``disk`` what was sent to the disk; both in bytes, ``None`` where
    the kernel does not say. ``memory`` is the largest resident size."""

    calls: int | None
    disk: int | None
    memory: int


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
    return Cost(found.get("wchar"), found.get("write_bytes"), found["VmHWM"] * 1024)


@dataclass
class Journey:
    """A folder, and an image of one layer that a registry serves from disk."""

    folder: Path
    root: Descriptor
    layer: Descriptor
    server: Server

    def export(self) -> Cost:
        return measured(self.folder, "export", "--image", f"{self.server.address}/a/x:1", "-o", self.bundle)

    @property
    def bundle(self) -> Path:
        return self.folder / "b.tar"

    def import_(self) -> Cost:
        """Into another registry over a folder, which must then hold the same."""
        layout = Layout(self.folder / "target", create=True)
        with Server(layout, writable=True) as target:
            cost = measured(self.folder, "import", self.bundle, "--to", f"{target.address}/p")
        assert layout.resolve("p/x:1").digest == self.root.digest
        assert layout.exists(self.layer)
        return cost


@pytest.fixture
def journey(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Journey]:
    """The parameter is the layer's size in MiB: noise up to 64 of them, beyond that a hole full of zeros."""
    size = request.param * MIB
    store, images = Layout(tmp_path / "source", create=True), Images(50)
    if request.param <= 64:
        layer = images.blob(noise(size), OCI_LAYER_PLAIN)
    else:
        layer = Descriptor(OCI_LAYER_PLAIN, f"sha256:{sha256_of_zeros(size)}", size)
        (tmp_path / "source/blobs/sha256").mkdir()
        with (tmp_path / "source/blobs/sha256" / digests.encoded(layer.digest)).open("wb") as file:
            file.truncate(size)
        images.content[layer.digest], images.descriptors[layer.digest] = b"", layer
    root = images.image(layers=[Layer(layer, layer.digest), images.layer()])
    for one in images.needed(root):
        if not store.exists(one):
            store.push(one, opener_of(images.content[one.digest]))
    store.tag(root, "a/x:1")
    (tmp_path / "work").mkdir()
    with Server(store) as server:
        yield Journey(tmp_path / "work", root, layer, server)
    for path in (*tmp_path.glob("*/blobs/sha256/*"), tmp_path / "work/b.tar"):
        path.unlink(missing_ok=True)


def sha256_of_zeros(size: int) -> str:
    found, zeros = hashlib.sha256(), bytes(MIB)
    for _ in range(size // MIB):
        found.update(zeros)
    return found.hexdigest()


@pytest.mark.parametrize("journey", [64], indirect=True)
def test_each_byte_is_written_once(journey: Journey) -> None:
    cost = journey.export()
    size = journey.bundle.stat().st_size
    assert size > 64 * MIB
    if cost.calls is None:
        pytest.skip("this kernel does not count what a process writes")
    assert size <= cost.calls + 1024 * 10  # padding and places kept free are not written at all
    assert cost.calls <= size * 1.01
    assert (cost.disk or 0) <= size * 1.01
    assert json.loads(_inventory(journey.bundle))["blobs"][-2]["size"] == 64 * MIB


def _inventory(bundle: Path) -> bytes:
    return subprocess.run(["tar", "-xOf", bundle, "airgap/bundle.json"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("journey", [256, pytest.param(2048, marks=pytest.mark.long)], indirect=True)
def test_memory_does_not_grow_with_a_layer(journey: Journey) -> None:
    exported = journey.export()
    assert exported.memory <= MOST_MEMORY, f"{exported.memory / MIB:.1f} MiB"
    imported = journey.import_()
    assert imported.memory <= MOST_MEMORY, f"{imported.memory / MIB:.1f} MiB"
    print(f"export {exported}, import {imported}")


@pytest.mark.long
@pytest.mark.parametrize("journey", [8193], indirect=True)
def test_a_layer_beyond_eight_gigabytes_is_really_carried(journey: Journey) -> None:
    """Its size no longer fits a tar header's octal digits; tests/interop has the same with a hole."""
    assert journey.export().memory <= MOST_MEMORY
    with tarfile.open(journey.bundle) as tar:
        members = {member.name: member.size for member in tar}
    name = f"blobs/sha256/{digests.encoded(journey.layer.digest)}"
    assert members[name] == journey.layer.size
    with subprocess.Popen(["tar", "-xOf", journey.bundle, name], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = subprocess.run(["sha256sum"], stdin=process.stdout, capture_output=True, check=True).stdout
    assert found.split()[0].decode() == digests.encoded(journey.layer.digest)
    assert measured(journey.folder, "verify", journey.bundle).memory <= MOST_MEMORY
