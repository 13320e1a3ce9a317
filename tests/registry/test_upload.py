# SPDX-License-Identifier: Apache-2.0
"""Blob bodies on their way out: as they lie in a file (by sendfile on plain HTTP), hashed in all other cases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap.errors import AirgapError, ContentError, DigestMismatch, RegistryError, Rejected, Unauthorized, Unavailable
from airgap.registry import RegistrySettings, Repository
from airgap.store import FileRange, Reader
from airgap.store.protocols import Opener
from airgap.store.readers import BytesReader, bytes_opener
from tests.doubles.registry import Answer, Double, Request, Shelf, double
from tests.doubles.registry.shelf import asks_basic, basic, error
from tests.parts.certificates import Authority
from tests.parts.faulty_line import CLOSE, RESET, Break
from tests.registry.auth.test_authenticator import ME
from tests.registry.tools import Network, file_opener, together
from tests.suites.store_suite import described, noise, read_all

MIB = 1024 * 1024
LONG = noise(20 * MIB, 5)
CONTENT = noise(3 * MIB + 12_345)
BLOB = described(CONTENT)

Way = tuple[Double, Repository, Callable[[bytes], Opener]]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(params=["sendfile", "tls file", "plain", "tls"])
def way(
    request: pytest.FixtureRequest, network: Network, shelf: Shelf, tmp_path: Path, authority: Authority
) -> Iterator[Way]:
    """A double, a repository there, and what makes openers of bytes."""
    secure = request.param.startswith("tls")
    settings = RegistrySettings(plain_http=not secure, ca_file=str(authority.ca))

    def from_file(content: bytes) -> Opener:
        file = tmp_path / f"blob{len(content)}"
        # In the middle of a larger file, as in a bundle.
        file.write_bytes(b"before" + content + b"behind")

        def opener(offset: int) -> Reader:
            import os

            return FileRange(os.open(file, os.O_RDONLY), 6 + offset, len(content) - offset, owned=True)

        return opener

    with double(shelf, tls=authority.good().context() if secure else None) as peer:
        repository = network.registries(default=settings, explicit={peer.address: ME}).repository(
            peer.address, "team/app", push=True
        )
        yield peer, repository, from_file if "file" in request.param else bytes_opener


def held(shelf: Shelf) -> dict[str, bytes]:
    return shelf.blobs.get("team/app", {})


def test_one_post_and_one_put(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert [r.method for r in peer.requests] == ["POST", "PUT"]
    put = peer.requests[1]
    assert put.query == {"state": ["a+b"], "digest": [BLOB.digest]}
    assert put.length == BLOB.size
    assert put.headers["Content-Type"] == "application/octet-stream"


def test_an_empty_blob(way: Way, shelf: Shelf) -> None:
    _, store, opener = way
    store.push(described(b""), opener(b""))
    assert held(shelf)[described(b"").digest] == b""


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/v2/team/app/blobs/uploads/s", "/v2/team/app/blobs/uploads/s?digest="),
        ("/v2/elsewhere/s?_state=x%3D%3D&b=1", "/v2/elsewhere/s?_state=x%3D%3D&b=1&digest="),
        ("s7", "/v2/team/app/blobs/uploads/s7?digest="),
        ("?id=7", "/v2/team/app/blobs/uploads/?id=7&digest="),
        ("http://internal.test:8081/v2/team/app/blobs/uploads/s?x=1", "/v2/team/app/blobs/uploads/s?x=1&digest="),
        ("https://other.test/v2/odd/s", "/v2/odd/s?digest="),
    ],
)
def test_locations(network: Network, peer: Double, shelf: Shelf, location: str, target: str) -> None:
    """Servers behind proxies name hosts of their own: only path and query are taken, and nothing leaves for there."""
    shelf.guard = asks_basic("me", "s3cret-word")
    peer.always("POST", "", lambda r: Answer(202, headers={"Location": location}) if r.authorization else None)
    peer.always("PUT", "", Answer(201))
    store = network.registries(explicit={peer.address: ME}).repository(peer.address, "team/app", push=True)
    store.push(BLOB, bytes_opener(CONTENT))
    (put,) = peer.seen("PUT")
    assert put.target == target + BLOB.digest
    assert put.authorization == basic("me", "s3cret-word")


@pytest.mark.parametrize("location", ["http://[bad", "http://h:99999/x"])
def test_locations_that_are_none(network: Network, peer: Double, location: str) -> None:
    peer.always("POST", "", Answer(202, headers={"Location": location}))
    with pytest.raises(RegistryError):
        network.repository(peer.address).push(BLOB, bytes_opener(CONTENT))
    assert peer.count("PUT") == 0


def test_no_location(way: Way) -> None:
    peer, store, opener = way
    peer.always("POST", "", Answer(202))
    with pytest.raises(RegistryError, match="did not say where"):
        store.push(BLOB, opener(CONTENT))


def test_behind_a_path(network: Network, shelf: Shelf) -> None:
    """A registry may lie under a path of its proxy, and name its sessions with or without it."""
    for given in ("/proxied/v2/team/app/blobs/uploads/s", "/v2/team/app/blobs/uploads/s"):
        with double() as peer:
            peer.always("POST", "/proxied/v2/team/app/blobs/uploads/", Answer(202, headers={"Location": given}))
            peer.always("PUT", "/proxied/v2/team/app/blobs/uploads/s?digest=", Answer(201))
            settings = {"r.test": RegistrySettings(endpoint=f"{peer.url}/proxied/")}
            network.repository("r.test", settings=settings).push(BLOB, bytes_opener(CONTENT))
            assert peer.count("PUT") == 1


# Answers that come too early


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "NAME_INVALID", Rejected),
        (403, "DENIED", Unauthorized),
        (400, "DIGEST_INVALID", DigestMismatch),
        (507, "FULL", RegistryError),
    ],
)
def test_an_answer_before_the_body(way: Way, network: Network, status: int, code: str, kind: type[AirgapError]) -> None:
    """The server says why and closes while the body is still on its way: that is what the user must read."""
    peer, store, opener = way
    refusal = error(status, code, "because of this")
    refusal.early = True
    peer.always("PUT", "", refusal)
    content = LONG
    with pytest.raises(kind, match=f"{status}.*because of this"):
        store.push(described(content), opener(content))
    assert len(peer.seen("PUT")) == 1
    assert len(peer.seen("PUT")[0].body) < 20 * MIB
    assert network.recorder.retries == []


def test_401_before_the_body_signs_in(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    guard = asks_basic("me", "s3cret-word")

    def early(request: Request) -> Answer | None:
        refused = guard(request)
        if refused is not None:
            refused.early = True
        return refused

    peer.always("PUT", "", early)
    content = LONG[: 12 * MIB]
    store.push(described(content), opener(content))
    assert held(shelf)[described(content).digest] == content
    assert [r.method for r in peer.requests] == ["POST", "PUT", "PUT"]


# What is wrong here


def test_the_registry_finds_other_content(network: Network, peer: Double, tmp_path: Path) -> None:
    """Sent by sendfile, nothing is hashed here: the registry's word counts."""
    (tmp_path / "wrong").write_bytes(noise(BLOB.size, 9))
    with pytest.raises(DigestMismatch) as caught:
        network.repository(peer.address).push(BLOB, file_opener(tmp_path / "wrong", BLOB))
    assert caught.value.exit_code == 31
    assert BLOB.digest in str(caught.value)
    assert network.recorder.retries == []


