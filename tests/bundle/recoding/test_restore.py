# SPDX-License-Identifier: Apache-2.0
"""A layer is recoded and restored; what is hostile, damaged or unknown ends in one error, before its last byte."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from airgap import limits, recode
from airgap.bundle.document_parts import Memory
from airgap.bundle.recoded import SEGMENT_SIZE, RecodedLayer, Segment
from airgap.bundle.recoding import codecs, encode, zstd
from airgap.bundle.recoding.encode import INEXACT, NO_GZIP, SMALL_GAIN, UNKNOWN_ENCODER, OldLayer, Whole
from airgap.bundle.recoding.gunzip import gunzip
from airgap.bundle.recoding.raw_files import RawFiles
from airgap.bundle.recoding.restore import RestoringReader, restore_failure
from airgap.bundle.required_layers import RequiredLayer
from airgap.errors import AirgapError, BundleError, ContentError, UnsupportedBundle
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.records import replace
from airgap.store.readers import BytesReader
from tests.parts.images import OCI_LAYER, gzip_of
from tests.parts.recoding import GO, PGZIP, changed, content, gzip_by, needs_encoders

pytestmark = needs_encoders


class Desk:
    """A folder in which layers are recoded."""

    def __init__(self, folder: Path, tars: RawFiles) -> None:
        self.folder = folder
        self.tars = tars

    def recode(self, gzip: bytes, older: tuple[OldLayer, ...] = ()) -> RecodedLayer | Whole:
        (self.folder / "layer.gz").write_bytes(gzip)
        layer = Descriptor(OCI_LAYER, digests.of(gzip), len(gzip))
        found = encode.recode(layer, self.folder / "layer.gz", self.payload, lambda: older, lambda: None)
        assert self.payload.exists() == isinstance(found, RecodedLayer)
        return found

    @property
    def payload(self) -> Path:
        return self.folder / "layer.zst"

    def old(self, plain: bytes) -> OldLayer:
        raw = self.tars.add([plain])
        return OldLayer(RequiredLayer(digests.of(plain + b"gz"), 7, ("quay.io/a/b",)), raw)

    def restore(
        self, layer: RecodedLayer, old: OldLayer | None = None, payload: bytes | None = None, **more: int
    ) -> bytes:
        content = self.payload.read_bytes() if payload is None else payload
        failure = restore_failure(layer, "b.recoded.tar", "carry it plain")
        reader = RestoringReader(layer, BytesReader(content), old.raw if old else None, failure, **more)
        return drain(reader, bytearray())


def drain(reader: RestoringReader, into: bytearray) -> bytes:
    """Take all that a reader gives; an error leaves in ``into`` what came before it."""
    buffer = memoryview(bytearray(1000))
    with contextlib.closing(reader):
        while count := reader.readinto(buffer):
            into += buffer[:count]
    return bytes(into)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with RawFiles(tmp_path) as tars:
        yield Desk(tmp_path, tars)


@pytest.mark.parametrize("codec", ["go1.8-1.26/6", "go1.8-1.26/1", "go1.27/6", "go1.27/1", PGZIP])
def test_the_same_bytes_come_back(desk: Desk, codec: str) -> None:
    plain = content(1)
    gzip = gzip_by(codec, plain)
    layer = desk.recode(gzip)
    assert isinstance(layer, RecodedLayer)
    assert layer.prefix is None
    assert desk.restore(layer) == gzip
    assert desk.restore(layer, skip=12_345) == gzip[12_345:]
    parsed = RecodedLayer.from_json({"digest": layer.digest, "size": layer.size, **layer.to_json()}, Memory())
    assert parsed == layer


def test_only_the_change_crosses(desk: Desk) -> None:
    """Of two older layers the one is taken that helps; against one that has nothing in common, none."""
    before = content(1)
    gzip = gzip_by(GO, changed(before, 2))
    alone = desk.recode(gzip)
    alike, other = desk.old(before), desk.old(content(9))
    layer = desk.recode(gzip, (other, alike))
    assert isinstance(alone, RecodedLayer)
    assert isinstance(layer, RecodedLayer)
    assert layer.payload.size < alone.payload.size / 100
    assert layer.prefix is not None
    assert layer.prefix.layer == alike.layer
    assert desk.restore(layer, alike) == gzip
    with pytest.raises(BundleError, match="cannot be restored"):
        desk.restore(layer, other)
    assert desk.recode(gzip_by(GO, content(5)), (other,)) == desk.recode(gzip_by(GO, content(5)))


@pytest.mark.long
def test_a_layer_of_several_frames(desk: Desk) -> None:
    """Frames refer to the region around their own place, also where the older tar is shorter or longer."""
    before = random.Random(1).randbytes(3 * SEGMENT_SIZE)
    gzip = gzip_by("go1.8-1.26/1", before[1000 : SEGMENT_SIZE * 2 + 77] + b"new" + before[SEGMENT_SIZE * 2 + 77 :])
    old = desk.old(before)
    layer = desk.recode(gzip, (old,))
    assert isinstance(layer, RecodedLayer)
    assert len(layer.segments) == 3
    assert layer.payload.size < 20_000
    assert digests.of(desk.restore(layer, old)) == layer.digest


def test_what_crosses_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = content(1)
    with_name = bytearray(gzip_by(GO, plain))
    with_name[3] = 8
    with_name[10:10] = b"layer.tar\0"
    gzip = gzip_by(GO, plain)
    noise = random.Random(4).randbytes(40_000)
    for layer, why in (
        (bytes(with_name), UNKNOWN_ENCODER),
        (gzip_of(plain, 6), UNKNOWN_ENCODER),
        (b"no gzip at all, but longer than a header", NO_GZIP),
        (gzip[:-9], NO_GZIP),
        (gzip + gzip_by(GO, plain), NO_GZIP),
        (gzip_by(GO, noise), SMALL_GAIN),
    ):
        found = desk.recode(layer)
        assert isinstance(found, Whole), why
        assert found.why == why
    # The beginning is an encoder's, the rest is not.
    monkeypatch.setattr(recode, "detect", lambda *_: ("go1.27/6",))
    assert desk.recode(gzip) == Whole(INEXACT, "go1.27/6")


def test_damage_is_told_before_the_last_byte(desk: Desk) -> None:
    gzip = gzip_by(GO, content(1))
    layer = desk.recode(gzip)
    assert isinstance(layer, RecodedLayer)
    good = desk.payload.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 4
    one = Segment(layer.segments[0].size)
    wrong: list[tuple[RecodedLayer, bytes]] = [
        (layer, bytes(flipped)),
        (layer, good[:-1]),
        (replace(layer, raw_size=layer.raw_size - 1), good),
        (replace(layer, raw_size=layer.raw_size + 1), good),
        (replace(layer, raw_digest=digests.of(b"")), good),
        (replace(layer, codec=PGZIP), good),
        (replace(layer, size=layer.size - 1), good),
        (replace(layer, digest=digests.of(b"")), good),
        (replace(layer, header=b"\x1f\x8b\x08\0\1\0\0\0\0\xff"), good),
        (replace(layer, segments=(one, one)), good + good),
        (replace(layer, payload=replace(layer.payload, digest=digests.of(b""))), good),
    ]
    for changed_layer, payload in wrong:
        reader = RestoringReader(
            changed_layer, BytesReader(payload), None, restore_failure(changed_layer, "b.tar", "carry it plain")
        )
        taken = bytearray()
        with pytest.raises(AirgapError, match=f"{changed_layer.digest} cannot be restored") as raised:
            drain(reader, taken)
        assert raised.value.hint == "carry it plain"
        assert len(taken) < len(gzip)


def test_a_frame_that_grows_without_end_is_stopped(desk: Desk) -> None:
    """Some kilobytes that become gigabytes: not more is made than was declared."""
    bomb = zstd.compress(bytes(SEGMENT_SIZE), b"")
    made: list[bytes] = []
    with pytest.raises(zstd.BadFrame, match="more than the 1000 bytes"):
        made.extend(zstd.decompress(iter([bomb, b""]).__next__, 1000, b""))
    assert made == []
    gzip_bomb = gzip_of(bytes(SEGMENT_SIZE), 9)
    with pytest.raises(ContentError, match="more than 5000 bytes"):
        made.extend(gunzip(BytesReader(gzip_bomb), 5000))
    assert made == []


def test_frames_with_a_large_window_are_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    wide = stream.compress(b"x" * 100) + stream.flush()
    with pytest.raises(zstd.BadFrame):
        list(zstd.decompress(iter([wide, b""]).__next__, 100, b""))


def entry(**more: Any) -> dict[str, Any]:
    payload = {"digest": digests.of(b"p"), "size": 10, "segments": [[10, 0]]}
    return {
        "digest": digests.of(b"g"), "size": 20, "form": "recoded", "payload": payload,
        "raw": {"digest": digests.of(b"r"), "size": 30}, "codec": GO, "header": "H4sIAAAAAAAA/w==", **more,
    }  # fmt: skip


def test_an_entry_that_contradicts_itself() -> None:
    RecodedLayer.from_json(entry(), Memory())
    payload = entry()["payload"]
    prefix = {
        "digest": digests.of(b"o"),
        "size": 5,
        "layer": {"digest": digests.of(b"l"), "size": 3, "repositories": []},
    }
    for wrong in (
        {"payload": {**payload, "segments": [[9, 0]]}},
        {"payload": {**payload, "segments": [[10, 1]]}},
        {"payload": {**payload, "segments": [[5, 0], [5, 0]]}},
        {"payload": {**payload, "segments": [[-1, 0], [11, 0]]}},
        {"payload": {**payload, "segments": [[10]]}},
        {"payload": {**payload, "segments": [[True, 0]]}},
        {"raw": {"digest": digests.of(b"r"), "size": SEGMENT_SIZE + 1}},
        {"prefix": prefix, "payload": {**payload, "segments": [[10, 6]]}},
        {"codec": "x" * 65},
        {"codec": 5},
        {"header": "AAAA"},
        {"header": "!"},
    ):
        with pytest.raises((BundleError, ValueError, TypeError)):
            RecodedLayer.from_json(entry(**wrong), Memory())


@pytest.mark.parametrize("name", ["recoded-layer-bytes", "recoded-prefix-bytes"])
def test_sizes_that_are_declared_have_limits(name: str) -> None:
    prefix = {
        "digest": digests.of(b"o"),
        "size": 30,
        "layer": {"digest": digests.of(b"l"), "size": 3, "repositories": []},
    }
    with limits.changed({name: 30}):
        RecodedLayer.from_json(entry(prefix=prefix), Memory())
    with limits.changed({name: 29}), pytest.raises(BundleError, match="30 bytes; at most 29") as raised:
        RecodedLayer.from_json(entry(prefix=prefix), Memory())
    assert f"AIRGAP_LIMITS={name}=30" in (raised.value.hint or "")


def test_encoders_are_asked_before_they_are_relied_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = desk.recode(gzip_by(GO, content(1)))
    assert isinstance(layer, RecodedLayer)
    codecs.check_codecs([layer], "b.tar", "carry it plain")
    with pytest.raises(UnsupportedBundle, match="does not know the encoder 'go9/9'") as raised:
        codecs.check_codecs([layer, replace(layer, codec="go9/9")], "b.tar", "carry it plain")
    assert raised.value.hint == "carry it plain"

    def fail(codec: str) -> None:
        raise recode.CodecFailure("other bytes")

    monkeypatch.setattr(recode, "self_test", fail)
    with pytest.raises(UnsupportedBundle, match=f"{GO} does not work here: other bytes"):
        codecs.check_codecs([layer], "b.tar", "carry it plain")
    monkeypatch.setattr(recode, "library_available", lambda: False)
    monkeypatch.setattr(recode, "why_unavailable", lambda: "it was not built")
    with pytest.raises(UnsupportedBundle, match="exact encoders are missing here: it was not built"):
        codecs.check_codecs([layer], "b.tar", "carry it plain")


def test_without_the_zstd_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Iterator[None]:
        raise ImportError(name)

    load: Callable[..., Any] = absent
    monkeypatch.setattr("importlib.import_module", load)
    with pytest.raises(UnsupportedBundle, match=r"the Python package backports\.zstd"):
        zstd.load_zstd()
