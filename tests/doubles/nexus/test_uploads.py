# SPDX-License-Identifier: Apache-2.0
"""Statements 13 to 22 and 39: uploads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doubles.nexus import Nexus, Repository, Settings, nexus
from tests.doubles.nexus.asking import BLOB, DIGEST, OCTETS, Said, ask, session_url, upload
from tests.doubles.nexus.content import digest_of

ONCE = (Repository("docker-hosted", connector="http", write_policy="ALLOW_ONCE"),)


@pytest.fixture
def double() -> Iterator[Nexus]:
    with nexus() as server:
        yield server


def begin(url: str, image: str = "a", query: str = "") -> Said:
    return ask("POST", f"{url}/v2/{image}/blobs/uploads/{query}", b"")


def test_13_post_is_202_and_empty(double: Nexus) -> None:
    said = begin(double.connector().url)
    assert (said.status, said.body) == (202, b"")
    assert said.headers["Location"]


@pytest.mark.parametrize("kind", ["connector", "repository"])
def test_14_location_is_a_path_without_the_repositorys_prefix(double: Nexus, kind: str) -> None:
    said = begin(double.root("repository" if kind == "repository" else "connector"), "team/app")
    assert said.headers["Location"] == f"/v2/team/app/blobs/uploads/{said.headers['Docker-Upload-UUID']}"


def test_14_followed_as_it_is_it_leads_nowhere_on_the_repositorys_path(double: Nexus) -> None:
    place = begin(double.root("repository")).headers["Location"]
    assert ask("PUT", f"{double.url}{place}?digest={DIGEST}", BLOB).status == 404
    assert ask("PUT", f"{double.root('repository')}{place}?digest={DIGEST}", BLOB).status == 201


def test_14_the_path_route_keeps_its_repository() -> None:
    with nexus(Settings(repositories=(Repository("by-path", path_enabled=True),))) as double:
        place = begin(double.url, "by-path/a").headers["Location"]
        assert place.startswith("/v2/by-path/a/blobs/uploads/")
        assert ask("PUT", f"{double.url}{place}?digest={DIGEST}", BLOB).status == 201


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("prefixed", "/repository/docker-hosted/v2/a/blobs/uploads/{name}"),
        ("absolute", "{url}/repository/docker-hosted/v2/a/blobs/uploads/{name}"),
        ("internal", "http://nexus-internal.invalid:8081/repository/docker-hosted/v2/a/blobs/uploads/{name}"),
        ("relative", "{name}"),
    ],
)
def test_14_other_forms(form: str, expected: str) -> None:
    with nexus(Settings(location=form)) as double:  # type: ignore[arg-type]  # of the parametrisation
        said = begin(double.root("repository"))
        expected = expected.format(url=double.url, name=said.headers["Docker-Upload-UUID"])
        assert said.headers["Location"] == expected
        if form != "internal":
            assert ask("PUT", f"{session_url(double.root('repository'), said)}?digest={DIGEST}", BLOB).status == 201


def test_14_an_http_location_behind_https() -> None:
    with nexus(Settings(location="http")) as double:
        url = f"{double.connector().url}/v2/a/blobs/uploads/"
        said = ask("POST", url, b"", X_Forwarded_Proto="https", host="nexus.corp")
        assert said.headers["Location"].startswith("http://nexus.corp/v2/a/blobs/uploads/")


def test_15_uuid_and_range_are_given_and_may_be_missing(double: Nexus) -> None:
    said = begin(double.connector().url)
    assert said.headers["Range"] == "0-0"
    assert said.headers["Docker-Upload-UUID"] in said.headers["Location"]
    with nexus(Settings(upload_uuid=False, upload_range=False)) as bare:
        said = begin(bare.connector().url)
        assert not {"Range", "Docker-Upload-UUID"} & set(said.headers)
        assert upload(bare.connector().url, "a").status == 201


def test_16_a_mount_is_a_session(double: Nexus) -> None:
    url = double.connector().url
    upload(url, "a")
    said = begin(url, "b", f"?mount={DIGEST}&from=a")
    assert said.status == 202
    assert ask("PUT", f"{session_url(url, said)}?digest={DIGEST}", BLOB).status == 201


def test_16_or_201_where_it_is_switched_on() -> None:
    with nexus(Settings(mount=True)) as double:
        url = double.connector().url
        upload(url, "a")
        said = begin(url, "b", f"?mount={DIGEST}&from=a")
        assert (said.status, said.headers["Location"]) == (201, f"/v2/b/blobs/{DIGEST}")
        assert begin(url, "b", f"?mount={DIGEST}&from=none").status == 202


def test_17_post_with_the_body(double: Nexus) -> None:
    url = double.connector().url
    said = ask("POST", f"{url}/v2/a/blobs/uploads/?digest={DIGEST}", BLOB, Content_Type=OCTETS)
    assert said.status == 201
    assert double.repository().blobs[DIGEST].content == BLOB
    assert not double.repository().uploads


def test_18_post_and_one_put(double: Nexus) -> None:
    said = upload(double.connector().url, "a")
    assert (said.status, said.headers["Docker-Content-Digest"]) == (201, DIGEST)
    assert double.repository().blobs[DIGEST].content == BLOB


@pytest.mark.parametrize(("status", "moves"), [(202, False), (201, True)])
def test_19_a_patch_without_range_and_an_empty_put(status: int, moves: bool) -> None:
    with nexus(Settings(patch_status=status, patch_new_location=moves)) as double:  # type: ignore[arg-type]  # 201, 202
        url = double.connector().url
        place = session_url(url, begin(url))
        said = ask("PATCH", place, BLOB, Content_Type=OCTETS)
        assert (said.status, said.headers["Range"]) == (status, f"0-{len(BLOB) - 1}")
        following = session_url(url, said)
        assert (following != place) == moves
        assert ask("PUT", f"{following}?digest={DIGEST}", b"").status == 201
        if moves:
            assert ask("PATCH", place, BLOB).status == 404


def test_20_patches_in_order_and_out_of_order(double: Nexus) -> None:
    url = double.connector().url
    place = session_url(url, begin(url))
    assert ask("PATCH", place, BLOB[:5], Content_Range="0-4").status == 202
    wrong = ask("PATCH", place, BLOB[6:], Content_Range="6-12")
    assert (wrong.status, wrong.headers["Range"]) == (416, "0-4")
    assert ask("PATCH", place, BLOB[5:], Content_Range="5-12").status == 202
    assert ask("PUT", f"{place}?digest={DIGEST}", b"").status == 201


def test_20_or_one_patch_at_most() -> None:
    with nexus(Settings(several_patches=False)) as double:
        url = double.connector().url
        place = session_url(url, begin(url))
        assert ask("PATCH", place, BLOB[:5]).status == 202
        assert ask("PATCH", place, BLOB[5:]).status == 416


def test_21_chunked_bodies(double: Nexus) -> None:
    url = double.connector().url
    place = session_url(url, begin(url))
    assert ask("PATCH", place, iter([BLOB[:3], BLOB[3:]])).status == 202
    assert ask("PUT", f"{place}?digest={DIGEST}", b"").status == 201
    with nexus(Settings(chunked=False)) as strict:
        url = strict.connector().url
        place = session_url(url, begin(url))
        assert ask("PATCH", place, iter([BLOB])).status == 411


def test_22_another_digest_and_an_unknown_session(double: Nexus) -> None:
    url = double.connector().url
    said = ask("PUT", f"{session_url(url, begin(url))}?digest={digest_of(b'else')}", BLOB)
    assert (said.status, said.code) == (400, "DIGEST_INVALID")
    assert not double.repository().blobs
    said = ask("PUT", f"{url}/v2/a/blobs/uploads/0-0?digest={DIGEST}", BLOB)
    assert (said.status, said.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    with nexus(Settings(mismatch=(422, "ODD"), unknown_upload=(400, "BLOB_UPLOAD_INVALID"))) as other:
        url = other.connector().url
        assert ask("PUT", f"{session_url(url, begin(url))}?digest={digest_of(b'else')}", BLOB).status == 422
        assert ask("PUT", f"{url}/v2/a/blobs/uploads/0-0?digest={DIGEST}", BLOB).code == "BLOB_UPLOAD_INVALID"


def test_16_the_path_route_names_the_other_image_with_its_repository() -> None:
    with nexus(Settings(mount=True, repositories=(Repository("by-path", path_enabled=True),))) as double:
        upload(double.url, "by-path/a")
        said = begin(double.url, "by-path/b", f"?mount={DIGEST}&from=by-path/a")
        assert (said.status, said.headers["Location"]) == (201, f"/v2/by-path/b/blobs/{DIGEST}")


@pytest.mark.parametrize("known", [True, False])
def test_22_asking_for_a_session_and_cancelling_it(known: bool) -> None:
    with nexus(Settings(upload_status=known, upload_cancel=known)) as double:
        url = double.connector().url
        place = session_url(url, begin(url))
        asked, cancelled = ask("GET", place), ask("DELETE", place, user=double.admin)
        assert (asked.status, cancelled.status) == ((204, 204) if known else (405, 405))
        assert len(double.repository().uploads) == (0 if known else 1)


def test_39_of_two_who_finish_one_new_blob_one_gets_400() -> None:
    with nexus(Settings(repositories=ONCE)) as double:
        url = double.connector().url
        first, second = (session_url(url, begin(url, image)) for image in "ab")
        assert ask("PUT", f"{first}?digest={DIGEST}", BLOB).status == 201
        said = ask("PUT", f"{second}?digest={DIGEST}", BLOB)
        assert (said.status, said.code) == (400, "BLOB_UPLOAD_INVALID")
        assert said.detail == f"docker-hosted/v2/-/blobs/{DIGEST} cannot be updated"
        assert ask("HEAD", f"{url}/v2/b/blobs/{DIGEST}").status == 200
        assert upload(url, "c").status == 201  # who begins when it is there is no racer


def test_39_under_allow_both_get_201(double: Nexus) -> None:
    url = double.connector().url
    for place in [session_url(url, begin(url, image)) for image in "ab"]:
        assert ask("PUT", f"{place}?digest={DIGEST}", BLOB).status == 201
