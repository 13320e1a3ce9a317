# SPDX-License-Identifier: Apache-2.0
"""Charts as a folder that helm reads: the archives and ``index.yaml`` at the root (helm's "The Chart Repository")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airgap import bounded_json
from airgap.artifacts.artifact import Artifact
from airgap.errors import ContentError
from airgap.i18n import tr

_MAX_VALUES = 131_072


class HelmLayout:
    """A chart repository in files. Addresses in the index are relative, so that any address serves them."""

    def path(self, artifact: Artifact) -> str:
        """The archives lie at the root."""
        return artifact.file

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """The index; JSON is YAML."""
        entries: dict[str, list[dict[str, Any]]] = {}
        for artifact in sorted(artifacts, key=lambda artifact: (artifact.name, artifact.file)):
            entry = {
                **_chart_of(artifact),
                "created": "1970-01-01T00:00:00Z",
                "digest": artifact.digest.partition(":")[2],
                "urls": [artifact.file],
            }
            entries.setdefault(artifact.name, []).append(entry)
        document = {"apiVersion": "v1", "entries": entries, "generated": "1970-01-01T00:00:00Z"}
        return {"index.yaml": json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"}


def _chart_of(artifact: Artifact) -> dict[str, Any]:
    try:
        chart = bounded_json.loads(artifact.properties["chart"].encode(), values=_MAX_VALUES, where=artifact.label)
        if not isinstance(chart, dict):
            raise ValueError
    except (KeyError, ValueError) as error:
        raise ContentError(tr("its manifest does not say what Chart.yaml says"), where=artifact.label) from error
    return {**chart, "name": artifact.name, "version": artifact.version}
