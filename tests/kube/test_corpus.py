# SPDX-License-Identifier: Apache-2.0
"""Real resource files, where a corpus of them is at hand: the folder that AIRGAP_CORPUS names, with truth.json
(file → its sites) and the files below files/."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airgap.kube import Rewritten, Scan, Site, revert_content, rewrite_content, scan
from airgap.records import replace
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
            assert "template" in (result.hint or "")
            assert not entry["sites"]
    assert len(found) > 100
    return found


def test_files_keep_every_byte_but_those_of_sites(scanned: dict[str, tuple[bytes, dict[str, Any], Scan]]) -> None:
    for name, (content, _, found) in scanned.items():
        assert (
            rewrite_content(
                content, [(site, str(site.reference) if len(site.parts) > 1 else site.text) for site in found.sites]
            ).content
            == content
        ), name
        pairs = [(site, _mirrored(site)) for site in found.sites]
        done = rewrite_content(content, pairs)
        # Only bytes of parts change: what lies between them is in the output, in order.
        spans = sorted({part.span for site in found.sites for part in site.parts if part.role != "selector"})
        at = there = 0
        for start, end in spans:
            kept = content[at:start]
            there = done.content.index(kept, there) + len(kept)
            at = end
        assert done.content.endswith(content[at:]), name
        assert all(any(start <= place <= end for start, end in spans) for place in _places(done)), name
        assert revert_content(done.content, done.edits) == content, name
        again = scan(done.content, name)
        assert [str(site.reference) for site in again.sites] == [new for _, new in pairs], name
        assert [(site.path, site.rule) for site in again.sites] == [(site.path, site.rule) for site in found.sites]
        assert rewrite_content(done.content, list(zip(again.sites, (new for _, new in pairs), strict=True))).edits == ()
        if all(part.role != "insert" for site in found.sites for part in site.parts):
            before, after = structure(content), structure(done.content)
            assert len(before) == len(after), name
            differing = sum(one != other for one, other in zip(before, after, strict=True))
            assert differing <= len(spans), name


def _mirrored(site: Site) -> str:
    """Where the policy "path" puts it."""
    return str(replace(site.reference, registry="10.0.0.1:5000", repository=f"mirror/{site.reference.repository}"))


def _places(done: Rewritten) -> list[int]:
    """The bytes of the first content at which something was changed."""
    places, shift = [], 0
    for change in done.edits:
        places.append(change.offset - shift)
        shift += len(change.after.encode()) - len(change.before.encode())
    return places


def test_the_score(scanned: dict[str, tuple[bytes, dict[str, Any], Scan]]) -> None:
    """The corpus's own measure: at least 99.5 % of sites and of images found, and at least 99.5 % of finds real."""
    finds = [
        {
            "file": name,
            "line": site.line,
            "text": site.text,
            "image": str(site.reference),
            "kind": site.kind,
        }
        for name, (_, _, found) in scanned.items()
        for site in found.sites
    ]
    command = [sys.executable, str(Path(CORPUS) / "score.py"), "--min-recall", "0.995", "--min-precision", "0.995"]
    done = subprocess.run(command, input=json.dumps(finds), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_kinds_that_are_typed_are_found_without_a_miss(
    scanned: dict[str, tuple[bytes, dict[str, Any], Scan]],
) -> None:
    missed = []
    for name, (_, entry, found) in scanned.items():
        places = {(site.line, site.text) for site in found.sites}
        missed += [
            f"{name}:{one['line']}: {one['text']}"
            for one in entry["sites"]
            if one["kind"] in ("field", "arg", "env", "compose", "kustomize")
            and not one.get("doubtful")
            and (one["line"], one["text"]) not in places
        ]
    assert missed == []
