# SPDX-License-Identifier: Apache-2.0
"""``airgap export``: from files, addresses and references to one bundle, and nothing else."""

from __future__ import annotations

import functools
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.oci.manifest import parse
from airgap.store.readers import fetch
from tests.bundle.test_portable import folder as portable_files
from tests.bundle.test_portable import packed
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images

#: An object of which only a value's shape says image.
THING = "---\napiVersion: x.example/v1\nkind: Thing\nspec: {{worker: '{}'}}\n"


def names(bundle: Path) -> list[str]:
    with open_bundle(bundle) as opened:
        return [str(image.reference) for image in opened.inventory.images]


@pytest.fixture
def small(airgap: Airgap) -> Airgap:
    """Three images on quay.io (``a``, ``b`` of two platforms, ``c`` of one), and a Pod with ``a``."""
    airgap.write("pod.yaml", pod("quay.io/x/a:1"))
    return airgap


@pytest.fixture
def registry(small: Airgap) -> Iterator[Registry]:
    images = Images(11)
    made = Registry()
    with made:
        made.fill(
            images,
            {"x/a:1": images.two_platforms(), "x/b:1": images.two_platforms(attested=True), "x/c:1": images.image()},
        )
        small.write("airgap.yaml", settings({"quay.io": {"mirror": made.url}, "ghcr.io": {"mirror": made.url}}))
        made.requests()
        yield made


def test_makes_one_file_and_says_so(small: Airgap, registry: Registry) -> None:
    said = small.run("export", "pod.yaml", "-o", "b.tar")
    assert small.files().keys() == {"airgap.yaml", "b.tar", "pod.yaml"}
    assert said.stdout == b""
    assert "1 image, 8 blobs, " in said.stderr
    assert "--platform linux/amd64 would save" in said.stderr
    assert names(small.folder / "b.tar") == ["quay.io/x/a:1"]


def test_images_beside_files_and_without_any(small: Airgap, registry: Registry) -> None:
    small.run("export", "pod.yaml", "--image", "quay.io/x/b:1", "--image", "quay.io/x/c:1", "-o", "b.tar")
    assert names(small.folder / "b.tar") == ["quay.io/x/a:1", "quay.io/x/b:1", "quay.io/x/c:1"]
    small.run("export", "--image", "quay.io/x/c:1", "-o", "c.tar")
    assert names(small.folder / "c.tar") == ["quay.io/x/c:1"]


def test_two_exports_are_the_same_bytes(small: Airgap, registry: Registry) -> None:
    small.run("export", "pod.yaml", "-o", "one.tar", "--jobs", "1")
    (small.folder / "elsewhere").mkdir()
    small.run("export", small.folder / "pod.yaml", "-o", "elsewhere/two.tar")
    assert (small.folder / "one.tar").read_bytes() == (small.folder / "elsewhere/two.tar").read_bytes()


def test_a_dry_run_writes_and_pulls_nothing(small: Airgap, registry: Registry) -> None:
    before = small.files()
    said = small.run("export", "pod.yaml", "-o", "b.tar", "--lock", "airgap.lock", "--dry-run")
    assert "would write b.tar: 1 image" in said.stderr
    assert small.files() == before
    layers = [line for line in registry.requests() if line.startswith("GET") and "/blobs/" in line]
    assert len(layers) <= 2  # the configs, which tell platforms


def test_json_events(small: Airgap, registry: Registry) -> None:
    said = small.run("export", "pod.yaml", "-o", "b.tar", "--progress", "json")
    events = said.events
    assert next(event for event in events if event["event"] == "planned")["images"] == 1
    done = [event for event in events if event["event"] == "blob-done"]
    assert done
    assert {event["how"] for event in done} == {"fetched"}
    with open_bundle(small.folder / "b.tar") as opened:
        sizes = {blob.digest: blob.size for blob in opened.inventory.blobs}
    assert all(sizes[event["digest"]] == event["bytes"] for event in done)


def test_no_events_when_none_are_wanted(small: Airgap, registry: Registry) -> None:
    said = small.run("export", "pod.yaml", "-o", "b.tar", "--progress", "none")
    assert said.stderr == ""


def test_an_existing_bundle_is_refused_without_force(small: Airgap, registry: Registry) -> None:
    small.write("b.tar", "precious")
    said = small.fails(42, "export", "pod.yaml", "-o", "b.tar")
    assert said.errors[0].startswith("b.tar: ")
    assert "--force" in said.stderr
    assert (small.folder / "b.tar").read_bytes() == b"precious"
    small.run("export", "pod.yaml", "-o", "b.tar", "--force")
    assert names(small.folder / "b.tar") == ["quay.io/x/a:1"]


