# SPDX-License-Identifier: Apache-2.0
"""Adds parity volumes to a bundle whose volumes are finished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import OutputFormat
from airgap.events import Noted
from airgap.i18n import tr
from airgap.transfer import Context


def add_parity(form: OutputFormat, volumes: Sequence[Path], context: Context) -> None:
    """Write the parity volumes of ``form``, if it has any. Those that an earlier run finished are kept."""
    if not form.parity_paths:
        return
    from airgap.bundle.parity import make_parity

    def observe(_: int) -> None:
        context.cancel.check()

    paths = make_parity(form.path, volumes, form.parity, observe)
    context.emit(Noted(tr("parity: {files}", files=form.describe(paths))))
