# SPDX-License-Identifier: Apache-2.0
"""Layers read as streams: what GNU tar and Python write is read, in every compression and from every medium."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
from functools import partial
from pathlib import Path

import pytest
import zstandard

from airgap import limits
from airgap.bundle import open_bundle
from airgap.dossier.budget import Budget
from airgap.dossier.entry import Entry
from airgap.dossier.layers import is_layer, read_archive, read_layer
from airgap.dossier.streams import BlobStream, Stream
from airgap.errors import ContentError, DigestMismatch
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.readers import BytesReader, bytes_opener
from tests.bundle.bundles import usual
from tests.parts.images import OCI_LAYER, tar_of

TEXT = bytes(range(256)) * 40
FORMATS = ("v7", "ustar", "oldgnu", "gnu", "pax")
SPARSE = (("gnu", ""), ("pax", "0.0"), ("pax", "0.1"), ("pax", "1.0"))


def blob(content: bytes, media_type: str = OCI_LAYER) -> Descriptor:
    return Descriptor(media_type, digests.of(content), len(content))


def entries(content: bytes) -> list[tuple[Entry, bytes]]:
    """The entries of a layer with their content."""
    return [(entry, b"".join(entry.pieces())) for entry in read_layer(blob(content), bytes_opener(content))]


def gnu_tar(folder: Path, *options: str) -> bytes:
    command = ["tar", "-C", str(folder), "-cf", "-", "--sort=name", *options, "."]
    return subprocess.run(command, check=True, capture_output=True).stdout


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of every kind; names that take an extended header are only in forms that have one."""
    folder = tmp_path / "tree"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "su").write_bytes(TEXT)
    (folder / "bin" / "su").chmod(0o4755)
    (folder / "bin" / "sh").symlink_to("su")
    os.link(folder / "bin" / "su", folder / "bin" / "zz")
    (folder / ".wh.gone").touch()
    (folder / "bin" / ".wh..wh..opq").touch()
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("form", FORMATS)
def test_what_gnu_tar_writes(tree: Path, form: str) -> None:
    if form not in ("v7", "ustar"):
        (tree / ("한" * 60)).write_bytes(b"a long name")
    if form == "v7":
        (tree / "pipe").unlink()
    read = {entry.path: (entry, content) for entry, content in entries(gnu_tar(tree, f"--format={form}"))}
    kinds = {path: entry.kind for path, (entry, _) in read.items()}
    assert kinds.pop("한" * 60, "file") == "file"
    assert kinds.pop("pipe", "fifo") == "fifo"
    assert kinds == {
        ".": "directory", ".wh.gone": "whiteout", "bin": "directory", "bin/.wh..wh..opq": "whiteout",
        "bin/sh": "symlink", "bin/su": "file", "bin/zz": "hardlink",
    }  # fmt: skip
    su, content = read["bin/su"]
    assert (content, su.size, su.stored, su.mode) == (TEXT, len(TEXT), len(TEXT), 0o4755)
    assert (su.uid, su.gid) == (os.getuid(), os.getgid())
    assert (read["bin/sh"][0].link, read["bin/zz"][0].link) == ("su", "./bin/su")
    assert (read[".wh.gone"][0].hidden_path, read[".wh.gone"][0].is_opaque) == ("gone", False)
    assert (read["bin/.wh..wh..opq"][0].hidden_path, read["bin/.wh..wh..opq"][0].is_opaque) == ("bin", True)
    if form not in ("v7", "ustar"):
        assert read["한" * 60][1] == b"a long name"


@pytest.mark.parametrize(("form", "version"), SPARSE)
def test_sparse_files_of_every_form(tmp_path: Path, form: str, version: str) -> None:
    size, places = 3 * 2**30, [(n * 2**20, b"%d" % n) for n in range(60)]
    with (tmp_path / "holes").open("wb") as file:
        for offset, content in places:
            os.pwrite(file.fileno(), content, offset)
        file.truncate(size)
    (tmp_path / "next").write_bytes(TEXT)
    archive = gnu_tar(tmp_path, f"--format={form}", "--sparse", *([f"--sparse-version={version}"] if version else []))
    assert len(archive) < 2**20
    names = []
    for entry in read_layer(blob(archive), bytes_opener(archive)):
        names.append(entry.path)
        if entry.path == "holes":
            assert entry.size == size
            assert entry.stored < 2**20
            read = b"".join(piece for _, piece in zip(range(3 * 16), entry.pieces(), strict=False))
            assert len(read) >= 2 * 2**20 + 1
            for offset, content in places[:3]:
                assert read[offset : offset + len(content)] == content
            assert not any(read[100:4000])
        elif entry.path == "next":
            assert entry.read(len(TEXT)) == TEXT
    assert names == [".", "holes", "next"]


