# SPDX-License-Identifier: Apache-2.0
"""The inventory, ``airgap/bundle.json``: what a bundle contains, blob by blob.

It contains no time and no folder names: the same content always gives the same bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airgap.bundle.artifacts import BundledArtifact, check_artifacts
from airgap.bundle.attached import AttachedDocument, check_attached
from airgap.bundle.document_format import (
    ARTIFACTS,
    FORMAT,
    RECODE,
    SPARSE,
    check_supported,
    dump_json,
    load_json,
    optional_list,
    optional_text,
    parse_referrer_tags,
)
from airgap.bundle.required_layers import (
    DIFFERENTIAL,
    BundleIdentity,
    RequiredLayer,
    check_required_layers,
    parse_uses,
)
from airgap.errors import AirgapError, BundleError, UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor, Platform, Reference
from airgap.oci import digest as digests
from airgap.oci.manifest import is_manifest_type
from airgap.records import Record, field

if TYPE_CHECKING:
    from airgap.bundle.recoded import RecodedLayer

#: The member's name in the tar.
INVENTORY_MEMBER = "airgap/bundle.json"
#: The folder of the resource files in the tar.
RESOURCES_FOLDER = "airgap/resources/"
#: The inventory's last key, the digest of all bytes before it. No other member contains a checksum of the inventory.
_CHECK = b',"check":"'


class BundledImage(Record):
    """An image in the bundle.

    ``reference`` is normalised. ``descriptor`` is that of the manifest or index in the bundle. ``derived_from`` is the
    digest of the original index if platforms were selected from it, otherwise empty.
    """

    reference: Reference
    descriptor: Descriptor
    platforms: tuple[Platform, ...] = ()
    derived_from: str = ""


class BundledResource(Record):
    """A resource file in the bundle.

    ``name`` is its path below the common folder of all resource files, ``member`` its name in the tar, ``sha256``
    that of its content in hexadecimal.
    """

    name: str
    member: str
    sha256: str


class SkippedName(Record):
    """A file that was not read when images were looked for: its ``name`` as a resource file, and ``why``."""

    name: str
    why: str


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
    blobs: tuple[Descriptor, ...] = field(repr=False)
    resources: tuple[BundledResource, ...] = ()
    referrers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    version: str | None = None
    tool: str = ""
    uses: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)
    requires: tuple[RequiredLayer, ...] = ()
    bases: tuple[BundleIdentity, ...] = ()
    skipped: tuple[SkippedName, ...] = ()
    artifacts: tuple[BundledArtifact, ...] = ()
    referrer_tags: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    attached: tuple[AttachedDocument, ...] = ()
    recoded: Mapping[str, RecodedLayer] = field(default_factory=dict, repr=False)

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
        absent = {index for index, blob in enumerate(self.blobs) if blob.digest in self.recoded}
        absent.update(range(len(self.blobs), len(self.blobs) + len(self.requires)))
        return frozenset(root for root, indexes in self.uses.items() if not absent.isdisjoint(indexes))

    @property
    def stored(self) -> tuple[Descriptor, ...]:
        """The blobs as they lie in the tar: ``blobs``, but for recoded layers."""
        if not self.recoded:
            return self.blobs
        from airgap.bundle.recoded import stored_blobs

        return stored_blobs(self.blobs, self.recoded)

    def manifests_of(self, root: str) -> list[str]:
        """Return the digests of the manifests that the image with the digest ``root`` consists of."""
        indexes = [index for index in self.uses.get(root, ()) if index < len(self.blobs)]
        return [self.blobs[index].digest for index in indexes if is_manifest_type(self.blobs[index].media_type)]

    def to_json(self) -> dict[str, Any]:
        """Return the document, without the key ``check``."""
        return {
            "format": FORMAT,
            "features": self.features,
            "name": self.name,
            "version": self.version,
            "tool": self.tool,
            "images": [
                {
                    "reference": str(image.reference),
                    "digest": image.descriptor.digest,
                    "mediaType": image.descriptor.media_type,
                    "size": image.descriptor.size,
                    "platforms": [str(platform) for platform in image.platforms],
                    "derivedFrom": image.derived_from or None,
                }
                for image in self.images
            ],
            "resources": [
                {"name": resource.name, "member": resource.member, "sha256": resource.sha256}
                for resource in self.resources
            ],
            "referrers": dict(self.referrers),
            # Only where there are any: all other bundles keep the bytes that they had before this key.
            **({"referrerTags": dict(self.referrer_tags)} if self.referrer_tags else {}),
            "members": dict(self.members),
            "blobs": [
                {"digest": blob.digest, "size": blob.size, "mediaType": blob.media_type, **self._form_of(blob)}
                for blob in self.blobs
            ],
            "requires": [required.to_json() for required in self.requires],
            "bases": [base.to_json() for base in self.bases],
            "uses": {root: list(indexes) for root, indexes in self.uses.items()},
            # Only where there is something: all other bundles keep the bytes that they had before these keys.
            **({"artifacts": [artifact.to_json() for artifact in self.artifacts]} if self.artifacts else {}),
            **({"absent": sorted(self.absent)} if self.absent else {}),
            **({"attached": [document.to_json() for document in self.attached]} if self.attached else {}),
            **({"skipped": [{"name": entry.name, "why": entry.why} for entry in self.skipped]} if self.skipped else {}),
        }

    def _form_of(self, blob: Descriptor) -> dict[str, Any]:
        return self.recoded[blob.digest].to_json() if blob.digest in self.recoded else {"form": "plain"}

    def to_bytes(self) -> bytes:
        """Return the member's content, with the key ``check`` at its end."""
        body = dump_json(self.to_json())[:-1]
        return body + _CHECK + digests.of(body).encode() + b'"}'

    @staticmethod
    def checksum_matches(content: bytes) -> bool | None:
        """Whether the key ``check`` matches ``content``; ``None`` where there is no such key.

        This finds accidental damage. Only a signature protects against forgery.
        """
        body, separator, check = content.rpartition(_CHECK)
        return check == digests.of(body).encode() + b'"}' if separator else None

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Inventory:
        """Parse the member's content.

        Raises :class:`UnsupportedBundle` for a newer format, :class:`BundleError` for an invalid document.
        """
        return cls.from_json(load_json(content, where, _unreadable), where=where)

    @classmethod
    def from_json(cls, document: Mapping[str, Any], *, where: str) -> Inventory:
        """Build an inventory from a parsed document. Raises what :meth:`from_bytes` raises."""
        try:
            check_supported(document, where)
            inventory = cls(
                tuple(_parse_image(entry) for entry in document["images"]),
                tuple(Descriptor.from_json(entry) for entry in document["blobs"]),
                tuple(_parse_resource(entry) for entry in document["resources"]),
                {
                    digests.check(referrer): digests.check(subject)
                    for referrer, subject in document.get("referrers", {}).items()
                },
                {str(name): str(digest) for name, digest in document["members"].items()},
                optional_text(document.get("name")),
                optional_text(document.get("version")),
                optional_text(document.get("tool")) or "",
                parse_uses(document),
                tuple(map(RequiredLayer.from_json, optional_list(document.get("requires")))),
                tuple(map(BundleIdentity.from_json, optional_list(document.get("bases")))),
                tuple(
                    SkippedName(str(entry["name"]), str(entry["why"]))
                    for entry in optional_list(document.get("skipped"))
                ),
                tuple(map(BundledArtifact.from_json, optional_list(document.get("artifacts")))),
                parse_referrer_tags(document),
                frozenset(map(digests.check, optional_list(document.get("absent")))),
                tuple(map(AttachedDocument.from_json, optional_list(document.get("attached")))),
                _parse_recoded(document),
            )
            inventory._check_consistency()
            return inventory
        except BundleError as error:
            error.where = error.where or where
            raise
        except (AirgapError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(error, where) from error

    def _check_consistency(self) -> None:
        """Raise :class:`BundleError` if parts of the inventory contradict each other."""
        sizes = {blob.digest: blob.size for blob in self.blobs}
        if len(sizes) != len(self.blobs):
            raise BundleError(tr("its inventory lists a blob twice"))
        references = [str(image.reference) for image in self.images]
        resource_names = [resource.name for resource in self.resources]
        for kind, names in (("image", references), (tr("resource file"), resource_names)):
            if len(set(names)) != len(names):
                duplicate = next(name for index, name in enumerate(names) if name in names[:index])
                raise BundleError(
                    tr("its inventory lists the {kind} {duplicate} twice", kind=kind, duplicate=duplicate)
                )
        for image in self.images:
            if sizes.get(image.descriptor.digest) != image.descriptor.size:
                raise BundleError(
                    tr(
                        "its inventory has no manifest of {size} bytes for {reference}",
                        size=image.descriptor.size,
                        reference=image.reference,
                    )
                )
        for referrer in self.referrers:
            if referrer not in sizes:
                raise BundleError(
                    tr("its inventory lists the referrer {referrer}, but no such blob", referrer=referrer)
                )
        if present := sorted(self.absent & sizes.keys()):
            raise BundleError(tr("its inventory lists {digest} as absent, and as a blob", digest=present[0]))
        for resource in self.resources:
            if not resource.member.startswith(RESOURCES_FOLDER) or resource.member not in self.members:
                raise BundleError(tr("its inventory has no member for the resource file {name}", name=resource.name))
        check_attached(self.attached, self.members)
        check_artifacts(self.artifacts, sizes, {required.digest: required.size for required in self.requires})
        roots = [*(image.descriptor.digest for image in self.images), *self.referrers]
        roots += [artifact.descriptor.digest for artifact in self.artifacts]
        check_required_layers(self.blobs, self.requires, self.uses, roots)
        if self.recoded:
            from airgap.bundle.recoded import check_recoded

            check_recoded(self.recoded, self.uses, roots)


def resource_name_problem(name: str) -> str | None:
    """Return why a resource file cannot be carried under this name, or ``None``.

    The import writes a file of this name below a folder, possibly on another operating system.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name:
        return tr("leads out of the folder, or would on another system")
    try:
        name.encode()
    except UnicodeEncodeError:
        return tr("is not UTF-8")
    return None


def _unreadable(error: Exception, where: str) -> BundleError:
    return BundleError(tr("its inventory airgap/bundle.json is unreadable ({error})", error=error), where=where)


def _parse_recoded(document: Mapping[str, Any]) -> Mapping[str, RecodedLayer]:
    if not any(entry.get("form") == "recoded" for entry in document["blobs"]):
        return {}
    from airgap.bundle.recoded import parse_recoded

    return parse_recoded(document["blobs"])


def _parse_image(entry: Mapping[str, Any]) -> BundledImage:
    derived_from = entry.get("derivedFrom")
    return BundledImage(
        Reference.parse(entry["reference"]),
        Descriptor.from_json(entry),
        tuple(_parse_platforms(entry.get("platforms"))),
        digests.check(derived_from) if derived_from else "",
    )


def _parse_resource(entry: Mapping[str, Any]) -> BundledResource:
    name = optional_text(entry["name"]) or ""
    if reason := resource_name_problem(name):
        raise BundleError(tr("the resource file name {name!r} {reason}", name=name, reason=reason))
    return BundledResource(name, str(entry["member"]), str(entry["sha256"]))


def _parse_platforms(value: Any) -> Iterator[Platform]:
    """Skip invalid platforms: they are only shown to the user, and some publishers give half a platform."""
    for text in optional_list(value):
        with contextlib.suppress(UsageError):
            yield Platform.parse(text)
