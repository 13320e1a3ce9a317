# SPDX-License-Identifier: Apache-2.0
"""What comes from outside (bundles, registries, clients) made fit for a terminal."""

from __future__ import annotations


def printable(text: str, *, lines: bool = False) -> str:
    """``text`` without characters that steer a terminal; its own line ends stay with ``lines``."""
    kept = "\n\t" if lines else ""
    return "".join(one if one.isprintable() or one in kept else "\N{REPLACEMENT CHARACTER}" for one in text)
