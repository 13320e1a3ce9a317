# SPDX-License-Identifier: Apache-2.0
"""Reads and checks the head of a bundle: the members before the blobs."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.bundle.index_names import CONTAINERD_NAME, complete_descriptors_by_name
from airgap.bundle.inventory import INVENTORY_MEMBER, Inventory
from airgap.bundle.inventory_hash import InventoryHash
from airgap.bundle.media import Medium
from airgap.bundle.media.zstd import MAGIC
from airgap.bundle.tar import BLOCK, COPY_AGAIN_HINT, BlobPlaces, Member, padded_size, place_head, read_member
from airgap.errors import BundleError, DigestMismatch, SignatureFailure
from airgap.i18n import tr
from airgap.json_stream import JsonStream, Pread
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests

#: The largest member before the blobs that is read, in bytes.
MAX_MEMBER = 256 * 1024 * 1024
_FIRST_MEMBER = "oci-layout"
_BLOBS_FOLDER = "blobs/"
_COMPRESSIONS = {b"\x1f\x8b": "gzip", MAGIC: "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}


class BundleHead:
    """The head of the bundle in ``medium``. Made by :meth:`read`.

    ``members`` are the head's members by name, ``end`` is the offset behind them. ``places`` are the blobs' members by
    digest, ``blobs_end`` is the offset behind the last one. ``bundle_id`` is the sha256 of the inventory's bytes;
    receipts and other bundles refer to the bundle by it. ``where`` is the bundle's name in errors.
    """

    def __init__(
        self,
        medium: Medium,
        where: str,
        members: Mapping[str, Member],
        end: int,
        inventory: Inventory,
        bundle_id: str,
    ) -> None:
        self.members = members
        self._stored = inventory.stored
        self.places = BlobPlaces(self._stored, end)
        self.blobs_end = self.places.end
        self.inventory = inventory
        self.bundle_id = bundle_id
        self._medium = medium
        self._where = where

    @classmethod
    def read(cls, medium: Medium, where: str) -> BundleHead:
        """Read the members' headers and the inventory. Raises :class:`BundleError`."""
        _refuse_other_files(medium)
        members, end = _read_members(medium)
        if INVENTORY_MEMBER not in members:
            raise BundleError(
                tr("an OCI layout, but no airgap bundle: airgap/bundle.json is missing"),
                hint=tr("make it with airgap export"),
            )
        member = members[INVENTORY_MEMBER]
        inventory, bundle_id = read_inventory(_pread_of(medium, member, where), member.size, where)
        return cls(medium, where, members, end, inventory, bundle_id)

    def inventory_content(self) -> bytes:
        """Return the inventory's bytes, which signatures are made of."""
        return _read_content(self._medium, self.members[INVENTORY_MEMBER], self._where)

    def check_order(self) -> None:
        """Raise :class:`SignatureFailure` unless the members are in the order in which airgap writes them."""
        names = head_names(self.inventory)
        expected = [member.name for member in place_head([(name, 0) for name in names], self._stored)[0]]
        for name, expected_name in zip(self.members, expected, strict=True):
            if name != expected_name:
                raise SignatureFailure(
                    tr(
                        "changed after it was signed: {name} is where {expected} was", name=name, expected=expected_name
                    ),
                    where=self._where,
                )

    def member(self, name: str) -> bytes:
        """Return the content of a member. Raises :class:`DigestMismatch` if it differs from the inventory."""
        if name not in self.inventory.members:
            raise BundleError(tr("the member {name} is not in its inventory", name=name), where=self._where)
        content = _read_content(self._medium, self.members[name], self._where)
        digest = digests.of(content)
        if digest != self.inventory.members[name]:
            raise DigestMismatch(
                tr("{name} is damaged: it hashes to {digest}", name=name, digest=digest),
                where=self._where,
                hint=COPY_AGAIN_HINT,
            )
        return content

    def check_members(self) -> None:
        """Raise :class:`BundleError` unless the head has exactly the inventory's members and their folders."""
        expected = {*self.inventory.members, INVENTORY_MEMBER}
        present = {name for name, member in self.members.items() if not member.directory}
        for name in sorted(expected ^ present):
            problem = tr("is not in its inventory") if name in present else tr("is missing")
            raise BundleError(tr("the member {name} {problem}", name=name, problem=problem))
        folders = {f"{name[:end]}/" for name in present for end in range(len(name)) if name[end] == "/"}
        folders |= {_BLOBS_FOLDER, f"{_BLOBS_FOLDER}sha256/"}
        folders |= {f"{_BLOBS_FOLDER}{algorithm}/" for algorithm in self._stored.algorithms()}
        for name in sorted(folders ^ (self.members.keys() - present)):
            raise BundleError(
                tr(
                    "the folder {name} {problem}",
                    name=name,
                    problem=tr("is missing") if name in folders else tr("has no place in a bundle"),
                )
            )

    def read_index(self) -> dict[str, Descriptor]:
        """Return the names in ``index.json``. Raises :class:`BundleError` if they differ from the inventory.

        Other programs read ``index.json`` alone: a name must refer to the same image for them and for airgap.
        """
        names: dict[str, Descriptor] = {}
        index = manifests.parse(self.member("index.json"), manifests.OCI_INDEX, where="index.json", kind="index")
        for entry in index.children:
            if self._stored.size_of(entry.digest) != entry.size:
                raise BundleError(tr("index.json names {digest}, which is not in the inventory", digest=entry.digest))
            if name := entry.annotations.get(CONTAINERD_NAME, ""):
                if name in names:
                    raise BundleError(tr("index.json has the name {name} twice", name=name))
                names[name] = Descriptor(entry.media_type, entry.digest, entry.size)
        expected = complete_descriptors_by_name(self.inventory.images, self.inventory.incomplete)
        for name in sorted({*names, *expected}):
            if name not in names or name not in expected or names[name].digest != expected[name].digest:
                raise BundleError(tr("index.json and the inventory do not agree on {name}", name=name))
        return names

    def verify(self) -> None:
        """Verify every byte of the head. Raises :class:`BundleError` or :class:`DigestMismatch`."""
        pread = _pread_of(self._medium, self.members[INVENTORY_MEMBER], self._where)
        if not InventoryHash.of(pread).is_whole:
            raise BundleError(
                tr("{inventory_member} carries no check of itself", inventory_member=INVENTORY_MEMBER),
                where=self._where,
                hint=COPY_AGAIN_HINT,
            )
        for name in self.inventory.members:
            self.member(name)
        for member in self.members.values():
            header_size = member.content_offset - member.header_offset
            if self._medium.pread(header_size, member.header_offset) != member.header:
                raise BundleError(
                    tr("the header of {name} is damaged", name=member.name), where=self._where, hint=COPY_AGAIN_HINT
                )
            check_padding(self._medium, member, self._where)


