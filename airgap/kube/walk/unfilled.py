# SPDX-License-Identifier: Apache-2.0
"""Warnings about fields that must hold an image and hold no reference: placeholders and names to be filled in."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.formatting import counted
from airgap.kube.model import PLACEHOLDER, NearMiss

#: With more of them, one warning names the first ones.
_SINGLE = 5


def unfilled_warnings(misses: Sequence[NearMiss]) -> list[str]:
    """Return a warning for each image field without a reference, or one for all if there are many."""
    unfilled = [miss for miss in misses if _is_placeholder(miss) or miss.certain]
    if len(unfilled) <= _SINGLE:
        return [
            f"{miss.file}:{miss.line}: {miss.text!r} is a placeholder, so this image is neither carried nor rewritten"
            if _is_placeholder(miss)
            else f"{miss.file}:{miss.line}: {miss.reason}; it is neither carried nor rewritten"
            for miss in unfilled
        ]
    shown = ", ".join(f"{miss.file}:{miss.line} {miss.text[:60]!r}" for miss in unfilled[:_SINGLE])
    return [
        f"{counted(len(unfilled), 'image field')} with no reference in them are neither carried nor rewritten: "
        f"{shown} and {len(unfilled) - _SINGLE} more (airgap images --why lists all)"
    ]


def _is_placeholder(miss: NearMiss) -> bool:
    return miss.reason == PLACEHOLDER and miss.path.endswith(".image")
