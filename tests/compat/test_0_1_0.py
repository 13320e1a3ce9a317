# SPDX-License-Identifier: Apache-2.0
"""This version reads everything that 0.1.0 wrote, and writes the same bundles from the same inputs.

``make_data.py`` made the data. None of it may be made anew because this version cannot read it.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.command import Airgap, Registry
from tests.compat import inputs
from tests.compat.inputs import DATA, LARGE_IMAGES, NEW, OLD, STAND_INS, TARGET, UNFINISHED
from tests.parts.faulty_line import faulty_line
from tests.parts.images import OCI_LAYER_PLAIN
from tests.parts.ledger import Ledger

MIB = 1 << 20
IMAGES_OF_1 = {"quay.io/example/app:1": "p/example/app:1", "quay.io/example/tool:1": "p/tools/example:1"}
IMAGES_OF_2 = {
    "quay.io/example/app:2": "p/example/app:2",
    "quay.io/example/tool:1": "p/tools/example:1",
    "quay.io/example/tool:2": "p/tools/example:2",
}
BUNDLES = ("1.tar", "2.tar", "2.tar.zst", "2-on-1.tar")


@pytest.fixture
def old(airgap: Airgap) -> Airgap:
    """A folder with the data of 0.1.0, and the settings with a target that no command reaches by accident."""
    shutil.copytree(DATA, airgap.folder, dirs_exist_ok=True)
    for name in ("corp-ca.pem", "notes.txt"):
        airgap.write(name, "")
    return airgap


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unfinished exports, and the volumes of the finished one."""
    folder = tmp_path_factory.mktemp("large")
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress((DATA / "large.tar.xz").read_bytes()))) as tar:
        for member in tar:
            place = folder / member.name
            place.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            place.write_bytes(content.read())
    return folder


@pytest.fixture
def quay() -> Iterator[Registry]:
    """The registry that the releases were exported from."""
    with Registry() as registry:
        inputs.fill(registry, inputs.releases())
        yield registry


def joined(large: Path) -> bytes:
    """The tar that the volumes are byte ranges of."""
    return b"".join(path.read_bytes() for path in sorted((large / "finished/volumes").glob("b.tar.00?")))


def document(name: str) -> Any:
    return json.loads((DATA / name).read_bytes())


def inventory(name: str) -> Any:
    """The bundle.json of a plain bundle of the data."""
    return json.loads(inventory_bytes(name))


def inventory_bytes(name: str) -> bytes:
    with tarfile.open(DATA / name) as tar:
        content = tar.extractfile("airgap/bundle.json")
        assert content is not None
        return content.read()


def carried(name: str) -> dict[str, str]:
    """What a bundle of the data has: digests by reference."""
    return {image["reference"]: image["digest"] for image in inventory(name)["images"]}


def project(airgap: Airgap, source: str = "", target: str = "") -> None:
    airgap.write("airgap.yaml", inputs.project(source or STAND_INS[0], target or STAND_INS[1]))


# Bundles


@pytest.mark.parametrize("name", BUNDLES)
def test_inspect_and_verify(old: Airgap, name: str) -> None:
    shown = old.run("inspect", name, "--json").json
    expected = inventory(name.removesuffix(".zst"))
    assert {key: shown[key] for key in ("name", "version", "images", "resources", "blobs", "requires")} == {
        key: expected[key] for key in ("name", "version", "images", "resources", "blobs", "requires")
    }
    old.run("verify", name)


def test_volumes(airgap: Airgap, large: Path) -> None:
    volumes = large / "finished/volumes"
    airgap.run("verify", volumes / "b.tar.002")
    assert hashlib.sha256(joined(large)).hexdigest() == document("large.json")["sums"]["tar"]["b.tar"]
    with Registry() as nexus:
        airgap.run("import", volumes / "b.tar.001", "--to", f"{nexus.url}/p")
        _, names = inputs.large()
        for name, root in names.items():
            assert nexus.digest(f"p/{name.partition('/')[2]}") == root.digest


@pytest.mark.parametrize("name", ["2.tar", "2.tar.zst"])
def test_import(old: Airgap, nexus: Registry, name: str) -> None:
    project(old, target=nexus.url)
    old.run("import", name, "--output", "out")
    assert {name: nexus.digest(target) for name, target in IMAGES_OF_2.items()} == carried("2.tar")
    assert nexus.names() == sorted(IMAGES_OF_2.values())
    assert (old.folder / "out/a.yaml").read_text().count("10.100.0.102:32415/p/") == 2


