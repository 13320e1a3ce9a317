# SPDX-License-Identifier: Apache-2.0
"""Warnings about fields that must hold an image and hold no reference: placeholders and names to be filled in."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.model import PLACEHOLDER, NearMiss

#: With more of them, one warning names the first ones.
_SINGLE = 5


def unfilled_warnings(misses: Sequence[NearMiss]) -> list[str]:
    """Return a warning for each image field without a reference, or one for all if there are many."""
    unfilled = [miss for miss in misses if _is_placeholder(miss) or miss.certain]
    if len(unfilled) <= _SINGLE:
        return [
            tr(
                "{file}:{line}: {text!r} is a placeholder, so this image is neither carried nor rewritten",
                file=miss.file,
                line=miss.line,
                text=miss.text,
            )
            if _is_placeholder(miss)
            else tr(
                "{file}:{line}: {reason}; it is neither carried nor rewritten",
                file=miss.file,
                line=miss.line,
                reason=miss.reason,
            )
            for miss in unfilled
        ]
    shown = ", ".join(f"{miss.file}:{miss.line} {miss.text[:60]!r}" for miss in unfilled[:_SINGLE])
    return [
        tr(
            "{fields} with no reference in them are neither carried nor rewritten: {shown} and {number} more "
            "(airgap images --why lists all)",
            fields=counted(len(unfilled), "image field"),
            shown=shown,
            number=len(unfilled) - _SINGLE,
        )
    ]


def _is_placeholder(miss: NearMiss) -> bool:
    return miss.reason == PLACEHOLDER and miss.path.endswith(".image")
