# SPDX-License-Identifier: Apache-2.0
"""``airgap state``: what stopped runs left is listed, and removed unless a running one has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airgap.durable import Journal
from tests.cli.command import Airgap, Registry

UPLOADS, MIGRATION = f"import-{'a' * 24}.jsonl", f"migrate-{'b' * 24}.jsonl"


@pytest.fixture
def state(airgap: Airgap) -> Path:
    """A folder with an import that has one unfinished upload of two, a migration, and files of somebody else."""
    folder = airgap.home / ".local/state/airgap"
    folder.mkdir(parents=True)

    def written(name: str, *entries: object) -> None:
        (folder / name).write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))

    begun = [{"repository": "x", "digest": f"sha256:{n}", "location": f"/v2/x/blobs/uploads/{n}"} for n in (1, 2)]
    head = {"format": 1, "target": "nexus.corp:5000/p", "address": "https://nexus.corp:5000", "bundle": "c0ffee" * 10}
    written(UPLOADS, {**head, "shard": "0/2"}, *begun, {**begun[0], "location": ""})
    pair = {"source": "harbor.corp", "target": "nexus.corp:5000/p"}
    written(MIGRATION, {"format": 1, **pair}, {"tag": "a:1", "digest": "d"}, {"created": "", "digest": "d"})
    written(f"import-{'c' * 24}.jsonl", ["not airgap's"])
    written("import-notes.jsonl", head)
    written("history.jsonl", {"target": "x", "bundle": "y"})
    (folder / f"import-{'d' * 24}.jsonl").symlink_to(folder / UPLOADS)
    return folder


def test_lists_what_airgap_left_and_nothing_else(airgap: Airgap, state: Path) -> None:
    files = {Path(file["file"]).name: file for file in airgap.run("state", "--json").json}
    assert files.keys() == {UPLOADS, MIGRATION}
    assert files[UPLOADS]["entries"] == 1
    assert files[UPLOADS]["shard"] == "0/2"
    assert (files[MIGRATION]["source"], files[MIGRATION]["entries"]) == ("harbor.corp", 1)
    text = airgap.run("state", "list").text
    assert f"{UPLOADS}\n  import of bundle c0ffeec0ffee to nexus.corp:5000/p, shard 0/2, 1 unfinished upload, " in text
    assert f"{MIGRATION}\n  migration from harbor.corp to nexus.corp:5000/p, 1 tag copied, " in text


def test_clean_removes_uploads_and_migrations_only_when_told(airgap: Airgap, state: Path) -> None:
    before = {path.name for path in state.iterdir()}
    assert f"would remove {UPLOADS}" in airgap.run("state", "clean", "--dry-run").stderr
    assert {path.name for path in state.iterdir()} == before
    assert f"removed {UPLOADS}" in airgap.run("state", "clean").stderr
    assert {path.name for path in state.iterdir()} == before - {UPLOADS}
    assert "nothing to remove" in airgap.run("state", "clean").stderr
    airgap.run("state", "clean", "--migrations")
    assert {path.name for path in state.iterdir()} == before - {UPLOADS, MIGRATION}


def test_clean_of_one_file_by_its_name(airgap: Airgap, state: Path) -> None:
    airgap.run("state", "clean", MIGRATION)
    assert not (state / MIGRATION).exists()
    assert (state / UPLOADS).exists()
    for name in ("history.jsonl", "../../../user", MIGRATION):
        airgap.fails(2, "state", "clean", name)
    assert (state / "history.jsonl").exists()


def test_what_a_running_airgap_has_open_stays(airgap: Airgap, state: Path) -> None:
    journal = Journal.open(state / UPLOADS)
    try:
        files = {Path(file["file"]).name: file["in_use"] for file in airgap.run("state", "--json").json}
        assert files == {UPLOADS: True, MIGRATION: False}
        for more in ([], ["--dry-run"]):
            said = airgap.run("state", "clean", *more).stderr
            assert said == f"kept {UPLOADS}: a running airgap has it open\n"
        assert (state / UPLOADS).exists()
    finally:
        journal.close()


def test_a_folder_that_is_not_there_holds_nothing(airgap: Airgap) -> None:
    said = airgap.run("state", "--state", "nowhere")
    assert (said.text, said.stderr) == ("", "nowhere: nothing is left there\n")
    assert airgap.run("state", "--json").json == []
    (airgap.folder / "file").touch()
    airgap.fails(42, "state", "--state", "file")


def test_a_real_migration_is_listed(prepared: Airgap, quay: Registry, nexus: Registry) -> None:
    prepared.run("migrate", f"http://{quay.address}", f"http://{nexus.address}/m", "--state", "kept")
    (file,) = prepared.run("state", "--state", "kept", "--json").json
    assert (file["kind"], file["entries"], file["in_use"]) == ("migration", 4, False)


def test_a_user_without_a_home_is_told_so_and_can_import(airgap: Airgap, bundle: Path, nexus: Registry) -> None:
    """Nothing appears in a folder that is called ``~``."""
    program = "import os, pwd; del os.environ['HOME']; pwd.getpwuid = {}.__getitem__; "
    program += "from airgap.cli import main; main()"

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *map(str, arguments)]
        environment = airgap.whole_environment()
        return subprocess.run(command, cwd=airgap.folder, env=environment, capture_output=True, text=True, check=False)

    said = run("import", bundle, "--to", f"{nexus.address}/p")
    assert said.returncode == 0, said.stderr
    assert "this user has no home folder" in said.stderr
    assert run("state").returncode == 42
    logout = run("logout", nexus.address)
    assert (logout.returncode, logout.stderr.splitlines()[0]) == (1, "error: this user has no home folder")
    assert not (airgap.folder / "~").exists()


@pytest.mark.parametrize("words", [["list", "x"], ["--dry-run"], ["clean", "--json"], ["clean", "x", "--migrations"]])
def test_options_that_do_not_go_together(airgap: Airgap, words: list[str]) -> None:
    airgap.fails(2, "state", *words)
