# SPDX-License-Identifier: Apache-2.0
"""Writes a prune into the history: what was deleted, when, by whom and where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airgap.dossier import history
from airgap.durable.files import output_error
from airgap.flows.prune.plan import FileRemoval, Left, Removal
from airgap.flows.steps.recorded_import import user_name
from airgap.i18n import tr
from airgap.transfer import Context


def record_prune(
    path: Path, target: str, outcome: str, kept: Sequence[str], images: Sequence[Removal],
    files: Sequence[FileRemoval], left: Sequence[Left], context: Context,
) -> None:  # fmt: skip
    """Add a line. A history that cannot be written is a warning, as it is after an import."""
    registry = target.partition("/")[0]
    document: dict[str, Any] = {
        "action": history.PRUNE,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user": user_name(),
        "outcome": outcome,
        "target": target,
        "kept": list(kept),
        "images": [{"target": f"{registry}/{image.place}", "digest": image.digest} for image in images],
        "artifacts": [file.to_json() for file in files],
        "failed": [one.name for one in left if one.failed],
    }
    try:
        history.check_writable(path)
        history.append(path, document)
    except OSError as error:
        context.warn(tr("{error}; this is not in the history", error=output_error(error, path)))
