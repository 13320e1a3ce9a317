# SPDX-License-Identifier: Apache-2.0
"""The documents that ride along in a bundle: what each of them is, and what reports of vulnerabilities count.

Nothing in them is verified. Sources: trivy's and grype's JSON output, CycloneDX 1.6, SPDX 2.3 and SARIF 2.1.0. What is
none of these is a document with a name and a hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airgap import bounded_json
from airgap.dossier.facts import DocumentFacts
from airgap.errors import ContentError

#: The bounds of a document that is looked into; a larger one is a document all the same.
_VALUES, _DEPTH = 4_000_000, 64
#: The words for severities, the worst first; others count as ``unknown``.
SEVERITIES = ("critical", "high", "medium", "low", "negligible", "unknown")
_WORDS = {"moderate": "medium", "info": "negligible", "informational": "negligible", "none": "negligible"}
_XML_HEAD = 4096


def document_facts(name: str, sha256: str, content: bytes) -> DocumentFacts:
    """Return the facts of a document. ``sha256`` is that of its content in hexadecimal."""
    kind, about, found, parts = _look_into(content)
    counts = Counter(_severity(word) for word in found)
    ordered = tuple((word, counts[word]) for word in SEVERITIES if counts[word])
    return DocumentFacts(name, sha256, len(content), kind, about, ordered, parts)


def _look_into(content: bytes) -> tuple[str, str, Iterable[Any], int]:
    """Return the kind, what it is about, the severities in it, and the number of components or packages."""
    if content.lstrip()[:1] == b"{":
        try:
            document = bounded_json.loads(content, values=_VALUES, depth=_DEPTH)
            return _of_json(document)
        except (ContentError, AttributeError, KeyError, TypeError, ValueError):
            return "", "", (), 0
    if content.startswith(b"SPDXVersion:"):
        return "SPDX", "", (), content.count(b"\nPackageName:")
    if content.lstrip()[:1] == b"<" and b"cyclonedx.org/schema/bom" in content[:_XML_HEAD]:
        return "CycloneDX", "", (), content.count(b"<component ")
    return "", "", (), 0


def _of_json(document: Mapping[str, Any]) -> tuple[str, str, Iterable[Any], int]:
    if "SchemaVersion" in document and "ArtifactName" in document:
        parts = document.get("Results") or ()
        found = [one.get("Severity") for part in parts for one in part.get("Vulnerabilities") or ()]
        return "trivy", _text(document["ArtifactName"]), found, 0
    if "matches" in document and "descriptor" in document:
        target = (document.get("source") or {}).get("target")
        about = target.get("userInput") if isinstance(target, dict) else target
        return "grype", _text(about), [one["vulnerability"].get("severity") for one in document["matches"]], 0
    if document.get("bomFormat") == "CycloneDX":
        component = (document.get("metadata") or {}).get("component") or {}
        return (
            "CycloneDX",
            _text(component.get("name")),
            list(_ratings(document)),
            len(document.get("components") or ()),
        )
    if "spdxVersion" in document:
        return "SPDX", _text(document.get("name")), (), len(document.get("packages") or ())
    if "runs" in document and str(document.get("version", "")).startswith("2."):
        runs = document["runs"]
        levels = {"error": "high", "warning": "medium", "note": "low"}
        found = [levels.get(str(one.get("level", "warning"))) for run in runs for one in run.get("results") or ()]
        return "SARIF", _text(runs[0]["tool"]["driver"].get("name")) if runs else "", found, 0
    return "", "", (), 0


def _ratings(document: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the worst rating of each vulnerability of a CycloneDX document."""
    for one in document.get("vulnerabilities") or ():
        words = [_severity(rating.get("severity")) for rating in one.get("ratings") or ()]
        yield min(words, key=SEVERITIES.index, default="unknown")


def _severity(word: Any) -> str:
    lowered = str(word).lower()
    lowered = _WORDS.get(lowered, lowered)
    return lowered if lowered in SEVERITIES else "unknown"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
