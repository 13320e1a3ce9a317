# SPDX-License-Identifier: Apache-2.0
"""Content-addressed stores: the protocols of sources and stores, an OCI image layout folder, and a store in memory.

A store keeps content by descriptor and tags by name. A push verifies the content that it receives. ``local`` reads
the archives of other programs and a containerd. The room knows nothing of HTTP, YAML or bundles.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from airgap.store.protocols import (
    Opener,
    Reader,
    Source,
    Store,
    SupportsBlobLookup,
    SupportsDelete,
    SupportsMount,
    SupportsNames,
)
from airgap.store.readers import FileRange, fetch

if TYPE_CHECKING:
    from airgap.store.layout import ImageLayout
    from airgap.store.memory import MemoryStore

__all__ = [
    "FileRange",
    "ImageLayout",
    "MemoryStore",
    "Opener",
    "Reader",
    "Source",
    "Store",
    "SupportsBlobLookup",
    "SupportsDelete",
    "SupportsMount",
    "SupportsNames",
    "fetch",
]

_MODULES = {"ImageLayout": "layout", "MemoryStore": "memory"}


def __getattr__(name: str) -> object:
    # Import on first use: neither is needed for a bundle and a registry.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