@pytest.mark.parametrize(
    "given", [noise(BLOB.size, 9), CONTENT + b"x", CONTENT[:-1], b""], ids=["other", "long", "short", "none"]
)
def test_what_is_hashed_here_is_never_completed_wrong(
    network: Network, peer: Double, shelf: Shelf, given: bytes
) -> None:
    shelf.uploads.clear()
    done = threading.Event()

    def whole(request: Request) -> Answer | None:
        try:
            request.read()
        finally:
            done.set()
        return None

    peer.always("PUT", "", whole)
    with pytest.raises(ContentError) as caught:
        network.repository(peer.address).push(BLOB, bytes_opener(given))
    assert BLOB.digest in str(caught.value)
    assert done.wait(10)
    assert not peer.seen("PUT")[0].whole
    assert held(shelf) == {}


def test_a_file_of_another_length(network: Network, peer: Double, tmp_path: Path) -> None:
    file = tmp_path / "blob"
    file.write_bytes(CONTENT)
    with pytest.raises(ContentError):
        network.repository(peer.address).push(BLOB, lambda offset: FileRange(*_open(file), BLOB.size - 1, owned=True))
    assert peer.count("PUT") == 0


def _open(file: Path) -> tuple[int, int]:
    import os

    return os.open(file, os.O_RDONLY), 0


