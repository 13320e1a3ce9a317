# SPDX-License-Identifier: Apache-2.0
"""Signatures in bundles: last in the tar, sorted, in a volume's room or beside the bundle; nothing else moves."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.bundle.media.volume_names import SIGNATURE_ROOM
from airgap.bundle.reader import BundleReader
from airgap.bundle.signatures import find_signatures, sidecars
from airgap.bundle.signing import add_signature
from airgap.bundle.tail import tail_bytes
from airgap.bundle.tar import END
from airgap.errors import OutputError
from tests.bundle.bundles import check, members_of
from tests.bundle.mutations import entry, make, read

FIRST, SECOND = "1111111111111111.minisig", "AAAAAAAAAAAAAAAA.minisig"


def add(path: Path, name: str, content: bytes = b"signature", *, detached: bool = False) -> Path:
    with open_bundle(path) as bundle:
        return add_signature(bundle, name, content, detached=detached)


def test_signatures_are_sorted_and_move_nothing(tmp_path: Path) -> None:
    unsigned = make(tmp_path / "b", "tar")["b.tar"]
    path = tmp_path / "b/b.tar"
    assert add(path, SECOND, b"second") == path
    assert add(path, FIRST, b"x" * 600) == path
    signed = path.read_bytes()
    assert signed.startswith(unsigned[: -len(END)])
    names = [part.name for part in members_of(signed)]
    assert names[-3:] == ["airgap/signatures/", f"airgap/signatures/{FIRST}", f"airgap/signatures/{SECOND}"]
    with open_bundle(path) as bundle:
        assert dict(bundle.signatures()) == {FIRST: b"x" * 600, SECOND: b"second"}
    check(path)
    # Signing again with the same key replaces its signature, also by a shorter one.
    add(path, FIRST, b"y")
    assert path.read_bytes() == unsigned[: -len(END)] + tail_bytes({FIRST: b"y", SECOND: b"second"})
    check(path)


def test_no_signature_no_change_of_the_end() -> None:
    assert tail_bytes({}) == END


def test_only_the_last_volume_changes(tmp_path: Path) -> None:
    before = make(tmp_path / "b", "volumes")
    add(entry(tmp_path / "b", "volumes"), FIRST)
    after = read(tmp_path / "b")
    assert after.keys() == before.keys()
    changed = [name for name in after if after[name] != before[name]]
    volumes = [name for name in after if re.search(r"\.\d{3}$", name)]
    assert "b.tar.sha256" in changed
    assert len(volumes) * 8192 > SIGNATURE_ROOM
    last = max(name for name in volumes if before[name])
    assert {name for name in changed if name != "b.tar.sha256"} == {last}
    for line in after["b.tar.sha256"].decode().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256(after[name]).hexdigest() == digest
    check(entry(tmp_path / "b", "volumes"))


def test_a_signature_that_the_last_volume_has_no_room_for(tmp_path: Path) -> None:
    before = make(tmp_path / "b", "volumes")
    with pytest.raises(OutputError, match="no room") as caught:
        add(entry(tmp_path / "b", "volumes"), FIRST, b"x" * (SIGNATURE_ROOM + 8192))
    assert "--detached" in (caught.value.hint or "")
    assert read(tmp_path / "b") == before


def test_a_compressed_bundle_has_its_signatures_beside_it(tmp_path: Path) -> None:
    before = make(tmp_path / "b", "zstd")
    path = entry(tmp_path / "b", "zstd")
    assert add(path, FIRST).name == "b.tar.zst.minisig"
    assert add(path, SECOND).name == "b.tar.zst.AAAAAAAAAAAAAAAA.minisig"
    assert add(path, "0123456789abcdef.p7s").name == "b.tar.zst.p7s"
    assert read(tmp_path / "b")["b.tar.zst"] == before["b.tar.zst"]
    (tmp_path / "b/b.tar.zst.txt").write_bytes(b"")
    (tmp_path / "b/other.tar.zst.minisig").write_bytes(b"")
    assert [file.name for file in sidecars(path)] == [
        "b.tar.zst.AAAAAAAAAAAAAAAA.minisig", "b.tar.zst.minisig", "b.tar.zst.p7s",
    ]  # fmt: skip
    with open_bundle(path) as bundle:
        assert len(find_signatures(bundle)) == 3


def test_volumes_have_the_signatures_of_the_whole_bundle_beside_them(tmp_path: Path) -> None:
    make(tmp_path / "b", "volumes")
    assert add(entry(tmp_path / "b", "volumes"), FIRST, detached=True).name == "b.tar.minisig"
    with open_bundle(tmp_path / "b/b.tar") as bundle:
        assert [Path(file.where).name for file in find_signatures(bundle)] == ["b.tar.minisig"]


def test_a_bundle_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "b", "tar")
    real_open = os.open

    def read_only(path: str, flags: int, *mode: int, **more: object) -> int:
        if flags & os.O_RDWR:
            raise OSError(30, "Read-only file system")
        return real_open(path, flags, *mode, **more)  # type: ignore[arg-type]

    with open_bundle(tmp_path / "b/b.tar") as bundle, monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        with pytest.raises(OutputError, match="Read-only file system") as caught:
            add_signature(bundle, FIRST, b"x")
    assert "--detached" in (caught.value.hint or "")


def test_signing_reads_no_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the layers are, only the head is read and the end written."""
    make(tmp_path / "b", "tar")

    def refuse(*_: object) -> None:
        raise AssertionError("a blob was opened")

    monkeypatch.setattr(BundleReader, "open", refuse)
    monkeypatch.setattr(BundleReader, "check_blob", refuse)
    add(tmp_path / "b/b.tar", FIRST)
