# SPDX-License-Identifier: Apache-2.0
"""Names, tags, referrers: what a repository knows beside bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap import limits
from airgap.errors import (
    AirgapError,
    ContentMissing,
    DigestMismatch,
    InvalidReference,
    NotFound,
    RegistryError,
    Rejected,
)
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.registry import Repository
from airgap.server import Server
from airgap.store import MemoryStore
from airgap.store.readers import bytes_opener
from tests.doubles.registry import Answer, Double, Request, Shelf
from tests.doubles.registry.shelf import error
from tests.parts.dockerregistry import docker_registry
from tests.parts.faulty_line import CLOSE, Break
from tests.parts.images import Images
from tests.registry.tools import Network, together


@pytest.fixture
def store(network: Network, peer: Double) -> Repository:
    return network.repository(peer.address)


# Resolving


def test_one_head(store: Repository, peer: Double, shelf: Shelf) -> None:
    found = store.resolve("v1")
    media_type, content = shelf.manifests["team/app", "v1"]
    assert (found.media_type, found.digest, found.size) == (media_type, digests.of(content), len(content))
    assert [r.method for r in peer.requests] == ["HEAD"]
    assert manifests.OCI_INDEX in peer.requests[0].headers["Accept"]
    assert ";" not in peer.requests[0].headers["Accept"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "500"},
        {"Docker-Content-Digest": "sha256:short"},
        {"Docker-Content-Digest": digests.of(b"x"), "Content-Length": "²"},
        {"Docker-Content-Digest": "md5:d41d8cd98f00b204e9800998ecf8427e"},
    ],
)
def test_a_head_that_says_too_little(store: Repository, peer: Double, shelf: Shelf, headers: dict[str, str]) -> None:
    peer.always("HEAD", "", Answer(200, headers=headers))
    assert store.resolve("v1").digest == digests.of(shelf.manifests["team/app", "v1"][1])
    assert [r.method for r in peer.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("status", [405, 501])
def test_no_head_at_all(store: Repository, peer: Double, shelf: Shelf, status: int) -> None:
    peer.always("HEAD", "", Answer(status))
    assert store.resolve("v1").digest == digests.of(shelf.manifests["team/app", "v1"][1])


def test_another_manifest_than_asked_for(store: Repository, peer: Double, shelf: Shelf) -> None:
    asked = digests.of(shelf.manifests["team/app", "v1"][1])
    other = Images(99).image()
    answer = Answer(200, Images(99).content.get(other.digest, b"{}"), {"Docker-Content-Digest": other.digest})
    peer.always("HEAD", "", answer)
    peer.always("GET", "", answer)
    with pytest.raises(DigestMismatch):
        store.resolve(asked)
    with pytest.raises(DigestMismatch):
        store.manifest(asked)


def test_a_manifest_that_is_not_what_its_header_says(store: Repository, peer: Double, shelf: Shelf) -> None:
    media_type, content = shelf.manifests["team/app", "v1"]
    headers = {"Docker-Content-Digest": digests.of(b"other"), "Content-Type": media_type}
    peer.always("GET", "", Answer(200, content, headers))
    with pytest.raises(DigestMismatch):
        store.manifest("v1")


def test_a_manifest_cut_short_is_asked_for_again(store: Repository, peer: Double, shelf: Shelf) -> None:
    media_type, content = shelf.manifests["team/app", "v1"]
    peer.on("GET", "", Answer(200, content, {"Content-Type": media_type}, broken=Break(CLOSE, 100)))
    assert store.manifest("v1").content == content
    assert peer.count("GET") == 2


def test_not_found(store: Repository, peer: Double) -> None:
    for ask in (store.resolve, store.manifest):
        with pytest.raises(NotFound) as caught:
            ask("v2")
        assert caught.value.exit_code == 22
        assert f"{peer.address}/team/app:v2" in str(caught.value)
        with pytest.raises(NotFound, match="no manifest with this digest"):
            ask(digests.of(b"x"))


def test_names_are_quoted(store: Repository, peer: Double) -> None:
    with pytest.raises(NotFound):
        store.resolve("../../other/manifests/v1?x#y")
    assert peer.requests[0].target == "/v2/team/app/manifests/..%2F..%2Fother%2Fmanifests%2Fv1%3Fx%23y"


def test_digests_are_checked_before_they_are_asked_for(store: Repository, peer: Double) -> None:
    evil = Descriptor("application/octet-stream", "sha256:../../etc", 5)
    with pytest.raises(InvalidReference):
        store.exists(evil)
    with pytest.raises(InvalidReference):
        store.open(evil)
    with pytest.raises(InvalidReference):
        store.tag(Images(1).image(), "no/tag")
    assert [r.target for r in peer.requests if "etc" in r.target] == []


def test_manifests_have_a_size_limit(store: Repository, peer: Double, shelf: Shelf) -> None:
    largest = limits.value("manifest-bytes")
    content = shelf.manifests["team/app", "v1"][1]
    peer.always("GET", "", Answer(200, content.ljust(largest), {"Content-Type": manifests.OCI_MANIFEST}))
    assert store.manifest("v1").descriptor.size == largest
    peer.always("GET", "", Answer(200, content.ljust(largest + 1), {"Content-Type": manifests.OCI_MANIFEST}))
    with pytest.raises(RegistryError, match="more than 4,194,304 bytes") as caught:
        store.manifest("v1")
    assert "AIRGAP_LIMITS=manifest-bytes=NUMBER" in str(caught.value.hint)


def test_schema_1_is_explained(store: Repository, peer: Double) -> None:
    content = json.dumps({"schemaVersion": 1, "name": "x"}).encode()
    peer.always("GET", "", Answer(200, content, {"Content-Type": manifests.DOCKER_SCHEMA1[1]}))
    with pytest.raises(NotFound, match="schema 1"):
        store.manifest("v1")


# Pushing manifests


def test_a_tagged_manifest_is_one_put(store: Repository, peer: Double, shelf: Shelf, images: Images) -> None:
    root = images.image()
    shelf.put("team/app", images, old=root)
    del shelf.manifests["team/app", "old"], shelf.manifests["team/app", root.digest]
    store.push_manifest(root, images.content[root.digest], "new")
    assert shelf.manifests["team/app", "new"] == (root.media_type, images.content[root.digest])
    assert [(r.method, r.path) for r in peer.requests] == [("PUT", "/v2/team/app/manifests/new")]


def test_manifests_are_verified_before_they_are_sent(store: Repository, peer: Double, images: Images) -> None:
    root = images.image()
    with pytest.raises(DigestMismatch):
        store.push(root, bytes_opener(b"{" + images.content[root.digest][1:-1] + b" "))
    assert peer.requests == []


def test_a_registry_that_stores_another_digest(store: Repository, peer: Double, images: Images) -> None:
    root = images.image()
    peer.always("PUT", "", Answer(201, headers={"Docker-Content-Digest": digests.of(b"rewritten")}))
    with pytest.raises(DigestMismatch, match="stored"):
        store.push_manifest(root, images.content[root.digest], "v9")


def test_the_code_of_a_refusal(store: Repository, images: Images) -> None:
    root = images.image()
    with pytest.raises(RegistryError) as caught:
        store.push(root, bytes_opener(images.content[root.digest]))
    assert caught.value.code == "MANIFEST_BLOB_UNKNOWN"


def test_opening_and_tagging_what_is_not_there(store: Repository, images: Images) -> None:
    with pytest.raises(ContentMissing):
        store.open(images.image())
    with pytest.raises(ContentMissing):
        store.tag(images.image(), "v3")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"errors":[]}', b'{"errors":[5]}', b'{"errors":{}}', b"[" * 100_000]
)
def test_refusals_without_an_error_document(store: Repository, peer: Double, body: bytes) -> None:
    peer.always("", "", Answer(400, body))
    with pytest.raises(Rejected, match="400"):
        store.tags()


def test_what_a_registry_says_is_made_printable(store: Repository, peer: Double) -> None:
    peer.always("", "", error(400, "NAME_INVALID", "a\x1b[31mred\r\nline" + "x" * 5000))
    with pytest.raises(Rejected) as caught:
        store.tags()
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


# Tags


@pytest.mark.parametrize(
    "link",
    [
        '</v2/team/app/tags/list?n=2&last={last}>; rel="next"',
        "</v2/team/app/tags/list?last={last}>;rel=next",
        '<http://internal.test:8081/odd/path/tags/list?last={last}>; rel="next"',
        '<?last={last}>; rel="next"',
        '</x?last=zzz>; rel="prev", <list?n=1&last={last}>; title="a, b"; REL="Next"',
        '<../../../elsewhere?last={last}>; rel="next"',
    ],
)
def test_pages(store: Repository, peer: Double, link: str) -> None:
    """Only the query is believed: servers behind proxies give paths and hosts of their own."""
    pages = [["a", "b"], ["c", "d"], ["e"]]

    def answer(request: Request) -> Answer:
        last = (request.query.get("last") or [""])[0]
        number = next((n + 1 for n, page in enumerate(pages) if page[-1] == last), 0)
        headers = {"Link": link.format(last=pages[number][-1])} if number < 2 else {}
        return Answer(200, json.dumps({"name": "team/app", "tags": pages[number]}).encode(), headers)

    peer.always("GET", "/tags/list", answer)
    assert store.tags() == ["a", "b", "c", "d", "e"]
    assert {r.path for r in peer.requests} == {"/v2/team/app/tags/list"}


@pytest.mark.parametrize("link", ["<" * 40_000, '<a>;"' * 8_000, "</v2/team/app/tags/list?last=" + "b" * 40_000 + ">"])
def test_a_link_is_not_longer_than_an_address(store: Repository, peer: Double, link: str) -> None:
    peer.always("GET", "", Answer(200, b'{"tags":["a","b"]}', {"Link": link + '; rel="next"'}))
    with pytest.raises(RegistryError, match=r"Link header of a list has 40,\d\d\d characters; at most 16,384"):
        store.tags()
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "link",
    [
        '</v2/team/app/tags/list?last=b>; rel="next", <unfinished',
        'x, <>, </v2/team/app/tags/list?last=b>; rel="next"; a="<>"',
    ],
)
def test_links_beside_damaged_ones_are_read(store: Repository, peer: Double, link: str) -> None:
    def answer(request: Request) -> Answer:
        more = "last" in request.query
        return Answer(200, b'{"tags":["c"]}' if more else b'{"tags":["a","b"]}', {} if more else {"Link": link})

    peer.always("GET", "", answer)
    assert store.tags() == ["a", "b", "c"]


@pytest.mark.parametrize(
    "link",
    [
        '</v2/team/app/tags/list?last=b>; rel="next"',
        '</v2/team/app/tags/list>; rel="next"',
        "nonsense",
        '<http://[x>; rel="next"',
    ],
)
def test_pages_without_end(store: Repository, peer: Double, link: str) -> None:
    peer.always("GET", "", Answer(200, b'{"tags":["a","b"]}', {"Link": link}))
    if "[x" in link:
        with pytest.raises(AirgapError, match=r"\[x"):
            store.tags()
    elif link == "nonsense" or "last" not in link:
        assert store.tags() == ["a", "b"]
    else:
        with pytest.raises(RegistryError, match="the list of tags leads back to itself"):
            store.tags()
    assert len(peer.requests) <= 2


def test_no_tags(store: Repository, peer: Double) -> None:
    peer.on("GET", "", Answer(200, b'{"name":"x","tags":null}'), Answer(200, b'{"name":"x","tags":[]}'))
    assert store.tags() == store.tags() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"tags":5}', b'{"tags":"abc"}', b'{"tags":{"a":1}}'])
def test_lists_of_tags_that_are_none(store: Repository, peer: Double, body: bytes) -> None:
    peer.always("GET", "", Answer(200, body))
    with pytest.raises(RegistryError, match="unreadable"):
        store.tags()


# Referrers


def signed(images: Images, subject: Descriptor, count: int = 2) -> list[Descriptor]:
    kinds = ["application/vnd.example.sbom", "application/vnd.example.signature"]
    return [images.artifact(kinds[n % 2], subject=subject, annotations={"n": str(n)}) for n in range(count)]


@pytest.mark.parametrize("peer_kind", ["server", "shelf", "shelf without", "docker-registry"])
def test_referrers_everywhere(
    network: Network, peer: Double, shelf: Shelf, tmp_path: Path, services: object, peer_kind: str
) -> None:
    """By the API, or by the tag scheme that pushing keeps up where a registry lacks it: the same answer."""
    import contextlib

    images = Images(11)
    subject = images.image()
    referring = signed(images, subject, 4)
    with contextlib.ExitStack() as stack:
        if peer_kind == "server":
            address = stack.enter_context(Server(MemoryStore(), writable=True)).address
        elif peer_kind == "docker-registry":
            address = stack.enter_context(docker_registry(tmp_path / "r")).address
        else:
            shelf.subjects = peer_kind == "shelf"
            address = peer.address
        store = network.repository(address, "signed/app")
        assert store.referrers(subject.digest) == []
        images.push_to(store, {"v1": subject})
        empty = next(d for d in images.needed(referring[0]) if d.media_type == manifests.OCI_EMPTY)
        store.push(empty, bytes_opener(images.content[empty.digest]))

        def push(number: int) -> None:
            for needed in images.needed(referring[number]):
                store.push(needed, bytes_opener(images.content[needed.digest]))

        assert together(4, push) == [None] * 4
        push(0)  # twice is once
        found = store.referrers(subject.digest)
        assert sorted(d.digest for d in found) == sorted(d.digest for d in referring)
        assert {d.artifact_type for d in found} == {"application/vnd.example.sbom", "application/vnd.example.signature"}
        only = store.referrers(subject.digest, "application/vnd.example.sbom")
        assert sorted(d.digest for d in only) == sorted(referring[n].digest for n in (0, 2))
        fallback = subject.digest.replace(":", "-")
        assert (fallback in store.tags()) == (peer_kind in ("shelf without", "docker-registry"))


def test_a_registry_without_the_api_is_asked_once(store: Repository, peer: Double) -> None:
    for _ in range(3):
        assert store.referrers(digests.of(b"x")) == []
    assert peer.count("GET", "/referrers/") == 1


def test_pages_of_referrers(store: Repository, peer: Double, images: Images) -> None:
    subject = images.image()
    found = signed(images, subject, 2)

    def page(*entries: Descriptor) -> bytes:
        document = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": [d.to_json() for d in entries]}
        return json.dumps(document).encode()

    more = {"Content-Type": manifests.OCI_INDEX, "Link": '<?next=2>; rel="next"'}
    peer.on("GET", "next=2", Answer(200, page(found[1]), {"Content-Type": manifests.OCI_INDEX}))
    peer.on("GET", "/referrers/", Answer(200, page(found[0]), more))
    # Rules made later are asked first, so the first page is taken first.
    assert [d.digest for d in store.referrers(subject.digest)] == [d.digest for d in found]


def test_a_fallback_that_is_refused(store: Repository, peer: Double, shelf: Shelf) -> None:
    images = Images(12)
    subject = images.image()
    (one,) = signed(images, subject, 1)
    shelf.put("team/app", images, v2=subject, one=one)
    peer.always("PUT", "/manifests/sha256-", error(400, "TAG_INVALID"))
    with pytest.raises(Rejected) as caught:
        store.push(one, bytes_opener(images.content[one.digest]))
    assert "--no-referrers" in (caught.value.hint or "")


def test_a_tag_that_is_no_list_of_referrers_is_left_alone(store: Repository, shelf: Shelf) -> None:
    images = Images(13)
    subject, other = images.image(), images.image()
    (one,) = signed(images, subject, 1)
    name = subject.digest.replace(":", "-", 1)
    shelf.subjects = False
    shelf.put("team/app", images, v2=subject, one=one, **{name: other})
    with pytest.raises(Rejected, match="something else than a list of referrers"):
        store.push(one, bytes_opener(images.content[one.digest]))
    assert store.resolve(name).digest == other.digest


def test_a_list_of_referrers_keeps_what_is_not_understood(store: Repository, shelf: Shelf) -> None:
    images = Images(14)
    subject = images.image()
    (one, two) = signed(images, subject, 2)
    entry = {**one.to_json(), "data": "e30=", "urls": ["https://example.com/x"], "future": [1]}
    index = images.blob(
        json.dumps(
            {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": [entry], "annotations": {"k": "v"}}
        ).encode(),
        manifests.OCI_INDEX,
    )
    name = subject.digest.replace(":", "-", 1)
    shelf.subjects = False
    shelf.put("team/app", images, v2=subject, one=one, two=two, **{name: index})
    store.push(two, bytes_opener(images.content[two.digest]))
    kept = json.loads(store.manifest(name).content)
    assert kept["manifests"][0] == entry
    assert kept["annotations"] == {"k": "v"}
    assert [e["digest"] for e in kept["manifests"]] == [one.digest, two.digest]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 400])
def test_a_mount_that_is_refused_is_no_error(store: Repository, peer: Double, status: int) -> None:
    images = Images(15)
    blob = images.blob(b"layer", "application/octet-stream")
    peer.always("POST", "mount=", error(status, "DENIED"))
    assert store.mount(blob, "team/other") is False
