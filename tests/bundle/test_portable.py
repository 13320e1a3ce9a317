# SPDX-License-Identifier: Apache-2.0
"""The archive of a portable folder: the same bytes from the same files, and nothing else is taken for one."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from airgap.bundle.portable import PackageList, pack_folder, read_archive, running_archive
from airgap.errors import UsageError

PACKAGES = {
    "format": 1,
    "architecture": "aarch64",
    "packages": [{"name": "libc6", "version": "2.41-12", "source": "glibc"}],
}


def folder(path: Path, umask: int = 0o022) -> Path:
    (path / "lib/deep").mkdir(parents=True)
    (path / "packages.json").write_text(json.dumps(PACKAGES))
    (path / "airgap").write_text("#!/bin/sh\n")
    (path / "lib/deep/libx.so").write_bytes(b"\x7fELF")
    (path / "a.txt").write_text("한글")
    for one in path.rglob("*"):
        one.chmod((0o777 if one.is_dir() or one.name == "airgap" else 0o666) & ~umask)
    return path


def packed(path: Path) -> bytes:
    buffer = io.BytesIO()
    pack_folder(path, buffer)
    return buffer.getvalue()


def test_bytes_depend_on_the_files_alone(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one"), folder(tmp_path / "other", 0o077)
    content = packed(one)
    assert packed(other) == content
    (other / "a.txt").write_text("다른 글")
    assert packed(other) != content
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = {member.name: (member.mode, member.uid, member.mtime) for member in archive}
    assert list(members) == [
        "airgap-portable", "airgap-portable/packages.json", "airgap-portable/airgap", "airgap-portable/a.txt",
        "airgap-portable/lib", "airgap-portable/lib/deep", "airgap-portable/lib/deep/libx.so",
    ]  # fmt: skip
    assert set(members.values()) == {(0o755, 0, 315532800), (0o644, 0, 315532800)}
    assert members["airgap-portable/airgap"][0] == 0o755


def test_an_archive_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "p.tar.gz"
    path.write_bytes(packed(folder(tmp_path / "folder")))
    archive = read_archive(path)
    assert (archive.architecture, archive.content) == ("aarch64", path.read_bytes())


def tar_gz(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("airgap-portable"))
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b"no tar" * 200),
        tar_gz("other/packages.json", json.dumps(PACKAGES).encode()),
        tar_gz("airgap-portable/packages.json", b"{}"),
        tar_gz("airgap-portable/packages.json", b"[]"),
        tar_gz("airgap-portable/packages.json", b"[" * 100_000),
        tar_gz("airgap-portable/packages.json", json.dumps({**PACKAGES, "format": 2}).encode()),
        tar_gz("airgap-portable/packages.json", json.dumps({**PACKAGES, "architecture": "../x"}).encode()),
        tar_gz("airgap-portable/packages.json", json.dumps({**PACKAGES, "packages": [1]}).encode()),
        tar_gz("airgap-portable/packages.json", b" " * 2_000_000),
    ],
    ids=range(11),
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.tar.gz").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_archive(tmp_path / "p.tar.gz")
    assert caught.value.what == "this is no archive of a portable airgap"
    assert str(tmp_path / "p.tar.gz") in (caught.value.where or "")


def test_an_archive_that_is_damaged_anywhere_is_refused(tmp_path: Path) -> None:
    whole = packed(folder(tmp_path / "folder"))
    for content in (whole[:60], whole[:-9], whole[:-8] + bytes(4) + whole[-4:]):
        (tmp_path / "p.tar.gz").write_bytes(content)
        with pytest.raises(UsageError, match="no archive of a portable"):
            read_archive(tmp_path / "p.tar.gz")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.tar.gz", tmp_path):
        with pytest.raises(UsageError):
            read_archive(path)


def test_outside_of_a_portable_folder_there_is_none() -> None:
    with pytest.raises(UsageError, match="does not run from a portable folder"):
        running_archive()


def test_a_list_of_packages_is_what_it_was() -> None:
    content = json.dumps(PACKAGES).encode()
    assert json.loads(PackageList.parse(content).to_bytes()) == PACKAGES
