# SPDX-License-Identifier: Apache-2.0
"""``airgap import RELEASE``: the cheapest files bring each site to the release, forwards and back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import httpx
import pytest

from airgap.release import DOCUMENT_NAME
from tests.cli.command import Airgap, Registry, Result, pod, settings
from tests.flows.release_folders import make_release, volumes_of
from tests.flows.releases import NAME, TARGET, Far, Platform, whole
from tests.flows.test_differential import ours
from tests.flows.test_serve import serving
from tests.parts.terminal import on_terminal

NAMES = ["team/web", "team/api"]


class Releases:
    """Releases 1, 2 and 3 of a platform of two images. A layer of ``web`` changes each time, one of ``api`` in 2."""

    def __init__(self, airgap: Airgap, registry: Registry) -> None:
        self.platform = Platform(airgap, registry)
        self.airgap = airgap
        layer = self.platform.layer
        shared, api = layer(300_000), layer(210_000)
        self.content = {
            "1": {"team/web": [shared, layer(100_000)], "team/api": [shared, layer(200_000)]},
            "2": {"team/web": [shared, layer(110_000)], "team/api": [shared, api]},
            "3": {"team/web": [shared, layer(120_000)], "team/api": [shared, api]},
        }
        for version, content in self.content.items():
            self.platform.offer(content, version)
        # What somebody deploys under a tag that moves.
        for version in self.content:
            root = registry.store.resolve(f"team/web:{version}")
            registry.fill(self.platform.images, {"team/web:stable": root})
            numbered = f"apiVersion: v1\nkind: ConfigMap\nv: {version}\n"
            resources = {"stable.yaml": pod("quay.io/team/web:stable"), "settings.yaml": numbered}
            if version != "3":
                resources["old.yaml"] = pod(f"quay.io/team/api:{version}")
            make_release(self.platform, version, NAMES, resources=resources)

    def folder(self, version: str) -> Path:
        return self.airgap.folder / f"platform-{version}"

    def bring(self, version: str, far: Far, *more: str | Path, code: int = 0, folder: Path | None = None) -> Result:
        return self.airgap.run(
            "import", folder or self.folder(version), "--to", TARGET, "--via", far.url, *more, code=code
        )

    def check(self, version: str, far: Far) -> None:
        """Everything of the release is at the site, and is what it says."""
        for name in NAMES:
            root = self.platform.registry.store.resolve(f"{name}:{version}")
            whole(far, self.platform.images, f"p/{name.rpartition('/')[2]}", version, root)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    folder = tmp_path_factory.mktemp("releases")
    (folder / "work").mkdir()
    (folder / "home").mkdir()
    with Registry() as registry:
        yield Releases(Airgap(folder / "work", folder / "home"), registry)


@pytest.fixture
def site(made: Releases, tmp_path: Path) -> Iterator[Far]:
    """An empty site whose working folder and history are its own."""
    shelf = made.airgap.folder
    made.airgap.folder, made.airgap.home = tmp_path / "work", tmp_path / "home"
    for path in (made.airgap.folder, made.airgap.home):
        path.mkdir()
    for version in made.content:
        shutil.copytree(shelf / f"platform-{version}", made.airgap.folder / f"platform-{version}")
        shutil.copy(shelf / f"{version}.json", made.airgap.folder)
    with ours() as far:
        yield far
    made.airgap.folder = shelf


def test_each_site_gets_the_cheapest_bundle(made: Releases, site: Far) -> None:
    said = made.bring("1", site).stderr
    assert "platform 1: the full bundle, platform-1.tar" in said
    said = made.bring("3", site, "--dry-run", "--overwrite").stderr
    assert "platform 3: platform-3-since-1.tar (" in said
    assert "for a site with 1; the full bundle has" in said
    assert "would read platform-3/platform-3-since-1.tar (" in said or "/platform-3/platform-3-since-1.tar (" in said
    made.bring("2", site, "--overwrite")
    said = made.bring("3", site, "--overwrite").stderr
    assert "platform 3: platform-3-since-2.tar" in said
    made.check("3", site)
    made.airgap.run("verify", "platform-3", "--against", TARGET, "--via", site.url)


def test_the_choice_is_the_cheapest_set_of_files_that_an_import_accepts(made: Releases, site: Far) -> None:
    made.bring("1", site)
    folder = made.folder("3")
    names = sorted(path.name for path in folder.glob("*.tar"))
    enough = {}
    for chosen in chain.from_iterable(combinations(names, count) for count in (1, 2, 3)):
        there = made.airgap.folder / "+".join(chosen)
        there.mkdir()
        for path in folder.iterdir():
            if path.suffix != ".tar" or path.name in chosen:
                (there / path.name).hardlink_to(path)
        code = made.airgap.run(
            "import", there, "--to", TARGET, "--via", site.url, "--overwrite", "--dry-run", code=None
        ).code
        assert code in (0, 32)
        if code == 0:
            enough[chosen] = sum((folder / name).stat().st_size for name in chosen)
    assert ("platform-3-since-2.tar",) not in enough
    cheapest = min(enough, key=lambda chosen: enough[chosen])
    said = made.bring("3", site, "--overwrite").stderr
    assert f"platform 3: {', '.join(cheapest)} (" in said
    assert enough[cheapest] < (folder / "platform-3.tar").stat().st_size


def test_rollback_moves_tags_back_and_sends_nothing(made: Releases, site: Far) -> None:
    made.bring("2", site)
    made.bring("3", site, "--overwrite")
    before = made.airgap.files()
    site.requests()

    refused = made.bring("2", site, code=50)
    assert "--overwrite moves the tag: this is a rollback from 3 to 2" in refused.stderr
    assert site.changed() == []
    assert made.airgap.files() == before

    said = made.bring("2", site, "--overwrite").stderr
    digests = [made.platform.registry.digest(f"team/web:{version}") for version in "32"]
    assert f"web:stable moves from {digests[0]} to {digests[1]}" in said
    assert [line for line in site.changed() if "/blobs/" in line] == []
    for version in "32":
        made.check(version, site)
    root = made.platform.registry.store.resolve("team/web:2")
    whole(site, made.platform.images, "p/web", "stable", root)


def test_the_output_folder_becomes_that_of_the_version(made: Releases, site: Far) -> None:
    output = made.airgap.folder / "airgap-out"
    made.bring("2", site)
    assert sorted(path.name for path in output.iterdir()) == [
        ".airgap-rewrite.log", "app.yaml", "old.yaml", "settings.yaml", "stable.yaml",
    ]  # fmt: skip
    said = made.bring("3", site, "--overwrite").stderr
    assert "removed airgap-out/old.yaml: this version does not have it" in said
    assert not (output / "old.yaml").exists()
    assert "v: 3" in (output / "settings.yaml").read_text()
    assert f"{NAME}/p/web:3" in (output / "app.yaml").read_text()

    made.bring("2", site, "--overwrite")
    assert "v: 2" in (output / "settings.yaml").read_text()
    assert f"{NAME}/p/api:2" in (output / "old.yaml").read_text()
    made.airgap.run("rewrite", "airgap-out", "--revert", "--in-place")
    assert "quay.io/team/api:2" in (output / "old.yaml").read_text()


def test_files_that_somebody_changed_are_refused_and_named(made: Releases, site: Far) -> None:
    output = made.airgap.folder / "airgap-out"
    made.bring("2", site)
    for name in ("app.yaml", "old.yaml"):
        (output / name).write_text(f"# mine\n{(output / name).read_text()}")
    (output / "stable.yaml").unlink()
    before = made.airgap.files()
    site.requests()

    said = made.bring("3", site, "--overwrite", "--verbose", code=42)
    assert "airgap-out/app.yaml: this file was changed since airgap wrote it" in said.stderr
    assert "airgap-out/old.yaml: this file was changed since airgap wrote it, and is no part" in said.stderr
    assert "settings.yaml" not in said.stderr
    assert site.changed() == []
    assert made.airgap.files() == before

    made.bring("3", site, "--overwrite", "--force")
    assert "# mine" not in (output / "app.yaml").read_text()
    assert "# mine" in (output / "old.yaml").read_text()


def test_a_file_of_somebody_else_is_refused(made: Releases, site: Far) -> None:
    made.airgap.write("airgap-out/app.yaml", "kind: Mine\n")
    said = made.bring("2", site, code=42)
    assert "airgap-out/app.yaml: a file that airgap did not write is already there" in said.stderr
    assert site.changed() == []


def test_a_missing_bundle_is_named_and_another_is_taken(made: Releases, site: Far) -> None:
    made.bring("2", site)
    folder = made.folder("3")
    (folder / "platform-3-since-2.tar").unlink()
    said = made.bring("3", site, "--dry-run", "--overwrite").stderr
    assert "platform 3: platform-3-since-1.tar (" in said
    assert "; platform-3-since-2.tar (" in said
    assert "would be enough, but is not here" in said

    for name in ("platform-3-since-1.tar", "platform-3.tar"):
        (folder / name).unlink()
    before = site.requests()
    for more in ((), ("--dry-run",)):
        refused = made.bring("3", site, "--overwrite", *more, code=32)
        assert "1 file missing (" in refused.errors[0]
        assert "platform-3-since-2.tar (" in refused.errors[0]
        assert "platform-3.tar" not in refused.errors[0]
        assert site.changed() == []
    assert before


def test_what_to_bring_is_known_from_the_small_files_and_a_receipt(made: Releases, site: Far) -> None:
    made.bring("2", site)
    small = made.airgap.folder / "small"
    small.mkdir()
    for path in made.folder("3").iterdir():
        if path.suffix != ".tar":
            shutil.copy(path, small)
    for held in ("platform-2.receipt.json", "2.json", "platform-2"):
        argument = held if held != "platform-2" else "platform-2/platform-2.tar"
        refused = made.airgap.run("import", "small", "--holds", argument, "--dry-run", code=32)
        assert "to bring: platform-3-since-2.tar (" in refused.stderr
    site.requests()
    said = made.airgap.run("import", "platform-3", "--holds", "1.json", "--dry-run").stderr
    assert "platform 3: platform-3-since-1.tar (" in said
    assert site.requests() == []
    assert (
        "--holds goes with the folder of a release"
        in made.airgap.fails(2, "import", "platform-3/platform-3.tar", "--to", TARGET, "--holds", "1.json").errors[0]
    )


def test_a_receipt_that_is_wrong_pushes_nothing(made: Releases, site: Far) -> None:
    """The receipt chooses the files; that the layers are there is proven by asking."""
    refused = made.bring("3", site, "--holds", "2.json", code=32)
    assert "the target lacks" in refused.errors[0]
    assert site.changed() == []


def test_other_commands_take_the_folder(made: Releases, site: Far) -> None:
    airgap = made.airgap
    said = airgap.run("inspect", "platform-3").text
    assert said.startswith("platform 3: 26 files, ")
    assert "for a site with 2: " in said
    assert airgap.run("inspect", "platform-3", "--json").json["missing"] == []
    assert airgap.run("diff", "platform-2", "platform-3", "--json").json["bytes"]["added"] > 0
    said = airgap.run("verify", "platform-3").stderr
    assert "platform-3: 26 files, " in said
    assert said.count("all as they should be") == 3

    airgap.write("web.yaml", pod("quay.io/team/web:3"))
    assert f"{NAME}/p/web:3" in airgap.run("rewrite", "web.yaml", "--to", TARGET, "--from", "platform-3").text
    assert "quay.io" in airgap.run("hosts", TARGET, "--for", "podman", "--from", "platform-3").text
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": made.platform.registry.url}}))
    words = ("export", "--image", "quay.io/team/web:3", "-o", "web.tar", "--base", "platform-3", "--dry-run")
    assert "platform-3/platform-3.bundle.json: skipping 2 layers (" in airgap.run(*words).stderr

    damaged = made.folder("3") / "platform-3-since-1.tar"
    content = bytearray(damaged.read_bytes())
    content[-3000] ^= 1
    damaged.write_bytes(content)
    assert f"{damaged.name}: it has the SHA-256 " in airgap.fails(31, "verify", "platform-3").errors[0]
    (made.folder("3") / "platform-3.tar").unlink()
    assert ", not here" in airgap.run("inspect", "platform-3").text
    for arguments in (("serve", "platform-3"), ("dossier", "platform-3", "-o", "d")):
        assert "platform-3.tar (" in airgap.fails(32, *arguments).errors[0]
    assert "no bundle of this release has parity" in airgap.fails(40, "repair", "platform-3").errors[0]


def test_a_bundle_that_the_document_does_not_name_is_refused(made: Releases, site: Far) -> None:
    folder = made.folder("3")
    document = json.loads((folder / DOCUMENT_NAME).read_bytes())
    other = (made.folder("2") / "platform-2.tar").read_bytes()
    (folder / "platform-3.tar").write_bytes(other)
    named = next(file for file in document["files"] if file["name"] == "platform-3.tar")
    named["size"] = document["bundles"][0]["size"] = len(other)
    named["sha256"] = hashlib.sha256(other).hexdigest()
    (folder / DOCUMENT_NAME).write_text(json.dumps(document))
    refused = made.bring("3", site, code=40)
    assert "and release.json names" in refused.errors[0]
    assert site.changed() == []


def test_links_are_not_followed(made: Releases, site: Far) -> None:
    folder = made.folder("3")
    elsewhere = made.airgap.folder / "elsewhere.tar"
    shutil.move(folder / "platform-3.tar", elsewhere)
    (folder / "platform-3.tar").symlink_to(elsewhere)
    for name in ("platform-3-since-1.tar", "platform-3-since-2.tar"):
        (folder / name).unlink()
    refused = made.bring("3", site, code=32)
    assert "platform-3.tar (a link or no file)" in refused.errors[0]
    assert site.changed() == []


@pytest.fixture
def split(airgap: Airgap, tmp_path: Path) -> Iterator[tuple[Platform, Path]]:
    """Release 2 in volumes of 1 MiB with one parity volume; release 1 has its first layer."""
    with Registry() as registry:
        platform = Platform(airgap, registry)
        old, new = platform.layer(2_400_000), platform.layer(700_000)
        platform.offer({"team/web": [old]}, "1")
        make_release(platform, "1", ["team/web"])
        shutil.rmtree(airgap.folder / "releases")  # so that no differential bundle is made
        platform.offer({"team/web": [old, new]}, "2")
        folder = make_release(platform, "2", ["team/web"], more=("--volume-size", "1MiB", "--parity", "1"))
        yield platform, folder


def test_only_the_volumes_that_hold_something_new_are_needed(split: tuple[Platform, Path]) -> None:
    platform, folder = split
    airgap = platform.airgap
    with ours() as far:
        base = ("--to", TARGET, "--via", far.url)
        airgap.run("import", "platform-1", *base)
        old = platform.registry.store.resolve("team/web:1")
        layers = {blob["digest"] for blob in platform.inventory("1")["blobs"] if "layer" in blob["mediaType"]}
        places = volumes_of(folder, "2")
        spare = [name for name, digests in places.items() if digests <= layers]
        needed = sorted(places.keys() - set(spare))
        assert spare
        assert old

        aside = airgap.folder / "aside"
        aside.mkdir()
        for path in sorted(folder.iterdir()):
            if path.suffix[1:].isdigit() or path.suffix == ".p001":
                shutil.move(path, aside)
        asked = airgap.run("import", "platform-2", *base, "--dry-run", code=32)
        for name in needed:
            assert f"to bring: {name} (" in asked.stderr
            assert f"{name} (" in asked.errors[0]
        assert not any(name in asked.errors[0] for name in spare)

        # In folders of their own, as on media; the rest is never read.
        for number, name in enumerate(needed):
            (airgap.folder / f"disc{number}").mkdir()
            shutil.copy(aside / name, airgap.folder / f"disc{number}")
        discs = [f"disc{number}" for number in range(len(needed))]
        last = discs.pop()
        with ours() as empty:
            # What a wrong bundle.json says the site holds is asked for before anything is pushed.
            known = ("--holds", "1.json", "--to", TARGET, "--via", empty.url)
            refused = airgap.run("import", "platform-2", *discs, f"{last}/{needed[-1]}", *known, code=32)
            assert f"in volumes which are not here: {', '.join(spare)}" in refused.errors[0]
            assert empty.changed() == []
        refused = airgap.run("import", "platform-2", *discs, *base, code=32)
        assert needed[-1] in refused.errors[0]
        assert needed[0] not in refused.errors[0]
        far.requests()
        said = airgap.run("import", "platform-2", *discs, f"{last}/{needed[-1]}", *base).stderr
        assert "of the full bundle, which has" in said
        root = platform.registry.store.resolve("team/web:2")
        whole(far, platform.images, "p/web", "2", root)


@pytest.mark.long
def test_parity_is_named_where_it_makes_a_missing_volume_again(split: tuple[Platform, Path]) -> None:
    platform, folder = split
    airgap = platform.airgap
    lost = folder / "platform-2.tar.002"
    content = lost.read_bytes()
    lost.unlink()
    with ours() as far:
        base = ("--to", TARGET, "--via", far.url)
        said = airgap.run("import", "platform-2", *base, code=32).stderr
        assert "airgap repair platform-2/platform-2.tar.001 makes them again from parity" in said
        assert far.changed() == []
        airgap.run("repair", "platform-2")
        assert lost.read_bytes() == content
        airgap.run("import", "platform-2", *base)
        airgap.run("verify", "platform-2", "--against", TARGET, "--via", far.url)
        lost.unlink()
        (folder / "platform-2.tar.001").unlink()
        assert "airgap repair" not in airgap.run("import", "platform-2", *base, "--overwrite", code=32).stderr


def test_without_small_files_the_history_says_which_release_is_there(made: Releases, site: Far) -> None:
    made.bring("2", site)
    for path in made.folder("3").iterdir():
        if path.name != DOCUMENT_NAME:
            path.unlink()
    refused = made.bring("3", site, "--overwrite", code=32)
    assert "platform-3-since-2.tar (" in refused.errors[0]
    made.airgap.home = made.airgap.folder / "another user"
    made.airgap.home.mkdir()
    refused = made.bring("3", site, "--overwrite", code=32)
    assert "platform-3.tar (" in refused.errors[0]


@pytest.mark.long
def test_the_full_bundle_is_served(made: Releases, site: Far) -> None:
    with serving(made.airgap, "platform-3") as (_, url), httpx.Client(base_url=url) as client:
        root = made.platform.registry.store.resolve("team/web:3")
        answer = client.get("/v2/quay.io/team/web/manifests/3", headers={"Accept": root.media_type})
        assert hashlib.sha256(answer.content).hexdigest() == root.digest.partition(":")[2]
        assert "platform 3" in client.get("/").text


@pytest.mark.long
def test_a_signature_that_is_demanded_needs_all_of_the_bundle(airgap: Airgap) -> None:
    with Registry() as registry, ours() as far:
        platform = Platform(airgap, registry)
        platform.offer({"team/web": [platform.layer(2_400_000)]}, "1")
        airgap.run("keygen", "-o", "maker", "--no-passphrase")
        folder = make_release(
            platform, "1", ["team/web"], more=("--volume-size", "1MiB", "--sign", str(airgap.folder / "maker.key"))
        )
        base = ("--to", TARGET, "--via", far.url)
        signed = ("--require-signature", "--key", "maker.pub")
        airgap.run("import", "platform-1", *base, *signed)
        (folder / "platform-1.tar.002").unlink()
        airgap.run("import", "platform-1", *base)
        refused = airgap.run("import", "platform-1", *base, *signed, code=32)
        assert "platform-1.tar.002 (" in refused.errors[0]


@pytest.mark.long
def test_a_terminal_asks_for_the_volume_of_the_next_medium(split: tuple[Platform, Path]) -> None:
    platform, folder = split
    airgap = platform.airgap
    aside = airgap.folder / "disc two"
    aside.mkdir()
    shutil.move(folder / "platform-2.tar.002", aside)
    with ours() as far:
        command = airgap.command(
            "import", "platform-2", "--to", TARGET, "--via", far.url, "--progress", "plain", "--jobs", "1"
        )
        for typed, code in ((b"q\n", 40), (b"disc two\n", 0)):
            status, said = on_terminal(
                command, 200, 40, environment=airgap.whole_environment(), folder=airgap.folder, answers=[typed]
            )
            assert "platform-2/platform-2.tar.002 is not there." in said
            assert status == code, said
        root = platform.registry.store.resolve("team/web:2")
        whole(far, platform.images, "p/web", "2", root)
