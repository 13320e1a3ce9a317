# SPDX-License-Identifier: Apache-2.0
"""``airgap release``: one folder with a full bundle and smaller ones, the same bytes however often it was stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.bundle import open_bundle, read_document
from airgap.release import read_release
from airgap.trust.minisign import PublicKey, Signature
from tests.cli.command import Airgap, Registry
from tests.flows.made_releases import TARGET, Project, files_of
from tests.parts.waiting import wait_until


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that has released 1.8 and 1.9, and is about to release 1.10."""
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("maker")
    with Registry() as registry:
        project = Project(Airgap(folder, home), registry)
        project.airgap.run("keygen", "-o", "maker", "--no-passphrase")
        for version in ("1.8", "1.9"):
            project.offer(version)
            project.choose(version)
            project.release("--sign", "maker.key")
        project.offer("1.10")
        project.choose("1.10")
        yield project


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of it that a test may spoil."""
    with made.copied(tmp_path / "work") as copy:
        yield copy


@pytest.fixture(scope="module")
def third(made: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project with the release 1.10, for tests that only read it."""
    with made.copied(tmp_path_factory.mktemp("third") / "work") as project:
        project.settings["said"] = project.release("--sign", "maker.key").text
        yield project


def test_the_folder_says_what_is_in_it(third: Project) -> None:
    folder, release = third.folder / "platform-1.10", third.document("1.10")
    listed = {file.name: (file.size, file.sha256) for file in release.files}
    there = {
        path.name: (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) for path in folder.iterdir()
    }
    unlisted = {"release.json", "release.json.minisig"}
    assert {name: there[name] for name in there.keys() - unlisted} == listed
    assert [bundle.since.version for bundle in release.differentials if bundle.since] == ["1.9", "1.8"]
    for bundle in release.bundles:
        # A document that is the bundle.json says what is in a bundle whose volumes are elsewhere.
        assert [file.role for file in release.files if file.sha256 == bundle.id] == ["inventory"]
    roles = {file.role for file in release.files}
    assert roles == {"bundle", "inventory", "dossier", "notes", "install", "checksums"}
    for bundle in release.bundles:
        with open_bundle(folder / bundle.files[0]) as opened:
            assert (opened.id, opened.inventory.version) == (bundle.id, "1.10")
        assert len(bundle.dossier) == 4
        assert json.loads((folder / bundle.dossier[3]).read_bytes())["bundle"]["root"] == f"sha256:{bundle.id}"
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    assert not (third.folder / "platform-1.10.partial").exists()


def test_a_smaller_bundle_needs_that_release_and_nothing_else(third: Project) -> None:
    full = {version: third.document(version).full for version in ("1.8", "1.9")}
    for bundle in third.document("1.10").differentials:
        assert bundle.since is not None
        base = full[bundle.since.version]
        assert bundle.since.id == base.id
        document = read_document(third.folder / "platform-1.10" / bundle.files[0])
        with open_bundle(third.folder / f"platform-{bundle.since.version}" / base.files[0]) as site:
            held = {blob.digest for blob in site.inventory.blobs}
        requires = document.content.requires  # type: ignore[union-attr] # a bundle has an inventory
        assert {layer.digest for layer in requires} <= held
        assert {layer.origin for layer in requires} == {base.id}
        assert bundle.size < third.document("1.10").full.size / 2


def test_what_each_site_must_carry(third: Project) -> None:
    release = third.document("1.10")
    rows = [line.split() for line in str(third.settings["said"]).splitlines()]
    assert [row[0] for row in rows[1:]] == ["1.9", "1.8", "another,"]
    assert rows[1][1] == release.differentials[0].files[0]
    data = third.airgap.run("release", "--sign", "maker.key", "--json", "--media-rate", "1MB").json
    assert [site["version"] for site in data["sites"]] == ["1.9", "1.8", None]
    sizes = [bundle.size for bundle in (*release.differentials, release.full)]
    assert [site["bytes"] for site in data["sites"]] == sizes
    assert [site["minutes"] for site in data["sites"]] == [round(size / 60e6, 1) for size in sizes]
    assert [bundle["id"] for bundle in data["bundles"]] == [bundle.id for bundle in release.bundles]


