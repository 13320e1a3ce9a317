# SPDX-License-Identifier: Apache-2.0
"""Recoded bundles: smaller on the way, and on the far side the same bytes as if they had been carried plain."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airgap.oci import Descriptor
from tests.cli.command import Airgap, Registry, pod, settings
from tests.flows.releases import Far, whole
from tests.parts.images import Images
from tests.parts.recoding import GO, PGZIP, changed, content, layer_by, needs_encoders

pytestmark = needs_encoders

NAME = "team/app"
#: The step that asks whether layers are recoded at all.
STEP = "airgap.flows.steps.export_recoding"
#: Runs airgap; it ends as if it had been killed once all layers are recoded.
STOPS = """\
import os, sys
from airgap.cli import main
from airgap.flows.steps import recode_layers

recode_layers.describe = lambda *arguments: os._exit(9)
main(sys.argv[1:])
"""


class World:
    """Three releases of one image at a registry that plays quay.io, with their bundles: ``N.tar`` is plain, and
    ``N.recoded.tar`` builds on release N - 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = Registry()
        self.images = Images(5)
        self.roots: dict[str, Descriptor] = {}
        base, app = content(1), content(2)
        for version in "123":
            layers = [
                layer_by(self.images, {"usr/lib/base": base}),
                layer_by(self.images, {"opt/app": app, "etc/version": version.encode()}, PGZIP),
                self.images.layer({"etc/other": base[:30_000] + version.encode()}),
            ]
            self.roots[version] = self.images.image(layers=layers)
            base, app = changed(base, 10), changed(app, 20)
        self.registry.fill(self.images, {f"{NAME}:{version}": root for version, root in self.roots.items()})

    def prepare(self, airgap: Airgap) -> Airgap:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": self.registry.url}}, name="p", version="1"))
        for version in "123":
            airgap.write(f"{version}.yaml", pod(f"quay.io/{NAME}:{version}"))
        for file in self.folder.glob("*.tar"):
            shutil.copy(file, airgap.folder)
        return airgap


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("releases"))
    with world.registry:
        airgap = Airgap(world.folder, world.folder)
        world.prepare(airgap)
        for version in "12":
            airgap.run("export", f"{version}.yaml", "-o", f"{version}.tar")
        airgap.run("export", "1.yaml", "--recode", "-o", "1.recoded.tar")
        airgap.run("export", "2.yaml", "--recode", "--base", "1.tar", "-o", "2.recoded.tar")
        airgap.run("export", "3.yaml", "--recode", "--base", "2.recoded.tar", "-o", "3.recoded.tar")
        yield world


@pytest.fixture
def desk(world: World, airgap: Airgap) -> Airgap:
    return world.prepare(airgap)


def inventory(airgap: Airgap, name: str) -> dict[str, Any]:
    found: dict[str, Any] = airgap.run("inspect", name, "--json").json
    return found


def blob_gets(registry: Registry) -> list[str]:
    """The digests of the blobs that were fetched since the last call."""
    lines = [line.split() for line in registry.requests()]
    return [path.rpartition("/")[2] for method, path, _ in lines if method == "GET" and "/blobs/" in path]


def far(registry: Registry) -> Far:
    return Far(registry.url, registry.requests)


def test_what_a_recoded_bundle_says(desk: Airgap, world: World) -> None:
    """One layer is an encoder's that nobody described: it crosses as it is."""
    found = inventory(desk, "2.recoded.tar")
    assert found["features"] == ["recode/1"]
    assert found["tool"] == "airgap 0.4.0"
    forms = {blob["digest"]: blob for blob in found["blobs"] if blob["form"] == "recoded"}
    layers = [layer for layer in world.images.needed(world.roots["2"]) if "layer" in layer.media_type]
    assert {blob["codec"] for blob in forms.values()} == {GO, PGZIP}
    assert set(forms) == {layer.digest for layer in layers[:2]}
    first = {layer.digest for layer in world.images.needed(world.roots["1"])}
    for blob in forms.values():
        assert blob["payload"]["size"] < blob["size"] / 20
        assert blob["prefix"]["layer"]["digest"] in first
        assert blob["prefix"]["layer"]["repositories"] == [f"quay.io/{NAME}"]
    said = desk.run("inspect", "2.recoded.tar").text
    assert "recoded: 2 layers of" in said
    assert "restored from 2 older layers; plain again by airgap expand 2.recoded.tar --base OLD -o 2.tar" in said