def test_a_file_that_shrank(network: Network, peer: Double, tmp_path: Path) -> None:
    file = tmp_path / "blob"
    file.write_bytes(CONTENT[:-5])
    with pytest.raises(ContentError, match="too early"):
        network.repository(peer.address).push(BLOB, file_opener(file, BLOB))


def test_the_registry_stored_something_else(way: Way) -> None:
    peer, store, opener = way
    other = described(b"other").digest
    peer.always("PUT", "", Answer(201, headers={"Docker-Content-Digest": other}))
    with pytest.raises(DigestMismatch, match=other):
        store.push(BLOB, opener(CONTENT))


# What heals


def test_a_broken_upload_begins_again(way: Way, shelf: Shelf, network: Network) -> None:
    peer, store, opener = way

    def break_off(request: Request) -> Answer:
        request.read(MIB)
        shelf.uploads.clear()
        return Answer(broken=Break(RESET))

    peer.on("PUT", "", break_off)
    opened: list[int] = []
    make = opener(CONTENT)

    def counted(offset: int) -> Reader:
        opened.append(offset)
        return make(offset)

    store.push(BLOB, counted)
    assert held(shelf)[BLOB.digest] == CONTENT
    assert opened == [0, 0]
    assert [r.method for r in peer.requests] == ["POST", "PUT", "GET", "HEAD", "POST", "PUT"]
    assert len(network.recorder.retries) == 1


@pytest.mark.parametrize(("method", "fragment"), [("POST", "/uploads/"), ("PUT", "digest=")])
def test_gives_up_after_as_many_tries_as_any_request(way: Way, method: str, fragment: str) -> None:
    """A session that cannot be begun is not begun so often for each time that the blob is sent."""
    peer, store, opener = way
    peer.always(method, fragment, error(503, "UNAVAILABLE"))
    with pytest.raises(Unavailable):
        store.push(BLOB, opener(CONTENT))
    assert peer.count(method, fragment) == 5


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_registry_that_is_busy(way: Way, shelf: Shelf, network: Network, status: int) -> None:
    peer, store, opener = way
    peer.on("PUT", "", Answer(status, headers={"Retry-After": "2"}))
    peer.on("POST", "", Answer(status))
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert network.recorder.sleeps == [0.5, 2.0]


def test_a_session_that_was_forgotten(way: Way, shelf: Shelf) -> None:
    """A registry that lost the session is given a new one; it does not mean that it wants chunks."""
    peer, store, opener = way
    peer.on("PUT", "", error(404, "BLOB_UPLOAD_UNKNOWN"))
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert [r.method for r in peer.requests] == ["POST", "PUT", "POST", "PUT"]


