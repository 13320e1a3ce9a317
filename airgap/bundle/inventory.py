# SPDX-License-Identifier: Apache-2.0
"""The inventory, ``airgap/bundle.json``: what a bundle contains, blob by blob.

It contains no time and no folder names: the same content always gives the same bytes.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airgap.bounded_json import TooLarge
from airgap.bundle.artifacts import BundledArtifact, check_artifacts
from airgap.bundle.attached import AttachedDocument, check_attached
from airgap.bundle.blob_list import BlobList
from airgap.bundle.document_format import (
    ARTIFACTS,
    FORMAT,
    PLAIN,
    RECODE,
    RECODED,
    SPARSE,
    check_supported,
    dump_json,
    optional_list,
    optional_text,
    parse_referrer_tag,
)
from airgap.bundle.document_parts import Memory, Part, read_parts
from airgap.bundle.inventory_entries import BundledImage, BundledResource, SkippedName
from airgap.bundle.inventory_hash import with_check
from airgap.bundle.required_layers import (
    DIFFERENTIAL,
    BundleIdentity,
    RequiredLayer,
    check_required_layers,
    parse_uses,
)
from airgap.errors import AirgapError, BundleError
from airgap.i18n import tr
from airgap.json_stream import JsonStream, pread_of
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import is_manifest_type
from airgap.records import Record, field

if TYPE_CHECKING:
    from airgap.bundle.recoded import RecodedLayer

#: The member's name in the tar.
INVENTORY_MEMBER = "airgap/bundle.json"
#: The folder of the resource files in the tar.
RESOURCES_FOLDER = "airgap/resources/"


class Inventory(Record):
    """The content of ``airgap/bundle.json``.

    ``blobs`` are in the order in which they lie in the tar. ``members`` maps every other member outside ``blobs/`` to
    its digest. ``referrers`` maps the digests of signatures and other referrers to their subject's, ``referrer_tags``
    some of them to the tag by which they are found. ``uses`` maps the
    digest of each image and referrer to what it consists of, as indexes into ``blobs`` followed by ``requires``.
    ``bases`` identifies the bundles that brought the required layers. ``tool`` is the oldest airgap that
    reads the bundle. ``skipped`` are the files that were not read for images. ``artifacts`` are the files of other
    formats, sorted. ``absent`` are the digests of manifests that indexes list and that the bundle does not have.
    ``attached`` are the documents that ride along. ``recoded`` are the layers among ``blobs`` that lie in the tar in
    another form, by digest.
    """

    images: tuple[BundledImage, ...]
    blobs: BlobList = field(repr=False)
    resources: tuple[BundledResource, ...] = ()
    referrers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    version: str | None = None
    tool: str = ""
    uses: Mapping[str, Sequence[int]] = field(default_factory=dict, repr=False)
    requires: tuple[RequiredLayer, ...] = ()
    bases: tuple[BundleIdentity, ...] = ()
    skipped: tuple[SkippedName, ...] = ()
    artifacts: tuple[BundledArtifact, ...] = ()
    referrer_tags: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    attached: tuple[AttachedDocument, ...] = ()
    recoded: Mapping[str, RecodedLayer] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "blobs", BlobList.of(self.blobs))
        object.__setattr__(self, "uses", {root: array("I", indexes) for root, indexes in self.uses.items()})

    @property
    def features(self) -> list[str]:
        """What a reader must know to read the bundle."""
        present = {DIFFERENTIAL: self.requires, ARTIFACTS: self.artifacts, SPARSE: self.absent, RECODE: self.recoded}
        return [feature for feature, content in present.items() if content]

    @property
    def incomplete(self) -> frozenset[str]:
        """The digests of images, referrers and artifacts that need a layer which the tar does not have as it is."""
        if not self.requires and not self.recoded:
            return frozenset()
        absent = {index for index, digest in enumerate(self.blobs.digests()) if digest in self.recoded}
        return frozenset(
            root
            for root, indexes in self.uses.items()
            if any(index >= len(self.blobs) or index in absent for index in indexes)
        )

    @property
    def stored(self) -> BlobList:
        """The blobs as they lie in the tar: ``blobs``, but for recoded layers."""
        if not self.recoded:
            return self.blobs
        from airgap.bundle.recoded import stored_blobs

        return BlobList(stored_blobs(self.blobs, self.recoded))

    def manifests_of(self, root: str) -> list[str]:
        """Return the digests of the manifests that the image with the digest ``root`` consists of."""
        indexes = [index for index in self.uses.get(root, ()) if index < len(self.blobs)]
        blobs = [self.blobs[index] for index in indexes]
        return [blob.digest for blob in blobs if is_manifest_type(blob.media_type)]

    def to_json(self) -> dict[str, Any]:
        """Return the document, without the key ``check``."""
        return {key: list(value) if isinstance(value, Iterator) else value for key, value in self._document()}

    def _document(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the keys and values of the document; those of long lists are iterators over their entries."""
        yield from {
            "format": FORMAT,
            "features": self.features,
            "name": self.name,
            "version": self.version,
            "tool": self.tool,
            "images": (image.to_json() for image in self.images),
            "resources": [resource.to_json() for resource in self.resources],
            "referrers": dict(self.referrers),
            # Only where there are any: all other bundles keep the bytes that they had before this key.
            **({"referrerTags": dict(self.referrer_tags)} if self.referrer_tags else {}),
            "members": dict(self.members),
            "blobs": (
                {"digest": blob.digest, "size": blob.size, "mediaType": blob.media_type, **self._form_of(blob)}
                for blob in self.blobs
            ),
            "requires": (required.to_json() for required in self.requires),
            "bases": [base.to_json() for base in self.bases],
            "uses": {root: list(indexes) for root, indexes in self.uses.items()},
            # Only where there is something: all other bundles keep the bytes that they had before these keys.
            **({"artifacts": [artifact.to_json() for artifact in self.artifacts]} if self.artifacts else {}),
            **({"absent": sorted(self.absent)} if self.absent else {}),
            **({"attached": [document.to_json() for document in self.attached]} if self.attached else {}),
            **({"skipped": [entry.to_json() for entry in self.skipped]} if self.skipped else {}),
        }.items()

    def _form_of(self, blob: Descriptor) -> dict[str, Any]:
        return self.recoded[blob.digest].to_json() if blob.digest in self.recoded else {"form": PLAIN}

    def to_bytes(self) -> bytes:
        """Return the member's content, with the key ``check`` at its end."""
        body = bytearray()
        for key, value in self._document():
            body += b"," if body else b"{"
            body += dump_json(key) + b":"
            if isinstance(value, Iterator):
                # Entry by entry: as one list, those of a large bundle take hundreds of megabytes.
                body += b"["
                for number, entry in enumerate(value):
                    body += (b"," if number else b"") + dump_json(entry)
                body += b"]"
            else:
                body += dump_json(value)
        return with_check(body)

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Inventory:
        """Parse the member's content. Raises what :meth:`read` raises."""
        return cls.read(JsonStream(pread_of(content)), where=where)

    @classmethod
    def read(cls, stream: JsonStream, *, where: str) -> Inventory:
        """Read the member's content.

        Raises :class:`UnsupportedBundle` for a newer format, :class:`BundleError` for an invalid document, or for one
        past a limit, with the hint that names it.
        """
        memory = Memory()
        forms: set[str] = set()
        recoded: dict[str, RecodedLayer] = {}
        try:
            parts = _parts(memory, forms, recoded)
            found = read_parts(stream, parts, memory, lambda read: check_supported(read, where))
            check_supported(found, where, forms)
            inventory = cls(
                found["images"],
                found["blobs"],
                found["resources"],
                found.get("referrers", {}),
                found["members"],
                found.get("name"),
                found.get("version"),
                found.get("tool") or "",
                found.get("uses", {}),
                found.get("requires", ()),
                found.get("bases", ()),
                found.get("skipped", ()),
                found.get("artifacts", ()),
                found.get("referrerTags", {}),
                found.get("absent", frozenset()),
                found.get("attached", ()),
                recoded,
            )
            inventory._check_consistency()
            return inventory
        except TooLarge as error:
            refused = _unreadable(error, where)
            refused.hint = error.hint
            raise refused from None
        except BundleError as error:
            error.where = error.where or where
            raise
        except (AirgapError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(error, where) from error

    def _check_consistency(self) -> None:
        """Raise :class:`BundleError` if parts of the inventory contradict each other."""
        blobs = self.blobs
        if blobs.has_duplicates:
            raise BundleError(tr("its inventory lists a blob twice"))
        references = [str(image.reference) for image in self.images]
        resource_names = [resource.name for resource in self.resources]
        for kind, names in (("image", references), (tr("resource file"), resource_names)):
            if len(set(names)) != len(names):
                duplicate = next(name for name, count in Counter(names).items() if count > 1)
                raise BundleError(
                    tr("its inventory lists the {kind} {duplicate} twice", kind=kind, duplicate=duplicate)
                )
        for image in self.images:
            if blobs.size_of(image.descriptor.digest) != image.descriptor.size:
                raise BundleError(
                    tr(
                        "its inventory has no manifest of {size} bytes for {reference}",
                        size=image.descriptor.size,
                        reference=image.reference,
                    )
                )
        for referrer in self.referrers:
            if blobs.find(referrer) is None:
                raise BundleError(
                    tr("its inventory lists the referrer {referrer}, but no such blob", referrer=referrer)
                )
        for digest in sorted(self.absent):
            if blobs.find(digest) is not None:
                raise BundleError(tr("its inventory lists {digest} as absent, and as a blob", digest=digest))
        for resource in self.resources:
            if not resource.member.startswith(RESOURCES_FOLDER) or resource.member not in self.members:
                raise BundleError(tr("its inventory has no member for the resource file {name}", name=resource.name))
        check_attached(self.attached, self.members)
        check_artifacts(self.artifacts, blobs, {required.digest: required.size for required in self.requires})
        roots = [*(image.descriptor.digest for image in self.images), *self.referrers]
        roots += [artifact.descriptor.digest for artifact in self.artifacts]
        check_required_layers(blobs, self.requires, self.uses, roots)
        if self.recoded:
            from airgap.bundle.recoded import check_recoded

            check_recoded(self.recoded, self.uses, roots)


def check_inventory(content: bytes) -> None:
    """Raise :class:`TooLarge` for an inventory that :meth:`Inventory.read` would refuse as too large."""
    memory = Memory()
    read_parts(JsonStream(pread_of(content)), _parts(memory, set(), {}), memory, lambda _: None)


def _unreadable(error: Exception, where: str) -> BundleError:
    return BundleError(tr("its inventory airgap/bundle.json is unreadable ({error})", error=error), where=where)


def _parts(memory: Memory, forms: set[str], recoded: dict[str, RecodedLayer]) -> Mapping[str, Part]:
    """How each key is read. The costs are what the entries of real bundles take. ``forms`` gets those of the blobs,
    ``recoded`` the layers among them that are recoded."""

    def parse_blob(entry: Mapping[str, Any]) -> Descriptor:
        blob = Descriptor.from_json(entry)
        memory.text(blob.media_type)
        if (form := entry.get("form", PLAIN)) == RECODED:
            from airgap.bundle.recoded import RecodedLayer

            recoded[blob.digest] = RecodedLayer.from_json(entry, memory)
        if form != PLAIN:
            forms.add(memory.text(str(form)))
        return blob

    return {
        "format": Part("value", lambda value: value),
        "features": Part("value", optional_list),
        "name": Part("value", optional_text),
        "version": Part("value", optional_text),
        "tool": Part("value", optional_text),
        "images": Part("list", lambda entry: BundledImage.from_json(entry, memory), cost=800, optional=False),
        "blobs": Part("list", parse_blob, cost=60, factor=0, into=BlobList, optional=False),
        "resources": Part("list", BundledResource.from_json, cost=260, optional=False),
        "referrers": Part("object", lambda name, value: (digests.check(name), digests.check(value)), 270, 0, dict),
        "referrerTags": Part("object", parse_referrer_tag, 270, into=dict),
        "members": Part("object", lambda name, value: (name, str(value)), 150, into=dict, optional=False),
        "uses": Part("object", parse_uses, cost=220, into=dict),
        "requires": Part("list", lambda entry: RequiredLayer.from_json(entry, memory), cost=270, factor=0),
        "bases": Part("list", BundleIdentity.from_json, cost=300),
        "skipped": Part("list", SkippedName.from_json, cost=200),
        "artifacts": Part("list", BundledArtifact.from_json, cost=800),
        "absent": Part("list", digests.check, cost=230, factor=0, into=frozenset),
        "attached": Part("list", AttachedDocument.from_json, cost=260),
    }
