# SPDX-License-Identifier: Apache-2.0
"""An upload that goes on: in the same run after a break, in the next run by the journal, in chunks on a bad line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap.errors import ContentError, DigestMismatch, Rejected, Unavailable
from airgap.registry import RegistrySettings, Repository, SessionJournal
from airgap.store import FileRange, Reader
from airgap.store.readers import BytesReader
from tests.doubles.registry import Answer, Double, Request, Shelf, double
from tests.doubles.registry.shelf import error
from tests.parts.certificates import Authority
from tests.parts.faulty_line import RESET, Break
from tests.registry.tools import Network
from tests.suites.store_suite import described, noise

MIB = 1024 * 1024
CONTENT = noise(6 * MIB + 12_345, 4)
BLOB = described(CONTENT)
HEAD = {"bundle": "b"}


class Way:
    """A double, and repositories there as one run after the other has them; ``opened`` are the offsets asked for."""

    def __init__(self, peer: Double, shelf: Shelf, network: Network, settings: RegistrySettings, folder: Path) -> None:
        self.peer = peer
        self.shelf = shelf
        self.opened: list[int] = []
        self.file = folder / "blob"
        self.file.write_bytes(CONTENT)
        self._network = network
        self._settings = settings
        self._state = folder / "state.jsonl"
        self.journal: SessionJournal | None = None
        self.from_file = True

    def repository(self, **more: object) -> Repository:
        """What a new run has: connections of its own, and the journal as it lies on the disk."""
        if self.journal is not None:
            self.journal.close()
        registries = self._network.registries(default=self._settings, **more)  # type: ignore[arg-type] # passed on
        self.journal = SessionJournal.open(self._state, HEAD)
        registries.use_sessions(self.peer.address, self.journal)
        return registries.repository(self.peer.address, "team/app", push=True)

    def opener(self, offset: int) -> Reader:
        self.opened.append(offset)
        if not self.from_file:
            return BytesReader(CONTENT, offset)
        return FileRange(os.open(self.file, os.O_RDONLY), offset, BLOB.size - offset, owned=True)

    def methods(self) -> list[str]:
        """What was asked since the last call."""
        asked = [request.method for request in self.peer.requests]
        self.peer.requests.clear()
        return asked

    def sent(self) -> int:
        return sum(len(request.body) for request in self.peer.requests)

    @property
    def arrived(self) -> bool:
        return self.shelf.blobs.get("team/app", {}).get(BLOB.digest) == CONTENT

    def noted(self) -> str:
        assert self.journal is not None
        return self.journal.find("team/app", BLOB.digest)


@pytest.fixture(params=["sendfile", "tls file", "plain", "tls"])
def way(request: pytest.FixtureRequest, network: Network, tmp_path: Path, authority: Authority) -> Iterator[Way]:
    secure = request.param.startswith("tls")
    settings = RegistrySettings(plain_http=not secure, ca_file=str(authority.ca))
    shelf = Shelf(keeps=True)
    with double(shelf, tls=authority.good().context() if secure else None) as peer:
        made = Way(peer, shelf, network, settings, tmp_path)
        made.from_file = "file" in request.param
        yield made
        if made.journal is not None:
            made.journal.close()


def cut(after: int) -> Callable[[Request], Answer]:
    """The line breaks after so many bytes of a body; the registry behind it has what arrived, or nothing."""

    def answer(request: Request) -> Answer:
        request.read(after)
        return Answer(broken=Break(RESET))

    return answer


def keep(way: Way, after: int) -> Callable[[Request], Answer]:
    """The line breaks, and the session has the bytes that had come."""

    def answer(request: Request) -> Answer:
        session = request.path.rpartition("/")[2]
        way.shelf.uploads[session] += request.read(after)
        return Answer(broken=Break(RESET))

    return answer


def drop(way: Way, after: int) -> Callable[[Request], Answer | None]:
    """The line breaks in bodies longer than ``after``, and the session goes with it, as in docker-registry."""

    def answer(request: Request) -> Answer | None:
        if request.length <= after:
            return None
        request.read(after)
        way.shelf.uploads.clear()
        return Answer(broken=Break(RESET))

    return answer


def killed(way: Way, after: int) -> None:
    """A first run that ends in the middle of the blob, without another word to the registry."""
    way.peer.on("PUT", "", keep(way, after))
    with pytest.raises(Unavailable):
        way.repository(attempts=1).push(BLOB, way.opener)
    assert way.noted()
    way.methods()
    way.opened.clear()


def test_the_next_run_goes_on_inside_the_blob(way: Way) -> None:
    killed(way, 4 * MIB)
    way.repository().push(BLOB, way.opener)
    assert way.arrived
    assert way.sent() == BLOB.size - 4 * MIB
    (patch,) = way.peer.seen("PATCH")
    assert patch.headers["Content-Range"] == f"{4 * MIB}-{BLOB.size - 1}"
    assert way.methods() == ["GET", "PATCH", "PUT"]
    # The first reader says where it goes on; what is hashed here reads the beginning from the disk once more.
    assert way.opened[0] == 4 * MIB
    assert way.noted() == ""


def test_all_of_it_was_there(way: Way) -> None:
    killed(way, BLOB.size)
    way.repository().push(BLOB, way.opener)
    assert way.arrived
    assert way.methods() == ["GET", "PUT"]


def test_a_session_that_is_gone_begins_anew(way: Way) -> None:
    killed(way, 4 * MIB)
    way.shelf.uploads.clear()
    way.repository().push(BLOB, way.opener)
    assert way.arrived
    assert way.sent() == BLOB.size
    assert way.methods() == ["GET", "POST", "PUT"]


@pytest.mark.parametrize("says", ["0-99999999999", "", "bytes", "5-10", "none at all"])
def test_a_session_that_makes_no_sense_is_given_up(way: Way, says: str) -> None:
    killed(way, 4 * MIB)
    way.shelf.range_ = says
    way.repository().push(BLOB, way.opener)
    assert way.arrived
    assert way.methods() == ["GET", "DELETE", "POST", "PUT"]
    assert way.shelf.uploads == {}


def test_a_session_that_holds_something_else(way: Way) -> None:
    """Found out by the registry at the end: the blob goes once more, whole, and it is no damaged bundle."""
    killed(way, 4 * MIB)
    (held,) = way.shelf.uploads.values()
    held[100] ^= 1
    way.repository().push(BLOB, way.opener)
    assert way.arrived
    assert way.methods() == ["GET", "PATCH", "PUT", "POST", "PUT"]


def test_a_session_that_is_at_another_byte(way: Way) -> None:
    """What it says and what it takes differ (its last bytes were still under way): it is asked once more."""
    killed(way, 4 * MIB)
    way.peer.on("GET", "/uploads/", Answer(204, headers={"Range": f"0-{3 * MIB - 1}"}))
    way.repository().push(BLOB, way.opener)
    assert way.arrived
    assert way.methods() == ["GET", "PATCH", "GET", "PATCH", "PUT"]


def test_a_break_in_the_same_run_goes_on_too(way: Way) -> None:
    way.peer.on("PUT", "", keep(way, 2 * MIB))
    way.peer.on("PATCH", "", *(keep(way, MIB) for _ in range(3)))
    # Only two attempts: each that came further is a first one.
    way.repository(attempts=2).push(BLOB, way.opener)
    assert way.arrived
    assert way.methods() == ["POST", "PUT", *["GET", "PATCH"] * 4, "PUT"]


def test_no_byte_further_is_a_failed_attempt(way: Way) -> None:
    way.peer.always("PUT", "", cut(0))
    way.peer.always("PATCH", "", cut(0))
    with pytest.raises(Unavailable):
        way.repository(attempts=3).push(BLOB, way.opener)
    bodies = [r for r in way.peer.requests if r.method in ("PUT", "PATCH")]
    assert len(bodies) <= 3 + 1 + 3, "twice whole, then smaller and smaller, then three times the smallest"
    assert way.noted(), "the session stays for the next run"
    assert "DELETE" not in way.methods()


def test_after_two_lost_bodies_it_goes_in_chunks(way: Way) -> None:
    way.peer.always("PUT", "", drop(way, 4 * MIB))
    store = way.repository()
    seen: list[str] = []

    def patched(request: Request) -> Answer | None:
        seen.append(way.noted())
        return drop(way, 4 * MIB)(request)

    way.peer.always("PATCH", "", patched)
    store.push(BLOB, way.opener)
    assert way.arrived
    patches = way.peer.seen("PATCH")
    assert [p.length for p in patches] == [BLOB.size // 2, BLOB.size // 2, 1]
    assert len(set(seen)) == len(patches), "each chunk's place is in the journal"
    # A connection that has carried one chunk does not carry another.
    assert len({p.connection for p in patches}) == len(patches)
    # The next blob of that size need not find out again.
    other = described(noise(5 * MIB, 77))
    way.methods()
    store.push(other, lambda offset: BytesReader(noise(5 * MIB, 77), offset))
    assert way.methods() == ["POST", "PATCH", "PATCH", "PUT"]


def test_chunks_shrink_until_they_get_through(way: Way) -> None:
    way.peer.always("PUT", "", drop(way, MIB + MIB // 2))
    way.peer.always("PATCH", "", drop(way, MIB + MIB // 2))
    way.repository(attempts=3).push(BLOB, way.opener)
    assert way.arrived
    lengths = [p.length for p in way.peer.seen("PATCH")]
    assert lengths[:2] == [BLOB.size // 2, BLOB.size // 4]
    assert set(lengths[2:-1]) == {MIB}
    assert sum(lengths[2:]) == BLOB.size


def test_a_line_that_lets_nothing_through(way: Way, network: Network) -> None:
    way.peer.always("PUT", "", drop(way, 1000))
    way.peer.always("PATCH", "", drop(way, 1000))
    with pytest.raises(Unavailable):
        way.repository(attempts=4).push(BLOB, way.opener)
    assert len(network.recorder.retries) < 12


def test_in_chunks_the_next_run_goes_on(way: Way) -> None:
    """docker-registry keeps a session between its requests, under a Location that changes with each."""
    way.peer.always("PUT", "", drop(way, 4 * MIB))
    calls = 0

    def second(request: Request) -> Answer | None:
        nonlocal calls
        calls += 1
        return Answer(broken=Break(RESET)) if calls > 1 else None

    way.peer.always("PATCH", "", second)
    way.peer.always("GET", "/uploads/", lambda r: None if "state=next" in r.target or calls == 0 else error(404, "X"))
    with pytest.raises(Unavailable):
        way.repository(attempts=3).push(BLOB, way.opener)
    assert "state=" in way.noted()
    calls = -100
    way.methods()
    way.repository().push(BLOB, way.opener)
    assert way.arrived


@pytest.mark.parametrize("status", [400, 403, 409])
def test_an_upload_that_is_refused_is_cancelled(way: Way, status: int) -> None:
    way.peer.always("PUT", "", error(status, "DENIED"))
    with pytest.raises((Rejected, Exception), match=str(status)):
        way.repository().push(BLOB, way.opener)
    assert ("DELETE" in way.methods()) == (status != 403)
    assert bool(way.noted()) == (status == 403), "another sign-in may go on"


def test_content_that_is_wrong_is_cancelled(way: Way) -> None:
    way.file.write_bytes(noise(BLOB.size, 9))
    wrong = noise(BLOB.size, 9)

    def opener(offset: int) -> Reader:
        return way.opener(offset) if way.from_file else BytesReader(wrong, offset)

    with pytest.raises(DigestMismatch):
        way.repository().push(BLOB, opener)
    assert way.noted() == ""
    assert not way.arrived


def test_what_was_sent_before_is_hashed_too(way: Way) -> None:
    """The beginning lies at the registry, from a bundle that was another one then; here the whole is looked at."""
    if way.from_file:
        pytest.skip("of what lies in a file nothing is hashed here: the registry's word counts")
    killed(way, 4 * MIB)
    damaged = bytearray(CONTENT)
    damaged[100] ^= 1
    with pytest.raises(ContentError):
        way.repository().push(BLOB, lambda offset: BytesReader(bytes(damaged), offset))
    assert not way.arrived


def test_small_blobs_leave_no_line(way: Way, tmp_path: Path) -> None:
    small = noise(1000)
    store = way.repository()
    store.push(described(small), lambda offset: BytesReader(small, offset))
    store.push(BLOB, way.opener)
    lines = [json.loads(line) for line in (tmp_path / "state.jsonl").read_text().splitlines()[1:]]
    assert {line["digest"] for line in lines} == {BLOB.digest}
    assert lines[-1]["location"] == ""


def test_the_journal_names_no_credential(way: Way, tmp_path: Path) -> None:
    location = "http://user:s3cret@internal.test/v2/team/app/blobs/uploads/1"
    way.peer.always("POST", "", Answer(202, headers={"Location": location}))
    way.peer.always("PUT", "", Answer(broken=Break(RESET)))
    way.peer.always("GET", "", Answer(204, headers={"Range": "0-0", "Location": location}))
    with pytest.raises(Unavailable):
        way.repository(attempts=1).push(BLOB, way.opener)
    assert "/v2/team/app/blobs/uploads/1" in (tmp_path / "state.jsonl").read_text()
    assert "s3cret" not in (tmp_path / "state.jsonl").read_text()
    assert "internal.test" not in (tmp_path / "state.jsonl").read_text()


def test_a_mount_that_did_not_come_about_is_cancelled(network: Network, tmp_path: Path) -> None:
    shelf = Shelf(mounts=False)
    shelf.blobs = {"team/app": {BLOB.digest: CONTENT}}
    with double(shelf) as peer:
        store = network.repository(peer.address)
        assert not store.mount(BLOB, "team/other")
        assert store.exists(BLOB)
        assert [r.method for r in peer.requests] == ["POST", "HEAD", "DELETE"]
        assert shelf.uploads == {}
