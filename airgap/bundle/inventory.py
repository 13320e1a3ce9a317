# SPDX-License-Identifier: Apache-2.0
"""The two documents that say what a bundle is: ``airgap/bundle.json`` inside it, ``airgap.lock`` beside it.

Both ignore keys they do not know; ``format`` and ``features`` say when that is not safe. Neither tells a
time or a folder: same inputs, same bytes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airgap.bundle.required_layers import DIFFERENTIAL, Origin, Required, check_requires, id_of, uses_of
from airgap.errors import AirgapError, BundleError, UnsupportedBundle, UsageError
from airgap.oci import Descriptor, Platform, Reference
from airgap.oci import digest as digests
from airgap.records import Record, field

FORMAT = 1
#: What this version can read; a bundle that needs more is refused.
FEATURES: frozenset[str] = frozenset({DIFFERENTIAL})
FORMS = frozenset({"plain"})
#: Where resource files lie in the tar.
RESOURCES = "airgap/resources/"
#: The inventory's last key: the digest of all that stands before it. Nothing else in a bundle speaks of the
#: inventory's own bytes, so that without it a bit that flips in a name would go unseen.
_CHECK = b',"check":"'


class BundledImage(Record):
    """``reference`` is normalised; ``descriptor`` is what the bundle holds for it; ``derived_from`` is the index
    that platforms were chosen from."""

    reference: Reference
    descriptor: Descriptor
    platforms: tuple[Platform, ...] = ()
    derived_from: str = ""


class BundledResource(Record):
    """``name`` is the path under the resources' common folder, ``member`` where it lies in the tar."""

    name: str
    member: str
    sha256: str