def test_a_failed_replacement_leaves_the_old_one(small: Airgap, registry: Registry) -> None:
    small.write("b.tar", "precious")
    small.fails(22, "export", "--image", "quay.io/x/none:1", "-o", "b.tar", "--force")
    assert (small.folder / "b.tar").read_bytes() == b"precious"


def test_every_failure_of_planning_is_listed(small: Airgap, registry: Registry) -> None:
    before = small.files()
    said = small.run(
        "export", "pod.yaml", "--image", "quay.io/x/none:1", "--image", "quay.io/x/c:9", "-o", "b.tar", code=22
    )
    assert len(said.errors) == 2
    assert "x/none" in said.stderr
    assert "9" in said.stderr
    assert small.files() == before


def test_keep_going_leaves_out_what_cannot_be_had(small: Airgap, registry: Registry) -> None:
    said = small.run("export", "pod.yaml", "--image", "quay.io/x/none:1", "-o", "b.tar", "--keep-going", code=3)
    assert names(small.folder / "b.tar") == ["quay.io/x/a:1"]
    assert "quay.io/x/none:1" in said.errors[-1]


def test_keep_going_with_nothing_to_keep(small: Airgap, registry: Registry) -> None:
    before = small.files()
    small.fails(22, "export", "--image", "quay.io/x/none:1", "-o", "b.tar", "--keep-going")
    assert small.files() == before


def test_platforms(small: Airgap, registry: Registry) -> None:
    small.run("export", "pod.yaml", "--platform", "linux/arm64", "-o", "b.tar")
    with open_bundle(small.folder / "b.tar") as opened:
        (image,) = opened.inventory.images
    assert [str(platform) for platform in image.platforms] == ["linux/arm64"]
    assert image.derived_from == registry.digest("x/a:1")
    before = small.files()
    said = small.fails(22, "export", "pod.yaml", "--platform", "linux/s390x", "-o", "c.tar")
    assert "linux/s390x" in said.errors[0]
    assert "quay.io/x/a:1" in said.errors[0]
    assert small.files() == before


def test_a_platform_that_is_none(small: Airgap) -> None:
    said = small.run("export", "pod.yaml", "--platform", "amd64", "-o", "b.tar", code=2)
    assert "amd64" in said.stderr
    assert "linux/amd64" in said.stderr


def test_a_secret_is_told_with_file_and_line(small: Airgap, registry: Registry) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n---\n"
    small.write("with.yaml", secret + pod("quay.io/x/a:1"))
    said = small.run("export", "with.yaml", "-o", "b.tar")
    (warning,) = [line for line in said.stderr.splitlines() if line.startswith("warning:")]
    assert "with.yaml:2" in warning
    assert "--no-resources" in warning
    assert "hunter2" not in said.stderr
    said = small.run("export", "with.yaml", "-o", "c.tar", "--no-resources")
    assert "warning" not in said.stderr
    with open_bundle(small.folder / "c.tar") as opened:
        assert opened.inventory.resources == ()
    assert b"hunter2" in (small.folder / "b.tar").read_bytes()
    assert b"hunter2" not in (small.folder / "c.tar").read_bytes()


def test_a_secret_in_json(small: Airgap, registry: Registry) -> None:
    small.write("s.json", '{"apiVersion":"v1","kind":"List","items":[{"kind":"Secret","data":{"a":"aHVudGVyMg=="}}]}')
    said = small.run("export", "pod.yaml", "s.json", "-o", "b.tar")
    assert "s.json:1" in said.stderr


def test_standard_input_is_read_and_not_carried(small: Airgap, registry: Registry) -> None:
    small.run("export", "-", "-o", "b.tar", stdin=pod("quay.io/x/c:1").encode())
    with open_bundle(small.folder / "b.tar") as opened:
        assert opened.inventory.resources == ()
        assert [str(image.reference) for image in opened.inventory.images] == ["quay.io/x/c:1"]


def test_files_keep_their_paths_under_their_common_folder(small: Airgap, registry: Registry) -> None:
    small.write("deploy/base/a.yaml", pod("quay.io/x/a:1"))
    small.write("deploy/b.yaml", pod("quay.io/x/b:1"))
    small.run("export", "deploy", "-o", "b.tar")
    with open_bundle(small.folder / "b.tar") as opened:
        assert [resource.name for resource in opened.inventory.resources] == ["b.yaml", "base/a.yaml"]
        for resource in opened.inventory.resources:
            assert opened.member(resource.member) == (small.folder / "deploy" / resource.name).read_bytes()


