# SPDX-License-Identifier: Apache-2.0
"""Unfinished bundles with other content that ``--refresh`` set aside: their blobs need not be fetched again.

``NAME.partial.old`` is what a run with other inputs left; ``NAME.partial.old.1`` and so on are there when a run that
was using one was itself stopped and refreshed. They are deleted once a bundle is finished, or by ``--restart``.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from airgap.bundle.media import partial_of
from airgap.bundle.reader import BundleReader
from airgap.durable import sync_folder
from airgap.errors import AirgapError, BundleError, ContentError, ContentMissing
from airgap.oci import Descriptor
from airgap.store.protocols import Reader


class Leftovers:
    """A source of the blobs that lie whole in the unfinished bundles beside ``path``.

    The caller holds the lock of the bundle's journal. Each blob is hashed before it is given out: what was damaged, or
    not finished, is :class:`ContentMissing`, so that the next source is asked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bundles: list[BundleReader] = []
        self._verified: dict[str, BundleReader | None] = {}
        self._guard = threading.Lock()
        for file in self._files():
            with contextlib.suppress(AirgapError):
                self._bundles.append(BundleReader(file))

    def __str__(self) -> str:
        return f"the leftovers of an earlier export of {self._path.name}"

    @classmethod
    def set_aside(cls, path: Path) -> None:
        """Rename the partial file of ``path``, so that another bundle can be begun there. Raises OSError."""
        partial = partial_of(path)
        name = partial.with_name(f"{partial.name}.old")
        number = 0
        while os.path.lexists(name):
            number += 1
            name = partial.with_name(f"{partial.name}.old.{number}")
        os.rename(partial, name)
        sync_folder(path.parent)

    def begun(self, descriptor: Descriptor) -> bool:
        """Whether a part of the blob, or all of it, was written to one of them."""
        return any(_begun(bundle, descriptor) for bundle in self._bundles)

    def resolve(self, name: str) -> Descriptor:
        """Names are not asked of leftovers: always :class:`ContentMissing`."""
        raise ContentMissing(f"{name} is not resolved by what an earlier export left", where=str(self._path))

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the blob lies in one of them whole and undamaged. Reads all of it the first time."""
        return self._holder(descriptor) is not None

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Raises :class:`ContentMissing` for a blob that is damaged or unfinished."""
        holder = self._holder(descriptor)
        if holder is None:
            raise ContentMissing(f"{descriptor.digest} is damaged or unfinished", where=str(self))
        return holder.open(descriptor, offset)

    def close(self) -> None:
        """Close the files and keep them."""
        bundles, self._bundles = self._bundles, []
        for bundle in bundles:
            bundle.close()

    def remove(self) -> None:
        """Close the files and delete them."""
        self.close()
        for file in self._files():
            with contextlib.suppress(OSError):
                file.unlink()

    def _files(self) -> list[Path]:
        partial = partial_of(self._path)
        try:
            entries = sorted(partial.parent.iterdir())
        except OSError:
            return []
        prefix = f"{partial.name}.old"
        return [
            file
            for file in entries
            if file.name == prefix or (file.name.startswith(f"{prefix}.") and file.name[len(prefix) + 1 :].isdecimal())
        ]

    def _holder(self, descriptor: Descriptor) -> BundleReader | None:
        with self._guard:
            if descriptor.digest in self._verified:
                return self._verified[descriptor.digest]
        holder = next((bundle for bundle in self._bundles if _whole(bundle, descriptor)), None)
        with self._guard:
            self._verified[descriptor.digest] = holder
        return holder


def _begun(bundle: BundleReader, descriptor: Descriptor) -> bool:
    """The header stands before a blob from its first byte on."""
    try:
        if not bundle.exists(descriptor):
            return False
        bundle.open(descriptor).close()
    except (BundleError, ContentError):
        return False
    return True


def _whole(bundle: BundleReader, descriptor: Descriptor) -> bool:
    try:
        if not bundle.exists(descriptor):
            return False
        bundle.check_blob(descriptor)
    except (BundleError, ContentError):
        return False
    return True
