# SPDX-License-Identifier: Apache-2.0
"""``.airgap-rewrite.log``: at whatever point a run ends, what it wrote can be reverted; only the record that belongs to
the files is read, and only for files below it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.durable import locked_folder
from tests.cli.command import Airgap, Registry, pod
from tests.parts import failing_disk as disk
from tests.parts.forking import prepared
from tests.parts.waiting import at_rest, wait_until

LOG = ".airgap-rewrite.log"
ONE, TWO = ("--to", "one.example/longer/prefix"), ("--to", "two.example")


def contents(airgap: Airgap, folder: str) -> dict[str, str]:
    """The resource files below ``folder``."""
    top = airgap.folder / folder
    return {str(path.relative_to(top)): path.read_text() for path in sorted(top.rglob("*.yaml"))}


def logs(airgap: Airgap, folder: str) -> dict[str, list[str]]:
    """The records below ``folder``, each as its sorted lines."""
    top = airgap.folder / folder
    return {str(path.relative_to(top)): sorted(path.read_text().splitlines()) for path in sorted(top.rglob(LOG))}


def faults(airgap: Airgap, mode: str, *arguments: str) -> Iterator[None]:
    """Run the command with one fault after another, each time on the files as they are now; yields after each run,
    until one has no fault left."""
    marker, saved = airgap.home / "failed", airgap.home / "saved"
    shutil.copytree(airgap.folder, saved)
    for count in range(1, 100):
        marker.unlink(missing_ok=True)
        shutil.rmtree(airgap.folder)
        shutil.copytree(saved, airgap.folder)
        done = prepared().run(
            [mode, str(count), str(marker), *arguments],
            module=disk.__name__,
            environment=airgap.whole_environment(),
            folder=airgap.folder,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        if not marker.exists():
            assert done.returncode == 0, done.stderr.decode()
            assert count > 6  # else there was nothing to break
            return
        yield
    raise AssertionError("the faults do not end")


@pytest.mark.parametrize("mode", disk.MODES)
def test_a_run_in_place_that_is_cut_off_can_be_reverted_and_repeated(airgap: Airgap, mode: str) -> None:
    """It is the second run of one file and the first of two others."""
    first = {"a.yaml": pod("nginx", "redis:2"), "b.yaml": pod("quay.io/x/b:1"), "sub/c.yaml": pod("busybox")}
    for name, content in first.items():
        airgap.write(f"k/{name}", content)
    airgap.run("rewrite", "k/a.yaml", *ONE, "--in-place")
    before = contents(airgap, "k")
    shutil.copytree(airgap.folder / "k", airgap.home / "k")
    airgap.run("rewrite", "k", *TWO, "--in-place")
    after, complete = contents(airgap, "k"), logs(airgap, "k")
    shutil.rmtree(airgap.folder / "k")
    (airgap.home / "k").rename(airgap.folder / "k")

    for _ in faults(airgap, mode, "rewrite", "k", *TWO, "--in-place"):
        left = contents(airgap, "k")
        assert all(left[name] in (before[name], after[name]) for name in first)
        shutil.copytree(airgap.folder / "k", airgap.folder / "again")

        airgap.run("rewrite", "k", "--revert", "--in-place")
        assert contents(airgap, "k") == first
        assert logs(airgap, "k") == {}

        shutil.rmtree(airgap.folder / "k")
        (airgap.folder / "again").rename(airgap.folder / "k")
        airgap.run("rewrite", "k", *TWO, "--in-place")
        assert contents(airgap, "k") == after
        assert logs(airgap, "k") == complete  # each run once


@pytest.mark.parametrize("mode", disk.MODES)
def test_a_reverting_that_is_cut_off_can_be_repeated(airgap: Airgap, mode: str) -> None:
    first = {"a.yaml": pod("nginx", "redis:2"), "sub/c.yaml": pod("busybox")}
    for name, content in first.items():
        airgap.write(f"k/{name}", content)
    for target in (ONE, TWO):
        airgap.run("rewrite", "k", *target, "--in-place")

    for _ in faults(airgap, mode, "rewrite", "k", "--revert", "--in-place"):
        airgap.run("rewrite", "k", "--revert", "--in-place", code=0 if logs(airgap, "k") else 10)
        assert contents(airgap, "k") == first
        assert logs(airgap, "k") == {}


@pytest.mark.parametrize("mode", disk.MODES)
def test_an_output_that_is_cut_off_can_be_reverted_and_repeated(airgap: Airgap, mode: str) -> None:
    """The output folder holds what was made from other files before: each is reverted to what it was made from."""
    old = {"a.yaml": pod("nginx", "redis:2"), "b.yaml": pod("quay.io/x/b:1"), "sub/c.yaml": pod("busybox")}
    new = {"a.yaml": pod("nginx:9"), "b.yaml": pod("two.example/x/b:1"), "sub/c.yaml": pod("busybox:9")}
    again = ("rewrite", "new", *TWO, "--mapping", "path", "--output", "out", "--force")
    for folder, sources in (("old", old), ("new", new)):
        for name, content in sources.items():
            airgap.write(f"{folder}/{name}", content)
    airgap.run(*again)
    after, complete = contents(airgap, "out"), logs(airgap, "out")
    assert after["b.yaml"] == new["b.yaml"]  # a file in which nothing changes
    shutil.rmtree(airgap.folder / "out")
    airgap.run("rewrite", "old", *ONE, "--output", "out")
    before = contents(airgap, "out")

    for _ in faults(airgap, mode, *again):
        left = contents(airgap, "out")
        assert all(left[name] in (before[name], after[name]) for name in old)
        shutil.copytree(airgap.folder / "out", airgap.folder / "copy")
        airgap.run("rewrite", "out", "--revert", "--in-place")
        assert contents(airgap, "out") == {
            name: old[name] if content == before[name] else new[name] for name, content in left.items()
        }
        shutil.rmtree(airgap.folder / "out")
        (airgap.folder / "copy").rename(airgap.folder / "out")
        airgap.run(*again)
        assert contents(airgap, "out") == after
        assert logs(airgap, "out") == complete


def test_nothing_is_written_where_the_record_cannot_be(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("nginx"))
    (airgap.folder / "k" / LOG).mkdir()
    assert LOG in airgap.fails(10, "rewrite", "k", *ONE, "--in-place").errors[0]
    assert contents(airgap, "k") == {"a.yaml": pod("nginx")}
    (airgap.folder / "out" / LOG).mkdir(parents=True)
    airgap.fails(10, "rewrite", "k", *ONE, "--output", "out")
    assert contents(airgap, "out") == {}


def test_an_import_pushes_nothing_where_the_record_cannot_be_written(
    airgap: Airgap, nexus: Registry, bundle: Path
) -> None:
    airgap.write(f"airgap-out/{LOG}", "no record\n")
    said = airgap.fails(10, "import", bundle, "--to", nexus.address)
    assert f"{LOG}:1" in said.errors[0]
    assert nexus.names() == []


@pytest.mark.parametrize("record", ["fifo", "link", "folder", "deep", "no UTF-8", "large"])
def test_an_import_pushes_nothing_where_the_record_is_hostile(
    airgap: Airgap, nexus: Registry, bundle: Path, record: str
) -> None:
    path = airgap.folder / "airgap-out" / LOG
    path.parent.mkdir()
    if record == "fifo":
        os.mkfifo(path)
    elif record == "link":
        path.symlink_to("/dev/zero")
    elif record == "folder":
        path.mkdir()
    else:
        path.write_bytes({"deep": b"[" * 200_000, "no UTF-8": b"{\xff}\n", "large": b"\n" * 101}[record])
    environment = {"AIRGAP_LIMITS": "record-bytes=100"} if record == "large" else {}
    said = airgap.fails(10, "import", bundle, "--to", nexus.address, environment=environment)
    assert LOG in said.errors[0]
    assert nexus.names() == []
    assert "record-bytes" in said.stderr or record != "large"


@pytest.mark.parametrize("source", ["mapping", "bundle"])
def test_a_run_in_place_that_was_cut_off_between_files_goes_on(airgap: Airgap, bundle: Path, source: str) -> None:
    image = "quay.io/jetstack/cert-manager-webhook:v1.14.4"
    options = ("--to", "reg.example/k", *(("--from", str(bundle)) if source == "bundle" else ()), "--in-place")
    for name in ("a", "b"):
        airgap.write(f"d/{name}.yaml", pod(image))
    airgap.run("rewrite", "d/a.yaml", *options)
    airgap.run("rewrite", "d", *options)
    for content in contents(airgap, "d").values():
        assert content.count("reg.example/k/cert-manager-webhook:v1.14.4") == 1
    airgap.run("rewrite", "d", "--revert", "--in-place")
    assert {name: content.decode() for name, content in airgap.files().items()} == {
        "d/a.yaml": pod(image),
        "d/b.yaml": pod(image),
    }


def test_two_sources_of_one_name_collide_though_one_was_rewritten_before(airgap: Airgap) -> None:
    first = {"a": pod("quay.io/x/app:1", "docker.io/y/other:2"), "b": pod("quay.io/y/app:1")}
    for name, content in first.items():
        airgap.write(f"d/{name}.yaml", content)
    airgap.run("rewrite", "d/a.yaml", *ONE, "--in-place")
    before = airgap.files()
    for paths in (("d",), ("d/b.yaml", "d/a.yaml"), ("d/a.yaml", "d/b.yaml")):
        said = airgap.fails(50, "rewrite", *paths, *ONE, "--in-place")
        assert "quay.io/x/app:1 and quay.io/y/app:1 would both become one.example/longer/prefix/app:1" in said.errors[0]
        assert airgap.files() == before
    airgap.write("d/b.yaml", pod("quay.io/x/app:1"))
    airgap.run("rewrite", "d", *ONE, "--in-place")
    assert contents(airgap, "d")["b.yaml"] == pod("one.example/longer/prefix/app:1")


@pytest.mark.parametrize("targets", [(ONE, ONE), (ONE, TWO)], ids=["the same", "another"])
def test_two_rewritings_at_once_leave_a_record_that_reverts(
    airgap: Airgap, targets: tuple[tuple[str, ...], ...]
) -> None:
    """Each has read the files before the other writes; a lock that the test holds lets them write after each other."""
    first = {f"{name}.yaml": pod("nginx", f"quay.io/x/{name}:1") for name in "abc"}
    for name, content in first.items():
        airgap.write(f"k/{name}", content)
    with locked_folder(airgap.folder / "k"):
        running = [airgap.started("rewrite", "k", *target, "--in-place") for target in targets]
        for process in running:
            wait_until(at_rest(process.pid))
    said = [process.communicate(timeout=60)[1].decode() for process in running]
    assert sorted(process.returncode for process in running) == [0, 42], said
    assert "another program has changed this file" in "".join(said)
    changed = contents(airgap, "k")
    assert all(changed[name] != content for name, content in first.items())
    assert len({content.count("two.example") for content in changed.values()}) == 1  # one of the two has written all
    airgap.run("rewrite", "k", "--revert", "--in-place")
    assert contents(airgap, "k") == first
    assert logs(airgap, "k") == {}


def test_a_file_that_was_put_back_by_other_means_is_rewritten_from_its_first_bytes(airgap: Airgap) -> None:
    path = airgap.write("a.yaml", pod("nginx"))
    for target in (ONE, TWO, ONE):
        airgap.run("rewrite", "a.yaml", *target, "--in-place")
    path.write_text(pod("nginx"))
    airgap.run("rewrite", "a.yaml", *TWO, "--in-place")
    airgap.run("rewrite", "a.yaml", "--revert", "--in-place")
    assert airgap.files() == {"a.yaml": pod("nginx").encode()}


def test_the_same_target_twice_in_a_chain_of_runs_is_undone(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("nginx"))
    for target in (ONE, TWO, ONE):
        airgap.run("rewrite", "a.yaml", *target, "--in-place")
    airgap.run("rewrite", "a.yaml", "--revert", "--in-place")
    assert airgap.files() == {"a.yaml": pod("nginx").encode()}


def test_two_links_to_one_file_are_one_rewriting(airgap: Airgap) -> None:
    airgap.write("real/a.yaml", pod("nginx"))
    for name in ("x.yaml", "y.yaml"):
        (airgap.folder / name).symlink_to("real/a.yaml")
    airgap.run("rewrite", "x.yaml", "y.yaml", *ONE, "--in-place")
    airgap.run("rewrite", "y.yaml", "--revert", "--in-place")
    assert (airgap.folder / "real/a.yaml").read_text() == pod("nginx")


def test_a_file_whose_name_is_no_text_is_reverted(airgap: Airgap) -> None:
    airgap.write("k/a\udcff.yaml", pod("nginx"))
    airgap.run("rewrite", "k", *ONE, "--in-place")
    airgap.run("rewrite", "k", "--revert", "--in-place")
    assert contents(airgap, "k") == {"a\udcff.yaml": pod("nginx")}
    assert logs(airgap, "k") == {}


@pytest.mark.parametrize("command", ["--in-place", "--output"])
def test_a_record_of_version_0_1_0_is_read(airgap: Airgap, command: str) -> None:
    """It has no digest of what a file was before."""
    airgap.write("k/sub/a.yaml", pod("nginx"))
    airgap.run("rewrite", "k", *ONE, *(("--in-place",) if command == "--in-place" else ("--output", "out")))
    folder = "k" if command == "--in-place" else "out"
    for log in (airgap.folder / folder).rglob(LOG):
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        old = ("file", "line", "offset", "before", "after", "name", "sha256")
        log.write_text("".join(json.dumps({key: line[key] for key in old}) + "\n" for line in lines))
    airgap.run("rewrite", folder, *TWO, "--in-place")  # on top of the old record
    airgap.run("rewrite", folder, "--revert", "--in-place")
    assert contents(airgap, folder) == {"sub/a.yaml": pod("nginx")}


def planted(name: str, content: str, before: str, after: str, **more: object) -> str:
    """A record that turns ``after`` in ``content`` into ``before``."""
    line: dict[str, object] = {"file": name, "line": 1, "offset": content.index(after), "before": before}
    line |= {"after": after, "name": name, "sha256": hashlib.sha256(content.encode()).hexdigest()}
    return json.dumps(line | more) + "\n"


@pytest.mark.parametrize("given", ["k", "k/sub", "k/sub/a.yaml", "link.yaml"])
def test_a_record_above_what_is_given_is_not_read(airgap: Airgap, given: str) -> None:
    content = pod("nginx")
    airgap.write("k/sub/a.yaml", content)
    (airgap.folder / "link.yaml").symlink_to("k/sub/a.yaml")
    airgap.write(LOG, planted("k/sub/a.yaml", content, "evil.example/nginx", "nginx"))
    if given != "k":
        airgap.write(f"k/{LOG}", planted("sub/a.yaml", content, "evil.example/nginx", "nginx"))
    said = airgap.fails(10, "rewrite", given, "--revert", "--in-place")
    assert "no record" in said.errors[0]
    assert LOG in said.stderr
    assert contents(airgap, "k") == {"sub/a.yaml": content}


def test_the_records_of_folders_below_the_given_one_are_read(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("nginx"))
    airgap.write("k/sub/b.yaml", pod("redis:2"))
    airgap.run("rewrite", "k", *ONE, "--output", "top/out")
    airgap.run("rewrite", "top/out/sub", *TWO, "--in-place")
    # The record beside the file comes before that of the whole output.
    airgap.run("rewrite", "top", "--revert", "--in-place")
    assert contents(airgap, "top/out") == contents(airgap, "k")
    assert logs(airgap, "top") == {}


def test_a_record_that_does_not_give_the_first_bytes_back_is_refused(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("nginx"))
    airgap.run("rewrite", "a.yaml", *ONE, "--in-place")
    log = airgap.folder / LOG
    line = json.loads(log.read_text())
    assert line["sha256_before"] == hashlib.sha256(pod("nginx").encode()).hexdigest()
    log.write_text(json.dumps(line | {"before": "evil.example/nginx"}) + "\n")
    before = airgap.files()
    assert "does not give the bytes" in airgap.fails(10, "rewrite", "a.yaml", "--revert", "--in-place").errors[0]
    assert airgap.files() == before


@pytest.mark.parametrize("name", ["../a.yaml", "/a.yaml", "sub/../../a.yaml", "out/a.yaml", "a\0.yaml", "", "\ud800"])
def test_names_that_lead_out_of_the_folder_are_refused(airgap: Airgap, name: str) -> None:
    content = pod("nginx")
    airgap.write("a.yaml", content)
    airgap.write("k/b.yaml", content)
    (airgap.folder / "k/out").symlink_to("..")
    airgap.write(f"k/{LOG}", planted(name, content, "evil.example/nginx", "nginx"))
    said = airgap.fails(10, "rewrite", "k/b.yaml", "--revert", "--in-place")
    assert LOG in said.errors[0]
    assert (airgap.folder / "a.yaml").read_text() == content


def test_a_record_that_is_a_link_is_refused(airgap: Airgap) -> None:
    content = pod("nginx")
    airgap.write("k/a.yaml", content)
    elsewhere = airgap.write("other", planted("a.yaml", content, "evil.example/nginx", "nginx"))
    (airgap.folder / "k" / LOG).symlink_to(elsewhere)
    for command in (("--revert",), ONE):
        assert "link" in airgap.fails(10, "rewrite", "k", *command, "--in-place").errors[0]
    assert contents(airgap, "k") == {"a.yaml": content}
