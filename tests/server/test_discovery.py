# SPDX-License-Identifier: Apache-2.0
"""distribution-spec, "Content Discovery": tags, referrers and, beyond it, repositories."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.server.client import EMPTY, OCI_INDEX, OCI_MANIFEST, Client, code, describe, digest_of, document

TAGS = sorted(["v10", "v1", "V2", "a", "_", "1"])


@pytest.fixture
def tagged(client: Client) -> Client:
    manifest = client.image(TAGS[0])
    for tag in reversed(TAGS[1:]):
        client.put(manifest, tag)
    client.image()
    return client


def test_all_tags_in_order(tagged: Client) -> None:
    answer = tagged.http.get(tagged.path("tags/list"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"name": tagged.repository, "tags": TAGS}
    assert "Link" not in answer.headers


@pytest.mark.parametrize("n", [1, 2, 4, 6, 100])
def test_following_the_links_gives_every_tag_once(tagged: Client, n: int) -> None:
    url, found, pages = tagged.path(f"tags/list?n={n}"), [], 0
    while url:
        answer = tagged.http.get(url)
        page = answer.json()["tags"]
        assert 0 < len(page) <= n
        found += page
        pages += 1
        assert pages <= len(TAGS)
        url = answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == TAGS
    assert pages == -(-len(TAGS) // n)


def test_no_tags_when_none_are_asked_for(tagged: Client) -> None:
    answer = tagged.http.get(tagged.path("tags/list?n=0"))
    assert (answer.status_code, answer.json()["tags"]) == (200, [])
    assert "Link" not in answer.headers


@pytest.mark.parametrize(("last", "expected"), [(TAGS[2], TAGS[3:]), ("Z", [t for t in TAGS if t > "Z"]), ("zz", [])])
def test_what_follows_a_tag_that_is_there_or_not(tagged: Client, last: str, expected: list[str]) -> None:
    assert tagged.http.get(tagged.path("tags/list"), params={"last": last}).json()["tags"] == expected
    both = tagged.http.get(tagged.path("tags/list"), params={"last": last, "n": "2"})
    assert both.json()["tags"] == expected[:2]
    assert ("Link" in both.headers) == (len(expected) > 2)


@pytest.mark.parametrize("n", ["-1", "many", "1.5", ""])
def test_a_page_of_no_size(tagged: Client, n: str) -> None:
    assert tagged.http.get(tagged.path("tags/list"), params={"n": n}).status_code == 400


def test_tags_of_an_unknown_repository(client: Client) -> None:
    answer = client.http.get("/v2/never/pushed/tags/list")
    assert (answer.status_code, code(answer)) == (404, "NAME_UNKNOWN")


def test_a_repository_without_tags(client: Client) -> None:
    client.image()
    assert client.http.get(client.path("tags/list")).json()["tags"] == []


def referrers(client: Client, digest: str, **query: str) -> list[dict[str, object]]:
    answer = client.http.get(client.path(f"referrers/{digest}"), params=query)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == OCI_INDEX
    assert ("OCI-Filters-Applied" in answer.headers) == ("artifactType" in query)
    body = answer.json()
    assert (body["schemaVersion"], body["mediaType"]) == (2, OCI_INDEX)
    return body["manifests"]


def test_referrers_as_descriptors(client: Client) -> None:
    subject = client.image("v1")
    sbom = client.artifact(subject, "application/vnd.example.sbom", annotations={"org.example.by": "a tool"})
    client.artifact(client.image(text="another"), "application/vnd.example.sbom")
    client.artifact(None)
    assert referrers(client, digest_of(subject)) == [
        describe(
            sbom, OCI_MANIFEST, artifactType="application/vnd.example.sbom", annotations={"org.example.by": "a tool"}
        )
    ]


def test_referrers_of_each_kind(client: Client) -> None:
    """An artifact type of its own, that of the config, and an index with a subject."""
    subject = client.image("v1")
    client.blob(b"{}")
    own = client.artifact(subject, "a/own", layers=[])
    plain = document(
        mediaType=OCI_MANIFEST,
        config=describe(b"{}", "application/vnd.example.config+json"),
        layers=[],
        subject=describe(subject, OCI_MANIFEST),
    )
    assert client.put(plain, "tagged").status_code == 201
    index = client.index([own], None, subject=describe(subject, OCI_MANIFEST), artifactType="an/index")
    bare = client.index([], None, subject=describe(subject, OCI_MANIFEST))
    found = {entry["digest"]: entry for entry in referrers(client, digest_of(subject))}
    assert {digest: entry.get("artifactType") for digest, entry in found.items()} == {
        digest_of(own): "a/own",
        digest_of(plain): "application/vnd.example.config+json",
        digest_of(index): "an/index",
        digest_of(bare): None,
    }
    assert found[digest_of(index)]["mediaType"] == OCI_INDEX


def test_filtering_by_artifact_type(client: Client) -> None:
    subject = client.image("v1")
    wanted = client.artifact(subject, "a/wanted+json")
    client.artifact(subject, "an/other")
    digest = digest_of(subject)
    assert [entry["digest"] for entry in referrers(client, digest, artifactType="a/wanted+json")] == [digest_of(wanted)]
    assert referrers(client, digest, artifactType="a/third") == []
    answer = client.http.get(client.path(f"referrers/{digest}"), params={"artifactType": "a/third"})
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha512:" + "0" * 128])
@pytest.mark.parametrize("repository", ["some/app", "never/pushed"])
def test_no_referrers(client: Client, digest: str, repository: str) -> None:
    client.image("v1")
    assert referrers(Client(client.http, repository), digest) == []


def test_referrers_of_an_invalid_digest(client: Client) -> None:
    answer = client.http.get(client.path("referrers/sha256:no"))
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert client.http.get(client.path("referrers/latest")).status_code == 400


def test_the_referrer_may_come_first(client: Client) -> None:
    config = json.dumps({"os": "linux", "for": "later"}).encode()
    later = document(mediaType=OCI_MANIFEST, config=describe(config, "application/vnd.example"), layers=[])
    early = client.artifact(later)
    assert [entry["digest"] for entry in referrers(client, digest_of(later))] == [digest_of(early)]
    client.blob(config)
    assert client.put(later).status_code == 201
    assert len(referrers(client, digest_of(later))) == 1


def test_a_subject_by_sha512(client: Client) -> None:
    client.blob(b"{}")
    subject = document(mediaType=OCI_MANIFEST, config=describe(b"{}", EMPTY), layers=[])
    digest = digest_of(subject, "sha512")
    client.put(subject, digest)
    described = describe(subject, OCI_MANIFEST, "sha512")
    answer = client.put(document(mediaType=OCI_INDEX, manifests=[], subject=described), None, OCI_INDEX)
    assert answer.headers["OCI-Subject"] == digest
    assert len(referrers(client, digest)) == 1
    assert referrers(client, digest_of(subject)) == []


def test_referrers_belong_to_their_repository(client: Client) -> None:
    subject = client.image("v1")
    Client(client.http, "some/other").artifact(subject)
    assert referrers(client, digest_of(subject)) == []


def test_a_deleted_referrer_is_no_longer_listed(client: Client) -> None:
    subject = client.image("v1")
    artifact = client.artifact(subject)
    assert client.http.delete(client.path(f"manifests/{digest_of(artifact)}")).status_code == 202
    assert referrers(client, digest_of(subject)) == []


def test_the_catalog(http: httpx.Client) -> None:
    assert http.get("/v2/_catalog").json() == {"repositories": []}
    for repository in ("b/x", "a", "c/tags/list"):
        Client(http, repository).image("v1")
    assert http.get("/v2/_catalog").json() == {"repositories": ["a", "b/x", "c/tags/list"]}
    answer = http.get("/v2/_catalog?n=2")
    assert answer.json() == {"repositories": ["a", "b/x"]}
    assert http.get(answer.links["next"]["url"]).json() == {"repositories": ["c/tags/list"]}
    assert http.get("/v2/_catalog?last=b/x").json() == {"repositories": ["c/tags/list"]}
