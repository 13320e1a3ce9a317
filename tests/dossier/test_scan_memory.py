# SPDX-License-Identifier: Apache-2.0
"""How much memory a scan takes: no more for large layers than for small ones."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tests.attacks.files.peak import measured
from tests.cli.command import Airgap
from tests.dossier.scanned import bundle_of_layers
from tests.parts.clamd import MAX_FILE_SIZE, clamd
from tests.parts.images import OCI_LAYER, Images, Layer

pytestmark = pytest.mark.requires("clamd")


class _Zeros(io.RawIOBase):
    """``size`` bytes: a number, then zeros."""

    def __init__(self, number: int, size: int) -> None:
        self._start, self._left = b"%d" % number, size

    def read(self, count: int = -1) -> bytes:
        piece = self._start + bytes(min(count, self._left) - len(self._start)) if self._left else b""
        self._start, self._left = b"", self._left - len(piece)
        return piece


def layer_of_sizes(images: Images, *sizes: int) -> Layer:
    """A layer with files of these sizes, none of which are in memory at once."""
    made = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for number, size in enumerate(sizes):
            member = tarfile.TarInfo(f"file{number}")
            member.size = size
            tar.addfile(member, _Zeros(number, size))  # type: ignore[arg-type] # it is read, and no more
    return Layer(images.blob(made.getvalue(), OCI_LAYER), f"sha256:{'0' * 64}")


@pytest.mark.parametrize(
    ("large", "count"),
    [
        pytest.param(40 * 2**20, 8, id="40 MB"),
        pytest.param(2 * 10**9, 200, id="2 GB", marks=pytest.mark.long),
    ],
)
def test_memory_does_not_depend_on_the_size(airgap: Airgap, tmp_path: Path, large: int, count: int) -> None:
    images = Images(1)
    layer = layer_of_sizes(images, large, *[MAX_FILE_SIZE] * count)
    bundle = bundle_of_layers(airgap.folder / "b.tar", images, layer)
    with clamd(tmp_path / "clamd") as engine:
        result = measured(airgap, "scan", bundle, "--clamd", engine.socket)
    assert result.code == 44
    assert "not scanned: file0 (" in result.stdout
    assert result.stderr.count("not scanned") == 1
    assert result.peak < 72 * 2**20
