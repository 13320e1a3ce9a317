# SPDX-License-Identifier: Apache-2.0
"""Unfinished bundles with other content that ``--refresh`` set aside, so that their blobs need not be fetched again.

They are called ``NAME.partial.old``, and ``NAME.partial.old.1`` and so on if a run that used one was itself refreshed.
They are deleted once a bundle is finished, and by ``--restart``.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media import partial_path
from airgap.bundle.opening import open_bundle
from airgap.bundle.reader import BundleReader
from airgap.durable import sync_folder
from airgap.errors import AirgapError, BundleError, ContentError, ContentMissing
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.store.protocols import Reader


class Leftovers:
    """A source of the blobs in the leftovers of the bundle ``path``. Made by :meth:`find`. Thread-safe.

    The caller holds the lock of the bundle's journal. Every blob is verified before it is returned. A damaged or
    unfinished blob is :class:`ContentMissing`, so that the next source is asked.
    """

    def __init__(self, path: Path, bundles: Sequence[BundleReader]) -> None:
        self._path = path
        self._bundles = list(bundles)
        #: The bundle that has a verified blob, by the blob's digest; ``None`` if no bundle has it.
        self._verified: dict[str, BundleReader | None] = {}
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return tr("the leftovers of an earlier export of {name}", name=self._path.name)

    @classmethod
    def find(cls, path: Path) -> Leftovers:
        """Open the leftovers of the bundle ``path``. Files that are no readable bundle are skipped."""
        bundles = []
        for file in _leftover_files(path):
            with contextlib.suppress(AirgapError):
                bundles.append(open_bundle(file))
        return cls(path, bundles)

    @staticmethod
    def set_aside(path: Path) -> None:
        """Rename the partial file of the bundle ``path`` to the name of a leftover. Raises OSError."""
        partial = partial_path(path)
        name = partial.with_name(f"{partial.name}.old")
        number = 0
        while os.path.lexists(name):
            number += 1
            name = partial.with_name(f"{partial.name}.old.{number}")
        os.rename(partial, name)
        sync_folder(path.parent)

    def holds_part_of(self, descriptor: Descriptor) -> bool:
        """Whether at least a part of the blob was written to one of the bundles."""
        return any(_was_begun(bundle, descriptor) for bundle in self._bundles)

    def resolve(self, name: str) -> Descriptor:
        """Raise :class:`ContentMissing`: leftovers resolve no names."""
        raise ContentMissing(
            tr("{name} is not resolved by what an earlier export left", name=name), where=str(self._path)
        )

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether one of the bundles has the complete blob. Reads and verifies it the first time."""
        return self._bundle_with(descriptor) is not None

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Open a verified blob. Raises :class:`ContentMissing` for a damaged or unfinished one."""
        bundle = self._bundle_with(descriptor)
        if bundle is None:
            raise ContentMissing(tr("{digest} is damaged or unfinished", digest=descriptor.digest), where=str(self))
        return bundle.open(descriptor, offset)

    def close(self) -> None:
        """Close the files and keep them. Closing twice does nothing."""
        bundles, self._bundles = self._bundles, []
        for bundle in bundles:
            bundle.close()

    def remove(self) -> None:
        """Close the files and delete them."""
        self.close()
        for file in _leftover_files(self._path):
            with contextlib.suppress(OSError):
                file.unlink()

    def _bundle_with(self, descriptor: Descriptor) -> BundleReader | None:
        with self._lock:
            if descriptor.digest in self._verified:
                return self._verified[descriptor.digest]
        bundle = next((bundle for bundle in self._bundles if _is_intact(bundle, descriptor)), None)
        with self._lock:
            self._verified[descriptor.digest] = bundle
        return bundle


def _leftover_files(path: Path) -> list[Path]:
    partial = partial_path(path)
    try:
        files = sorted(partial.parent.iterdir())
    except OSError:
        return []
    first_name = f"{partial.name}.old"
    prefix = f"{first_name}."
    return [
        file
        for file in files
        if file.name == first_name or (file.name.startswith(prefix) and file.name[len(prefix) :].isdecimal())
    ]


def _was_begun(bundle: BundleReader, descriptor: Descriptor) -> bool:
    """Whether the blob's header was written, which happens before its first byte."""
    try:
        if not bundle.exists(descriptor):
            return False
        bundle.open(descriptor).close()
    except (BundleError, ContentError):
        return False
    return True


def _is_intact(bundle: BundleReader, descriptor: Descriptor) -> bool:
    try:
        if not bundle.exists(descriptor):
            return False
        bundle.check_blob(descriptor)
    except (BundleError, ContentError):
        return False
    return True
