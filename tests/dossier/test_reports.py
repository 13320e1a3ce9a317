# SPDX-License-Identifier: Apache-2.0
"""Attached documents: what they are is told from their content, and no content is too strange."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airgap.dossier.facts import DocumentFacts
from airgap.dossier.reports import document_facts

GRYPE = {
    "matches": [{"vulnerability": {"id": "CVE-1", "severity": "Negligible"}}, {"vulnerability": {"severity": "High"}}],
    "source": {"type": "image", "target": {"userInput": "redis:7"}},
    "descriptor": {"name": "grype"},
}
CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "metadata": {"component": {"name": "shop"}},
    "components": [{}, {}],
    "vulnerabilities": [{"ratings": [{"severity": "low"}, {"severity": "critical"}]}, {}],
}
SARIF = {
    "version": "2.1.0",
    "runs": [{"tool": {"driver": {"name": "kics"}}, "results": [{"level": "error"}, {}, {"level": "note"}]}],
}


def of(document: Any) -> DocumentFacts:
    return document_facts("x", "0" * 64, document if isinstance(document, bytes) else json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "kind", "about", "severities", "parts"),
    [
        (GRYPE, "grype", "redis:7", (("high", 1), ("negligible", 1)), 0),
        (CYCLONEDX, "CycloneDX", "shop", (("critical", 1), ("unknown", 1)), 2),
        ({"spdxVersion": "SPDX-2.3", "name": "n", "packages": [{}]}, "SPDX", "n", (), 1),
        (b"SPDXVersion: SPDX-2.3\nPackageName: a\nPackageName: b\n", "SPDX", "", (), 2),
        (b'<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6"><component type="x"/></bom>',
         "CycloneDX", "", (), 1),
        (SARIF, "SARIF", "kics", (("high", 1), ("medium", 1), ("low", 1)), 0),
        ({"SchemaVersion": 2, "ArtifactName": "a", "Results": None}, "trivy", "a", (), 0),
    ],
)  # fmt: skip
def test_reports(document: Any, kind: str, about: str, severities: tuple[tuple[str, int], ...], parts: int) -> None:
    found = of(document)
    assert (found.kind, found.about, found.severities, found.parts) == (kind, about, severities, parts)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\x00\xff",
        b"{",
        b"{" * 100_000,
        {"matches": 1, "descriptor": 1},
        {"matches": [{}], "descriptor": 1},
        {"SchemaVersion": 2, "ArtifactName": 3, "Results": [1]},
        {"bomFormat": "CycloneDX", "metadata": 1},
        {"version": "2.1.0", "runs": [{}]},
        {"hello": "world"},
    ],
)
def test_anything_else_is_a_document(document: Any) -> None:
    found = of(document)
    assert (found.kind, found.severities, found.parts) == ("", (), 0)
