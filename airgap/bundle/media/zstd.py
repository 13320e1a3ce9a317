# SPDX-License-Identifier: Apache-2.0
"""The library that compresses, asked for only where a bundle is compressed."""

from __future__ import annotations

from typing import Any

from airgap.errors import UnsupportedBundle


def library() -> Any:
    """The module ``zstandard``. Raises :class:`UnsupportedBundle` where it is missing, as it is from airgap.pyz, which
    holds nothing that was compiled for one machine."""
    try:
        import zstandard
    except ImportError as error:
        raise UnsupportedBundle(
            "zstd needs the Python package zstandard, which is not installed",
            hint="zstd -dc BUNDLE.tar.zst | airgap import - does without it; so does a plain .tar",
        ) from error
    return zstandard