class Inventory(Record):
    """``members`` maps every other member outside ``blobs/`` to its sha256; ``referrers`` maps the digest of each
    signature or the like to the digest it speaks of; ``uses`` maps images' and referrers' digests to what they consist
    of, by number in ``blobs`` followed by ``requires``; ``bases`` names the bundles that ``requires`` speaks of."""

    images: tuple[BundledImage, ...]
    blobs: tuple[Descriptor, ...] = field(repr=False)
    resources: tuple[BundledResource, ...] = ()
    referrers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    version: str | None = None
    tool: str = ""
    uses: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)
    requires: tuple[Required, ...] = ()
    bases: tuple[Origin, ...] = ()

    @property
    def incomplete(self) -> frozenset[str]:
        """The digests of images and referrers of which something was left out."""
        if not self.requires:
            return frozenset()
        return frozenset(root for root, numbers in self.uses.items() if any(n >= len(self.blobs) for n in numbers))

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "features": [DIFFERENTIAL] if self.requires else [],
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
            "resources": [{"name": r.name, "member": r.member, "sha256": r.sha256} for r in self.resources],
            "referrers": dict(self.referrers),
            "members": dict(self.members),
            "blobs": [
                {"digest": blob.digest, "size": blob.size, "mediaType": blob.media_type, "form": "plain"}
                for blob in self.blobs
            ],
            "requires": [required.to_json() for required in self.requires],
            "bases": [base.to_json() for base in self.bases],
            "uses": {root: list(numbers) for root, numbers in self.uses.items()},
        }

    def to_bytes(self) -> bytes:
        body = dump(self.to_json())[:-1]
        return body + _CHECK + digests.of(body).encode() + b'"}'

    @staticmethod
    def undamaged(content: bytes) -> bool | None:
        """Whether these are bytes that :meth:`to_bytes` gave; ``None`` where they carry no check. Against accidents:
        a forger needs a signature."""
        body, found, check = content.rpartition(_CHECK)
        return check == digests.of(body).encode() + b'"}' if found else None

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Inventory:
        """Raise :class:`UnsupportedBundle` for what a newer airgap made, :class:`BundleError` for nonsense."""
        try:
            document = load(content)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"its inventory airgap/bundle.json is unreadable ({error})", where=where) from error
        return cls.from_json(document, where=where)

    @classmethod
    def from_json(cls, document: Mapping[str, Any], *, where: str) -> Inventory:
        """:meth:`from_bytes` for a document that is parsed already."""
        try:
            _refuse_unknown(document, where)
            found = cls(
                tuple(_image(entry) for entry in document["images"]),
                tuple(Descriptor.from_json(entry) for entry in document["blobs"]),
                tuple(_resource(entry) for entry in document["resources"]),
                {digests.check(k): digests.check(v) for k, v in document.get("referrers", {}).items()},
                {str(name): str(value) for name, value in document["members"].items()},
                _text(document.get("name")),
                _text(document.get("version")),
                _text(document.get("tool")) or "",
                uses_of(document),
                tuple(map(Required.from_json, _list(document.get("requires")))),
                tuple(map(Origin.from_json, _list(document.get("bases")))),
            )
            found._check()
            return found
        except BundleError as error:
            error.where = error.where or where
            raise
        except (AirgapError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BundleError(f"its inventory airgap/bundle.json is unreadable ({error})", where=where) from error

    def _check(self) -> None:
        """What the inventory says must agree with itself."""
        sizes = {blob.digest: blob.size for blob in self.blobs}
        if len(sizes) != len(self.blobs):
            raise BundleError("its inventory lists a blob twice")
        references = [str(image.reference) for image in self.images]
        names = [resource.name for resource in self.resources]
        for what, listed in (("image", references), ("resource file", names)):
            if len(set(listed)) != len(listed):
                twice = next(name for number, name in enumerate(listed) if name in listed[:number])
                raise BundleError(f"its inventory lists the {what} {twice} twice")
        for image in self.images:
            if sizes.get(image.descriptor.digest) != image.descriptor.size:
                raise BundleError(
                    f"its inventory has no manifest of {image.descriptor.size} bytes for {image.reference}"
                )
        for referrer in self.referrers:
            if referrer not in sizes:
                raise BundleError(f"its inventory lists the referrer {referrer}, but no such blob")
        for resource in self.resources:
            if not resource.member.startswith(RESOURCES) or resource.member not in self.members:
                raise BundleError(f"its inventory has no member for the resource file {resource.name}")
        roots = [*(image.descriptor.digest for image in self.images), *self.referrers]
        check_requires(self.blobs, self.requires, self.uses, roots)


class Lock(Record, frozen=False):
    """What references resolved to, and what else decides a bundle's bytes. References are normalised; ``base`` is
    that of :class:`airgap.bundle.base.Base`, or ``None``."""

    platforms: tuple[str, ...] = ()
    images: dict[str, Descriptor] = field(default_factory=dict)
    referrers: dict[str, list[str]] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    base: str | None = None

    def to_bytes(self) -> bytes:
        document = {
            "format": FORMAT,
            "platforms": list(self.platforms) or None,
            "images": {
                name: {"digest": d.digest, "mediaType": d.media_type, "size": d.size}
                for name, d in sorted(self.images.items())
            },
            "referrers": {key: sorted(value) for key, value in sorted(self.referrers.items())},
            "resources": dict(sorted(self.resources.items())),
            "base": self.base,
            "features": [],
        }
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Lock:
        """Raise :class:`UnsupportedBundle` for what a newer airgap made, :class:`BundleError` for nonsense."""
        try:
            document = load(content)
        except (ValueError, RecursionError) as error:
            raise _bad_lock(error, where) from error
        return cls.from_json(document, where=where)

    @classmethod
    def from_json(cls, document: Mapping[str, Any], *, where: str) -> Lock:
        """:meth:`from_bytes` for a document that is parsed already."""
        try:
            _refuse_unknown(document, where)
            return cls(
                tuple(str(Platform.parse(p)) for p in _list(document.get("platforms"))),
                {str(name): Descriptor.from_json(entry) for name, entry in document["images"].items()},
                {str(key): [digests.check(d) for d in value] for key, value in document.get("referrers", {}).items()},
                {str(name): str(value) for name, value in document.get("resources", {}).items()},
                id_of(document.get("base")),
            )
        except UnsupportedBundle:
            raise
        except (AirgapError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _bad_lock(error, where) from error


def _bad_lock(error: Exception, where: str) -> BundleError:
    hint = "mend it, or remove it to have it written anew"
    return BundleError(f"this lock is unreadable ({error})", where=where, hint=hint)


def dump(document: Any) -> bytes:
    """JSON with fixed bytes: no blanks, keys in the order given."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def load(content: bytes) -> Any:
    """JSON whose every string is Unicode; :class:`ValueError` otherwise. ``json`` itself lets half surrogates pass."""
    document = json.loads(content.decode())
    if b"\\u" in content:
        dump(document)
    return document


def _refuse_unknown(document: Mapping[str, Any], where: str) -> None:
    newer = document["format"] != FORMAT
    unknown: Sequence[str] = sorted(set(map(str, document.get("features") or ())) - FEATURES)
    forms = sorted({str(blob.get("form", "plain")) for blob in document.get("blobs", ())} - FORMS)
    if newer or unknown or forms:
        needs = ", ".join([f"format {document['format']}"] if newer else [*unknown, *forms])
        raise UnsupportedBundle(
            f"made by {document.get('tool') or 'another airgap'}, which this version cannot read: it needs {needs}",
            where=where,
            hint="take at least the airgap that made it; export --with-self puts it into the bundle",
        )


def _image(entry: Mapping[str, Any]) -> BundledImage:
    derived = entry.get("derivedFrom")
    return BundledImage(
        Reference.parse(entry["reference"]),
        Descriptor.from_json(entry),
        tuple(_platforms(entry.get("platforms"))),
        digests.check(derived) if derived else "",
    )


def _resource(entry: Mapping[str, Any]) -> BundledResource:
    name = _text(entry["name"]) or ""
    if reason := name_problem(name):
        raise BundleError(f"the resource file name {name!r} {reason}")
    return BundledResource(name, str(entry["member"]), str(entry["sha256"]))


def name_problem(name: str) -> str | None:
    """Why a resource file of this name cannot be carried, or ``None``: it will be written below a folder."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name:
        return "leads out of the folder, or would on another system"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return None


def _platforms(value: Any) -> Iterator[Platform]:
    """For people alone, so that an image whose publisher gave half a platform is no obstacle."""
    for text in _list(value):
        with contextlib.suppress(UsageError):
            yield Platform.parse(text)


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value or []


def _text(value: Any) -> str | None:
    """A string that can be printed and written, or ``None``; :class:`ValueError` for anything else."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    value.encode()
    return value
