# SPDX-License-Identifier: Apache-2.0
"""``rewrite --revert`` and ``--pin``: the first bytes back, and the digests that were carried."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import SAMPLES, Airgap, pod

SAMPLE = (SAMPLES / "cert-manager/cert-manager.yaml").read_bytes()
TO = ("--to", "t.example/p", "--mapping", "path")


def test_in_place_and_back(airgap: Airgap) -> None:
    airgap.write("k/cert-manager.yaml", SAMPLE)
    airgap.write("k/sub/nginx.yaml", pod("nginx"))
    airgap.write("k/same.yaml", pod("t.example/p/a:1"))
    before = airgap.files()
    airgap.run("rewrite", "k", *TO, "--in-place")
    assert airgap.files() != before
    airgap.run("rewrite", "k", "--revert", "--in-place")
    assert airgap.files() == before  # the records are gone too


def test_several_runs_are_undone_from_the_last_to_the_first(airgap: Airgap) -> None:
    path = airgap.write("a.yaml", pod("nginx", "quay.io/x/a:1"))
    for target in ("one.example/longer/prefix", "two.example", "three.example/x"):
        airgap.run("rewrite", "a.yaml", "--to", target, "--in-place")
    assert airgap.run("rewrite", "a.yaml", "--revert").text == pod("nginx", "quay.io/x/a:1")
    assert "three.example" in path.read_text()


def test_from_an_output_folder(airgap: Airgap) -> None:
    airgap.write("k/sub/a.yaml", pod("nginx"))
    airgap.write("k/b.yaml", pod("redis:2"))
    airgap.run("rewrite", "k", *TO, "--output", "out")
    airgap.run("rewrite", "out", "--revert", "--output", "back")
    assert (airgap.folder / "back/sub/a.yaml").read_text() == pod("nginx")
    assert (airgap.folder / "back/b.yaml").read_text() == pod("redis:2")
    # One of two: the other's record stays.
    airgap.run("rewrite", "out/b.yaml", "--revert", "--in-place")
    assert (airgap.folder / "out/b.yaml").read_text() == pod("redis:2")
    airgap.run("rewrite", "out", "--revert", "--in-place")
    assert not (airgap.folder / "out/.airgap-rewrite.log").exists()
    assert (airgap.folder / "out/sub/a.yaml").read_text() == pod("nginx")


def test_what_was_edited_since_is_refused_and_stays(airgap: Airgap) -> None:
    path = airgap.write("a.yaml", pod("nginx"))
    airgap.run("rewrite", "a.yaml", *TO, "--in-place")
    path.write_text(path.read_text() + "# mine\n")
    before = airgap.files()
    said = airgap.fails(10, "rewrite", "a.yaml", "--revert", "--in-place")
    assert "a.yaml" in said.errors[0]
    assert "edited since" in said.errors[0]
    assert airgap.files() == before


def test_every_file_that_was_edited_since_is_named(airgap: Airgap) -> None:
    for name in "abc":
        airgap.write(f"k/{name}.yaml", pod("nginx"))
    airgap.run("rewrite", "k", *TO, "--in-place")
    for name in "ac":
        path = airgap.folder / f"k/{name}.yaml"
        path.write_text(path.read_text() + "# mine\n")
    said = airgap.run("rewrite", "k", "--revert", "--in-place", code=10)
    edited = "the file has been edited since it was rewritten"
    assert said.errors == [f"k/a.yaml: {edited}", f"k/c.yaml: {edited}"]


def test_a_record_is_needed_and_must_be_one(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("nginx"))
    assert ".airgap-rewrite.log" in airgap.fails(10, "rewrite", "a.yaml", "--revert").stderr
    airgap.write(".airgap-rewrite.log", '{"file": 1}\n')
    assert ".airgap-rewrite.log:1" in airgap.fails(10, "rewrite", "a.yaml", "--revert").errors[0]
    airgap.run("rewrite", "a.yaml", "--revert", "--to", "t.example", code=2)


def test_pin_adds_the_digests_of_the_bundle(airgap: Airgap, bundle: Path) -> None:
    carried = {image["reference"]: image["digest"] for image in airgap.run("inspect", bundle, "--json").json["images"]}
    airgap.write("a.yaml", pod(*carried))
    said = airgap.run("rewrite", "a.yaml", *TO, "--from", bundle, "--pin").text
    expected = [f"t.example/p/{ref.partition('/')[2]}@{digest}" for ref, digest in carried.items()]
    assert said == pod(*expected)
    airgap.run("rewrite", "a.yaml", *TO, "--pin", code=2)


def test_what_only_looks_like_an_image_does_not_stop_a_rewriting(airgap: Airgap, bundle: Path) -> None:
    text = "apiVersion: x.example/v1\nkind: T\nspec: {key: 'q.io/a/b:1'}\n"
    airgap.write("a.yaml", text)
    said = airgap.run("rewrite", "a.yaml", *TO, "--from", bundle)
    assert said.text == text
    assert "a.yaml:3" in said.stderr
    airgap.write("a.yaml", text.replace("key", "image"))
    airgap.fails(32, "rewrite", "a.yaml", *TO, "--from", bundle)


def test_it_says_what_it_did(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("nginx", "redis:2"))
    airgap.write("k/b.yaml", pod("nginx"))
    airgap.run("rewrite", "k", *TO, "--in-place")
    assert "would" in airgap.run("rewrite", "k", "--revert", "--in-place", "--dry-run").stderr
    said = airgap.run("rewrite", "k", "--revert", "--in-place").stderr
    assert said.splitlines() == ["reverted 2 changes of k/a.yaml", "reverted 1 change of k/b.yaml"]


def test_what_is_printed_is_not_said_to_be_reverted(airgap: Airgap) -> None:
    text = pod("nginx")
    path = airgap.write("a.yaml", text)
    airgap.run("rewrite", "a.yaml", *TO, "--in-place")
    said = airgap.run("rewrite", "a.yaml", "--revert")
    assert said.text == text
    assert said.stderr.splitlines() == ["printed a.yaml with 1 change reverted; --in-place reverts the file itself"]
    assert path.read_text() != text


def test_runs_at_the_same_time_lose_no_record(airgap: Airgap) -> None:
    names = [f"k/{number}.yaml" for number in range(8)]
    for name in names:
        airgap.write(name, pod("nginx"))
    before = airgap.files()
    runs = [airgap.started("rewrite", name, *TO, "--in-place") for name in names]
    for run in runs:
        with run:
            assert run.wait(60) == 0
    assert len((airgap.folder / "k/.airgap-rewrite.log").read_text().splitlines()) == len(names)
    airgap.run("rewrite", "k", "--revert", "--in-place")
    assert airgap.files() == before