def read_inventory(pread: Pread, size: int, where: str) -> tuple[Inventory, str]:
    """Read an inventory of ``size`` bytes, and return it with the bundle's ID. Raises :class:`BundleError`."""
    hashed = InventoryHash()
    try:
        inventory = Inventory.read(JsonStream(pread, size=size, watch=hashed.update), where=where)
    except BundleError:
        # That it is damaged tells more than what is wrong in it.
        if InventoryHash.of(pread).is_whole is False:
            raise _damaged(where) from None
        raise
    if hashed.is_whole is False:
        raise _damaged(where)
    return inventory, hashed.bundle_id


def head_names(inventory: Inventory) -> list[str]:
    """Return the names of the members before the blobs, without folders, in the order in which airgap writes them."""
    names = list(inventory.members)
    # The inventory does not list itself; it follows what other programs read.
    names.insert(names.index("manifest.json") + 1 if "manifest.json" in names else len(names), INVENTORY_MEMBER)
    return names


def check_padding(medium: Medium, member: Member, where: str) -> None:
    """Raise :class:`BundleError` unless the bytes between a member's content and the next header are zeros."""
    content_end = member.content_offset + member.size
    if any(medium.pread(padded_size(member.size) - member.size, content_end)):
        raise BundleError(
            tr("the padding behind {name} is damaged", name=member.name), where=where, hint=COPY_AGAIN_HINT
        )


def _refuse_other_files(medium: Medium) -> None:
    start = medium.pread(BLOCK, 0)
    if start.startswith(f"{_FIRST_MEMBER}\0".encode()):
        return
    for magic, program in _COMPRESSIONS.items():
        if start.startswith(magic):
            raise BundleError(
                tr("this file is compressed with {program}", program=program),
                hint=tr("unpack it with {program} -d first", program=program),
            )
    raise BundleError(
        tr("this is no airgap bundle: it does not begin with oci-layout"),
        hint=tr("a bundle is made by airgap export; other archives can be read with skopeo or podman"),
    )


def _read_members(medium: Medium) -> tuple[dict[str, Member], int]:
    """Return the members before the first blob by name, and the offset of the first blob's header."""
    members: dict[str, Member] = {}
    offset = 0
    while (member := read_member(medium.pread, offset, medium.size)) is not None:
        if member.name.startswith(_BLOBS_FOLDER) and not member.directory:
            break
        if member.name in members or not (member.directory or is_head_name(member.name)):
            raise BundleError(tr("the member {name!r} has no place in a bundle", name=member.name))
        members[member.name] = member
        offset = member.end
    return members, offset


def is_head_name(name: str) -> bool:
    """Whether a file of this name may be before the blobs of a bundle."""
    return name in (_FIRST_MEMBER, "index.json", "manifest.json") or name.startswith("airgap/")


def _pread_of(medium: Medium, member: Member, where: str) -> Pread:
    """Return ``pread`` over the content of a member."""

    def pread(count: int, offset: int) -> bytes:
        count = min(count, member.size - offset)
        content = medium.pread(count, member.content_offset + offset)
        if len(content) != count:
            raise BundleError(tr("cut short in {name}", name=member.name), where=where)
        return content

    return pread


def _damaged(where: str) -> BundleError:
    return BundleError(
        tr("{inventory_member} is damaged", inventory_member=INVENTORY_MEMBER), where=where, hint=COPY_AGAIN_HINT
    )


def _read_content(medium: Medium, member: Member, where: str) -> bytes:
    if member.size > MAX_MEMBER:
        raise BundleError(
            tr(
                "{name} has {size} bytes; at most {max_member} are read",
                name=member.name,
                size=member.size,
                max_member=MAX_MEMBER,
            )
        )
    content = medium.pread(member.size, member.content_offset)
    if len(content) != member.size:
        raise BundleError(tr("cut short in {name}", name=member.name), where=where)
    return content
