# SPDX-License-Identifier: Apache-2.0
"""distribution-spec, "Pull": manifests and blobs, by GET and HEAD, whole and in part."""

from __future__ import annotations

import httpx
import pytest

from tests.server.client import OCI_INDEX, OCI_MANIFEST, Client, code, digest_of

ABSENT = "sha256:" + "0" * 64
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_the_base_says_that_this_is_a_registry(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 200
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_by_tag_and_by_digest(client: Client, method: str, by: str) -> None:
    manifest = client.image("v1")
    answer = client.http.request(method, client.path(f"manifests/{'v1' if by == 'tag' else digest_of(manifest)}"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == OCI_MANIFEST
    assert answer.headers["Docker-Content-Digest"] == digest_of(manifest)
    assert answer.headers["Content-Length"] == str(len(manifest))
    assert answer.content == (manifest if method == "GET" else b"")


@pytest.mark.parametrize("accept", [OCI_INDEX, "application/json", "*/*", ""])
def test_a_manifest_is_given_as_it_is_whatever_is_accepted(client: Client, accept: str) -> None:
    manifest = client.image("v1")
    answer = client.http.get(client.path("manifests/v1"), headers={"Accept": accept})
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, manifest, OCI_MANIFEST)


@pytest.mark.parametrize("reference", ["v2", ABSENT, "sha512:" + "0" * 128, ".NOT_A_TAG", "x" * 129, "%2e%2e"])
def test_an_absent_manifest(client: Client, reference: str) -> None:
    client.image("v1")
    assert client.http.head(client.path(f"manifests/{reference}")).status_code == 404
    answer = client.http.get(client.path(f"manifests/{reference}"))
    assert (answer.status_code, code(answer)) == (404, "MANIFEST_UNKNOWN")


def test_a_manifest_belongs_to_its_repository(client: Client) -> None:
    manifest = client.image("v1")
    for reference in ("v1", digest_of(manifest)):
        assert client.http.get(f"/v2/some/other/manifests/{reference}").status_code == 404


@pytest.mark.parametrize(
    "digest",
    ["sha256:abc", "sha256:" + "0" * 63 + "g", "sha256:" + "A" * 64, "md5:" + "0" * 32, "sha256:", "nonsense:"],
)
@pytest.mark.parametrize("place", ["manifests", "blobs"])
def test_an_invalid_digest(client: Client, place: str, digest: str) -> None:
    answer = client.http.get(client.path(f"{place}/{digest}"))
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert client.http.head(client.path(f"{place}/{digest}")).status_code == 400


def test_a_blob_without_a_digest(client: Client) -> None:
    answer = client.http.get(client.path("blobs/latest"))
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("content", [ALPHABET, b"", b"\0" * 3_000_001], ids=["small", "empty", "large"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_blob(client: Client, content: bytes, algorithm: str) -> None:
    digest = client.blob(content, algorithm)
    for method in ("GET", "HEAD"):
        answer = client.http.request(method, client.path(f"blobs/{digest}"))
        assert answer.status_code == 200
        assert answer.headers["Content-Length"] == str(len(content))
        assert answer.headers["Docker-Content-Digest"] == digest
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.content == (content if method == "GET" else b"")


def test_an_absent_blob(client: Client) -> None:
    assert client.http.head(client.path(f"blobs/{ABSENT}")).status_code == 404
    answer = client.http.get(client.path(f"blobs/{ABSENT}"))
    assert (answer.status_code, code(answer)) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-0", 0, 1), ("0-4", 0, 5), ("5-9", 5, 10), ("20-", 20, 26), ("-3", 23, 26), ("-99", 0, 26), ("25-999", 25, 26)],
)
def test_a_range_of_a_blob(client: Client, asked: str, start: int, stop: int) -> None:
    digest = client.blob(ALPHABET)
    answer = client.http.get(client.path(f"blobs/{digest}"), headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == ALPHABET[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/26"
    assert answer.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["26-", "26-30", "-0", "99999999999999999999999-"])
def test_a_range_outside_of_a_blob(client: Client, asked: str) -> None:
    digest = client.blob(ALPHABET)
    answer = client.http.get(client.path(f"blobs/{digest}"), headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */26")


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=-", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes 0-1"])
def test_a_range_that_is_none_gives_the_whole(client: Client, asked: str) -> None:
    digest = client.blob(ALPHABET)
    answer = client.http.get(client.path(f"blobs/{digest}"), headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, ALPHABET)


def test_a_range_of_something_else_gives_the_whole(client: Client) -> None:
    digest = client.blob(ALPHABET)
    path = client.path(f"blobs/{digest}")
    other = client.http.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    same = client.http.get(path, headers={"Range": "bytes=0-1", "If-Range": client.http.head(path).headers["ETag"]})
    assert (other.status_code, same.status_code) == (200, 206)


def test_a_broken_download_goes_on(client: Client) -> None:
    content = bytes(range(256)) * 20_000
    path = client.path(f"blobs/{client.blob(content)}")
    with client.http.stream("GET", path) as answer:
        begun = next(answer.iter_raw(70_000))
    rest = client.http.get(path, headers={"Range": f"bytes={len(begun)}-"})
    assert begun + rest.content == content


def test_a_docker_manifest_list_keeps_its_type(client: Client) -> None:
    docker_list = "application/vnd.docker.distribution.manifest.list.v2+json"
    content = b'{"schemaVersion": 2, "mediaType": "%s", "manifests": []}' % docker_list.encode()
    assert client.put(content, "v1", docker_list).status_code == 201
    answer = client.http.get(client.path("manifests/v1"))
    assert (answer.headers["Content-Type"], answer.content) == (docker_list, content)
