# SPDX-License-Identifier: Apache-2.0
"""``airgap prune``: what airgap brought and no kept release needs goes, and nothing else."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import tarfile

import pytest

from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_MANIFEST
from airgap.store.readers import bytes_opener, fetch
from tests.cli.command import Registry
from tests.doubles.front import front
from tests.doubles.registry import Answer, Request
from tests.doubles.registry.shelf import error
from tests.flows.prune.releases import NAME, TARGET, Site, World, images_of, left_of, receipt
from tests.parts.images import Layer
from tests.parts.terminal import on_terminal

#: What 1.8 was given under a tag that 1.9 has moved.
MOVED = f"tool@{World().tags['1.8']['tool:latest'].digest}"
#: What 1.8 and 1.9 have and 1.10 has not.
OLD = ["alias:1", "app:1.8", "app:1.9", "db:1.8", "tool:latest", MOVED]
NEW = ["p/alias:2", "p/app:1.10", "p/db:1.10"]


def deletions(far: Registry) -> list[str]:
    return [line for line in far.requests() if line.startswith("DELETE")]


def test_what_no_kept_release_needs_goes_with_its_signature(site: Site, far: Registry) -> None:
    said = site.prune("--keep", "1.10.tar", "--yes")
    assert far.names() == NEW
    assert "6 images, 1 signature" in said.text + said.stderr
    assert "3 tags as before" in said.stderr
    assert "airgap serve LAYOUT --gc" in said.stderr
    # The manifests are gone too: every repository has those of the kept tags alone.
    kept = {site.world.tags["1.10"][name.removeprefix("p/")].digest for name in NEW}
    assert {name.partition("@")[2] for name in far.store.names() if "@" in name} == kept


def test_a_dry_run_shows_the_same_and_asks_for_nothing_but_reading(site: Site, far: Registry) -> None:
    before = far.names()
    said = site.prune("--keep", "1.10.tar", "--dry-run")
    assert {line.split()[0] for line in far.requests()} <= {"GET", "HEAD"}
    assert far.names() == before
    lines = said.text.splitlines()[1:-1]
    assert sorted(line.split()[4].removeprefix(f"{NAME}/p/") for line in lines) == OLD
    (alias,) = [line for line in lines if "/alias:1" in line]
    assert alias.split()[:2] == ["0", "B"]
    assert "the tag alone" in alias
    planned = site.json("--keep", "1.10.tar", "--dry-run")
    assert images_of(planned) == OLD
    assert planned["deleted"] is False
    done = site.json("--keep", "1.10.tar", "--yes")
    assert done["deleted"] is True
    assert (images_of(done), done["frees"]) == (OLD, planned["frees"])


def test_freed_bytes_are_those_that_nothing_else_needs(site: Site) -> None:
    """Each old image has one layer of its own and shares the first one with those that stay."""
    planned = site.json("--keep", "1.10.tar", "--dry-run")
    images = site.world.images
    stays = {one.digest for root in site.world.tags["1.10"].values() for one in images.needed(root)}
    roots = [site.world.tags["1.8"][name] for name in ("app:1.8", "db:1.8")] + [site.world.signature]
    roots += [site.world.tags["1.8"]["tool:latest"]]
    roots += [site.world.tags["1.9"][name] for name in ("app:1.9", "tool:latest")]
    goes = {one.digest: one.size for root in roots for one in images.needed(root) if one.digest not in stays}
    assert planned["frees"] == sum(goes.values())
    entries = {entry["image"].removeprefix(f"{NAME}/p/"): entry for entry in planned["images"]}  # type: ignore[attr-defined]
    tool = images.needed(site.world.tags["1.9"]["tool:latest"])
    assert entries["tool:latest"]["frees"] == sum(one.size for one in tool if one.digest not in stays)
    assert entries["tool:latest"]["size"] == sum(one.size for one in tool)
    frees = [entry["frees"] for entry in planned["images"]]  # type: ignore[attr-defined]
    assert frees == sorted(frees, reverse=True)


def test_children_that_a_kept_index_has_too_stay(site: Site, far: Registry) -> None:
    site.prune("--keep", "1.9.tar", "--keep", "1.10.tar", "--yes")
    assert far.names() == sorted([*NEW, "p/app:1.9", "p/db:1.8", "p/tool:latest"])
    index = site.world.tags["1.9"]["app:1.9"]
    for needed in site.world.images.needed(index):
        assert far.store.exists(needed)
    old = site.world.tags["1.8"]["app:1.8"]
    assert not far.store.exists(old)
    alone = {one.digest for one in site.world.images.needed(old)} - {
        one.digest for one in site.world.images.needed(index)
    }
    manifests = {name.partition("@")[2] for name in far.store.names()} & alone
    assert not manifests


def test_what_somebody_else_pushed_is_left_alone(site: Site, far: Registry) -> None:
    images = site.world.images
    others = {
        "p/theirs:1": images.image(),  # in a repository of their own
        "p/app:theirs": site.world.tags["1.8"]["app:1.8"],  # another tag of an image that would go
        "p/db:1.8": images.image(),  # over a tag that airgap brought
        "q/app:1.8": images.image(),  # beside the prefix
    }
    far.fill(images, others)
    planned = site.json("--keep", "1.10.tar", "--dry-run")
    covered = f"db@{site.world.tags['1.8']['db:1.8'].digest}"
    assert images_of(planned) == ["alias:1", "app:1.8", "app:1.9", covered, "tool:latest", MOVED]
    assert list(left_of(planned)) == ["db:1.8"]
    assert others["p/db:1.8"].digest in left_of(planned)["db:1.8"]
    said = site.prune("--keep", "1.10.tar", "--yes")
    assert f"{NAME}/p/db:1.8 stays" in said.stderr
    assert far.names() == sorted([*NEW, *others, f"p/app:{site.world.signature_tag}"])
    for name, root in others.items():
        assert far.digest(name) == root.digest
        for needed in images.needed(root):
            assert far.store.exists(needed), name


def test_a_tag_that_airgap_never_brought_is_not_deleted(site: Site, far: Registry) -> None:
    """Receipts of one release alone: nothing is known of the others."""
    planned = site.json("--keep", "1.10.tar", "--receipt", "1.9.tar.receipt.json", "--dry-run")
    assert images_of(planned) == ["app:1.9", "db:1.8", "tool:latest"]
    site.prune("--keep", "1.10.tar", "--receipt", "1.9.tar.receipt.json", "--yes")
    assert "p/app:1.8" in far.names()
    assert far.digest("p/app:1.8") == site.world.tags["1.8"]["app:1.8"].digest
    assert far.store.exists(site.world.arm)


def test_a_second_run_finds_nothing_to_do(site: Site, far: Registry) -> None:
    site.prune("--keep", "1.10.tar", "--yes")
    deletions(far)
    said = site.prune("--keep", "1.10.tar", "--yes")
    assert "nothing to delete" in said.stderr
    assert deletions(far) == []


def test_signatures_that_a_stopped_run_left_go_with_the_next(site: Site, far: Registry) -> None:
    far.store.delete(site.world.tags["1.8"]["app:1.8"].digest)
    site.prune("--keep", "1.10.tar", "--yes")
    assert far.names() == NEW


def test_a_script_is_not_asked(site: Site, far: Registry) -> None:
    said = site.airgap.fails(2, "prune", TARGET, "--via", site.far_url, "--keep", "1.10.tar")
    assert "--dry-run" in said.stderr
    assert "--yes" in said.stderr
    said = site.airgap.fails(2, "prune", TARGET, "--via", site.far_url, "--keep", "1.10.tar", "--json")
    assert "--json goes with" in said.errors[0]
    assert far.requests() == []


def answered(site: Site, answer: bytes) -> tuple[int, str]:
    """The question on a terminal, and its answer."""
    return on_terminal(
        site.airgap.command("prune", TARGET, "--via", site.far_url, "--keep", "1.10.tar"),
        140,
        30,
        environment=site.airgap.whole_environment(),
        folder=site.airgap.folder,
        answers=[answer],
    )


def test_it_asks_and_no_is_the_answer_by_default(site: Site, far: Registry) -> None:
    before = far.names()
    code, said = answered(site, b"\n")
    assert code == 0
    assert re.search(rf"Delete 6 images, 1 signature \([\d.]+ kB\) at {NAME}/p\?", said)
    assert "nothing was deleted" in said
    assert far.names() == before
    code, said = answered(site, b"y\n")
    assert code == 0
    assert far.names() == NEW


def test_what_changes_while_the_question_is_open_is_left(site: Site, far: Registry) -> None:
    """Somebody gives an image that would go another tag, between the look and the deletion."""
    world = site.world
    shared = world.tags["1.8"]["db:1.8"]
    asked: list[str] = []

    def intercept(request: Request) -> Answer | None:
        if request.method == "DELETE" and not asked:  # the first is the one that asks whether anything is deleted
            asked.append(request.path)
            far.fill(world.images, {"p/db:theirs": shared})
        return None

    with front(far.url, intercept=intercept) as before:
        site.far_url = before.url
        said = site.prune("--keep", "1.10.tar", "--yes", code=3)
    assert "p/db:1.8" in said.errors[0]
    assert "has changed while the question was open" in said.stderr
    assert far.names() == sorted([*NEW, "p/db:1.8", "p/db:theirs"])
    assert far.store.exists(shared)


def test_one_failure_does_not_stop_the_others(site: Site, far: Registry) -> None:
    """The index of app:1.9 cannot be deleted: what it leads to stays, and the next run goes on."""
    refused = site.world.tags["1.9"]["app:1.9"].digest
    broken = True

    def intercept(request: Request) -> Answer | None:
        stays = request.method == "DELETE" and request.path.endswith(refused) and broken
        return error(409, "DENIED") if stays else None

    with front(far.url, intercept=intercept) as before:
        site.far_url = before.url
        said = site.prune("--keep", "1.10.tar", "--yes", code=3)
        assert said.errors == [f"not deleted: {NAME}/p/app:1.9"]
        assert far.names() == sorted([*NEW, "p/app:1.9"])
        for needed in site.world.images.needed(site.world.tags["1.9"]["app:1.9"]):
            assert far.store.exists(needed)
        broken = False
        site.prune("--keep", "1.10.tar", "--yes")
    assert far.names() == NEW


def test_a_registry_that_only_says_that_it_deletes(site: Site, far: Registry) -> None:
    """It answers 202 and deletes nothing; what it deletes too much is noticed as well."""

    def intercept(request: Request) -> Answer | None:
        if request.method == "DELETE" and "/app/" in request.path:
            return Answer(202)
        if request.method == "DELETE" and "/db/" in request.path:
            far.store.untag("p/db:1.10")
        return None

    with front(far.url, intercept=intercept) as before:
        site.far_url = before.url
        document = site.json("--keep", "1.10.tar", "--yes", code=3)
    assert images_of(document) == ["alias:1", "db:1.8", "tool:latest", MOVED]
    left = left_of(document)
    assert left["app:1.8"] == left["app:1.9"] == "it was deleted, and is still there"
    assert "was to stay" in left["db:1.10"]


def test_a_registry_that_deletes_nothing_says_so_before_it_asks(site: Site, far: Registry) -> None:
    """tests/interop/test_prune.py has the real one."""
    before = far.names()

    def intercept(request: Request) -> Answer | None:
        return error(405, "UNSUPPORTED") if request.method == "DELETE" else None

    with front(far.url, intercept=intercept) as refusing:
        command = ["prune", TARGET, "--via", refusing.url, "--keep", "1.10.tar", "--yes"]
        said = site.airgap.run(*command, code=51)
        assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in said.stderr
        assert len(refusing.seen("DELETE")) == 1
    assert far.names() == before


def test_a_stopped_run_is_in_the_history_and_the_next_one_goes_on(site: Site, far: Registry) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def intercept(request: Request) -> Answer | None:
        if request.method == "DELETE" and "/db/" in request.path and processes:
            processes.pop().send_signal(signal.SIGINT)
        return None

    with front(far.url, intercept=intercept) as before:
        site.far_url = before.url
        process = site.airgap.started("prune", TARGET, "--via", before.url, "--keep", "1.10.tar", "--yes")
        processes.append(process)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert b"stopped; what was deleted so far is in the history" in said
        entry = site.airgap.run("history", "--json").json[-1]
        assert entry["outcome"] == "stopped"
        gone = {image["target"].removeprefix(f"{NAME}/") for image in entry["images"]}
        assert gone
        assert not gone & set(far.names())
        site.prune("--keep", "1.10.tar", "--yes")
    assert far.names() == NEW


def test_referrers_that_no_tag_leads_to_go_with_their_image(site: Site, far: Registry) -> None:
    far.refer("p/db:1.8")
    far.refer("p/db:1.10")
    (gone,) = [name for name in far.store.names() if _refers_to(far, name, "p/db:1.8")]
    (kept,) = [name for name in far.store.names() if _refers_to(far, name, "p/db:1.10")]
    site.prune("--keep", "1.10.tar", "--yes")
    assert gone not in far.store.names()
    assert kept in far.store.names()


def _refers_to(far: Registry, name: str, image: str) -> bool:
    content = fetch(far.store, far.store.resolve(name), limit=100_000)
    return bool(json.loads(content).get("subject", {}).get("digest") == far.digest(image))


def test_the_folder_of_a_release_keeps_it(site: Site) -> None:
    with Registry() as quay:
        site.world.fill_quay(quay, "1.10")
        config = {"registries": {"quay.io": {"mirror": quay.url}}, "name": "platform", "resources": ["1.10.yaml"]}
        site.airgap.write("airgap.yaml", json.dumps(config))
        site.airgap.run("release", "1.10")
    (site.airgap.folder / "airgap.yaml").unlink()
    assert images_of(site.json("--keep", "platform-1.10", "--dry-run")) == OLD


def test_the_history_says_what_was_deleted(site: Site) -> None:
    site.prune("--keep", "1.10.tar", "--yes")
    entry = site.airgap.run("history", "--json").json[-1]
    assert (entry["action"], entry["outcome"], entry["target"]) == ("prune", "complete", f"{NAME}/p")
    assert sorted(one["target"] for one in entry["images"]) == sorted(f"{NAME}/p/{name}" for name in OLD)
    assert entry["kept"] == ["1.10.tar"]
    said = site.airgap.run("history").text
    assert f"deleted at {NAME}/p: complete, 6 images" in said
    site.airgap.run("history", "--verify")
    # What was deleted is nothing that airgap brought: the history is read again without it.
    assert "nothing to delete" in site.prune("--keep", "1.10.tar", "--dry-run").stderr


def test_a_repository_with_a_tag_that_cannot_be_read_is_left(site: Site, far: Registry) -> None:
    broken = site.world.images.json({"schemaVersion": 2, "config": 7}, OCI_MANIFEST)
    far.store.push(broken, bytes_opener(site.world.images.content[broken.digest]))
    far.store.tag(broken, "p/app:broken")
    planned = site.json("--keep", "1.10.tar", "--dry-run")
    assert images_of(planned) == ["alias:1", "db:1.8", "tool:latest", MOVED]
    assert sorted(left_of(planned)) == ["app:1.8", "app:1.9"]
    said = site.prune("--keep", "1.10.tar", "--yes", code=3)
    assert "app:1.8" in said.errors[0]
    assert "p/app:broken" not in said.errors[0]
    assert far.names() == sorted([*NEW, "p/app:1.8", "p/app:1.9", "p/app:broken", f"p/app:{site.world.signature_tag}"])
    assert site.airgap.run("history", "--json").json[-1]["outcome"] == "incomplete"


def test_a_base_that_a_kept_differential_bundle_builds_on_stays(site: Site, far: Registry) -> None:
    """1.11 is not there yet, and leaves out what 1.8 has."""
    images = site.world.images
    database = images.needed(site.world.tags["1.8"]["db:1.8"])
    layer = [one for one in database if "layer" in one.media_type][-1]
    with Registry() as quay:
        again = images.image(layers=[Layer(layer, digests.of(b"x"))])
        quay.fill(images, {"team/new:1.11": again})
        config = {"registries": {"quay.io": {"mirror": quay.url}}, "name": "platform", "version": "1.11"}
        site.airgap.write("airgap.yaml", json.dumps(config))
        site.airgap.run(
            "export", "--image", "quay.io/team/new:1.11", "-o", "1.11.tar", "--base", "1.8.tar.receipt.json"
        )
    (site.airgap.folder / "airgap.yaml").unlink()
    planned = site.json("--keep", "1.10.tar", "--keep", "1.11.tar", "--dry-run")
    assert images_of(planned) == ["alias:1", "app:1.8", "app:1.9", "tool:latest", MOVED]
    assert "1.11.tar builds on its layers" in left_of(planned)["db:1.8"]


@pytest.mark.parametrize("keep", ["1.10.tar.receipt.json", "one.json", "airgap.lock", "folder"])
def test_any_document_of_a_release_keeps_it(site: Site, keep: str) -> None:
    if keep == "one.json":
        with tarfile.open(site.airgap.folder / "1.10.tar") as tar:
            content = tar.extractfile("airgap/bundle.json")
            assert content is not None
            site.airgap.write(keep, content.read())
    elif keep == "airgap.lock":
        images = {f"quay.io/team/{name}": root.to_json() for name, root in site.world.tags["1.10"].items()}
        site.airgap.write(keep, json.dumps({"format": 1, "platforms": None, "images": images, "referrers": {}}))
    elif keep == "folder":
        site.airgap.write("folder/deep/1.10.tar", (site.airgap.folder / "1.10.tar").read_bytes())
        site.airgap.write("folder/scan.json", "{}")
        site.airgap.write("folder/readme.html", "<p>")
    assert images_of(site.json("--keep", keep, "--dry-run")) == OLD


@pytest.mark.parametrize("keep", ["1.8.tar", "1.8.lock"])
def test_a_kept_image_whose_tag_has_moved_stays_for_a_rollback(site: Site, keep: str) -> None:
    """A lock has the digests before platforms were selected, so all that airgap brought under its names stays."""
    images = {f"quay.io/team/{name}": root.to_json() for name, root in site.world.tags["1.8"].items()}
    images["quay.io/team/tool:latest"] = {**images["quay.io/team/tool:latest"], "digest": f"sha256:{'2' * 64}"}
    site.airgap.write(
        "1.8.lock", json.dumps({"format": 1, "platforms": ["linux/amd64"], "images": images, "referrers": {}})
    )
    assert images_of(site.json("--keep", keep, "--keep", "1.10.tar", "--dry-run")) == ["app:1.9"]


def test_an_inventory_keeps_everything_that_it_lists(site: Site) -> None:
    site.airgap.run("inventory", TARGET, "--via", site.far_url, "-o", "held.json")
    assert images_of(site.json("--keep", "held.json", "--dry-run")) == [MOVED]
    said = site.airgap.run(
        "prune", TARGET, "--via", site.far_url, "--keep", "1.10.tar", "--receipt", "held.json", "--dry-run", code=2
    )
    assert "is an inventory" in said.errors[0]


def test_another_mapping_keeps_by_the_references_that_images_came_from(site: Site) -> None:
    """With another policy the names at the target would be others; nothing is deleted for that."""
    assert images_of(site.json("--keep", "1.10.tar", "--mapping", "full", "--dry-run")) == OLD


def test_images_of_yaml_in_use_stay(site: Site) -> None:
    site.airgap.write("use/a.yaml", f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: '{NAME}/p/app:1.8'}}]}}")
    pinned = site.world.tags["1.9"]["app:1.9"].digest
    site.airgap.write("use/b.yaml", f"kind: Pod\nspec: {{containers: [{{image: '{NAME}/p/app@{pinned}'}}]}}")
    site.airgap.write("use/c.yaml", "kind: Pod\nspec: {containers: [{image: 'quay.io/team/db:1.8'}]}")
    planned = site.json("--keep", "1.10.tar", "--resources", "use", "--dry-run")
    assert images_of(planned) == ["alias:1", "app:1.9", "tool:latest", MOVED]
    entries = {entry["image"]: entry["only_tag"] for entry in planned["images"]}  # type: ignore[attr-defined]
    assert entries[f"{NAME}/p/app:1.9"] is True
    said = site.airgap.run("prune", TARGET, "--keep", "1.10.tar", "--context", "x", "--dry-run", code=2)
    assert "--context goes with --cluster" in said.errors[0]


def test_where_nothing_of_what_is_kept_is_there(site: Site) -> None:
    site.airgap.write("other.json", receipt({"none:1": f"sha256:{'1' * 64}"}))
    said = site.airgap.fails(50, "prune", TARGET, "--via", site.far_url, "--keep", "other.json", "--yes")
    assert "none of the images to keep" in said.errors[0]


@pytest.mark.parametrize(
    ("files", "arguments", "code", "words"),
    [
        ({}, ["--keep", "empty"], 2, "no bundle, bundle.json, receipt or lock"),
        ({}, ["--keep", "nowhere"], 2, "nowhere"),
        ({"empty/a.receipt.json": "{]"}, ["--keep", "empty"], 40, "a.receipt.json"),
        ({"b/b.tar": b"oci-layout\0 and no more"}, ["--keep", "b"], 40, "b.tar"),
        ({}, ["--keep", "1.10.tar", "--receipt", "empty"], 2, "has no receipt"),
        ({}, ["--keep", "1.10.tar", "--receipt", "1.10.tar"], 2, "is no receipt"),
        ({}, ["--keep", "1.10.tar", "--only-artifacts"], 2, "leave TARGET out"),
    ],
)
def test_bad_input(
    site: Site, files: dict[str, str | bytes], arguments: list[str], code: int, words: str, far: Registry
) -> None:
    (site.airgap.folder / "empty").mkdir()
    for name, content in files.items():
        site.airgap.write(name, content)
    said = site.airgap.fails(code, "prune", TARGET, "--via", site.far_url, *arguments, "--yes")
    assert words in said.errors[0] + said.stderr
    assert deletions(far) == []


def test_a_folder_of_more_files_than_are_read(site: Site) -> None:
    """One file more than the limit, and one at the limit."""
    site.airgap.write("many/1.10.tar", (site.airgap.folder / "1.10.tar").read_bytes())
    for number in range(4):
        site.airgap.write(f"many/{number}.txt", "x")
    site.airgap.environment["AIRGAP_LIMITS"] = "kept-files=4"
    said = site.airgap.fails(2, "prune", TARGET, "--via", site.far_url, "--keep", "many", "--yes")
    assert "more than 4 files" in said.errors[0]
    site.airgap.environment["AIRGAP_LIMITS"] = "kept-files=5"
    assert images_of(site.json("--keep", "many", "--dry-run")) == OLD


def test_a_history_that_was_changed_is_not_believed(site: Site) -> None:
    history = site.airgap.home / ".local/state/airgap/history.jsonl"
    history.write_bytes(history.read_bytes().replace(b"app:1.8", b"app:1.0"))
    said = site.airgap.fails(43, "prune", TARGET, "--via", site.far_url, "--keep", "1.10.tar", "--yes")
    assert "--receipt FILE" in said.stderr
    assert images_of(site.json("--keep", "1.10.tar", "--receipt", ".", "--dry-run")) == OLD


def test_a_place_to_which_airgap_brought_nothing(site: Site) -> None:
    said = site.airgap.fails(2, "prune", f"http://{NAME}/q", "--via", site.far_url, "--keep", "1.10.tar", "--yes")
    assert "no receipt and no history" in said.errors[0]
