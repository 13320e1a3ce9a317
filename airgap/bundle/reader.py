# SPDX-License-Identifier: Apache-2.0
"""A bundle read where it lies: a source that gives any blob at any offset straight from the tar.

Opening reads the head alone, of a pipe the manifests too. Where a blob stands follows from the inventory's order
and sizes; the header found there must be exactly the one that belongs there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.bundle.inventory import Inventory
from airgap.bundle.layout_builder import CONTAINERD_NAME, INVENTORY, offered
from airgap.bundle.media import Ask, open_medium
from airgap.bundle.media.stream import PipeMedium
from airgap.bundle.media.volumes import VolumesMedium
from airgap.bundle.tar import BLOCK, END, Member, header, padded, places_of, read_member
from airgap.errors import AirgapError, BundleError, ContentMissing, DigestMismatch, NotFound
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.oci.manifest import Manifest
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import BUFFER_SIZE, fetch, read_verified

#: The head holds documents and resource files; the longest we read whole.
MAX_MEMBER = 256 * 1024 * 1024
_FIRST = "oci-layout"
_BLOBS = "blobs/"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
_AGAIN = "copy the bundle once more from the other side"


class BundleReader:
    """Raises :class:`BundleError` for what is no bundle or a damaged one, with the file's name.

    ``path`` is a file, any one volume or ``-`` for standard input; ``more`` are other volumes where they lie in other
    folders, and ``ask`` is asked for those that are not there.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, more: Sequence[str | os.PathLike[str]] = (), ask: Ask | None = None
    ) -> None:
        self.path = Path("standard input" if str(path) == "-" else path)
        try:
            self._medium = open_medium([Path(path), *map(Path, more)], ask)
            try:
                self._open()
            except BaseException:
                self.close()
                raise
        except AirgapError as error:
            if str(self.path) not in (error.where or ""):
                error.where = f"{self.path}: {error.where}" if error.where else str(self.path)
            raise

    def close(self) -> None:
        self._medium.close()

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        """The tar's bytes, whatever form they have on the medium; of a pipe, those up to its last blob."""
        return self._medium.size or self._last + len(END)

    @property
    def ordered(self) -> bool:
        """Whether blobs should be read by one worker, in the inventory's order."""
        return self._medium.ordered

    @property
    def is_split(self) -> bool:
        """Whether the bundle lies in several volumes."""
        return isinstance(self._medium, VolumesMedium)

    def files_of(self, descriptor: Descriptor) -> Sequence[str]:
        """The volumes in which a blob lies, or the bundle's own file."""
        place = self._places[descriptor.digest]
        return self._medium.files_of(place.offset, place.end - place.offset)

    def finish(self) -> None:
        """What a pipe still holds is read, so that whoever writes it comes to his end."""
        if isinstance(self._medium, PipeMedium):
            self._medium.finish(self._last + len(END))

    def resolve(self, name: str) -> Descriptor:
        found = self._names.get(name) or self._blobs.get(name)
        if found is None:
            raise NotFound(f"{name} is not in this bundle", where=str(self.path))
        return found

    def names(self) -> Mapping[str, Descriptor]:
        """What a registry over this bundle offers: every full name that stands for what it says, and by digest what
        refers to an image. The digest of an index that platforms were chosen from names other content here, which
        a client would refuse."""
        names = {
            name: descriptor
            for name, descriptor in self._names.items()
            if "@" not in name or name.endswith(f"@{descriptor.digest}")
        }
        repositories: dict[str, set[str]] = {}
        incomplete = self.inventory.incomplete
        for image in self.inventory.images:
            if image.descriptor.digest not in incomplete:
                repositories.setdefault(image.descriptor.digest, set()).add(image.reference.name)
        for referrer, subject in self.inventory.referrers.items():
            repositories[referrer] = repositories.get(subject, set()) if referrer not in incomplete else set()
            for repository in sorted(repositories[referrer]):
                names[f"{repository}@{referrer}"] = self._blobs[referrer]
        return names

    def exists(self, descriptor: Descriptor) -> bool:
        place = self._places.get(descriptor.digest)
        return place is not None and place.size == descriptor.size

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        place = self._place(descriptor.digest)
        return self._medium.open(place.data + offset, place.size - offset)

    def manifest(self, name: str) -> Manifest:
        """A manifest by full name or digest, verified."""
        descriptor = self.resolve(name)
        content = fetch(self, descriptor, limit=manifests.MAX_MANIFEST)
        return manifests.parse(content, descriptor.media_type, where=f"{self.path}: {descriptor.digest}")

    def resource(self, member: str) -> bytes:
        """A resource file or another member of the head, verified against the inventory."""
        return self._member(member)

    def check_blob(self, descriptor: Descriptor, opener: Opener | None = None) -> None:
        """Read one blob to its end, padding too, by ``opener`` where somebody counts what is read; raise
        :class:`DigestMismatch` or :class:`BundleError`."""
        place = self._place(descriptor.digest)
        try:
            read_verified(descriptor, opener(0) if opener else self.open(descriptor), lambda piece, offset: None)
        except DigestMismatch as error:
            error.where, error.hint = str(self.path), _AGAIN
            raise
        self._check_padding(place)

    def check_head(self) -> None:
        """Verify every byte that stands before the blobs."""
        if not Inventory.undamaged(self._read(self._head[INVENTORY])):
            raise BundleError(f"{INVENTORY} carries no check of itself", where=str(self.path), hint=_AGAIN)
        for name in self.inventory.members:
            self._member(name)
        for member in self._head.values():
            if self._pread(member.data - member.offset, member.offset) != _header_of(member):
                raise BundleError(f"the header of {member.name} is damaged", where=str(self.path), hint=_AGAIN)
            self._check_padding(member)

    def check_end(self) -> None:
        """Verify what stands behind the blobs; of a pipe, that it has an end."""
        self.finish()
        if isinstance(self._medium, PipeMedium):
            return
        end = offset = self._check_tail(self._last)
        while piece := self._pread(BUFFER_SIZE, offset):
            if any(piece):
                raise BundleError(f"there is something behind its end at byte {end:,}", where=str(self.path))
            offset += len(piece)

    def _open(self) -> None:
        self._head: dict[str, Member] = {}
        end = self._read_head()
        content = self._read(self._head[INVENTORY])
        if Inventory.undamaged(content) is False:
            raise BundleError(f"{INVENTORY} is damaged", where=str(self.path), hint=_AGAIN)
        self.inventory = Inventory.from_bytes(content, where=str(self.path))
        #: The sha256 of the inventory as it stands in the bundle, by which receipts and other bundles call this one.
        self.id = digests.encoded(digests.of(content))
        self._blobs = {blob.digest: blob for blob in self.inventory.blobs}
        self._places = places_of(self.inventory.blobs, end)
        self._last = max((place.end for place in self._places.values()), default=end)
        self._medium.expect(self._last + len(END))
        if self._medium.size is not None:
            self._check_tail(self._last)
        self._check_listed()
        self._names = self._read_index()
        if isinstance(self._medium, PipeMedium):
            self._medium.pass_by(self._end_of_small())

    def _end_of_small(self) -> int:
        """Where manifests and configs end, which are asked for in any order: behind them stand layers."""
        documents = [blob for blob in self.inventory.blobs if manifests.is_manifest_type(blob.media_type)]
        small = {blob.digest for blob in documents}
        for blob in documents:
            manifest = manifests.parse(fetch(self, blob, limit=manifests.MAX_MANIFEST), blob.media_type)
            if manifest.config is not None and manifest.config.digest in self._places:
                small.add(manifest.config.digest)
        return max((self._places[digest].end for digest in small), default=0)

    def _read_index(self) -> dict[str, Descriptor]:
        names: dict[str, Descriptor] = {}
        index = manifests.parse(self._member("index.json"), manifests.OCI_INDEX, where="index.json")
        for entry in index.children:
            known = self._blobs.get(entry.digest)
            if known is None or known.size != entry.size:
                raise BundleError(f"index.json names {entry.digest}, which is not in the inventory")
            if name := entry.annotations.get(CONTAINERD_NAME, ""):
                if name in names:
                    raise BundleError(f"index.json has the name {name} twice")
                names[name] = Descriptor(entry.media_type, entry.digest, entry.size)
        # Other programs go by index.json: they must not see another image under a name than airgap does.
        expected = offered(self.inventory.images, self.inventory.incomplete)
        for name in sorted({*names, *expected}):
            if name not in names or name not in expected or names[name].digest != expected[name].digest:
                raise BundleError(f"index.json and the inventory do not agree on {name}")
        return names

    def _read_head(self) -> int:
        """Note the members before the blobs; return where the first blob's header must stand."""
        self._refuse_other_files()
        offset = 0
        while (member := read_member(self._pread, offset, self._medium.size)) is not None:
            if member.name.startswith(_BLOBS) and not member.directory:
                break
            if member.name in self._head or not (member.directory or self._allowed(member.name)):
                raise BundleError(f"the member {member.name!r} has no place in a bundle")
            self._head[member.name] = member
            offset = member.end
        if INVENTORY not in self._head:
            raise BundleError(
                "an OCI layout, but no airgap bundle: airgap/bundle.json is missing", hint="make it with airgap export"
            )
        return offset

    def _refuse_other_files(self) -> None:
        start = self._pread(BLOCK, 0)
        if start.startswith(f"{_FIRST}\0".encode()):
            return
        for magic, kind in _COMPRESSED.items():
            if start.startswith(magic):
                raise BundleError(f"this file is compressed with {kind}", hint=f"unpack it with {kind} -d first")
        raise BundleError(
            "this is no airgap bundle: it does not begin with oci-layout",
            hint="a bundle is made by airgap export; other archives can be read with skopeo or podman",
        )

    @staticmethod
    def _allowed(name: str) -> bool:
        return name in (_FIRST, "index.json", "manifest.json") or name.startswith("airgap/")

    def _check_tail(self, offset: int) -> int:
        """Behind the blobs stand signatures, which a later reader checks, and the end marker, where we end."""
        while (member := read_member(self._pread, offset, self._medium.size)) is not None:
            if not member.name.startswith("airgap/signatures/"):
                raise BundleError(f"the member {member.name!r} behind the blobs has no place in a bundle")
            offset = member.end
        if self._medium.size is not None and self._medium.size < offset + len(END):
            raise BundleError("cut short: its last block is missing", hint=_AGAIN)
        return offset

    def _check_listed(self) -> None:
        listed = {*self.inventory.members, INVENTORY}
        present = {name for name, member in self._head.items() if not member.directory}
        for name in sorted(listed ^ present):
            what = "is not in its inventory" if name in present else "is missing"
            raise BundleError(f"the member {name} {what}")
        folders = {f"{name[:end]}/" for name in present for end in range(len(name)) if name[end] == "/"}
        folders |= {_BLOBS, f"{_BLOBS}sha256/"} | {f"{_BLOBS}{digests.algorithm(digest)}/" for digest in self._blobs}
        for name in sorted(folders ^ (self._head.keys() - present)):
            raise BundleError(f"the folder {name} {'is missing' if name in folders else 'has no place in a bundle'}")

    def _member(self, name: str) -> bytes:
        if name not in self.inventory.members:
            raise BundleError(f"the member {name} is not in its inventory", where=str(self.path))
        content = self._read(self._head[name])
        found = digests.of(content)
        if found != self.inventory.members[name]:
            raise DigestMismatch(
                f"{name} is damaged: it hashes to {found}",
                where=str(self.path),
                hint=_AGAIN,
            )
        return content

    def _read(self, member: Member) -> bytes:
        if member.size > MAX_MEMBER:
            raise BundleError(f"{member.name} has {member.size} bytes; at most {MAX_MEMBER} are read")
        content = self._pread(member.size, member.data)
        if len(content) != member.size:
            raise BundleError(f"cut short in {member.name}", where=str(self.path))
        return content

    def _place(self, digest: str) -> Member:
        place = self._places.get(digest)
        if place is None:
            raise ContentMissing(f"{digest} is not in this bundle", where=str(self.path))
        expected = _header_of(place)
        if self._pread(len(expected), place.offset) != expected:
            raise BundleError(
                f"the header of {digest} at byte {place.offset} is damaged",
                where=str(self.path),
                hint=_AGAIN,
            )
        return place

    def _check_padding(self, member: Member) -> None:
        end = member.data + member.size
        if any(self._pread(padded(member.size) - member.size, end)):
            raise BundleError(f"the padding behind {member.name} is damaged", where=str(self.path), hint=_AGAIN)

    def _pread(self, count: int, offset: int) -> bytes:
        return self._medium.pread(count, offset)


def _header_of(member: Member) -> bytes:
    return header(member.name, member.size, directory=member.directory)