def test_an_address_is_downloaded_and_carried(small: Airgap, registry: Registry, tmp_path: Path) -> None:
    content = pod("quay.io/x/c:1")
    served = tmp_path / "www"
    (served / "v1").mkdir(parents=True)
    (served / "v1/install.yaml").write_text(content)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            base = f"http://127.0.0.1:{server.server_address[1]}"
            small.run("export", f"{base}/v1/install.yaml?raw=1", "-o", "b.tar")
            missing = small.fails(22, "export", f"{base}/gone.yaml", "-o", "c.tar")
        finally:
            server.shutdown()
            thread.join()
    assert f"{base}/gone.yaml" in missing.errors[0]
    with open_bundle(small.folder / "b.tar") as opened:
        (resource,) = opened.inventory.resources
        assert resource.name.endswith("install.yaml")
        assert opened.member(resource.member).decode() == content
    assert not (small.folder / "c.tar").exists()


def test_what_only_looked_like_an_image_is_set_aside_and_told(small: Airgap, registry: Registry) -> None:
    small.write("m.yaml", pod("quay.io/x/a:1") + THING.format("quay.io/x/gone:v1"))
    (sites := small.run("images", "m.yaml", "--json").json).sort(key=lambda site: site["line"])
    assert [site["confidence"] for site in sites] == ["certain", "possible"], sites
    said = small.run("export", "m.yaml", "-o", "b.tar")
    assert "quay.io/x/gone:v1" in said.stderr
    assert names(small.folder / "b.tar") == ["quay.io/x/a:1"]


def test_a_guess_that_the_registry_knows_is_taken(small: Airgap, registry: Registry) -> None:
    small.write("m.yaml", pod("quay.io/x/a:1") + THING.format("quay.io/x/c:1"))
    small.run("export", "m.yaml", "-o", "b.tar")
    assert names(small.folder / "b.tar") == ["quay.io/x/a:1", "quay.io/x/c:1"]


def test_a_guess_about_a_registry_that_nobody_names_is_not_asked(
    small: Airgap, registry: Registry, nexus: Registry
) -> None:
    """Nobody wants to wait for the time-out of a host that only some value mentions."""
    guess = f"{nexus.address}/x/c:1"
    small.write("m.yaml", pod("quay.io/x/a:1") + THING.format(guess))
    said = small.run("export", "m.yaml", "-o", "b.tar")
    assert f"{guess} looked like an image" in said.stderr
    assert names(small.folder / "b.tar") == ["quay.io/x/a:1"]
    assert nexus.requests() == []
    small.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}, nexus.address: {"plain_http": True}}))
    small.run("export", "m.yaml", "-o", "b.tar", "--force")
    assert nexus.requests()


def test_a_guess_that_was_left_out_does_not_disturb_the_lock(small: Airgap, registry: Registry) -> None:
    small.write("m.yaml", pod("quay.io/x/a:1") + THING.format("quay.io/x/gone:v1"))
    small.run("export", "m.yaml", "-o", "b.tar", "--lock", "airgap.lock")
    small.run("export", "m.yaml", "-o", "c.tar", "--lock", "airgap.lock")
    assert (small.folder / "b.tar").read_bytes() == (small.folder / "c.tar").read_bytes()


def test_keep_going_does_not_count_guesses_as_failures(small: Airgap, registry: Registry) -> None:
    small.write("m.yaml", pod("quay.io/x/a:1") + THING.format("quay.io/x/gone:v1"))
    said = small.run("export", "m.yaml", "-o", "b.tar", "--keep-going")
    assert "failed:" not in said.stderr


def test_without_referrers_none_is_asked_for(small: Airgap, registry: Registry) -> None:
    small.run("export", "pod.yaml", "-o", "b.tar", "--no-referrers")
    assert not [line for line in registry.requests() if "referrers" in line or "sha256-" in line]


def test_nothing_to_do(airgap: Airgap) -> None:
    assert "-o bundle.tar" in airgap.fails(2, "export", "x.yaml").stderr
    assert "--image REF" in airgap.fails(2, "export", "-o", "b.tar").stderr
    assert "--lock" in airgap.fails(2, "export", "x.yaml", "-o", "b.tar", "--refresh").stderr


def test_with_self_from_a_checkout_says_how(small: Airgap, registry: Registry) -> None:
    """From a source tree the file must have been built; either way the bundle is whole or not there."""
    said = small.run("export", "pod.yaml", "-o", "b.tar", "--with-self", code=None)
    assert said.code in (0, 1)
    if said.code:
        assert len(said.errors) == 1
        assert not (small.folder / "b.tar").exists()
    else:
        with open_bundle(small.folder / "b.tar") as opened:
            assert "airgap/airgap.pyz" in opened.inventory.members


