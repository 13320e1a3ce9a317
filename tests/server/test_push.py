# SPDX-License-Identifier: Apache-2.0
"""distribution-spec, "Pushing blobs": in one piece, in parts, by mounting, and all that must be refused."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from airgap.oci import Descriptor
from airgap.server import Server
from airgap.store import MemoryStore, Store
from tests.parts.waiting import wait_until
from tests.server.client import Client, code, digest_of, open_http

CONTENT = bytes(range(256)) * 40
ABSENT = "sha256:" + "0" * 64


def present(client: Client, digest: str) -> bool:
    return client.http.head(client.path(f"blobs/{digest}")).status_code == 200


def assert_created(client: Client, answer: httpx.Response, content: bytes, algorithm: str = "sha256") -> None:
    assert answer.status_code == 201, answer.text
    assert answer.headers["Docker-Content-Digest"] == digest_of(content, algorithm)
    assert client.http.get(answer.headers["Location"]).content == content


def test_beginning_an_upload(client: Client) -> None:
    answer = client.http.post(client.path("blobs/uploads/"))
    assert answer.status_code == 202
    assert answer.headers["Docker-Upload-UUID"] in answer.headers["Location"]
    assert re.fullmatch(r"0-\d+", answer.headers["Range"])
    assert answer.headers["Content-Length"] == "0"


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("content", [CONTENT, b""], ids=["some", "empty"])
def test_post_then_put(client: Client, content: bytes, algorithm: str) -> None:
    digest = digest_of(content, algorithm)
    headers = {"Content-Type": "application/octet-stream"}
    answer = client.http.put(client.begin(), params={"digest": digest}, content=content, headers=headers)
    assert_created(client, answer, content, algorithm)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("content", [CONTENT, b""], ids=["some", "empty"])
def test_a_single_post(client: Client, content: bytes, algorithm: str) -> None:
    digest = digest_of(content, algorithm)
    answer = client.http.post(client.path("blobs/uploads/"), params={"digest": digest}, content=content)
    assert_created(client, answer, content, algorithm)


@pytest.mark.parametrize("how", ["post", "put"])
def test_a_body_of_unknown_length_in_one_request(client: Client, how: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT[:5000]
        yield CONTENT[5000:]

    url = client.begin() if how == "put" else client.path("blobs/uploads/")
    answer = client.http.request(how, url, params={"digest": digest_of(CONTENT)}, content=pieces())
    assert_created(client, answer, CONTENT)


@pytest.mark.parametrize("last", ["empty", "with the last part"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_parts_in_order(client: Client, last: str, algorithm: str) -> None:
    url = client.begin()
    parts = [CONTENT[:4000], CONTENT[4000:4001], CONTENT[4001:]]
    held = parts.pop() if last != "empty" else b""
    sent = 0
    for part in parts:
        where = {"Content-Range": f"{sent}-{sent + len(part) - 1}", "Content-Type": "application/octet-stream"}
        answer = client.http.patch(url, content=part, headers=where)
        sent += len(part)
        assert answer.status_code == 202
        assert answer.headers["Range"] == f"0-{sent - 1}"
        url = answer.headers["Location"]
    where = {"Content-Range": f"{sent}-{len(CONTENT) - 1}"} if held else {}
    answer = client.http.put(url, params={"digest": digest_of(CONTENT, algorithm)}, content=held, headers=where)
    assert_created(client, answer, CONTENT, algorithm)


def test_one_streamed_part_without_a_range(client: Client) -> None:
    """What docker, skopeo and podman do."""

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(CONTENT), 1000):
            yield CONTENT[start : start + 1000]

    answer = client.http.patch(client.begin(), content=pieces())
    assert (answer.status_code, answer.headers["Range"]) == (202, f"0-{len(CONTENT) - 1}")
    answer = client.http.put(answer.headers["Location"], params={"digest": digest_of(CONTENT)})
    assert_created(client, answer, CONTENT)


def test_parts_out_of_order(client: Client) -> None:
    url = client.begin()
    early = client.http.patch(url, content=CONTENT[4000:], headers={"Content-Range": f"4000-{len(CONTENT) - 1}"})
    assert (early.status_code, code(early)) == (416, "BLOB_UPLOAD_INVALID")
    assert client.http.patch(url, content=CONTENT[:4000], headers={"Content-Range": "0-3999"}).status_code == 202
    again = client.http.patch(url, content=CONTENT[:4000], headers={"Content-Range": "0-3999"})
    assert (again.status_code, again.headers["Range"]) == (416, "0-3999")
    assert again.headers["Location"] == url
    last = client.http.put(
        url,
        params={"digest": digest_of(CONTENT)},
        content=CONTENT[4001:],
        headers={"Content-Range": f"4001-{len(CONTENT) - 1}"},
    )
    assert last.status_code == 416
    status = client.http.get(url)
    assert (status.status_code, status.headers["Range"]) == (204, "0-3999")
    rest = {"Content-Range": f"4000-{len(CONTENT) - 1}"}
    answer = client.http.put(url, params={"digest": digest_of(CONTENT)}, content=CONTENT[4000:], headers=rest)
    assert_created(client, answer, CONTENT)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("bytes 0-3999/*", "BLOB_UPLOAD_INVALID"),
        ("x-y", "BLOB_UPLOAD_INVALID"),
        ("0-3998", "SIZE_INVALID"),
        ("0-4000", "SIZE_INVALID"),
        ("0", "BLOB_UPLOAD_INVALID"),
    ],
)
def test_a_content_range_that_is_wrong(client: Client, where: str, expected: str) -> None:
    url = client.begin()
    answer = client.http.patch(url, content=CONTENT[:4000], headers={"Content-Range": where})
    assert (answer.status_code, code(answer)) == (400, expected)
    assert client.http.get(url).headers["Range"] == "0-0"


@pytest.mark.parametrize("length", [3000, 5000])
def test_a_streamed_part_of_another_length_than_it_said(client: Client, length: int) -> None:
    url = client.begin()
    answer = client.http.patch(url, content=iter([CONTENT[:4000]]), headers={"Content-Range": f"0-{length - 1}"})
    assert answer.status_code == 400
    assert client.http.get(url).headers["Range"] in ("0-0", "0-3999")
    assert client.http.put(url, params={"digest": digest_of(CONTENT[:length])}).status_code == 400


def test_status_location_leads_on(client: Client) -> None:
    url = client.http.patch(client.begin(), content=CONTENT[:10]).headers["Location"]
    status = client.http.get(url)
    assert (status.status_code, status.headers["Range"], status.content) == (204, "0-9", b"")
    assert "Docker-Upload-UUID" in status.headers
    answer = client.http.patch(status.headers["Location"], content=CONTENT[10:])
    assert_created(client, client.http.put(answer.headers["Location"], params={"digest": digest_of(CONTENT)}), CONTENT)


def test_cancelling(client: Client) -> None:
    url = client.begin()
    client.http.patch(url, content=CONTENT)
    assert client.http.delete(url).status_code == 204
    for answer in (
        client.http.get(url),
        client.http.delete(url),
        client.http.patch(url, content=b"x"),
        client.http.put(url, params={"digest": digest_of(CONTENT)}),
    ):
        assert (answer.status_code, code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert not present(client, digest_of(CONTENT))


def test_an_upload_belongs_to_its_repository(client: Client) -> None:
    url = client.begin().replace("/some/app/", "/some/other/")
    assert client.http.get(url).status_code == 404


def test_a_finished_upload_is_gone(client: Client) -> None:
    url = client.begin()
    assert client.http.put(url, params={"digest": digest_of(CONTENT)}, content=CONTENT).status_code == 201
    assert client.http.get(url).status_code == 404


@pytest.mark.parametrize("how", ["put", "patch", "post"])
def test_a_wrong_digest_leaves_nothing(client: Client, how: str) -> None:
    said = digest_of(b"something else")
    url = client.begin()
    if how == "post":
        answer = client.http.post(client.path("blobs/uploads/"), params={"digest": said}, content=CONTENT)
    elif how == "put":
        answer = client.http.put(url, params={"digest": said}, content=CONTENT)
    else:
        client.http.patch(url, content=CONTENT)
        answer = client.http.put(url, params={"digest": said})
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert how == "post" or client.http.get(url).status_code == 404, "bytes that were wrong are of no use to anyone"
    assert not present(client, said)
    assert not present(client, digest_of(CONTENT))


@pytest.mark.parametrize(
    "query", ["", "?digest=", "?digest=sha256:short", "?digest=nothing", "?digest=md5:" + "0" * 32]
)
def test_ending_an_upload_without_a_usable_digest(client: Client, query: str) -> None:
    url = client.begin()
    answer = client.http.put(url + query, content=CONTENT)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    if query:
        answer = client.http.post(client.path("blobs/uploads/") + query, content=CONTENT)
        assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


def test_mounting(client: Client) -> None:
    digest = client.blob(CONTENT)
    answer = client.http.post("/v2/some/other/blobs/uploads/", params={"mount": digest, "from": client.repository})
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v2/some/other/blobs/{digest}"
    assert client.http.get(answer.headers["Location"]).content == CONTENT


def test_mounting_without_from(client: Client) -> None:
    digest = client.blob(CONTENT, "sha512")
    answer = client.http.post("/v2/some/other/blobs/uploads/", params={"mount": digest})
    assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (201, digest)


def test_mounting_what_is_not_there_begins_an_upload(client: Client) -> None:
    parameters = {"mount": digest_of(CONTENT), "from": "some/other"}
    answer = client.http.post(client.path("blobs/uploads/"), params=parameters)
    assert answer.status_code == 202
    done = client.http.put(answer.headers["Location"], params={"digest": digest_of(CONTENT)}, content=CONTENT)
    assert_created(client, done, CONTENT)


def test_mounting_an_invalid_digest(client: Client) -> None:
    answer = client.http.post(client.path("blobs/uploads/"), params={"mount": "sha256:no", "from": "a"})
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


def test_pushing_twice(client: Client) -> None:
    assert client.blob(CONTENT) == client.blob(CONTENT)
    assert client.http.get(client.path(f"blobs/{digest_of(CONTENT)}")).content == CONTENT


def raw(server: Server, *pieces: bytes) -> bytes:
    """Send bytes, stop sending, and read all that comes back."""
    with socket.create_connection(urlsplit(server.url).netloc.split(":"), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize("how", ["known length", "chunks"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_upload_that_breaks_off_leaves_no_blob_and_goes_on(
    client: Client, server: Server, store: Store, how: str, method: str
) -> None:
    url, digest = client.begin(), digest_of(CONTENT)
    target = f"{url}?digest={digest}" if method == "PUT" else url
    if how == "chunks":
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw(server, head.encode(), b"fa0\r\n" + CONTENT[:4000] + b"\r\nfa0\r\n" + CONTENT[4000:4100])
    else:
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
        raw(server, head.encode(), CONTENT[:4100])
    assert not store.exists(Descriptor("", digest, len(CONTENT)))
    wait_until(lambda: client.http.get(url).headers["Range"] in ("0-0", "0-4099"))
    kept = client.http.get(url)
    assert kept.status_code == 204
    start = int(kept.headers["Range"].partition("-")[2]) + 1
    if start == 1:
        start = 0
    else:
        assert start == 4100
    assert method == "PUT" or start == 4100, "a part that broke off keeps what had arrived"
    answer = client.http.put(url, params={"digest": digest}, content=CONTENT[start:])
    assert_created(client, answer, CONTENT)


@pytest.mark.parametrize(
    "body", [b"zz\r\nabc", b"-5\r\nabc\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"\r\n", b"ffffffffffffffffffff\r\nabc"]
)
def test_garbled_chunks_are_no_blob(client: Client, server: Server, body: bytes) -> None:
    url = client.begin()
    head = f"PATCH {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert raw(server, head + body).startswith(b"HTTP/1.1 400 ")
    assert client.http.get("/v2/").status_code == 200


def test_chunks_with_extensions_and_a_trailer(client: Client, server: Server) -> None:
    url = client.begin()
    head = f"PATCH {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    answer = raw(
        server,
        head + b'3;name="value"\r\nabc\r\n2\r\nde\r\n0\r\nX-After: 1\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n',
    )
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert answer.count(b"HTTP/1.1 200 ") == 1, "the next request on the connection is read from where it begins"
    assert_created(client, client.http.put(url, params={"digest": digest_of(b"abcde")}), b"abcde")


def test_expect_100_continue(client: Client, server: Server) -> None:
    head = f"PUT {client.begin()}?digest={digest_of(b'abc')} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    answer = raw(server, head.encode() + b"Expect: 100-continue\r\n\r\n", b"abc")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert b"HTTP/1.1 201 " in answer


def test_uploads_that_nobody_touches_are_given_up() -> None:
    with Server(MemoryStore(), writable=True, limits={"upload-time": -1}) as server, open_http(server) as http:
        client = Client(http)
        url = client.begin()
        client.begin()
        assert http.get(url).status_code == 404
