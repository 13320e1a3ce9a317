# SPDX-License-Identifier: Apache-2.0
"""The page at ``/`` of a server, and behind it what clients of artifacts read."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from airgap.artifacts.site import ArtifactSite
from airgap.bundle import BundleReader
from airgap.listing.entries import bundle_entries, layout_entries
from airgap.listing.page import to_bytes
from airgap.oci import Descriptor
from airgap.server.site import SiteFile
from airgap.store import ImageLayout

_PLACES = ("", "index.html")
_TYPE = "text/html; charset=utf-8"


class BundleSite:
    """The page of a bundle, made when it is first asked for, and the files of its artifacts. Thread-safe."""

    def __init__(self, bundle: BundleReader, title: str) -> None:
        self._bundle = bundle
        self._title = title
        self._artifacts = ArtifactSite(bundle)
        self._page: bytes | None = None
        self._lock = threading.Lock()

    def find(self, path: str, base_url: str) -> SiteFile | None:
        """Return the page for the root, and otherwise what :meth:`ArtifactSite.find` returns."""
        if path not in _PLACES:
            return self._artifacts.find(path, base_url)
        with self._lock:
            if self._page is None:
                self._page = to_bytes(self._title, bundle_entries(self._bundle, self._artifacts.files))
            return SiteFile(_TYPE, content=self._page)


class LayoutSite:
    """The page of a layout folder, made again when its names have changed. Thread-safe."""

    def __init__(self, layout: ImageLayout, title: str) -> None:
        self._layout = layout
        self._title = title
        self._names: Mapping[str, Descriptor] | None = None
        self._page = b""
        self._lock = threading.Lock()

    def find(self, path: str, base_url: str) -> SiteFile | None:
        """Return the page for the root; there is nothing else."""
        if path not in _PLACES:
            return None
        with self._lock:
            names = self._layout.names()
            if names is not self._names:
                self._names, self._page = names, to_bytes(self._title, layout_entries(names))
            return SiteFile(_TYPE, content=self._page)
