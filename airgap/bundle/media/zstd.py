# SPDX-License-Identifier: Apache-2.0
"""Access to the Python package ``zstandard``, which is imported only for compressed bundles."""

from __future__ import annotations

from typing import Any

from airgap.errors import UnsupportedBundle
from airgap.i18n import tr

#: The first bytes of a zstd frame (RFC 8878, 3.1.1).
MAGIC = b"\x28\xb5\x2f\xfd"


def load_zstandard() -> Any:
    """Import and return the module ``zstandard``.

    Raises :class:`UnsupportedBundle` where it is not installed. ``airgap.pyz`` never has it, because it contains no
    compiled code.
    """
    try:
        import zstandard
    except ImportError as error:
        raise UnsupportedBundle(
            tr("zstd needs the Python package zstandard, which is not installed"),
            hint=tr("zstd -dc BUNDLE.tar.zst | airgap import - does without it; so does a plain .tar"),
        ) from error
    return zstandard
