# SPDX-License-Identifier: Apache-2.0
"""Content-addressed stores: the protocols of sources and stores, an OCI image layout folder, and a store in memory.

A store keeps content by descriptor and tags by name. A push verifies the content that it receives. ``local`` reads
the archives of other programs and a containerd. The room knows nothing of HTTP, YAML or bundles.
"""

from airgap.store.layout import ImageLayout
from airgap.store.memory import MemoryStore
from airgap.store.protocols import Opener, Reader, Source, Store, SupportsDelete, SupportsMount, SupportsNames
from airgap.store.readers import FileRange, fetch

__all__ = [
    "FileRange",
    "ImageLayout",
    "MemoryStore",
    "Opener",
    "Reader",
    "Source",
    "Store",
    "SupportsDelete",
    "SupportsMount",
    "SupportsNames",
    "fetch",
]
