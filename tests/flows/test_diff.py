# SPDX-License-Identifier: Apache-2.0
"""``airgap diff``: what changes from one bundle, receipt, inventory or lock to another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airgap.bundle import read_document
from airgap.flows.diff import diff
from tests.cli.command import Airgap, Registry
from tests.flows.releases import NAME, TARGET, Far, Platform
from tests.parts.images import Layer

DOCUMENTS = ("tar", "json", "receipt", "inventory", "lock")


@dataclass
class Two:
    """Two releases, with every kind of document of both: ``1.tar``, ``1.json``, ``1.receipt`` and so on."""

    platform: Platform
    kept: Layer
    old: Layer
    new: Layer
    gone: Layer

    @property
    def airgap(self) -> Airgap:
        return self.platform.airgap

    def diff(self, old: str, new: str) -> dict[str, Any]:
        """What ``airgap diff --json`` prints."""
        return diff(*(read_document(self.airgap.folder / name) for name in (old, new))).to_json()

    def digest(self, name: str) -> str:
        return self.platform.registry.digest(name)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """x stays, y changes one of its layers, z goes, n is new and shares a layer with x."""
    folder = tmp_path_factory.mktemp("diff")
    airgap = Airgap(folder, folder)
    with Registry() as registry, Registry() as nexus:
        platform = Platform(airgap, registry)
        kept, old, new, gone = (platform.layer(size) for size in (1000, 20_000, 30_000, 40_000))
        made = Two(platform, kept, old, new, gone)
        far = Far(nexus.url, list)
        images = platform.images
        still = images.image(layers=[kept])
        registry.fill(
            images, {"a/x:s": still, "a/y:s": images.image(layers=[kept, old]), "a/z:s": images.image(layers=[gone])}
        )
        for version, names in (("1", "xyz"), ("2", "xyn")):
            if version == "2":
                registry.fill(images, {"a/y:s": images.image(layers=[kept, new]), "a/n:s": images.image(layers=[kept])})
            for name in "xyzn":
                nexus.store.untag(f"p/{name}:s")
            arguments = [item for name in names for item in ("--image", f"quay.io/a/{name}:s")]
            airgap.write("airgap.yaml", json.dumps({"registries": {"quay.io": {"mirror": registry.url}}}))
            airgap.run("export", *arguments, "-o", f"{version}.tar", "--lock", f"{version}.lock")
            airgap.write(f"{version}.json", json.dumps(platform.member(version, "airgap/bundle.json")))
            airgap.run(
                "import", f"{version}.tar", "--to", TARGET, "--via", far.url, "--receipt", f"{version}.receipt",
                "--overwrite",
            )  # fmt: skip
            airgap.run("inventory", TARGET, "--via", far.url, "-o", f"{version}.inventory")
        yield made


def changes(found: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {line["reference"].rpartition("/")[2]: line["change"] for line in found["images"]}


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("other", DOCUMENTS)
def test_any_two(two: Two, kind: str, other: str) -> None:
    found = two.diff(f"1.{kind}", f"2.{other}")
    assert changes(found) == {"x:s": "kept", "y:s": "changed", "z:s": "removed", "n:s": "added"}
    assert found["counts"] == {"added": 1, "removed": 1, "changed": 1, "kept": 1}
    line = next(line for line in found["images"] if line["reference"].endswith("/y:s"))
    assert line["new"] == two.digest("a/y:s")
    registry = f"{NAME}/p" if "inventory" in (kind, other) else "quay.io/a"
    assert line["reference"] == f"{registry}/y:s"
    whole = {"tar", "json"}
    if {kind, other} <= whole:
        assert None not in found["bytes"].values()
    if "lock" in (kind, other):
        assert set(found["bytes"].values()) == {None}
    elif other in whole:
        # What crosses is known as soon as OLD lists what it holds, with sizes or without.
        assert found["bytes"]["added"] > two.new.descriptor.size


def test_bytes(two: Two) -> None:
    found = two.airgap.run("diff", "1.tar", "2.tar", "--json").json
    assert found == two.diff("1.tar", "2.tar")
    sizes = {line["reference"][-3]: line["bytes"] for line in found["images"]}
    assert sizes["x"]["added"] == sizes["x"]["removed"] == 0
    assert two.kept.descriptor.size < sizes["x"]["kept"] < two.kept.descriptor.size + 1000
    for name, added, removed in (("y", two.new, two.old), ("z", None, two.gone)):
        for key, layer in (("added", added), ("removed", removed)):
            least = layer.descriptor.size if layer else 0
            assert least <= sizes[name][key] < least + 1000, (name, key)
    assert sizes["z"]["added"] == sizes["z"]["kept"] == 0
    assert sizes["n"]["kept"] >= two.kept.descriptor.size
    # x's config is n's too: the same layers make the same config.
    assert found["bytes"]["added"] == sizes["y"]["added"]
    assert found["bytes"]["removed"] == sizes["y"]["removed"] + sizes["z"]["removed"]


def test_a_differential_bundle_is_compared_as_if_it_were_whole(two: Two) -> None:
    arguments = [item for name in "xyn" for item in ("--image", f"quay.io/a/{name}:s")]
    two.airgap.run("export", *arguments, "-o", "d.tar", "--base", "1.tar")
    assert two.airgap.run("inspect", "d.tar", "--json").json["requires"]
    assert two.diff("1.tar", "d.tar") == two.diff("1.tar", "2.tar")
    nothing = two.diff("2.tar", "d.tar")
    assert nothing["counts"] == {"added": 0, "removed": 0, "changed": 0, "kept": 3}
    assert (nothing["bytes"]["added"], nothing["bytes"]["removed"]) == (0, 0)


def test_the_table(two: Two) -> None:
    lines = two.airgap.run("diff", "1.tar", "2.tar").text.splitlines()
    assert [line[:18] for line in lines[:4]] == ["+ quay.io/a/n:s  " + lines[0][17]] + [
        f"{sign} quay.io/a/{name}:s  " + line[17] for sign, name, line in zip("=~-", "xyz", lines[1:4], strict=True)
    ]
    old, new = (line.partition(":")[2][:12] for line in (_old(two), two.digest("a/y:s")))
    assert f"{old} -> {new}" in lines[2]
    assert "+31." in lines[2]
    assert "-21." in lines[2]
    assert lines[4] == "images: 1 added, 1 removed, 1 changed, 1 kept"
    assert lines[5].startswith("bytes: 31.")
    told = two.airgap.run("diff", "1.lock", "2.tar").text.splitlines()
    assert told[5] == "bytes: unknown added, unknown removed, unknown kept"


def _old(two: Two) -> str:
    found = two.diff("1.tar", "2.tar")
    return str(next(line["old"] for line in found["images"] if line["change"] == "changed"))


def test_what_cannot_be_compared(two: Two) -> None:
    two.airgap.write("odd.json", "[]")
    assert two.airgap.fails(40, "diff", "1.tar", "odd.json").errors[0].startswith("odd.json: ")
    assert two.airgap.fails(2, "diff", "absent", "1.tar").errors[0].startswith("absent: ")
