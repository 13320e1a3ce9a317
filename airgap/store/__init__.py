# SPDX-License-Identifier: Apache-2.0
"""Where content lives: the protocols of a source and a store, and two stores that need no network.

A store keeps content by descriptor and names by string. Whoever takes content in verifies it; this
room knows nothing of HTTP, tar or YAML.
"""

from airgap.store.base import Eraser, FileRange, Listing, Mounter, Opener, Reader, Source, Store, fetch
from airgap.store.layout import Layout
from airgap.store.memory import Memory

__all__ = [
    "Eraser",
    "FileRange",
    "Layout",
    "Listing",
    "Memory",
    "Mounter",
    "Opener",
    "Reader",
    "Source",
    "Store",
    "fetch",
]
