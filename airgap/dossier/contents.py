# SPDX-License-Identifier: Apache-2.0
"""What is in the layers of images: files that run with others' rights, and installed packages.

Each layer is read once, however many images have it. What an image has follows from its layers in their order: a later
one replaces and removes what the ones below have (image-spec layer.md, "Applying Changesets").
"""

from __future__ import annotations

import posixpath
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import partial

from airgap import limits
from airgap.bundle import BundleReader
from airgap.dossier.entry import Entry
from airgap.dossier.facts import LAYERS_ELSEWHERE, Contents, Package, PrivilegedFile
from airgap.dossier.images import PlatformImage
from airgap.dossier.layers import is_layer, read_layer
from airgap.dossier.packages import is_database, read_databases, system_id
from airgap.errors import ContentError, DigestMismatch
from airgap.events import BlobDone, BlobStarted
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.transfer import Context, Meter
from airgap.transfer.pool import parallel_map

_RELEASES = ("etc/os-release", "usr/lib/os-release")
_SETUID, _SETGID = 0o4000, 0o2000
#: Why contents are not known: the words of the JSON document, which do not depend on the user's language.
UNREADABLE = "a layer cannot be read: {digest}"


class LayerContents:
    """What one layer adds and removes. Only what the contents of an image depend on is kept of it.

    By path: ``privileged`` are modes, ``packages`` those of a database (``None`` for one that is not readable), and
    ``systems`` the IDs in os-release files. ``removed`` are paths of whiteouts, ``emptied`` folders.
    """

    def __init__(self) -> None:
        self.privileged: dict[str, int] = {}
        self.packages: dict[str, list[Package] | None] = {}
        self.systems: dict[str, str] = {}
        self._files: dict[str, bytes] = {}
        self.removed: set[str] = set()
        self.emptied: set[str] = set()
        #: The hash of the path of every entry that is no folder, sorted: 8 bytes each.
        self._paths = array("q")

    def add(self, entry: Entry, *, replaces: bool) -> None:
        """Take note of an entry; ``replaces`` is false for the lowest layer of all images that have it."""
        path = entry.path
        if entry.kind == "whiteout":
            (self.emptied if entry.is_opaque else self.removed).add(entry.hidden_path)
            return
        # An entry replaces what the same archive has had under its path, or below it.
        self.privileged.pop(path, None)
        self._files.pop(path, None)
        if entry.kind == "directory":
            return
        if replaces:
            self._paths.append(hash(path))
        if entry.kind not in ("file", "hardlink"):
            return
        mode = entry.mode & 0o7777
        if entry.kind == "hardlink":
            mode |= self.privileged.get(posixpath.normpath("/" + entry.link.lstrip("/")).lstrip("/"), 0)
        if mode & (_SETUID | _SETGID):
            self.privileged[path] = mode
        if entry.kind == "file" and (is_database(path) or path in _RELEASES):
            self._files[path] = entry.read(limits.value("package-database-bytes"))

    def finish(self) -> None:
        """Read the databases, and make it ready for :meth:`hides`."""
        self.systems = {path: system_id(self._files.pop(path)) for path in _RELEASES if path in self._files}
        self.packages, self._files = read_databases(self._files), {}
        self._paths = array("q", sorted(self._paths))

    def hides(self, path: str) -> bool:
        """Whether this layer removes or replaces ``path`` of a layer below."""
        if self._has(path) or path in self.removed:
            return True
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self.emptied or (folder and (folder in self.removed or self._has(folder))):
                return True
        return False

    def _has(self, path: str) -> bool:
        wanted = hash(path)
        place = bisect_left(self._paths, wanted)
        return place < len(self._paths) and self._paths[place] == wanted


class LayerReader:
    """Reads the layers that some images need, and tells what each image has."""

    def __init__(self, bundle: BundleReader, context: Context) -> None:
        self._bundle = bundle
        self._context = context
        self._layers: dict[str, LayerContents | None] = {}

    def read(self, images: Iterable[PlatformImage]) -> None:
        """Read every layer of ``images`` that the bundle has, in its order. Raises :class:`DigestMismatch`."""
        wanted: dict[str, Descriptor] = {}
        upper: set[str] = set()
        for image in images:
            if image.manifest.is_container_image:
                for place, layer in enumerate(image.manifest.layers):
                    wanted[layer.digest] = layer
                    if place:
                        upper.add(layer.digest)
        layers = [wanted[blob.digest] for blob in self._bundle.inventory.blobs if blob.digest in wanted]
        read = parallel_map(
            layers,
            lambda layer: self._read(layer, replaces=layer.digest in upper),
            workers=1 if self._bundle.ordered else min(self._context.jobs.transfers, 4),
            cancel=self._context.cancel,
        )
        self._layers = {
            layer.digest: contents if isinstance(contents, LayerContents) else None
            for layer, contents in zip(layers, read, strict=True)
        }

    def contents(self, image: PlatformImage) -> Contents:
        """Return what is in an image whose layers were read."""
        if not image.manifest.is_container_image:
            return Contents()
        layers = image.manifest.layers
        if any(layer.digest not in self._layers for layer in layers):
            return Contents(unread=LAYERS_ELSEWHERE)
        known = [self._layers[layer.digest] for layer in layers]
        unreadable = next((layer.digest for layer, one in zip(layers, known, strict=True) if one is None), "")
        if unreadable:
            return Contents(unread=UNREADABLE.format(digest=unreadable))
        return _merge([layer for layer in known if layer is not None])

    def _read(self, layer: Descriptor, *, replaces: bool) -> LayerContents | None:
        """Return the contents of a layer, ``None`` for one that cannot be read, with a warning."""
        emit = self._context.emit
        emit(BlobStarted(layer.digest, layer.size))
        contents = LayerContents()
        try:
            if not is_layer(layer):
                raise ContentError(tr("is no layer of files"), where=layer.digest)
            opener = Meter(layer, partial(self._bundle.open, layer), emit, self._context.cancel).open
            for entry in read_layer(layer, opener):
                contents.add(entry, replaces=replaces)
        except DigestMismatch:
            emit(BlobDone(layer.digest, 0, "failed"))
            raise
        except ContentError as error:
            self._bundle.check_blob(layer)  # what is damaged here is no matter of the layer
            self._context.warn(tr("{error}; what is in it is not in the dossier", error=error))
            emit(BlobDone(layer.digest, 0, "failed"))
            return None
        emit(BlobDone(layer.digest, layer.size, "verified"))
        contents.finish()
        return contents


def _merge(layers: Sequence[LayerContents]) -> Contents:
    privileged: dict[str, int] = {}
    databases: dict[str, list[Package] | None] = {}
    systems: dict[str, str] = {}
    for layer in layers:
        privileged = {path: mode for path, mode in privileged.items() if not layer.hides(path)} | layer.privileged
        databases = {path: found for path, found in databases.items() if not layer.hides(path)} | layer.packages
        systems = {path: name for path, name in systems.items() if not layer.hides(path)} | layer.systems
    packages = sorted({package for found in databases.values() for package in found or ()})
    return Contents(
        packages[: limits.value("package-entries")],
        [PrivilegedFile(path, f"{mode:04o}") for path, mode in sorted(privileged.items())],
        next((systems[path] for path in _RELEASES if path in systems), ""),
        packages_complete=None not in databases.values(),
    )
