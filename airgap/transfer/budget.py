# SPDX-License-Identifier: Apache-2.0
"""The memory that one plan may take for manifests and configs, and the failures after which nothing more is tried.

Both exist because a registry may lie: an index of 3 MB can name thousands of manifests of 4 MiB each.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from airgap import limits
from airgap.errors import AirgapError, ContentError, Interrupted
from airgap.i18n import tr
from airgap.oci.manifest import Manifest

Result = TypeVar("Result")

#: Bytes that a descriptor takes in memory beside the bytes that it was read from.
_DESCRIPTOR_BYTES = 1024


class MemoryBudget:
    """Counts what a plan of ``images`` images keeps in memory. Thread-safe."""

    def __init__(self, images: int) -> None:
        self._limit = limits.value("plan-bytes") + images * limits.value("plan-image-bytes")
        self._used = 0
        self._counted: set[str] = set()
        self._lock = threading.Lock()

    def add_manifest(self, manifest: Manifest) -> None:
        """Count a manifest; the same one only once. Raises :class:`ContentError` past the limit."""
        descriptors = len(manifest.children) + len(manifest.layers) + 1
        self.add(manifest.descriptor.digest, len(manifest.content) + descriptors * _DESCRIPTOR_BYTES)

    def add(self, digest: str, size: int) -> None:
        """Count content of ``size`` bytes; the same one only once. Raises :class:`ContentError` past the limit."""
        with self._lock:
            if digest in self._counted:
                return
            if self._used + size > self._limit:
                raise ContentError(
                    tr("the manifests of all images together take more than {limit:,} bytes", limit=self._limit),
                    hint=limits.hint("plan-bytes"),
                )
            self._counted.add(digest)
            self._used += size


class FailureCount:
    """Failures by what they belong to. Past the limit ``transfer-failures`` nothing more is tried. Thread-safe."""

    def __init__(self) -> None:
        self.limit = limits.value("transfer-failures")
        self._counts: Counter[object] = Counter()
        self._lock = threading.Lock()

    def run(self, owner: object, work: Callable[[], Result]) -> Result:
        """Call ``work`` and count its failure. Raises :class:`ContentError` instead if ``owner`` has failed too often.

        ``owner`` is what the work belongs to.
        """
        if self.is_exhausted(owner):
            raise ContentError(
                tr("not tried, since {failures} others had failed", failures=self.limit),
                hint=limits.hint("transfer-failures"),
            )
        try:
            return work()
        except AirgapError as error:
            if not isinstance(error, Interrupted):
                with self._lock:
                    self._counts[owner] += 1
            raise

    def is_exhausted(self, owner: object) -> bool:
        """Whether ``owner`` has failed too often."""
        return self._counts[owner] >= self.limit
