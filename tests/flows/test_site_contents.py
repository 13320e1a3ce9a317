# SPDX-License-Identifier: Apache-2.0
"""What a site holds by the history on this machine: artifacts, which no registry has, and bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airgap.dossier import history
from airgap.events import Event, Warned
from airgap.flows.steps.site_contents import SiteContents, contents_of_history
from airgap.transfer import Context, Jobs

TARGET = "10.100.0.102:32415/p"
DIGESTS = [f"sha256:{letter * 64}" for letter in "abc"]


def line(version: str, bundle: str, digest: str, **more: Any) -> dict[str, Any]:
    known = {"outcome": "complete", "target": TARGET, "shard": None, "artifacts": [{"digest": digest}]}
    return {**known, "bundle": {"root": f"sha256:{bundle}", "name": "platform", "version": version}, **more}


def test_the_history_names_artifacts_bundles_and_the_last_version(tmp_path: Path) -> None:
    record = tmp_path / history.FILE
    said: list[Event] = []
    context = Context(Jobs.of(None), said.append)
    assert contents_of_history(record, "platform", TARGET, context) == SiteContents()
    history.append(record, line("1", "1" * 64, DIGESTS[0]))
    history.append(record, line("2", "2" * 64, DIGESTS[1]))
    history.append(record, line("3", "3" * 64, DIGESTS[2], target="elsewhere:5000"))
    history.append(record, line("4", "4" * 64, DIGESTS[0], outcome="stopped"))
    history.append(record, line("5", "5" * 64, DIGESTS[0], shard="0/2"))
    found = contents_of_history(record, "platform", TARGET, context)
    assert found == SiteContents(frozenset(DIGESTS), frozenset({"1" * 64, "2" * 64}), "2")
    assert contents_of_history(record, "other", TARGET, context).version == ""
    assert said == []

    record.write_bytes(record.read_bytes().replace(b'"version":"1"', b'"version":"7"'))
    assert contents_of_history(record, "platform", TARGET, context) == SiteContents()
    (warning,) = said
    assert isinstance(warning, Warned)
    assert "the history is not used" in warning.text