def test_every_layer_is_fetched_once(project: Project) -> None:
    project.release()
    fetched = project.fetched_layers()
    with open_bundle(project.folder / "platform-1.10/platform-1.10.tar") as bundle:
        layers = {blob.digest for blob in bundle.inventory.blobs if "layer" in blob.media_type}
    large = {digest for digest in layers if len(project.images.content[digest]) > 5_000}
    assert len(large) == 2
    assert sorted(fetched) == sorted(large)


def test_the_signature_covers_the_folder(third: Project) -> None:
    folder = third.folder / "platform-1.10"
    key = PublicKey.from_bytes((third.folder / "maker.pub").read_bytes(), where="maker.pub")
    signature = Signature.from_bytes((folder / "release.json.minisig").read_bytes(), where="release.json.minisig")
    assert signature.comment == "airgap release platform 1.10"
    signature.check(key, (folder / "release.json").read_bytes(), where="release.json")
    for bundle in third.document("1.10").bundles:
        third.airgap.run("verify", folder / bundle.files[0], "--key", "maker.pub")


def test_sites_at_any_version_are_brought_up_and_back(third: Project, tmp_path: Path) -> None:
    """The commands of install.md as they stand there: each takes the file that the table names, and goes back."""
    guide = (third.folder / "platform-1.10/install.md").read_text()
    commands = re.findall(r"^airgap (.*)", guide, re.MULTILINE)
    verify, bring, by_hand, back = commands[0], commands[1], commands[2:5], commands[5]
    third.airgap.run(*verify.split())
    assert by_hand == [
        f"import platform-1.10/{name}.tar --to {TARGET} --key maker.pub"
        for name in ("platform-1.10-since-1.9", "platform-1.10-since-1.8", "platform-1.10")
    ]
    for version, file in (
        ("1.9", "platform-1.10-since-1.9.tar"),
        ("1.8", "platform-1.10-since-"),  # both serve it: the layer that 1.9 added is gone
        ("", "platform-1.10.tar"),
    ):
        with Registry() as site:
            out = tmp_path / f"out-{version}"
            more = ["--via", site.url, "--output", out, "--receipt", tmp_path / f"{version}.json"]
            if version:
                third.airgap.run("import", f"platform-{version}", "--to", TARGET, *more)
            assert file in third.airgap.run(*bring.split(), *more).stderr
            assert site.digest("p/app:1.10") == third.registry.digest("x/app:1.10")
            assert site.digest("p/base:1") == third.registry.digest("x/base:1")
            assert b"app:1.10" in (out / "deploy.yaml").read_bytes()
            if version == "1.9":
                site.requests()
                third.airgap.run(*back.split(), *more)
                assert b"app:1.9" in (out / "deploy.yaml").read_bytes()
                assert [line for line in site.requests() if line.split()[0] in ("POST", "PATCH")] == []


def test_the_same_bytes_in_another_folder(third: Project, tmp_path: Path, made: Project) -> None:
    with made.copied(tmp_path / "work") as other:
        shutil.rmtree(other.folder / "platform-1.8")  # only releases/ is needed
        other.airgap.fresh = True  # the language is chosen when the program starts
        other.airgap.run(
            "release", "--sign", "maker.key", "--jobs", "1", "-o", "media", environment={"AIRGAP_LANG": "ko"}
        )
        assert files_of(other.folder / "media/platform-1.10") == files_of(third.folder / "platform-1.10")
        assert files_of(other.folder / "releases") == files_of(third.folder / "releases")


def test_a_tag_that_has_moved_changes_nothing(project: Project) -> None:
    project.release()
    first = files_of(project.folder / "platform-1.10")
    shutil.rmtree(project.folder / "platform-1.10")
    before = project.registry.digest("x/base:1")
    try:
        project.registry.fill(project.images, {"x/base:1": project.images.image()})
        project.release()
        assert files_of(project.folder / "platform-1.10") == first
        shutil.rmtree(project.folder / "platform-1.10")
        refused = project.airgap.fails(42, "release", "--refresh")
        assert "released with other content" in refused.stderr
        project.release("--refresh", "--force")
        assert files_of(project.folder / "platform-1.10") != first
    finally:
        project.registry.store.tag(project.registry.store.resolve(f"x/base@{before}"), "x/base:1")