def test_with_self_takes_a_value_only_behind_an_equals_sign(small: Airgap, registry: Registry) -> None:
    """The next word is a PATH, as it always was."""
    small.write("airgap.pyz", b"")
    small.run("export", "--with-self", "pod.yaml", "-o", "b.tar")
    with open_bundle(small.folder / "b.tar") as opened:
        assert "airgap/airgap.pyz" in opened.inventory.members
    small.fails(2, "export", "pod.yaml", "-o", "c.tar", "--with-self=portable")
    small.fails(2, "export", "pod.yaml", "-o", "c.tar", "--with-self=pod.yaml")
    small.fails(2, "export", "pod.yaml", "-o", "c.tar", "--with-self=")


def test_with_self_carries_the_archive_of_a_portable_folder(small: Airgap, registry: Registry) -> None:
    portable = packed(portable_files(small.home / "portable"))
    small.write("p.tar.gz", portable)
    small.run("export", "pod.yaml", "-o", "b.tar", "--with-self=p.tar.gz")
    member = "airgap/airgap-portable-linux-aarch64.tar.gz"
    with open_bundle(small.folder / "b.tar") as opened:
        assert opened.member(member) == portable
    assert f"this program: tar xf b.tar {member}\n" in small.run("inspect", "b.tar").text
    small.run("verify", "b.tar")


def test_a_platform_given_in_two_spellings_is_one(airgap: Airgap) -> None:
    images = Images(41)
    index = images.two_platforms()
    with Registry() as registry:
        registry.fill(images, {"x/a:1": index})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        two = ("--platform", "linux/amd64", "--platform", "linux/x86_64")
        airgap.run("export", "--image", "quay.io/x/a:1", *two, "-o", "b.tar")
    (image,) = airgap.run("inspect", "b.tar", "--json").json["images"]
    assert image["digest"] in {child.digest for child in parse(images.content[index.digest]).children}


def test_a_broken_signature_stays_behind(airgap: Airgap) -> None:
    images = Images(42)
    with Registry() as registry:
        registry.fill(images, {"x/a:1": images.image()})
        registry.refer("x/a:1")
        signature = next(
            name for name in registry.store.names() if "@" in name and not name.endswith(registry.digest("x/a:1"))
        )
        manifest = parse(fetch(registry.store, registry.store.resolve(signature), limit=10_000))
        registry.store.delete(manifest.layers[0].digest)
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        said = airgap.run("export", "--image", "quay.io/x/a:1", "-o", "b.tar")
    assert "a referrer stays behind" in said.stderr
    assert airgap.run("inspect", "b.tar", "--json").json["referrers"] == {}


def test_what_an_index_lists_beside_manifests_is_carried(airgap: Airgap, nexus: Registry) -> None:
    images = Images(43)
    extra = images.blob(b"any content at all", "application/vnd.example.notes")
    index = images.index([images.image(), extra])
    with Registry() as registry:
        registry.fill(images, {"x/a:1": index})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.run("export", "--image", "quay.io/x/a:1", "-o", "b.tar")
    airgap.run("import", "b.tar", "--to", nexus.address)
    assert nexus.digest("a:1") == index.digest
    assert nexus.store.exists(extra)


def test_no_secret_of_an_address_is_shown(airgap: Airgap) -> None:
    said = airgap.run("export", "http://joe:hunter2@127.0.0.1:1/s.yaml?token=TTT", "-o", "b.tar", code=24)
    assert "127.0.0.1:1/s.yaml" in said.stderr
    assert not {"joe", "hunter2", "TTT"} & set(re.split(r"\W+", said.stderr))


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_what_is_no_file_is_never_replaced(airgap: Airgap, kind: str) -> None:
    place = airgap.folder / "b.tar"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("real.tar")
        if kind == "link":
            airgap.write("real.tar", "precious")
    said = airgap.fails(42, "export", "--image", "quay.io/x/a:1", "-o", "b.tar", "--force")
    assert "already there" in said.errors[0]
    assert place.is_symlink() or place.is_fifo()


def test_a_bundle_never_replaces_what_it_is_made_of(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("quay.io/x/a:1"))
    before = airgap.files()
    assert "made of" in airgap.fails(2, "export", "a.yaml", "-o", "./a.yaml", "--force").stderr
    assert airgap.files() == before


@pytest.mark.parametrize(
    ("limit", "member"), [("document-bytes=2000", "airgap/bundle.json"), ("index-values=9", "index.json")]
)
def test_a_bundle_that_nobody_could_read_is_not_made(prepared: Airgap, limit: str, member: str) -> None:
    said = prepared.fails(40, "export", "cert-manager.yaml", "-o", "b.tar", environment={"AIRGAP_LIMITS": limit})
    assert f"{member} of this bundle would be too large" in said.errors[0]
    assert limit.partition("=")[0] in said.stderr
    assert not list(prepared.folder.glob("b.tar*"))