@pytest.mark.parametrize("missing", [0, 1])
def test_a_stopped_run_goes_on_whichever_layer_it_finished(desk: Airgap, missing: int) -> None:
    expected = (desk.folder / "2.recoded.tar").read_bytes()
    command = ("export", "2.yaml", "--recode", "--base", "1.tar", "-o", "again.recoded.tar")
    stopped = [sys.executable, "-c", STOPS, *command]
    done = subprocess.run(stopped, cwd=desk.folder, env=desk.whole_environment(), capture_output=True, check=False)
    assert done.returncode == 9, done.stderr.decode()
    finished = sorted((desk.folder / "again.recoded.tar.recoding").glob("*.json"))
    assert len(finished) == 3  # one of them says that its layer crosses whole
    by_size = sorted(
        (file for file in finished if "layer" in json.loads(file.read_text())),
        key=lambda file: json.loads(file.read_text())["layer"]["size"],
    )
    by_size[missing].unlink()
    desk.run(*command)
    assert (desk.folder / "again.recoded.tar").read_bytes() == expected
    assert not list(desk.folder.glob("again.recoded.tar.*"))


def test_other_programs_see_an_artifact(desk: Airgap) -> None:
    with tarfile.open(desk.folder / "2.recoded.tar") as tar:
        members = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        names = list(members)
        read = {name: file.read() for name, file in members.items() if file is not None}
    (entry,) = json.loads(read["index.json"])["manifests"]
    assert entry["artifactType"] == "application/vnd.airgap.recoded.v1"
    assert json.loads(read["manifest.json"]) == []
    manifest = json.loads(read["blobs/sha256/" + entry["digest"].partition(":")[2]])
    for blob in (manifest["config"], *manifest["layers"]):
        assert len(read["blobs/sha256/" + blob["digest"].partition(":")[2]]) == blob["size"]
    assert names[-1].startswith("blobs/")


@pytest.mark.requires("skopeo")
@pytest.mark.interop
def test_skopeo_copies_the_artifact(desk: Airgap) -> None:
    copy = ["skopeo", "copy", "--insecure-policy", "oci-archive:2.recoded.tar", "oci:copy"]
    subprocess.run(copy, cwd=desk.folder, check=True, capture_output=True)
    assert json.loads((desk.folder / "copy/index.json").read_bytes())["manifests"]


def test_the_plain_bundle_comes_back_byte_for_byte(desk: Airgap) -> None:
    for version, bases in (("1", ()), ("2", ("--base", "1.tar"))):
        said = desk.run("expand", f"{version}.recoded.tar", *bases, "-o", "plain.tar", "--force")
        assert "2 layers restored" in said.stderr
        assert (desk.folder / "plain.tar").read_bytes() == (desk.folder / f"{version}.tar").read_bytes()
    # By way of a bundle that is itself recoded against an older one.
    shown = desk.run(
        "expand", "3.recoded.tar", "--base", "2.recoded.tar", "--base", "1.tar", "-o", "3.tar", "--json"
    ).json
    desk.run("verify", "3.tar")
    assert shown["restored"] == 2
    assert shown["id"] in desk.run("inspect", "3.tar").text


def test_the_same_inputs_give_the_same_bytes(desk: Airgap) -> None:
    """With one worker and with many, and from the registry instead of the older bundle."""
    first = (desk.folder / "2.recoded.tar").read_bytes()
    with tarfile.open(desk.folder / "1.tar") as tar:
        tar.extract("airgap/bundle.json", desk.folder, filter="data")
    for base, jobs in (("1.tar", "1"), ("airgap/bundle.json", "4")):
        export = ("export", "2.yaml", "--recode", "--base", base, "-o", "2.recoded.tar", "--force", "--jobs", jobs)
        said = desk.run(*export).stderr
        assert "recoded 2 of 3 layers" in said
        assert f"{PGZIP}: 1 layer" in said
        assert "whole: 1 layer" in said
        assert (desk.folder / "2.recoded.tar").read_bytes() == first
        assert not list(desk.folder.glob("*.recoding"))


def test_an_estimate_writes_nothing(desk: Airgap) -> None:
    before = desk.files()
    said = desk.run("export", "2.yaml", "--recode", "--base", "1.tar", "-o", "x.recoded.tar", "--dry-run").stderr
    assert "recoding: 2 of 3 layers look like an encoder that is known" in said
    assert desk.files() == before


