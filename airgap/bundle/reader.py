# SPDX-License-Identifier: Apache-2.0
"""Reads a bundle without unpacking it: a source that opens any blob at any offset of the tar.

Opening a bundle reads its head; of a pipe it also reads the manifests. The offset of each blob follows from the order
and sizes in the inventory. The tar header there must be exactly the expected one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap import limits
from airgap.bundle.folder.medium import FolderMedium
from airgap.bundle.head import MAX_MEMBER, BundleHead, check_padding
from airgap.bundle.media import Medium
from airgap.bundle.media.file import FileMedium
from airgap.bundle.media.stream import PipeMedium
from airgap.bundle.media.volumes import VolumesMedium
from airgap.bundle.served_names import served_names
from airgap.bundle.tail import Tail
from airgap.bundle.tar import COPY_AGAIN_HINT, END, Member
from airgap.errors import BundleError, ContentMissing, DigestMismatch, NotFound, SignatureFailure
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BUFFER_SIZE, fetch, read_verified

if TYPE_CHECKING:
    from airgap.bundle.recoded import RecodedLayer

__all__ = ["MAX_MEMBER", "STANDARD_INPUT", "BundleReader"]

#: The path of a bundle in standard input, for messages.
STANDARD_INPUT = Path(tr("standard input"))


class BundleReader:
    """An open bundle. Made by :func:`airgap.bundle.open_bundle`. A context manager: leaving it closes the files.

    ``path`` is the file, ``inventory`` its inventory, ``id`` its ID; ``missing_blobs`` are digests in missing volumes.
    ``restore`` opens its recoded layers at an offset; without it they are refused.
    """

    restore: Callable[[RecodedLayer, int], Reader] | None = None

    def __init__(self, path: Path, medium: Medium, head: BundleHead, names: Mapping[str, Descriptor]) -> None:
        self.path = path
        self.inventory = head.inventory
        self.id = head.bundle_id
        self._medium = medium
        self._head = head
        self._names = names
        self._served_names: Mapping[str, Descriptor] | None = None
        self._blobs = head.inventory.blobs
        self._places = head.places
        self._blobs_end = head.blobs_end
        self._tail: Tail | None = None
        lacks = medium.lacks if isinstance(medium, VolumesMedium) and medium.partial else None
        places = self._places.items() if lacks else ()
        self.missing_blobs = {digest for digest, one in places if lacks and lacks(one.header_offset, one.end)}

    def close(self) -> None:
        """Close the files. Closing twice does nothing."""
        self._medium.close()

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        """The size of the uncompressed tar in bytes; of a pipe, up to its last blob and the end marker."""
        return self._medium.size or self._blobs_end + len(END)

    @property
    def ordered(self) -> bool:
        """Whether one worker should read the blobs in the inventory's order."""
        return self._medium.ordered

    @property
    def absent_manifests(self) -> Collection[str]:
        """The digests of manifests that indexes list and that the bundle does not have."""
        return self.inventory.absent

    @property
    def is_standard_input(self) -> bool:
        """Whether the bundle is read from standard input, so that no path leads to it."""
        return self.path == STANDARD_INPUT

    @property
    def signatures_come_last(self) -> bool:
        """Whether reading the signatures in it passes over the blobs: in a pipe, and while volumes are missing."""
        return self._medium.size is None

    @property
    def is_split(self) -> bool:
        """Whether the bundle is split into volumes."""
        return isinstance(self._medium, VolumesMedium)

    @property
    def is_appendable(self) -> bool:
        """Whether signatures can be added to it: not to a compressed bundle or a pipe."""
        return isinstance(self._medium, FileMedium | VolumesMedium | FolderMedium)

    @property
    def is_folder(self) -> bool:
        """Whether the bundle is a folder."""
        return isinstance(self._medium, FolderMedium)

    @property
    def blobs_end(self) -> int:
        """The offset behind the last blob."""
        return self._blobs_end

    @property
    def files(self) -> Sequence[str]:
        """The volumes in order, the bundle's file, or all files of its folder."""
        return self._medium.files_at(0, self.size)

    @property
    def volume_size(self) -> int:
        """The bytes of each volume but the last, or of the bundle's file."""
        return os.stat(self.files[0]).st_size

    def files_of(self, descriptor: Descriptor) -> Sequence[str]:
        """Return the volumes that contain a blob, or the bundle's file."""
        recoded = self.inventory.recoded.get(descriptor.digest)
        place = self._places[recoded.payload.digest if recoded else descriptor.digest]
        return self._medium.files_at(place.header_offset, place.end - place.header_offset)

    def drain(self) -> None:
        """Read a pipe to its end, so that the program that writes it can end. Raises :class:`BundleError`."""
        if isinstance(self._medium, PipeMedium):
            self._medium.finish(self._blobs_end + len(END))

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor for a full image name or a digest. Raises :class:`NotFound`."""
        descriptor = self._names.get(name) or self._blobs.get(name)
        if descriptor is None:
            raise NotFound(tr("{name} is not in this bundle", name=name), where=str(self.path))
        return descriptor

    def names(self) -> Mapping[str, Descriptor]:
        """Return the names that a registry over this bundle offers: complete images, and referrers by digest.

        A name with the digest of an index from which platforms were selected is left out: the bundle has other
        content for it, which a client would refuse.
        """
        if self._served_names is not None:
            return self._served_names
        self._served_names = served_names(self.inventory, self._names)
        return self._served_names

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the bundle has a blob of this digest and size, in a file that can be read."""
        if recoded := self.inventory.recoded.get(descriptor.digest):
            return recoded.size == descriptor.size and recoded.payload.digest not in self.missing_blobs
        place = self._places.get(descriptor.digest)
        return place is not None and place.size == descriptor.size and descriptor.digest not in self.missing_blobs

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Open a blob. Raises :class:`ContentMissing`, or :class:`BundleError` for a damaged tar header."""
        if recoded := self.inventory.recoded.get(descriptor.digest):
            if self.restore is None:
                from airgap.bundle.expansion import recoded_error

                raise recoded_error(self.path, self.inventory)
            return self.restore(recoded, offset)
        place = self._checked_place(descriptor.digest)
        return self._medium.open_range(place.content_offset + offset, place.size - offset)

    def manifest(self, name: str) -> Manifest:
        """Return the verified manifest for a full image name or a digest."""
        descriptor = self.resolve(name)
        content = fetch(self, descriptor, limit=limits.value("manifest-bytes"))
        return manifests.parse(content, descriptor.media_type, where=f"{self.path}: {descriptor.digest}")

    def member(self, name: str) -> bytes:
        """Return the verified content of a member before the blobs, such as a resource file."""
        return self._head.member(name)

    def inventory_content(self) -> bytes:
        """Return the bytes of the inventory, which signatures are made of."""
        return self._head.inventory_content()

    def signatures(self) -> Mapping[str, bytes]:
        """Return the signatures behind the blobs by file name; where they come last, only after the blobs were read.

        Raises :class:`BundleError` for other members there.
        """
        return self._read_tail().signatures

    def require_seek_table(self) -> None:
        """Raise :class:`SignatureFailure` for a compressed bundle without one: nobody can tell what was added to it."""
        if isinstance(self._medium, PipeMedium) and not self.is_standard_input:
            raise SignatureFailure(
                tr("a compressed bundle without a seek table cannot be checked for what was added to it"),
                where=str(self.path),
                hint=tr("zstd -dc FILE | airgap verify - --signature FILE.minisig checks what is in it"),
            )

    def check_blob(self, descriptor: Descriptor, opener: Opener | None = None) -> None:
        """Read a blob and its padding and verify them.

        ``opener`` opens the blob instead of :meth:`open`, for callers that count the bytes. Raises
        :class:`DigestMismatch` or :class:`BundleError`. Of a recoded layer its payload is read.
        """
        if recoded := self.inventory.recoded.get(descriptor.digest):
            descriptor, opener = recoded.payload, None
        place = self._checked_place(descriptor.digest)
        try:
            read_verified(descriptor, opener(0) if opener else self.open(descriptor), lambda piece, offset: None)
        except DigestMismatch as error:
            error.where, error.hint = str(self.path), COPY_AGAIN_HINT
            raise
        check_padding(self._medium, place, str(self.path))

    def check_head(self, *, signed: bool = False) -> None:
        """Verify every byte before the blobs; with ``signed`` also the order of the members.

        Raises :class:`BundleError` or :class:`DigestMismatch`.
        """
        self._head.verify()
        if signed:
            self._head.check_order()

    def check_end(self, *, signed: bool = False) -> None:
        """Verify that nothing but zeros follows the end marker; of a pipe, that it has all bytes.

        With ``signed``, or if there is a signature in it, nothing at all may follow, and the members must be in the
        order of airgap. Call it after :meth:`check_blob`. Raises :class:`BundleError`.
        """
        tail = self._read_tail()
        if signed or tail.signatures:
            self._check_frame(tail)
        self.drain()
        if isinstance(self._medium, PipeMedium):
            return
        offset = tail.end
        while piece := self._medium.pread(BUFFER_SIZE, offset):
            if any(piece):
                raise BundleError(
                    tr("there is something behind its end at byte {end:,}", end=tail.end), where=str(self.path)
                )
            offset += len(piece)

    def _read_tail(self) -> Tail:
        if self._tail is None:
            self._tail = Tail.read(self._medium.pread, self._blobs_end)
        return self._tail

    def _check_frame(self, tail: Tail) -> None:
        """Raise :class:`SignatureFailure` unless the tar is what airgap would make of the inventory and signatures.

        Together with :meth:`check_head` and :meth:`check_blob` this covers every byte.
        """
        self._head.check_order()
        self.require_seek_table()
        if isinstance(self._medium, FolderMedium):
            self._medium.check_nothing_else()
        if not tail.exact:
            raise SignatureFailure(
                tr("changed after it was signed: its end is not what it should be"),
                where=str(self.path),
                hint=COPY_AGAIN_HINT,
            )

    def _checked_place(self, digest: str) -> Member:
        """Return the blob's member. Raises :class:`BundleError` if the tar has another header there."""
        place = self._places.get(digest)
        if place is None:
            raise ContentMissing(tr("{digest} is not in this bundle", digest=digest), where=str(self.path))
        expected = place.header
        if self._medium.pread(len(expected), place.header_offset) != expected:
            raise BundleError(
                tr(
                    "the header of {digest} at byte {header_offset} is damaged",
                    digest=digest,
                    header_offset=place.header_offset,
                ),
                where=str(self.path),
                hint=COPY_AGAIN_HINT,
            )
        return place

    def documents_end(self) -> int:
        """Return the offset behind the manifests and configs, which are read in any order. Only layers follow."""
        manifest_blobs = [blob for blob in self.inventory.blobs if manifests.is_manifest_type(blob.media_type)]
        digests = {blob.digest for blob in manifest_blobs}
        for blob in manifest_blobs:
            manifest = manifests.parse(fetch(self, blob, limit=limits.value("manifest-bytes")), blob.media_type)
            if manifest.config is not None and manifest.config.digest in self._places:
                digests.add(manifest.config.digest)
        return max((self._places[digest].end for digest in digests), default=0)
