# SPDX-License-Identifier: Apache-2.0
"""A blob that cannot be read here is this machine's error: said with its place, not tried again, not the registry's."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap.bundle.media.file import FileMedium
from airgap.errors import BundleError, OutputError
from airgap.registry import RegistrySettings, Repository
from airgap.registry.http import body_sender
from airgap.store import FileRange, ImageLayout, Reader
from airgap.store.protocols import Opener
from airgap.store.readers import BytesReader, bytes_opener
from tests.doubles.registry import Answer, Double, Request, Shelf, double
from tests.parts.certificates import Authority
from tests.registry.tools import Network, file_opener
from tests.suites.store_suite import described, noise

MIB = 1024 * 1024
CONTENT = noise(6 * MIB + 12_345, 9)
BLOB = described(CONTENT)
#: Up to here the content can be read.
GOOD = 3 * MIB + mmap.PAGESIZE


@dataclass
class Far:
    """A repository of a double, and what it takes to look at both afterwards."""

    peer: Double
    repository: Repository
    network: Network
    shelf: Shelf

    def fails(self, opener: Opener) -> BundleError:
        """Push; the one error that it ends with is of what is read here, after one attempt."""
        with pytest.raises(BundleError) as caught:
            self.repository.push(BLOB, opener)
        assert not isinstance(caught.value, OutputError)
        assert self.network.recorder.retries == []
        assert self.peer.count("POST") == 1
        return caught.value


@pytest.fixture(params=["plain", "tls"])
def far(request: pytest.FixtureRequest, network: Network, authority: Authority) -> Iterator[Far]:
    secure, shelf = request.param == "tls", Shelf()
    settings = RegistrySettings(plain_http=not secure, ca_file=str(authority.ca))
    with double(shelf, tls=authority.good().context() if secure else None) as peer:
        yield Far(peer, network.repository(peer.address, default=settings), network, shelf)


@pytest.fixture(params=["whole", "chunks"])
def form(request: pytest.FixtureRequest, far: Far) -> str:
    """Whether blobs go in one piece or in several."""
    if request.param == "chunks":
        far.repository.client.initial_chunk_size = MIB
    return str(request.param)


class Failing(BytesReader):
    """Gives :data:`GOOD` bytes, then the error of a damaged medium."""

    def __init__(self, offset: int) -> None:
        super().__init__(memoryview(CONTENT)[:GOOD], offset)

    def readinto(self, buffer: memoryview, /) -> int:
        count = super().readinto(buffer)
        if not count:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return count


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Opener]:
    """Readers of a file that really gives EIO from :data:`GOOD` on: this process's memory, where it is mapped from a
    file that has shrunk."""
    backing = tmp_path / "mapped"
    backing.write_bytes(CONTENT)
    with backing.open("r+b") as file, mmap.mmap(file.fileno(), len(CONTENT)) as mapped:
        view = ctypes.c_char.from_buffer(mapped)
        start = ctypes.addressof(view)
        os.truncate(backing, GOOD)
        fd = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            yield lambda offset: FileRange(fd, start + offset, len(CONTENT) - offset, where="a.tar")
        finally:
            os.close(fd)
            del view


def test_a_reader_that_fails(far: Far, form: str) -> None:
    error = far.fails(Failing)
    assert f"{BLOB.digest}: cannot read it at byte {GOOD:,}: Input/output error" in str(error)
    far.repository.push(BLOB, bytes_opener(CONTENT))
    assert far.shelf.blobs["team/app"][BLOB.digest] == CONTENT


def test_a_file_that_fails(far: Far, form: str, damaged: Opener) -> None:
    begin = damaged(0)
    assert isinstance(begin, FileRange)
    error = far.fails(damaged)
    assert str(error) == f"a.tar: cannot read it at byte {begin.offset + GOOD:,}: Input/output error"
    far.repository.push(BLOB, bytes_opener(CONTENT))
    assert far.shelf.blobs["team/app"][BLOB.digest] == CONTENT


def test_a_file_that_cannot_be_opened(far: Far, form: str) -> None:
    def opener(offset: int) -> Reader:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    assert "cannot read it at byte 0: Input/output error" in str(far.fails(opener))
    assert far.peer.count("PUT") == far.peer.count("PATCH") == 0


def test_a_bundle_that_is_cut_while_it_is_sent(far: Far, form: str, tmp_path: Path) -> None:
    bundle = tmp_path / "b.tar"
    bundle.write_bytes(CONTENT)

    def cut(request: Request) -> Answer | None:
        os.truncate(bundle, 3 * MIB)
        return None

    far.peer.always("PUT" if form == "whole" else "PATCH", "", cut)
    medium = FileMedium(str(bundle), os.open(bundle, os.O_RDONLY), len(CONTENT))
    error = far.fails(lambda offset: medium.open_range(offset, len(CONTENT) - offset))
    medium.close()
    assert (error.what.startswith("cut short"), error.where) == (True, str(bundle))


# Whose error sendfile reports


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def says(number: int) -> Callable[..., int]:
    def sendfile(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    return sendfile


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT, errno.EINVAL])
def test_an_unreadable_file_is_found_whatever_sendfile_says(
    line: tuple[socket.socket, socket.socket], damaged: Opener, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "sendfile", says(number))
    reader = damaged(0)
    assert isinstance(reader, FileRange)
    with pytest.raises(BundleError, match="cannot read it at byte"):
        body_sender.send_file(line[0], reader, len(CONTENT))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT])
def test_a_broken_line_stays_one(
    line: tuple[socket.socket, socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "sendfile", says(number))
    (tmp_path / "blob").write_bytes(CONTENT)
    reader = file_opener(tmp_path / "blob", BLOB)(0)
    assert isinstance(reader, FileRange)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        body_sender.send_file(line[0], reader, len(CONTENT))


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL])
def test_a_file_that_can_be_read_all_the_same_is_sent(
    network: Network, peer: Double, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Some file systems know no sendfile."""
    monkeypatch.setattr(os, "sendfile", says(number))
    (tmp_path / "blob").write_bytes(CONTENT)
    network.repository(peer.address).push(BLOB, file_opener(tmp_path / "blob", BLOB))
    assert shelf.blobs["team/app"][BLOB.digest] == CONTENT


# A folder


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageLayout:
    """A layout with the blob, whose disk has failed since."""
    layout = ImageLayout.create(tmp_path / "layout")
    layout.push(BLOB, bytes_opener(CONTENT))

    def fail(*arguments: object, **more: object) -> object:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "open", fail)
    for name in ("lstat", "read_bytes"):
        monkeypatch.setattr(Path, name, fail)
    return layout


@pytest.mark.parametrize(
    "ask",
    [
        lambda layout: layout.open(BLOB),
        lambda layout: layout.exists(BLOB),
        lambda layout: layout.resolve("v1"),
        lambda layout: layout.names(),
    ],
)
def test_a_layout_that_cannot_be_read_does_not_lack_anything(
    unreadable: ImageLayout, ask: Callable[[ImageLayout], object]
) -> None:
    with pytest.raises(BundleError, match="cannot read it: Input/output error") as caught:
        ask(unreadable)
    assert str(unreadable.path) in (caught.value.where or "")