def test_an_import_restores_from_what_the_target_holds(desk: Airgap, world: World, nexus: Registry) -> None:
    to = ("--to", f"{nexus.url}/p")
    desk.run("import", "1.recoded.tar", *to)
    nexus.requests()
    desk.run("import", "2.recoded.tar", *to, "--force")
    fetched = blob_gets(nexus)
    layers = [layer for layer in world.images.needed(world.roots["1"]) if "layer" in layer.media_type]
    assert sorted(fetched) == sorted(layer.digest for layer in layers[:2])
    whole(far(nexus), world.images, "p/app", "2", world.roots["2"])
    # The receipt of that import is what the next export builds on.
    desk.run("export", "3.yaml", "--recode", "--base", "2.recoded.tar.receipt.json", "-o", "3r.recoded.tar")
    desk.run("import", "3r.recoded.tar", *to, "--force")
    whole(far(nexus), world.images, "p/app", "3", world.roots["3"])


def test_an_import_restores_from_an_older_bundle(desk: Airgap, world: World, nexus: Registry) -> None:
    """The target lacks the older image; it is in a bundle at hand. The new one comes through a pipe."""
    piped = (desk.folder / "2.recoded.tar").read_bytes()
    desk.run("import", "-", "--to", f"{nexus.url}/p", "--base", "1.tar", stdin=piped)
    whole(far(nexus), world.images, "p/app", "2", world.roots["2"])


def test_nothing_is_pushed_without_the_older_layers(desk: Airgap, nexus: Registry) -> None:
    to = ("--to", f"{nexus.url}/p")
    for more in ((), ("--dry-run",), ("--base", "2.tar")):
        said = desk.fails(32, "import", "2.recoded.tar", *to, *more)
        assert "older layers that its layers are restored from are missing: 2 layers of the bundle" in said.stderr
        assert f"airgap import 2.recoded.tar --base OLD --to {nexus.url}/p" in said.stderr
    assert not [line for line in nexus.requests() if line.split()[0] in ("POST", "PUT", "PATCH")]
    said = desk.fails(32, "expand", "3.recoded.tar", "--base", "2.recoded.tar", "-o", "3.tar")
    assert "airgap expand 3.recoded.tar --base OLD -o 3.tar" in said.stderr
    assert not (desk.folder / "3.tar").exists()


def test_verify_says_what_it_could_not_check(desk: Airgap) -> None:
    said = desk.run("verify", "2.recoded.tar").stderr
    assert "not restored: 2 recoded layers; older layers" in said
    said = desk.run("verify", "2.recoded.tar", "--base", "1.recoded.tar").stderr
    assert "2 recoded layers restored, every digest as it should be" in said
    assert "not restored" not in said
    piped = (desk.folder / "1.recoded.tar").read_bytes()
    assert "only their payloads were checked" in desk.run("verify", "-", stdin=piped).stderr


def test_damage_is_found_and_leaves_nothing_half_done(desk: Airgap, nexus: Registry) -> None:
    found = inventory(desk, "1.recoded.tar")
    blob = next(blob for blob in found["blobs"] if blob["form"] == "recoded")
    path = desk.folder / "1.recoded.tar"
    with tarfile.open(path) as tar:
        place = tar.getmember("blobs/sha256/" + blob["payload"]["digest"].partition(":")[2]).offset_data
    damaged = bytearray(path.read_bytes())
    damaged[place + 5000] ^= 1
    path.write_bytes(damaged)
    assert f"quay.io/{NAME}:1" in desk.fails(31, "verify", "1.recoded.tar").stderr
    for command in (("import", "1.recoded.tar", "--to", f"{nexus.url}/p"), ("expand", "1.recoded.tar", "-o", "x.tar")):
        said = desk.fails(40, *command)
        assert f"the layer {blob['digest']} cannot be restored: its payload is damaged" in said.stderr
    assert nexus.names() == []
    assert not list(desk.folder.glob("x.tar*"))
    assert not list(desk.folder.glob(".airgap-*"))


def test_what_needs_the_layers_refuses(desk: Airgap, nexus: Registry) -> None:
    hint = "airgap expand 1.recoded.tar -o 1.tar"
    for command in (
        ("serve", "1.recoded.tar"),
        ("dossier", "1.recoded.tar", "-o", "office"),
        ("scan", "1.recoded.tar", "--command", "true {}"),
    ):
        said = desk.run(*command, code=41)
        assert "its layers are recoded" in said.stderr
        assert hint in said.stderr
    said = desk.fails(2, "export", "1.yaml", "--recode", "-o", "x.recoded.tar", "--dossier", "office")
    assert "airgap expand x.recoded.tar" in said.stderr
    assert desk.fails(40, "expand", "1.tar", "-o", "x.tar").errors == ["1.tar: it is a plain bundle already"]
    assert "1 kept" in desk.run("diff", "1.tar", "1.recoded.tar").text