def test_gives_up_in_the_end(way: Way, network: Network) -> None:
    peer, store, opener = way
    peer.always("PUT", "", Answer(broken=Break(RESET)))
    with pytest.raises(Unavailable):
        store.push(BLOB, opener(CONTENT))
    # Twice whole; then all of it in chunks, and five times the request that ends them.
    assert [r.length for r in peer.seen("PUT")] == [BLOB.size, BLOB.size, 0, 0, 0, 0, 0]


def test_a_kept_connection_that_dies_under_a_body(way: Way, shelf: Shelf) -> None:
    """The body is begun afresh: a reader that was used up must never be sent on."""
    peer, store, opener = way

    def die(request: Request) -> Answer | None:
        return Answer(broken=Break(CLOSE))  # takes the whole body and closes without a word

    peer.on("PUT", "", die)
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert {bytes(r.body) for r in peer.seen("PUT")} == {CONTENT}


def test_readers_are_closed(way: Way) -> None:
    peer, store, _opener = way
    peer.on("PUT", "", Answer(broken=Break(RESET)))
    closed = [0, 0]

    class Noting(BytesReader):
        def close(self) -> None:
            closed[1] += 1

    def noting(offset: int) -> Reader:
        closed[0] += 1
        return Noting(CONTENT, offset)

    store.push(BLOB, noting)
    assert closed == [2, 2]


# In chunks


def refuse(status: int) -> Callable[[Request], Answer | None]:
    def answer(request: Request) -> Answer | None:
        return Answer(status, b"no", early=True) if request.length else None

    return answer


@pytest.mark.parametrize("status", [404, 405, 411, 413, 501])
def test_chunks_where_a_whole_body_is_refused(way: Way, shelf: Shelf, status: int) -> None:
    peer, store, opener = way
    peer.always("PUT", "/blobs/uploads/", refuse(status))
    content = LONG
    store.push(described(content), opener(content))
    assert held(shelf)[described(content).digest] == content
    patches = peer.seen("PATCH")
    assert [p.headers["Content-Range"] for p in patches] == [
        f"0-{16 * MIB - 1}",
        f"{16 * MIB}-{20 * MIB - 1}",
    ]
    assert patches[1].query == {"state": [f"next{16 * MIB}"]}
    # The second blob does not try again what this registry never takes.
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert len([r for r in peer.seen("PUT") if r.length]) == 1


def test_a_limit_of_one_mebibyte(way: Way, shelf: Shelf) -> None:
    """What nginx allows by default: chunks shrink until they pass, and stay so."""
    peer, store, opener = way
    shelf.largest = MIB
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert {p.length for p in peer.seen("PATCH") if p.whole} == {MIB, BLOB.size % MIB}
    refused = len([r for r in peer.requests if r.length > MIB])
    more = noise(2 * MIB, 8)
    store.push(described(more), opener(more))
    assert held(shelf)[described(more).digest] == more
    assert len([r for r in peer.requests if r.length > MIB]) == refused


