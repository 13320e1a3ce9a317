# SPDX-License-Identifier: Apache-2.0
"""Real resource files, where a corpus of them is at hand: the folder that AIRGAP_CORPUS names, with truth.json
(file → its sites) and the files below files/."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airgap.kube import Scan, revert, rewrite
from tests.kube.support import attempt, structure

CORPUS = os.environ.get("AIRGAP_CORPUS", "")

pytestmark = pytest.mark.skipif(not CORPUS, reason="AIRGAP_CORPUS is not set: no corpus of real files")


@pytest.fixture(scope="module")
def scanned() -> dict[str, tuple[bytes, dict[str, Any], Scan]]:
    truth = json.loads((Path(CORPUS) / "truth.json").read_text("utf-8"))["files"]
    found = {}
    for name, entry in truth.items():
        content = (Path(CORPUS) / "files" / name).read_bytes()
        result = attempt(content, name)
        if isinstance(result, Scan):
            found[name] = content, entry, result
        else:  # templates that were not rendered are the only files here that do not parse, and the hint says so
            assert b"{{" in content, result
            assert "helm template" in (result.hint or "")
            assert not entry["sites"]
    assert len(found) > 100
    return found


def test_files_keep_every_byte_but_those_of_sites(scanned: dict[str, tuple[bytes, dict[str, Any], Scan]]) -> None:
    for name, (content, _, found) in scanned.items():
        assert rewrite(content, [(site, site.text) for site in found.sites]).content == content, name
        pairs = [(site, f"10.0.0.1:5000/mirror/n{number}:1") for number, site in enumerate(found.sites)]
        done = rewrite(content, pairs)
        at = shift = 0
        for site, new in pairs:
            ((start, end),) = site.spans
            assert done.content[at + shift : start + shift] == content[at:start], name
            assert done.content[start + shift :].startswith(new.encode()), name
            shift += len(new) - (end - start)
            at = end
        assert done.content[at + shift :] == content[at:], name
        assert revert(done.content, done.changes) == content, name
        before, after = structure(content), structure(done.content)
        assert len(before) == len(after), name
        differing = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
        assert len(differing) <= len(pairs), name
        assert all("10.0.0.1:5000/mirror/" in other[1] for _, other in differing), name


def _missed(kind: str, scanned: dict[str, tuple[bytes, dict[str, Any], Scan]]) -> list[str]:
    missed = []
    for name, (_, entry, found) in scanned.items():
        places = {(site.line, site.text) for site in found.sites}
        missed += [
            f"{name}:{one['line']}: {one['text']}"
            for one in entry["sites"]
            if one["kind"] == kind and not one.get("doubtful") and (one["line"], one["text"]) not in places
        ]
    return missed


@pytest.mark.parametrize("kind", ["field", "arg", "env", "compose"])
def test_all_of_these_kinds_are_found(kind: str, scanned: dict[str, tuple[bytes, dict[str, Any], Scan]]) -> None:
    assert _missed(kind, scanned) == []


def test_nothing_else_is_found(scanned: dict[str, tuple[bytes, dict[str, Any], Scan]]) -> None:
    false = [
        f"{name}:{site.line}: {site.text} ({site.rule})"
        for name, (_, entry, found) in scanned.items()
        for site in found.sites
        if not any(site.line == one["line"] and site.text in one["text"] for one in entry["sites"])
    ]
    assert false == []
