# SPDX-License-Identifier: Apache-2.0
"""Each limit on what the network sends, exactly at it and one past it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap import bounded_json, limits
from airgap.errors import AirgapError, ContentError, NotFound, RegistryError, Unauthorized
from airgap.oci import digest as digests
from airgap.registry import Credential, Credentials
from airgap.targets.nexus.rest import NexusRest
from airgap.transfer import Context, CopyOptions, Destination, Jobs, Root, copy, plan
from airgap.transfer.budget import MemoryBudget
from tests.doubles.registry import Answer, Double, Request
from tests.parts.images import Images
from tests.registry.tools import Network
from tests.transfer.tools import Noting

KINDS = [limit.name.removesuffix("-bytes") for limit in limits.TABLE if limits.has(f"{limit.name[:-6]}-values")]


@pytest.mark.parametrize("kind", [*KINDS, "token", "error", "helper", "credentials"])
def test_bytes_of_documents(kind: str) -> None:
    with limits.changed({f"{kind}-bytes": 20}):
        assert bounded_json.parse(b"[]".ljust(20), kind) == []
        with pytest.raises(bounded_json.TooLarge, match="JSON of 21 bytes; at most 20 are read") as caught:
            bounded_json.parse(b"[]".ljust(21), kind)
    assert f"AIRGAP_LIMITS={kind}-bytes=NUMBER" in (caught.value.hint or "")


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_documents(kind: str) -> None:
    with limits.changed({f"{kind}-values": 3}):
        assert bounded_json.parse(b"[1, 2, 3]", kind) == [1, 2, 3]
        with pytest.raises(bounded_json.TooLarge, match="JSON with 4 values; at most 3 are read") as caught:
            bounded_json.parse(b"[1, 2, 3, 4]", kind)
    assert f"AIRGAP_LIMITS={kind}-values=NUMBER" in (caught.value.hint or "")


def test_the_depth_of_documents() -> None:
    with limits.changed({"json-depth": 3}):
        assert bounded_json.parse(b"[[[]]]", "token") == [[[]]]
        with pytest.raises(bounded_json.TooLarge, match="more than 3 levels deep"):
            bounded_json.parse(b"[[[[]]]]", "token")


@pytest.mark.parametrize("over", [0, 1])
def test_tokens(network: Network, peer: Double, over: int) -> None:
    body = b'{"token":"one"}'

    def answer(request: Request) -> Answer:
        if request.path == "/token":
            return Answer(200, body.ljust(100 + over))
        if request.authorization == "Bearer one":
            return Answer(200, b"{}")
        return Answer(401, b"", {"WWW-Authenticate": f'Bearer realm="{peer.url}/token"'})

    peer.always("GET", "", answer)
    client = network.registries().client(peer.address)
    with limits.changed({"token-bytes": 100}):
        if not over:
            client.ping()
            return
        with pytest.raises(RegistryError, match="the answer has more than 100 bytes") as caught:
            client.ping()
    assert caught.value.exit_code == 20


@pytest.mark.parametrize("over", [0, 1])
def test_bodies_of_errors(network: Network, peer: Double, over: int) -> None:
    """What is cut explains nothing any more; the status still does."""
    body = json.dumps({"errors": [{"code": "NAME_UNKNOWN", "message": "nobody knows it"}]}).encode()
    peer.always("GET", "", Answer(404, body))
    with limits.changed({"error-bytes": len(body) - over}), pytest.raises(NotFound) as caught:
        network.registries().client(peer.address).request("GET", "/v2/x", scopes=())
    assert caught.value.code == ("" if over else "NAME_UNKNOWN")


@pytest.mark.parametrize("over", [0, 1])
def test_pages_and_rest(network: Network, peer: Double, over: int) -> None:
    peer.always("GET", "/tags/", Answer(200, b'{"tags":["a"]}'.ljust(50 + over)))
    peer.always("GET", "/service/", Answer(200, b'{"items":[]}'.ljust(50 + over)))
    rest = NexusRest(network.registries().client(peer.address))
    repository = network.repository(peer.address)
    with limits.changed({"list-page-bytes": 50, "rest-bytes": 50}):
        if not over:
            assert repository.tags() == ["a"]
            assert rest.get("components") == {"items": []}
            return
        with pytest.raises(RegistryError, match="more than 50 bytes"):
            repository.tags()
        with pytest.raises(RegistryError, match="more than 50 bytes"):
            rest.get("components")


def helper(folder: Path, script: str) -> Credentials:
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (folder / "config.json").write_text('{"credsStore": "test"}')
    return Credentials({"DOCKER_CONFIG": str(folder), "HOME": str(folder)})


@pytest.mark.parametrize("over", [0, 1])
def test_credential_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    answer = '{"Username":"me","Secret":"word"}'
    found = helper(tmp_path, f"printf '%-{100 + over}s' '{answer}'")
    with limits.changed({"helper-bytes": 100}):
        if not over:
            assert found.find("r.test") == Credential("me", "word")
            return
        with pytest.raises(Unauthorized, match="printed more than 100 bytes") as caught:
            found.find("r.test")
    assert "word" not in str(caught.value)


def test_a_credential_helper_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = helper(tmp_path, "exec sleep 60")
    with limits.changed({"helper-time": 1}), pytest.raises(Unauthorized, match="did not answer within 1 s"):
        found.find("r.test")


@pytest.mark.parametrize("over", [0, 1])
def test_files_with_credentials(tmp_path: Path, over: int) -> None:
    content = json.dumps({"auths": {"r.test": {"username": "me", "password": "word"}}})
    (tmp_path / "config.json").write_text(content.ljust(200 + over))
    found = Credentials({"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)})
    with limits.changed({"credentials-bytes": 200}):
        if not over:
            assert found.find("r.test") == Credential("me", "word")
            return
        with pytest.raises(Unauthorized, match="JSON of 201 bytes; at most 200 are read"):
            found.find("r.test")


@pytest.mark.parametrize("failing", [2, 3])
def test_failures_of_one_transfer(failing: int) -> None:
    """With three failures allowed nothing more is tried after the third."""
    source, target, made = Noting(), Noting(), Images(4)
    names = {f"v{number}": made.image(layers=1, size=100 + number) for number in range(8)}
    made.push_to(source, names)
    roots = [Root(name, "here", name, (Destination("there", name),)) for name in names]
    planned = plan(roots, {"here": source})
    layers = [job for job in planned.blobs.values() if "layer" in job.descriptor.media_type]
    for job in sorted(layers, key=lambda job: -job.descriptor.size)[:failing]:
        source.fail[job.descriptor.digest] = ContentError("damaged")
    with limits.changed({"transfer-failures": 3}):
        one_by_one = Context(Jobs.of(1))
        report = copy(planned, {"here": source}, {"there": target}, one_by_one, CopyOptions(keep_going=True))
    said = [error.what for _, error in report.failures]
    assert said.count("damaged") == failing
    not_tried = [what for what in said if what == "not tried, since 3 others had failed"]
    assert len(not_tried) == (5 if failing == 3 else 0)
    assert len(said) + len(set(target.did("tag"))) == 8


def test_failures_hold_no_frames() -> None:
    """A traceback's frames would keep the bodies of all answers that failed."""
    source = Noting()

    def resolve(name: str) -> object:
        body = bytearray(1000)
        assert body
        try:
            raise ValueError(name)
        except ValueError as error:
            raise ContentError("no good") from error

    source.resolve = resolve  # type: ignore[method-assign, assignment] # fails for every image
    made = plan([Root("a", "here", "a"), Root("b", "here", "b")], {"here": source})
    assert len(made.failures) == 2
    for _, error in made.failures:
        assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_the_memory_of_a_plan() -> None:
    made = Images(4)
    root = made.image(layers=1)
    content = made.content[root.digest]
    from airgap.oci import manifest as manifests

    manifest = manifests.parse(content, root.media_type)
    cost = len(content) + 2 * 1024  # its layer and itself
    with limits.changed({"plan-bytes": cost, "plan-image-bytes": 100}):
        budget = MemoryBudget(1)
        budget.add_manifest(manifest)
        budget.add_manifest(manifest)  # the same one takes its memory once
        budget.add(digests.of(b"x"), 100)
        with pytest.raises(AirgapError, match="take more than") as caught:
            budget.add(digests.of(b"y"), 1)
    assert caught.value.exit_code == 30
    assert "AIRGAP_LIMITS=plan-bytes=NUMBER" in (caught.value.hint or "")