@pytest.mark.parametrize("verb", ["export", "verify", "import"])
def test_without_it_nothing_of_it_is_imported(desk: Airgap, nexus: Registry, verb: str) -> None:
    command = {
        "export": ("export", "1.yaml", "-o", "again.tar"),
        "verify": ("verify", "1.tar"),
        "import": ("import", "1.tar", "--to", f"{nexus.url}/p"),
    }
    started = [sys.executable, "-X", "importtime", "-m", "airgap", *command[verb]]
    environment = desk.whole_environment()
    done = subprocess.run(started, cwd=desk.folder, env=environment, capture_output=True, text=True, check=True)
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert f"airgap.flows.{verb.replace('import', 'import_')}" in modules
    assert not [name for name in modules if "recode" in name or ("recoding" in name and name != STEP)]
    if verb == "export":
        assert (desk.folder / "again.tar").read_bytes() == (desk.folder / "1.tar").read_bytes()


def test_its_name_says_what_it_is(desk: Airgap) -> None:
    assert "-o x.recoded.tar" in desk.fails(2, "export", "1.yaml", "--recode", "-o", "x.tar").stderr
    assert "add --recode" in desk.fails(2, "export", "1.yaml", "-o", "x.recoded.tar").stderr
    assert "-o bundle.recoded.tar" in desk.fails(2, "export", "1.yaml", "--recode", "-o", "-").stderr
    said = desk.fails(2, "export", "1.yaml", "--recode", "--layout", "folder", "-o", "folder")
    assert "leave --layout or --recode out" in said.stderr
    desk.run("export", "1.yaml", "--recode")
    assert (desk.folder / "p-1.recoded.tar").read_bytes() == (desk.folder / "1.recoded.tar").read_bytes()


def test_volumes_signatures_and_zstd(desk: Airgap) -> None:
    desk.run("keygen", "-o", "maker", "--no-passphrase")
    export = ("export", "1.yaml", "--recode", "--sign", "maker.key", "-o")
    desk.run(*export, "v.recoded.tar", "--volume-size", "1MiB", "--parity", "1")
    desk.run("verify", "v.recoded.tar.001", "--key", "maker.pub")
    said = desk.run("expand", "v.recoded.tar.001", "-o", "v.tar").stderr
    assert "the signatures are those of the recoded bundle" in said
    assert (desk.folder / "v.tar").read_bytes() == (desk.folder / "1.tar").read_bytes()
    desk.run(*export, "z.recoded.tar.zst")
    desk.run("verify", "z.recoded.tar.zst", "--key", "maker.pub")
    desk.run("expand", "z.recoded.tar.zst", "-o", "z.tar")
    assert (desk.folder / "z.tar").read_bytes() == (desk.folder / "1.tar").read_bytes()


def test_layers_that_the_target_has_stay_behind_too(desk: Airgap, nexus: Registry) -> None:
    """--base leaves out equal layers and recodes the others: import needs both, and expand gives the differential
    bundle that export would have written."""
    desk.run("export", "1.yaml", "2.yaml", "--base", "1.tar", "-o", "d.tar")
    desk.run("export", "1.yaml", "2.yaml", "--base", "1.tar", "--recode", "-o", "d.recoded.tar")
    found = inventory(desk, "d.recoded.tar")
    assert found["features"] == ["differential", "recode/1"]
    desk.run("expand", "d.recoded.tar", "--base", "1.tar", "-o", "e.tar")
    assert (desk.folder / "e.tar").read_bytes() == (desk.folder / "d.tar").read_bytes()
    desk.run("import", "1.tar", "--to", f"{nexus.url}/p")
    desk.run("import", "d.recoded.tar", "--to", f"{nexus.url}/p", "--force")
    assert nexus.names() == ["p/app:1", "p/app:2"]


def test_a_stopped_export_goes_on(desk: Airgap, world: World) -> None:
    """A layer that the registry lost stops the first run; the second fetches and recodes only that one."""
    layers = sorted(
        (layer for layer in world.images.needed(world.roots["3"]) if "layer" in layer.media_type),
        key=lambda layer: layer.size,
    )
    lost = layers[0]
    store = world.registry.store
    kept = store.open(lost)
    kept.close()
    assert store.delete(lost.digest)
    export = ("export", "3.yaml", "--recode", "--jobs", "1", "-o", "s.recoded.tar")
    try:
        said = desk.run(*export, code=None)
        assert said.code != 0
        assert "kept in s.recoded.tar.recoding" in said.stderr
    finally:
        world.registry.fill(world.images, {f"{NAME}:3": world.roots["3"]})
    world.registry.requests()
    desk.run(*export)
    fetched = blob_gets(world.registry)
    assert lost.digest in fetched
    assert layers[1].digest not in fetched
    desk.run("verify", "s.recoded.tar")
    assert not (desk.folder / "s.recoded.tar.recoding").exists()