def test_a_dry_run_shows_the_table_and_changes_nothing(project: Project) -> None:
    before = files_of(project.folder)
    said = project.release("--dry-run", "--volume-size", "1MiB", "--parity", "1")
    assert [line.split()[0] for line in said.text.splitlines()[1:]] == ["1.9", "1.8", "another,"]
    assert "1 + 1" in said.text
    assert files_of(project.folder) == before
    assert not (project.folder / "platform-1.10.partial").exists()


def test_a_whole_release_is_left_as_it_is(project: Project) -> None:
    project.release()
    before = {path: path.stat().st_ino for path in (project.folder / "platform-1.10").iterdir()}
    project.fetched_layers()
    said = project.release("--json")
    assert said.json["sites"][0]["version"] == "1.9"
    assert project.fetched_layers() == []
    assert {path: path.stat().st_ino for path in (project.folder / "platform-1.10").iterdir()} == before


def test_a_spoiled_release_is_replaced_only_by_force(project: Project) -> None:
    project.release()
    folder = project.folder / "platform-1.10"
    first = files_of(folder)
    for name in ("NOTES.md", "platform-1.10-since-1.8.tar", "release.json"):
        good = (folder / name).read_bytes()
        spoiled = good[: len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1 :]
        (folder / name).write_bytes(spoiled)
        assert "--force" in project.airgap.fails(42, "release").stderr
        assert (folder / name).read_bytes() == spoiled
        (folder / name).write_bytes(good)
    (folder / "NOTES.md").unlink()
    project.release("--force")
    assert files_of(folder) == first


def test_a_folder_that_is_no_release_is_never_replaced(project: Project) -> None:
    project.airgap.write("platform-1.10/mine.txt", "precious")
    assert "no release" in project.airgap.fails(42, "release", "--force").stderr
    assert (project.folder / "platform-1.10/mine.txt").read_bytes() == b"precious"


def test_resource_files_that_changed_need_a_new_lock(project: Project) -> None:
    project.release()
    project.airgap.write("deploy.yaml", (project.folder / "deploy.yaml").read_bytes() + b"# new\n")
    assert "--refresh" in project.airgap.fails(2, "release").stderr


def test_chosen_releases(project: Project) -> None:
    """A version that is remembered, the folder of a release, and a bundle, in the order of their versions."""
    project.release("--since", "platform-1.8/platform-1.8.tar", "--since", "platform-1.9")
    assert [bundle.since.version for bundle in project.document("1.10").differentials if bundle.since] == ["1.9", "1.8"]
    shutil.rmtree(project.folder / "platform-1.10")
    project.release("--since", "1.8")
    assert [bundle.files[0] for bundle in project.document("1.10").differentials] == ["platform-1.10-since-1.8.tar"]


def test_releases_that_cannot_be_built_on(project: Project) -> None:
    said = project.airgap.fails(2, "release", "--since", "1.7")
    assert "1.8, 1.9" in said.stderr
    said = project.airgap.fails(2, "release", "--since", "1.9", "--since", "platform-1.9")
    assert "called 1.9" in said.stderr
    said = project.airgap.fails(2, "release", "1.9", "--since", "1.9")
    assert "build on itself" in said.stderr
    said = project.airgap.fails(2, "release", "--since", "releases/platform-1.9.lock")
    assert "which release" in said.stderr
    project.airgap.run("export", "--image", "quay.io/x/app:1.10", "--base", "releases/platform-1.9.json", "-o", "d.tar")
    said = project.airgap.fails(40, "release", "--since", "d.tar")
    assert "differential" in said.stderr
    assert not (project.folder / "platform-1.10.partial").exists()


def test_a_release_that_shares_nothing_gets_no_smaller_bundle(project: Project) -> None:
    project.registry.fill(project.images, {"x/other:1": project.images.image()})
    project.choose("2.0", resources=[], images=["quay.io/x/other:1"])
    said = project.release()
    assert said.stderr.count("a site needs the full bundle") == 2
    assert project.document("2.0").differentials == ()
    assert [line.split()[0] for line in said.text.splitlines()[1:]] == ["another,"]


