# SPDX-License-Identifier: Apache-2.0
"""A bundle read where it lies: a source that gives any blob at any offset straight from the tar.

Opening reads the head alone. Where a blob stands follows from the inventory's order and sizes; the header
found there must be exactly the one that belongs there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from airgap.bundle.format import END, Member, header, places_of, read_member
from airgap.bundle.head import CONTAINERD_NAME, INVENTORY
from airgap.bundle.inventory import Inventory
from airgap.errors import BundleError, ContentMissing, DigestMismatch, NotFound
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.store.base import FileRange, Reader, drain, fetch

#: The head holds documents and resource files; the longest we read whole.
MAX_MEMBER = 256 * 1024 * 1024
_FIRST = "oci-layout"
_BLOBS = "blobs/"


class BundleReader:
    """Raises :class:`BundleError` for what is no bundle or a damaged one, with the file's name."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BundleError(f"cannot read it: {error.strerror}", where=str(path)) from error
        try:
            self._open()
        except BundleError as error:
            self.close()
            if error.where is None:
                error.where = str(path)
            raise
        except OSError as error:
            self.close()
            raise BundleError(f"cannot read it: {error.strerror}", where=str(path)) from error

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        return self._size

    def resolve(self, name: str) -> Descriptor:
        found = self._names.get(name) or self._blobs.get(name)
        if found is None:
            raise NotFound(f"{name} is not in this bundle", where=str(self.path))
        return found

    def names(self) -> Mapping[str, Descriptor]:
        """Every full name in ``index.json`` with what it stands for."""
        return self._names

    def exists(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self._places

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        place = self._place(descriptor.digest)
        return FileRange(self._fd, place.data + offset, place.size - offset, where=str(self.path))

    def manifest(self, name: str) -> Manifest:
        """A manifest by full name or digest, verified."""
        descriptor = self.resolve(name)
        content = fetch(self, descriptor, limit=manifests.MAX_MANIFEST)
        return manifests.parse(content, descriptor.media_type, where=f"{self.path}: {descriptor.digest}")

    def resource(self, member: str) -> bytes:
        """A resource file or another member of the head, verified against the inventory."""
        return self._member(member)

    def check_blob(self, descriptor: Descriptor) -> None:
        """Read one blob to its end, padding too; raise :class:`DigestMismatch` or :class:`BundleError`."""
        place = self._place(descriptor.digest)
        reader = self.open(descriptor)
        drain(descriptor, reader, lambda piece, offset: None)
        rest = place.end - place.data - place.size
        if any(os.pread(self._fd, rest, place.data + place.size)):
            raise BundleError(f"the padding behind {descriptor.digest} is damaged", where=str(self.path))

    def check_head(self) -> None:
        """Verify every member of the head."""
        for name in self.inventory.members:
            self._member(name)

    def _open(self) -> None:
        self._size = os.fstat(self._fd).st_size
        self._head: dict[str, Member] = {}
        end = self._read_head()
        content = self._read(self._head[INVENTORY])
        self.inventory = Inventory.from_bytes(content, where=str(self.path))
        self._blobs = {blob.digest: blob for blob in self.inventory.blobs}
        if len(self._blobs) != len(self.inventory.blobs):
            raise BundleError("its inventory lists a blob twice")
        self._places = places_of(self.inventory.blobs, end)
        last = max((place.end for place in self._places.values()), default=end)
        if self._size < last + len(END):
            raise BundleError(
                f"cut short: it should have {last + len(END):,} bytes and has {self._size:,}",
                hint="copy it once more; its checksum on the other side tells whether the medium is at fault",
            )
        self._check_tail(last)
        self._check_listed()
        index = manifests.parse(self._member("index.json"), manifests.OCI_INDEX, where="index.json")
        self._names = {}
        for entry in index.children:
            known = self._blobs.get(entry.digest)
            if known is None or known.size != entry.size:
                raise BundleError(f"index.json names {entry.digest}, which is not in the inventory")
            if name := entry.annotations.get(CONTAINERD_NAME, ""):
                self._names[name] = Descriptor(entry.media_type, entry.digest, entry.size)

    def _read_head(self) -> int:
        """Note the members before the blobs; return where the first blob's header must stand."""
        offset = 0
        while True:
            member = read_member(self._fd, offset, self._size) if self._size >= 512 else None
            if offset == 0 and (member is None or member.name != _FIRST):
                raise BundleError(
                    "this is no airgap bundle: it does not begin with oci-layout",
                    hint="a bundle is made by airgap export; other archives can be read with skopeo or podman",
                )
            if member is None:
                return offset
            if member.name.startswith(_BLOBS):
                if not member.directory:
                    break
            elif member.name in self._head or not (member.directory or self._allowed(member.name)):
                raise BundleError(f"the member {member.name!r} has no place in a bundle")
            else:
                self._head[member.name] = member
            offset = member.end
        if INVENTORY not in self._head:
            raise BundleError(
                "an OCI layout, but no airgap bundle: airgap/bundle.json is missing", hint="make it with airgap export"
            )
        return offset

    @staticmethod
    def _allowed(name: str) -> bool:
        return name in (_FIRST, "index.json", "manifest.json") or name.startswith("airgap/")

    def _check_tail(self, offset: int) -> None:
        """Behind the blobs stand signatures, which a later reader checks, and the end marker."""
        while (member := read_member(self._fd, offset, self._size)) is not None:
            if not member.name.startswith("airgap/signatures/"):
                raise BundleError(f"the member {member.name!r} behind the blobs has no place in a bundle")
            offset = member.end

    def _check_listed(self) -> None:
        listed = {*self.inventory.members, INVENTORY}
        present = {name for name, member in self._head.items() if not member.directory}
        for name in sorted(listed ^ present):
            what = "is not in its inventory" if name in present else "is missing"
            raise BundleError(f"the member {name} {what}")
        for resource in self.inventory.resources:
            if resource.member not in listed:
                raise BundleError(f"the resource file {resource.name} is missing")

    def _member(self, name: str) -> bytes:
        if name not in self.inventory.members:
            raise BundleError(f"the member {name} is not in its inventory", where=str(self.path))
        content = self._read(self._head[name])
        found = digests.of(content)
        if found != self.inventory.members[name]:
            raise DigestMismatch(
                f"{name} is damaged: it hashes to {found}",
                where=str(self.path),
                hint="copy the bundle once more from the other side",
            )
        return content

    def _read(self, member: Member) -> bytes:
        if member.size > MAX_MEMBER:
            raise BundleError(f"{member.name} has {member.size} bytes; at most {MAX_MEMBER} are read")
        content = os.pread(self._fd, member.size, member.data)
        if len(content) != member.size:
            raise BundleError(f"cut short in {member.name}", where=str(self.path))
        return content

    def _place(self, digest: str) -> Member:
        place = self._places.get(digest)
        if place is None:
            raise ContentMissing(f"{digest} is not in this bundle", where=str(self.path))
        expected = header(place.name, place.size)
        if os.pread(self._fd, len(expected), place.offset) != expected:
            raise BundleError(
                f"the header of {digest} at byte {place.offset} is damaged",
                where=str(self.path),
                hint="copy the bundle once more from the other side",
            )
        return place