@pytest.mark.parametrize(
    "compress",
    [
        lambda data: data,
        gzip.compress,
        lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]) + b"\0" * 600,
        bz2.compress,
        lzma.compress,
        zstandard.compress,
        lambda data: zstandard.compress(data[:700]) + b"\x51\x2a\x4d\x18\3\0\0\0abc" + zstandard.compress(data[700:]),
        lambda data: zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(data),
    ],
)
def test_compressions(compress: object) -> None:
    noise = os.urandom(150_000) + bytes(400_000)
    archive = archive_of(member("a", TEXT), member("b", noise), member("c", b"end"))
    read = entries(compress(archive))  # type: ignore[operator]
    assert [(entry.path, content) for entry, content in read] == [("a", TEXT), ("b", noise), ("c", b"end")]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_damaged_compression(compress: object) -> None:
    whole = compress(archive_of(member("a", os.urandom(200_000))))  # type: ignore[operator]
    for wrong in (whole[:-1], whole[: len(whole) // 2], whole + b"more", whole[:100] + b"\xff" * 90 + whole[190:]):
        with pytest.raises(ContentError):
            entries(wrong)


def test_what_is_not_read_is_skipped() -> None:
    archive = gzip.compress(archive_of(member("a", os.urandom(300_000)), member("b", TEXT)))
    names = [entry.path for entry in read_layer(blob(archive), bytes_opener(archive))]
    assert names == ["a", "b"]


def test_the_digest_is_verified_at_the_end() -> None:
    archive = archive_of(member("a", TEXT))
    other = archive.replace(TEXT[:50], TEXT[1:51], 1)
    with pytest.raises(DigestMismatch):
        list(read_layer(blob(archive), bytes_opener(other)))


def test_the_end_of_a_tar() -> None:
    archive = archive_of(member("a", TEXT))
    content_end = 512 + -(-len(TEXT) // 512) * 512
    assert len(entries(archive[:content_end])) == 1
    assert entries(b"") == []
    assert entries(bytes(1024)) == []
    for wrong in (
        archive[: content_end - 1],
        archive[: content_end + 100],
        archive + b"x",
        archive[:content_end] + bytes(512) + archive,
        b"no tar" * 200,
    ):
        with pytest.raises(ContentError):
            entries(wrong)


@pytest.mark.parametrize("field", [(100, 8), (124, 12), (148, 8)])
def test_a_damaged_header_is_no_end(field: tuple[int, int]) -> None:
    archive = bytearray(archive_of(member("a", TEXT), member("b", TEXT)))
    start = 512 + -(-len(TEXT) // 512) * 512
    archive[start + field[0] : start + sum(field)] = b"z" * field[1]
    with pytest.raises(ContentError, match="no header"):
        entries(bytes(archive))


def pax_header(content: bytes, size: int = 0) -> bytes:
    info = tarfile.TarInfo("PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, size or len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content.ljust(-(-len(content) // 512) * 512, b"\0")


@pytest.mark.parametrize(
    "records",
    [
        b"11 path=\xff\n",
        b"12 path=a\0b\n",
        b"x path=a\n",
        b"99 path=a\n",
        b"12 size=12x\n",
        b"12 size=-99\n",
        b"26 GNU.sparse.map=0,1,900\n29 GNU.sparse.realsize=12345\n",
        b"26 GNU.sparse.map=9,5,8,5\n25 GNU.sparse.realsize=9\n",
    ],
)
def test_damaged_extended_headers(records: bytes) -> None:
    with pytest.raises(ContentError):
        entries(pax_header(records) + archive_of(member("a", TEXT)))


def test_extended_headers_have_limits() -> None:
    with pytest.raises(ContentError, match="extended header has"):
        entries(pax_header(b"", 2**32) + archive_of(member("a")))
    with limits.changed({"archive-name-bytes": 200}):
        assert entries(archive_of(member("a" * 200)))[0][0].path == "a" * 200
        with pytest.raises(ContentError, match="name has 201 bytes"):
            entries(archive_of(member("a" * 201)))
    with limits.changed({"archive-entries": 3}):
        assert len(entries(archive_of(*[member("a")] * 3))) == 3
        with pytest.raises(ContentError, match="more than 3 entries"):
            entries(archive_of(*[member("a")] * 4))


def test_names_are_text_without_commands_for_a_terminal() -> None:
    entry = Entry(b"./usr/\x1b[2J\xff\xe2\x80\xae/../x", "file")
    assert entry.name == "./usr/\\x1b[2J\\xff\\u202e/../x"
    assert Entry(b"//../etc/shadow", "file").path == "etc/shadow"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_bombs_are_refused(compress: object) -> None:
    bomb = compress(archive_of(member("zeros", bytes(2**20))))  # type: ignore[operator]
    with limits.changed({"archive-bytes": 2**20 - 1}), pytest.raises(ContentError, match=r"1,048,575 bytes"):
        entries(bomb)


def test_ratios_are_limited() -> None:
    bomb = zstandard.compress(archive_of(*[member("zeros", bytes(16 * 2**20))] * 5))
    with pytest.raises(ContentError, match="2,000 times"):
        list(read_layer(blob(bomb), bytes_opener(bomb)))


def test_holes_count_as_bytes(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(2**40)
    archive = gnu_tar(tmp_path, "--sparse")
    with limits.changed({"archive-ratio": 10}), pytest.raises(ContentError, match="10 times"):
        entries(archive)


def test_a_window_that_is_too_large_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=22, write_content_size=False)
    large = zstandard.ZstdCompressor(compression_params=parameters)
    stream = large.compressobj()
    content = stream.compress(archive_of(member("a", os.urandom(1000)))) + stream.flush()
    assert len(entries(content)) == 1
    packed = lzma.compress(archive_of(member("a", TEXT)), preset=6)
    with limits.changed({"archive-memory": 2**20}):
        for archive in (content, packed):
            with pytest.raises(ContentError, match=r"(?i)memory"):
                entries(archive)


def test_encrypted_layers_are_refused() -> None:
    layer = blob(b"secret", f"{OCI_LAYER}+encrypted")
    with pytest.raises(ContentError, match="is encrypted"):
        list(read_layer(layer, bytes_opener(b"secret")))


def test_what_a_layer_is() -> None:
    assert is_layer(blob(b"", OCI_LAYER))
    assert is_layer(blob(b"", "application/vnd.docker.image.rootfs.diff.tar.gzip"))
    assert not is_layer(blob(b"", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"))


@pytest.mark.parametrize("output", ["b.tar", "b.tar.zst", "volumes"])
def test_layers_of_bundles(tmp_path: Path, output: str) -> None:
    content = usual()
    path = tmp_path / ("b.tar.zst" if output == "b.tar.zst" else "b.tar")
    content.write(path)
    if output == "volumes":
        whole = path.read_bytes()
        path.unlink()
        size = len(whole) // 3 + 1
        for number in range(3):
            (tmp_path / f"b.tar.{number + 1:03}").write_bytes(whole[number * size :][:size])
        path = tmp_path / "b.tar.002"
    with open_bundle(path) as bundle:
        layers = [item for item in bundle.inventory.blobs if is_layer(item)]
        for layer in layers:
            read = [
                entry.read(10**6) for entry in read_layer(layer, partial(bundle.open, layer)) if entry.kind == "file"
            ]
            plain = content.images.content[layer.digest]
            plain = gzip.decompress(plain) if plain.startswith(b"\x1f\x8b") else plain
            with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
                assert read == [tar.extractfile(info).read() for info in tar if info.isfile()]  # type: ignore[union-attr]
        assert layers


def test_archives_that_are_no_blobs() -> None:
    content = tar_of({"a": TEXT})
    stream = Stream(BlobStream(blob(content), BytesReader(content)))
    assert [entry.read(len(TEXT)) for entry in read_archive(stream, Budget(len(content), "chart.tgz"))] == [TEXT]