def test_import_of_a_differential_bundle_beside_its_base(old: Airgap, nexus: Registry) -> None:
    project(old, target=nexus.url)
    old.fails(32, "import", "2-on-1.tar")
    assert nexus.names() == []
    old.run("import", "1.tar", "--output", "first", "--receipt", "first.json")
    assert json.loads((old.folder / "first.json").read_bytes()) == document("1.receipt.json")
    old.run("import", "2-on-1.tar", "--output", "second", "--receipt", "second.json")
    both = {**IMAGES_OF_1, **IMAGES_OF_2}
    assert nexus.names() == sorted(both.values())
    assert {name: nexus.digest(target) for name, target in both.items()} == carried("1.tar") | carried("2.tar")
    old.run("verify", "2.tar", "--against", f"http://{TARGET}", "--via", nexus.url)


# Receipts, inventories, locks


@pytest.mark.parametrize("first", ["1.tar", "1.lock", "1.receipt.json"])
@pytest.mark.parametrize("second", ["2.tar", "2.tar.zst", "2.lock", "2-on-1.tar"])
def test_diff(old: Airgap, first: str, second: str) -> None:
    shown = old.run("diff", first, second, "--json").json
    assert {image["reference"]: image["change"] for image in shown["images"]} == {
        "quay.io/example/app:1": "removed",
        "quay.io/example/app:2": "added",
        "quay.io/example/tool:1": "kept",
        "quay.io/example/tool:2": "added",
    }


def test_diff_of_receipt_and_inventory(old: Airgap) -> None:
    shown = old.run("diff", "1.receipt.json", "held.json", "--json").json
    assert [image["change"] for image in shown["images"]] == ["kept", "kept"]


def test_export_by_a_lock(old: Airgap, quay: Registry) -> None:
    """The tag has moved since: the lock still decides, and the bundle has the same bytes."""
    quay.store.tag(quay.store.resolve("example/app:1"), "example/app:2")
    inputs.release_files(old, quay.url, STAND_INS[1], 2)
    old.run("export", "-o", "again.tar", "--lock", "2.lock")
    assert (old.folder / "again.tar").read_bytes() == (DATA / "2.tar").read_bytes()
    assert (old.folder / "2.lock").read_bytes() == (DATA / "2.lock").read_bytes()


@pytest.mark.parametrize("base", ["1.receipt.json", "held.json", "1.tar", "bundle.json"])
def test_export_on_a_base(old: Airgap, quay: Registry, base: str) -> None:
    inputs.release_files(old, quay.url, STAND_INS[1], 2)
    old.write("bundle.json", inventory_bytes("1.tar"))
    old.run("export", "-o", "again.tar", "--base", base)
    again = {entry["digest"] for entry in old.run("inspect", "again.tar", "--json").json["requires"]}
    assert again == {entry["digest"] for entry in inventory("2-on-1.tar")["requires"]} != set()
    if base == "1.receipt.json":
        assert (old.folder / "again.tar").read_bytes() == (DATA / "2-on-1.tar").read_bytes()


@pytest.mark.parametrize("source", ["1.tar", "1.receipt.json"])
def test_hosts_from(old: Airgap, source: str) -> None:
    said = old.run("hosts", f"http://{TARGET}", "--for", "podman", "--from", source)
    for name, target in IMAGES_OF_1.items():
        assert f'"{name.rpartition(":")[0]}"' in said.text
        assert f'"10.100.0.102:32415/{target.rpartition(":")[0]}"' in said.text


# Rewriting


@pytest.mark.parametrize("source", ["1.tar", "1.receipt.json", "1.lock"])
def test_rewrite_from(old: Airgap, source: str) -> None:
    target = () if source.endswith("receipt.json") else ("--to", f"http://{TARGET}")
    old.run("rewrite", "original", "--from", source, *target, "--output", "again")
    assert (old.folder / "again/sub/b.yaml").read_bytes() == (DATA / "rewritten/sub/b.yaml").read_bytes()
    assert b"10.100.0.102:32415/p/tools/example:1" in (old.folder / "again/a.yaml").read_bytes()


def test_revert(old: Airgap) -> None:
    """One of the files was rewritten twice."""
    old.run("rewrite", "rewritten", "--revert", "--in-place")
    for name in ("a.yaml", "sub/b.yaml"):
        assert (old.folder / "rewritten" / name).read_bytes() == (DATA / "original" / name).read_bytes()
    assert not (old.folder / "rewritten/.airgap-rewrite.log").exists()