def test_files_of_other_formats(project: Project) -> None:
    """A release may have nothing else; what the earlier one has is left out too."""
    raw = [{"path": name, "directory": "manuals"} for name in ("same.txt", "new.txt")]
    project.airgap.write("same.txt", "s" * 20_000)
    for version in ("1.0", "1.1"):
        project.airgap.write("new.txt", f"manual of {version}")
        project.choose(version, name="manuals", resources=[], artifacts={"raw": raw})
        project.release()
    folder = project.folder / "manuals-1.1"
    (bundle,) = read_release(folder).differentials
    assert bundle.size < read_release(folder).full.size - 20_000
    assert f"airgap import manuals-1.1/{bundle.files[0]} --only-artifacts" in (folder / "install.md").read_text()


def test_the_settings_of_the_project(project: Project) -> None:
    project.offer("3", size=1_500_000)
    project.choose("3", release={"volume_size": "1MiB", "parity": 1, "sign": ["maker.key"]}, notes="CHANGES.txt")
    project.airgap.write("CHANGES.txt", "What we changed.\n")
    project.release()
    folder, release = project.folder / "platform-3", project.document("3")
    assert len(release.full.files) == 2
    assert release.full.parity == ("platform-3.tar.p001",)
    assert (folder / "release.json.minisig").exists()
    assert (folder / "NOTES.txt").read_bytes() == b"What we changed.\n"
    assert "What we changed." in project.airgap.run("inspect", folder / release.full.files[0]).text
    assert "airgap repair platform-3/\n" in (folder / "install.md").read_text()
    # As install.md says: a lost volume is made again from parity.
    (folder / "platform-3.tar.002").unlink()
    project.airgap.run("repair", "platform-3/")
    listed = {file.name: file.sha256 for file in release.files}
    assert files_of(folder)["platform-3.tar.002"] == listed["platform-3.tar.002"]
    # Volumes that other machines have made from the lock are taken as they are.
    lock, again = "releases/platform-3.lock", project.folder / "platform-3.partial"
    shutil.rmtree(folder)
    again.mkdir()
    options = ["--volume-size", "1MiB", "--parity", "1", "--sign", "maker.key", "--lock", lock]
    for number in ("1", "2"):
        project.airgap.run("export", "-o", "platform-3.partial/platform-3.tar", *options, "--volume", number)
    project.fetched_layers()
    project.release()
    assert project.fetched_layers() == []
    assert {name: sha256 for name, sha256 in files_of(folder).items() if name in listed} == listed
    for name, why in (("parity", "0"), ("parity", "x"), ("volume_size", "1kB"), ("signs", "maker.key")):
        project.choose("3", release={name: why})
        assert "airgap.yaml:" in project.airgap.fails(2, "release").stderr


def test_generated_notes_are_carried_in_both_languages(third: Project) -> None:
    folder = third.folder / "platform-1.10"
    notes = (folder / "NOTES.md").read_text()
    assert notes.startswith("# platform 1.10\n\nCompared with platform 1.9;")
    assert "| `quay.io/x/app` | `1.9` | `1.10` |" in notes
    packages = "## Packages inside images\n\n| image | package | before | now |\n|-|-|-|-|\n"
    packages += "| `quay.io/x/app` | `deb app-lib` | `1.9` | `1.10` |\n"
    assert notes.endswith(packages)
    new = "platform-1.10/platform-1.10.tar"
    for old in ("releases/platform-1.9.json", "platform-1.9", "platform-1.9/platform-1.9.tar"):
        assert third.airgap.run("diff", old, new, "--markdown", "--packages").text == notes
    assert "--markdown" in third.airgap.fails(2, "diff", old, new, "--packages").stderr
    carried = third.airgap.run("inspect", folder / "platform-1.10.tar", "--json").json
    assert "airgap/notes" in carried["members"]
    with open_bundle(folder / "platform-1.10-since-1.9.tar") as bundle:
        text = bundle.member("airgap/notes").decode()
    assert "platform 1.9" in text
    assert "이미지" in text
    assert "이미지" in (folder / "NOTES.ko.md").read_text()


