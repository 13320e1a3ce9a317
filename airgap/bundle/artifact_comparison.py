# SPDX-License-Identifier: Apache-2.0
"""Compares the artifacts of two documents by format and name: ``pypi requests 2.31.0 -> 2.32.3``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, Literal, get_args

from airgap.bundle.artifacts import BundledArtifact
from airgap.bundle.inventory import Inventory
from airgap.bundle.lockfile import Lockfile
from airgap.bundle.receipt import Receipt
from airgap.records import Record

#: What happened to an image or an artifact from one document to the next.
Status = Literal["added", "removed", "changed", "kept"]


class ComparedFile(Record):
    """A file of an artifact; ``digest`` is the file's."""

    version: str
    file: str
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return the value of ``old`` or ``new`` in the output."""
        return {"version": self.version or None, "file": self.file, "digest": self.digest}


class ArtifactComparison(Record):
    """One artifact in OLD, NEW or both. A changed one has another version or content in NEW."""

    format: str
    name: str
    old: ComparedFile | None
    new: ComparedFile | None

    @property
    def status(self) -> Status:
        """What NEW does to it."""
        if self.old is None or self.new is None:
            return "added" if self.old is None else "removed"
        return "kept" if self.old == self.new else "changed"

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``artifacts`` in the output."""
        return {
            "format": self.format,
            "name": self.name,
            "change": self.status,
            "old": self.old.to_json() if self.old else None,
            "new": self.new.to_json() if self.new else None,
        }


ArtifactFiles = dict[tuple[str, str], list[ComparedFile]]


def artifact_files(content: Inventory | Receipt | Lockfile) -> ArtifactFiles:
    """Return the files of a document by format and name, in the order of versions and file names."""
    files: ArtifactFiles = {}
    for artifact in content.artifacts:
        digest = artifact.content.digest if isinstance(artifact, BundledArtifact) else artifact.digest
        file = ComparedFile(artifact.version, artifact.file, digest)
        files.setdefault((artifact.format, artifact.name), []).append(file)
    return {key: sorted(own, key=lambda file: (file.version, file.file)) for key, own in sorted(files.items())}


def compare_artifacts(old: ArtifactFiles, new: ArtifactFiles) -> tuple[ArtifactComparison, ...]:
    """Compare name by name. Files that both have are kept; the others of a name are paired in their order."""
    result: list[ArtifactComparison] = []
    for key in sorted({*old, *new}):
        held, wanted = old.get(key, []), new.get(key, [])
        kept = [file for file in held if file in wanted]
        result += [ArtifactComparison(*key, file, file) for file in kept]
        rest = zip_longest((file for file in held if file not in kept), (file for file in wanted if file not in kept))
        result += [ArtifactComparison(*key, before, after) for before, after in rest]
    return tuple(result)


def counts_of(artifacts: Iterable[ArtifactComparison]) -> dict[Status, int]:
    """Return how many artifacts have each status."""
    counts = Counter(artifact.status for artifact in artifacts)
    return {status: counts[status] for status in get_args(Status)}


def lines_of(artifacts: Iterable[ArtifactComparison]) -> Iterator[tuple[str, str]]:
    """Yield the status of each artifact and what to show of it."""
    for artifact in artifacts:
        versions = [file.version or file.digest.partition(":")[2][:12] for file in (artifact.old, artifact.new) if file]
        shown = " -> ".join(dict.fromkeys(versions))
        if artifact.status == "changed" and len(set(versions)) == 1:
            digests = [file.digest.partition(":")[2][:12] for file in (artifact.old, artifact.new) if file]
            shown += f"  {' -> '.join(digests)}"
        yield artifact.status, f"{artifact.format} {artifact.name}  {shown}"