# State


@pytest.mark.parametrize("form", UNFINISHED)
def test_an_unfinished_export_goes_on(airgap: Airgap, large: Path, form: str) -> None:
    known = document("large.json")
    shutil.copytree(large / form, airgap.folder, dirs_exist_ok=True)
    ledger = Ledger()
    with Registry(store=ledger) as registry:
        inputs.fill(registry, inputs.large())
        airgap.write("airgap.yaml", inputs.mirrors(registry.url))
        ledger.begin()
        airgap.run("export", *LARGE_IMAGES, "-o", *UNFINISHED[form])
        assert ledger.sent < 13 * MIB, "8 MiB of the 20 were there"
    made = UNFINISHED[form][0]
    if form != "zstd" or known["zstd"] == inputs.ZSTD:
        assert inputs.sums_of(airgap.folder, made) == known["sums"][form]
    assert not list(airgap.folder.glob("*.partial")) + list(airgap.folder.glob("*.journal"))
    airgap.run("verify", "b.tar.001" if form == "volumes" else made)


def test_an_import_goes_on_inside_a_layer(airgap: Airgap, large: Path) -> None:
    """The registry has half of a layer in the upload that the journal names."""
    images, names = inputs.large()
    blob = next(one for one in images.needed(names["example/large:1"]) if one.media_type == OCI_LAYER_PLAIN)
    half = images.content[blob.digest][: 12 * MIB]
    (journal,) = (DATA / "state").glob("import-*")
    with Registry() as nexus, faulty_line(nexus.address) as line:
        begun = httpx.post(f"{nexus.url}/v2/p/large/blobs/uploads/")
        place = begun.headers["Location"].removeprefix(nexus.url)
        httpx.patch(f"{nexus.url}{place}", content=half).raise_for_status()
        session = place.rpartition("/")[2]
        text = journal.read_text().replace(STAND_INS[1], line.url).replace("SESSION", session)
        airgap.write(f"state/{journal.name}", text)
        bundle = airgap.write("b.tar", joined(large))
        arguments = ("--to", f"http://{TARGET}", "--via", line.url, "--state", "state", "--progress", "json")
        said = airgap.run("import", bundle, *arguments)
        assert [event["bytes"] for event in said.events if event["event"] == "blob-resumed"] == [len(half)]
        assert line.sent < blob.size - len(half) + MIB
        assert nexus.digest("p/large:1") == names["example/large:1"].digest
    assert list((airgap.folder / "state").iterdir()) == []


def test_a_migration_goes_on_by_delta(airgap: Airgap) -> None:
    """A tag that moved is moved only because the journal says that this migration put it there."""
    images, names = inputs.releases()
    shutil.copytree(DATA / "state", airgap.folder / "state")
    with Registry() as source, Registry() as target:
        inputs.fill(source, (images, names))
        inputs.fill(target, (images, names))
        airgap.write("airgap.yaml", inputs.sides(source.url, target.url))
        source.store.tag(names["example/app:1"], "example/app:2")
        airgap.fails(50, "migrate", OLD, NEW, "--state", "state")
        target.requests()
        said = airgap.run("migrate", OLD, NEW, "--state", "state", "--delta")
        assert target.digest("example/app:2") == names["example/app:1"].digest
        asked = [request for request in target.requests() if "/manifests/" in request and request.startswith("HEAD")]
        assert not [request for request in asked if "/manifests/1 " in request], "known from the journal"
    assert "1 moved" in said.stderr


# The same inputs give the same bytes


def test_exports_of_the_samples_have_the_bytes_that_they_had(airgap: Airgap) -> None:
    known = document("sums.json")
    assert inputs.inputs_sum() == known["inputs"], "the inputs have changed: run make_data.py with the code of 0.1.0"
    with Registry() as registry:
        inputs.fill(registry, inputs.samples())
        inputs.write_samples(airgap, registry.url)
        made = {}
        for name, arguments in inputs.SUMS.items():
            airgap.run("export", *arguments)
            made[name] = inputs.sums_of(airgap.folder, arguments[-1])
    comparable = [name for name in known["sums"] if "zstd" not in name or known["zstd"] == inputs.ZSTD]
    assert {name: made[name] for name in comparable} == {name: known["sums"][name] for name in comparable}
