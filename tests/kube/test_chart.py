# SPDX-License-Identifier: Apache-2.0
"""Values as trees: read, changed at single places, written; and a chart's archive that would leave its folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ResourceError
from airgap.kube.render import chart
from airgap.kube.render.programs import Rendering

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\x85\ufeff"), max_size=12
)
LEAVES = st.one_of(TEXTS, st.integers(-(10**6), 10**6), st.booleans(), st.none())
TREES = st.dictionaries(
    TEXTS,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12
    ),
    max_size=4,
)


@given(TREES)
def test_what_is_written_reads_back(tree: dict[str, Any]) -> None:
    assert yaml.safe_load(chart.dump(tree) or "{}") == tree


@given(TREES)
def test_an_overlay_changes_single_places_and_nothing_else(tree: dict[str, Any]) -> None:
    found = dict(chart.text_values(tree))
    for path in found:
        made = chart.overlay(tree, {path: "new"})
        merged = merge(tree, made)
        assert dict(chart.text_values(merged)) == {**found, path: "new"}


def merge(old: Any, new: Any) -> Any:
    """As helm merges values files: mappings by key, everything else as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}
    return new


def test_several_places_of_one_list() -> None:
    values = {"a": [{"image": "x", "keep": 1}, "y", [["z"]]], "b": {"c": "d"}}
    made = chart.overlay(values, {("a", 0, "image"): "X", ("a", 2, 0, 0): "Z", ("n", "e"): "w"})
    assert made == {"a": [{"image": "X", "keep": 1}, "y", [["Z"]]], "n": {"e": "w"}}
    assert values["a"][0] == {"image": "x", "keep": 1}  # type: ignore[index] # a list


def test_globals_count_once() -> None:
    values = {"global": {"imageRegistry": "r"}, "sub": {"global": {"imageRegistry": "r"}, "tag": None}}
    assert dict(chart.text_values(values)) == {("global", "imageRegistry"): "r", ("sub", "tag"): ""}


def archive(path: Path, *names: str, content: bytes = b"name: x\n", kind: bytes = tarfile.REGTYPE) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = (len(content) if kind == tarfile.REGTYPE else 0), kind, "/etc"
            tar.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize("name", ["../x", "shop/../../x", "/shop/x", "shop/..\\x", "shop/a/../x"])
def test_an_archive_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResourceError, match="outside of the chart"):
        chart.computed_values(archive(tmp_path / "c.tgz", "shop/Chart.yaml", name), "shop", Rendering())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["c.tgz"]


def test_links_and_damage_in_an_archive(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="holds one folder"):  # links are passed over
        chart.computed_values(archive(tmp_path / "a.tgz", "shop", kind=tarfile.SYMTYPE), "shop", Rendering())
    with pytest.raises(ResourceError, match="holds one folder"):
        chart.computed_values(archive(tmp_path / "b.tgz", "shop/Chart.yaml", "other/Chart.yaml"), "shop", Rendering())
    (tmp_path / "c.tgz").write_bytes(b"no archive")
    with pytest.raises(ResourceError, match="no chart's archive"):
        chart.computed_values(str(tmp_path / "c.tgz"), "shop", Rendering())


def test_an_archive_that_grows_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "_MOST_BYTES", 1000)
    big = archive(tmp_path / "a.tgz", "shop/Chart.yaml", "shop/big", content=bytes(800))
    with pytest.raises(ResourceError, match="larger than any chart"):
        chart.computed_values(big, "shop", Rendering())
