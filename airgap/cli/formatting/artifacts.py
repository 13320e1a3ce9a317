# SPDX-License-Identifier: Apache-2.0
"""Lists of artifacts by format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airgap.bundle.artifacts import BundledArtifact
from airgap.formatting import counted, human
from airgap.i18n import tr


def artifact_lines(artifacts: Sequence[BundledArtifact]) -> Iterator[tuple[str, list[str]]]:
    """Yield a heading for each format, with a line for each of its files: name, version, file, size and digest."""
    for format_name in dict.fromkeys(artifact.format for artifact in artifacts):
        own = [artifact for artifact in artifacts if artifact.format == format_name]
        total = sum({artifact.content.digest: artifact.content.size for artifact in own}.values())
        count = counted(len(own), "artifact")
        yield (
            tr("{format}: {count}, {total}", format=format_name, count=count, total=human(total)),
            list(map(_line, own)),
        )


def _line(artifact: BundledArtifact) -> str:
    names = " ".join(part for part in (artifact.name, artifact.version) if part)
    file = "" if artifact.name.endswith(artifact.file) else f"  {artifact.file}"
    return f"  {names}{file}  {human(artifact.content.size)}  {artifact.content.digest}"