def test_what_a_release_needs(airgap: Airgap) -> None:
    airgap.write("airgap.yaml", "name: p\nimages: [a/b:1]\n")
    assert "VERSION" in airgap.fails(2, "release").stderr
    airgap.write("airgap.yaml", "name: p\nversion: 1\n")
    assert "images:" in airgap.fails(2, "release").stderr
    airgap.write("airgap.yaml", "name: p\nimages: [a/b:1]\n")
    for version in ("../1", ".1", "a\nb"):
        assert "file name" in airgap.fails(2, "release", version).stderr
    assert "--volume-size" in airgap.fails(2, "release", "1", "--parity", "1").stderr


def killed_when(project: Project, condition: object, *arguments: str) -> bool:
    """Run a release and kill it when ``condition`` is true; return whether it was still running."""
    process = project.airgap.started("release", *arguments)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: condition() or process.poll() is not None, every=0.001)  # type: ignore[operator]
    process.kill()
    process.communicate()
    return process.returncode < 0


def test_killed_and_run_again(third: Project, made: Project, tmp_path: Path) -> None:
    """Killed when the full bundle has its name: the rest is made from it, and not a byte of it fetched again."""
    with made.copied(tmp_path / "work") as project:
        full = project.folder / "platform-1.10.partial/platform-1.10.tar"
        assert killed_when(project, full.exists, "--sign", "maker.key")
        assert not (project.folder / "platform-1.10").exists()
        project.fetched_layers()
        said = project.release("--sign", "maker.key")
        assert project.fetched_layers() == []
        assert "is already whole" in said.stderr
        assert files_of(project.folder / "platform-1.10") == files_of(third.folder / "platform-1.10")
        assert not (project.folder / "platform-1.10.partial").exists()


def test_another_run_of_the_same_release_is_refused(project: Project) -> None:
    from airgap.durable import Journal

    (project.folder / "platform-1.10.partial").mkdir()
    lock = Journal.open(project.folder / "platform-1.10.partial/release.journal")
    try:
        assert "another airgap" in project.airgap.fails(42, "release").stderr
    finally:
        lock.close()
    project.release()


def test_what_a_stopped_run_left_of_other_options_goes(project: Project, third: Project) -> None:
    """Files that this release does not have are not in its folder; --restart begins anew."""
    project.airgap.write("platform-1.10.partial/platform-1.10-since-1.2.tar", "old")
    project.airgap.write("platform-1.10.partial/platform-1.10.tar", "cut off")
    project.release("--sign", "maker.key", "--restart")
    assert files_of(project.folder / "platform-1.10") == files_of(third.folder / "platform-1.10")
    shutil.rmtree(project.folder / "platform-1.10")
    project.airgap.write("platform-1.10.partial/platform-1.10-since-1.2.tar", "old")
    project.release("--sign", "maker.key")
    assert files_of(project.folder / "platform-1.10") == files_of(third.folder / "platform-1.10")


@pytest.mark.long
def test_killed_at_ten_moments(made: Project, tmp_path: Path) -> None:
    """Killed ten times at random moments of volumes, parity and dossiers, then run to the end: the same folder."""
    arguments = ("--sign", "maker.key", "--volume-size", "1MiB", "--parity", "1")
    with made.copied(tmp_path / "whole") as whole, made.copied(tmp_path / "work") as project:
        for one in (whole, project):
            one.offer("4", size=6_000_000) if one is whole else None
            one.choose("4")
        whole.release(*arguments)
        expected = files_of(whole.folder / "platform-4")
        chooser, partial = random.Random(20), project.folder / "platform-4.partial"
        killed = 0
        for _ in range(10):
            changes = chooser.randrange(1, 60)
            seen: set[tuple[str, int]] = set()

            def moved(limit: int = changes, seen: set[tuple[str, int]] = seen) -> bool:
                with contextlib.suppress(OSError):
                    seen.update((path.name, path.stat().st_size) for path in partial.iterdir())
                return len(seen) >= limit

            killed += killed_when(project, moved, *arguments)
            if (project.folder / "platform-4").exists():
                assert files_of(project.folder / "platform-4") == expected
                shutil.rmtree(project.folder / "platform-4")
        assert killed >= 5
        project.release(*arguments)
        assert files_of(project.folder / "platform-4") == expected
        assert files_of(project.folder / "releases") == files_of(whole.folder / "releases")