def test_a_limit_that_nothing_passes(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    shelf.largest = 1000
    with pytest.raises(Rejected, match="413") as caught:
        store.push(BLOB, opener(CONTENT))
    assert "proxy-body-size" in (caught.value.hint or "")
    assert peer.count("PATCH") < 5


def test_a_registry_that_takes_no_chunks_either(way: Way) -> None:
    peer, store, opener = way
    peer.always("PUT", "", error(405, "UNSUPPORTED", "the first reason"))
    peer.always("PATCH", "", error(404, "NOT_FOUND"))
    with pytest.raises(RegistryError, match="the first reason"):
        store.push(BLOB, opener(CONTENT))


def test_chunks_of_a_least_size(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    peer.always("PUT", "/blobs/uploads/", refuse(413))

    def begin(request: Request) -> Answer:
        answer = shelf(request)
        answer.headers["OCI-Chunk-Min-Length"] = str(18 * MIB)
        return answer

    peer.always("POST", "", begin)
    content = LONG
    store.push(described(content), opener(content))
    assert [p.length for p in peer.seen("PATCH")] == [18 * MIB, 2 * MIB]
    assert held(shelf)[described(content).digest] == content


def test_a_sign_in_that_ends_between_chunks(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    shelf.largest = MIB
    guard = asks_basic("me", "s3cret-word")

    def patched(request: Request) -> Answer | None:
        # From the second chunk on, somebody wants to know who it is.
        return guard(request) if (request.headers["Content-Range"] or "0").partition("-")[0] != "0" else None

    peer.always("PATCH", "", patched)
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT


def test_wrong_content_is_found_out_though_a_chunk_went_twice(network: Network, peer: Double, shelf: Shelf) -> None:
    shelf.largest = MIB
    store = network.registries(explicit={peer.address: ME}).repository(peer.address, "team/app", push=True)
    first = noise(2 * MIB, 8)
    store.push(described(first), bytes_opener(first))  # from here on everything goes in chunks
    peer.on("PATCH", f"state=next{MIB}", error(401, "UNAUTHORIZED", **{"WWW-Authenticate": 'Basic realm="x"'}))
    with pytest.raises(DigestMismatch):
        store.push(BLOB, bytes_opener(CONTENT[:-1] + b"?"))
    assert peer.count("PATCH", f"state=next{MIB}") == 3
    assert peer.count("PUT", BLOB.digest) == 0
    assert list(held(shelf)) == [described(first).digest]


def test_a_break_between_chunks(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    shelf.largest = MIB
    store.push(BLOB, opener(CONTENT))
    more = noise(3 * MIB, 8)
    peer.on("PATCH", f"state=next{MIB}", Answer(broken=Break(RESET)))
    store.push(described(more), opener(more))
    assert held(shelf)[described(more).digest] == more


def test_wrong_content_in_chunks(network: Network, peer: Double, shelf: Shelf) -> None:
    peer.always("PUT", "/blobs/uploads/", refuse(413))
    with pytest.raises(DigestMismatch):
        network.repository(peer.address).push(BLOB, bytes_opener(noise(BLOB.size, 9)))
    assert held(shelf) == {}
    assert len([r for r in peer.seen("PUT") if not r.length]) == 0


# Mounting


def test_mount(way: Way, shelf: Shelf) -> None:
    peer, store, _ = way
    shelf.blobs["team/base"] = {BLOB.digest: CONTENT}
    assert store.mount(BLOB, "team/base")
    assert held(shelf)[BLOB.digest] == CONTENT
    (post,) = peer.requests
    assert post.query == {"mount": [BLOB.digest], "from": ["team/base"]}


def test_a_mount_that_becomes_an_upload(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    assert not store.mount(BLOB, "team/base")
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert [r.method for r in peer.requests] == ["POST", "PUT"]
    # The session was used up; the next push begins its own.
    store.push(BLOB, opener(CONTENT))
    assert peer.count("POST") == 2


def test_a_session_of_a_mount_that_is_gone(way: Way, shelf: Shelf) -> None:
    peer, store, opener = way
    assert not store.mount(BLOB, "team/base")
    shelf.uploads.clear()
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT
    assert peer.count("PATCH") == 0


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_mount_that_is_refused(way: Way, shelf: Shelf, status: int) -> None:
    peer, store, opener = way
    peer.on("POST", "mount=", error(status, "UNSUPPORTED"))
    assert not store.mount(BLOB, "team/base")
    store.push(BLOB, opener(CONTENT))
    assert held(shelf)[BLOB.digest] == CONTENT


def test_several_at_once(way: Way, shelf: Shelf) -> None:
    _, store, opener = way
    contents = [noise(MIB + n, n) for n in range(6)]
    outcomes = together(6, lambda n: store.push(described(contents[n]), opener(contents[n])))
    assert outcomes == [None] * 6
    assert sorted(held(shelf)) == sorted(described(content).digest for content in contents)
    assert read_all(store.open(described(contents[3]))) == contents[3]
