# SPDX-License-Identifier: Apache-2.0
"""The receipt: which images and blobs a target has. ``airgap import`` and ``airgap inventory`` write it.

Unknown keys are ignored; ``format`` tells when that is not safe. The keys ``from`` and ``bases`` are written only if
they are not empty, as is ``artifacts``. The target is ``null`` after an import of artifacts alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airgap.bounded_json import TooLarge
from airgap.bundle.artifacts import NamedArtifact
from airgap.bundle.document_parts import Memory, Part, read_parts
from airgap.bundle.required_layers import BundleIdentity, parse_bundle_id
from airgap.errors import AirgapError, BundleError, UnsupportedBundle
from airgap.i18n import tr
from airgap.json_stream import JsonStream
from airgap.oci import Descriptor, Reference
from airgap.oci import digest as digests
from airgap.oci.reference import registry_problem, repository_problem
from airgap.records import Record, field

FORMAT = 1


class ReceiptImage(Record):
    """An image at the target.

    ``source`` is the reference under which it was exported, empty if only the target was asked. ``target`` is
    ``registry/repository:tag``.
    """

    source: str
    target: str
    digest: str

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ReceiptImage:
        """Parse an entry of ``images``. Raises KeyError, TypeError, or an :class:`airgap.errors.AirgapError`."""
        source = entry["source"]
        return cls(
            str(Reference.parse(source)) if source is not None else "",
            str(Reference.parse(entry["target"])),
            digests.check(entry["digest"]),
        )


class ReceiptArtifact(NamedArtifact):
    """A file of another format at the far side. ``target`` is its address there, ``digest`` its sha256."""

    digest: str
    size: int
    target: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``artifacts``."""
        return {
            **self.names_to_json(),
            "digest": self.digest,
            "size": self.size,
            "target": self.target,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ReceiptArtifact:
        """Parse an entry of ``artifacts``. Raises what :meth:`ReceiptImage.from_json` raises."""
        content = Descriptor.from_json({"mediaType": "", **entry})
        name, version, file = (str(entry[key] or "") for key in ("name", "version", "file"))
        place = str(entry["target"])
        return cls(str(entry["format"] or ""), name, version, file, content.digest, content.size, place)


class Receipt(Record):
    """The content of a receipt.

    ``target`` is ``registry[/prefix]``, empty after an import of artifacts alone. ``bundle`` is the ID of the bundle
    that was imported, ``None`` for an inventory. ``blobs`` maps the digests of configs and layers to the repositories
    of that registry that have them.
    ``origins`` maps digests to the ID of the bundle that brought them, for blobs of other bundles than ``bundle``;
    ``bases`` identifies these bundles. ``artifacts`` are the files of other formats.
    """

    target: str
    bundle: str | None
    images: tuple[ReceiptImage, ...]
    blobs: Mapping[str, tuple[str, ...]] = field(repr=False)
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)
    bases: tuple[BundleIdentity, ...] = ()
    artifacts: tuple[ReceiptArtifact, ...] = ()

    @property
    def registry(self) -> str:
        """The host, with its port if there is one."""
        return self.target.partition("/")[0]

    def to_bytes(self) -> bytes:
        """Return the file's content: indented JSON."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "target": self.target or None,
            "bundle": self.bundle,
            "images": [
                {"source": image.source or None, "target": image.target, "digest": image.digest}
                for image in self.images
            ],
            "blobs": {digest: sorted(repositories) for digest, repositories in sorted(self.blobs.items())},
        }
        if self.origins:
            document["from"] = dict(sorted(self.origins.items()))
        if self.bases:
            document["bases"] = [base.to_json() for base in self.bases]
        if self.artifacts:
            document["artifacts"] = [artifact.to_json() for artifact in self.artifacts]
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def read(cls, stream: JsonStream, *, where: str) -> Receipt:
        """Read the file's content.

        Raises :class:`UnsupportedBundle` for a newer format, :class:`BundleError` for an invalid document, or for one
        past a limit, with the hint that names it.
        """
        memory = Memory()
        try:
            found = read_parts(stream, _parts(memory), memory, lambda read: _check_format(read, where))
            _check_format(found, where)
            return cls(
                found["target"],
                found["bundle"],
                found["images"],
                found["blobs"],
                found.get("from", {}),
                found.get("bases", ()),
                found.get("artifacts", ()),
            )
        except UnsupportedBundle:
            raise
        except TooLarge as error:
            refused = _unreadable(str(error), where)
            refused.hint = error.hint
            raise refused from None
        except KeyError as error:
            raise _unreadable(tr("it has no {error}", error=error), where) from error
        except (AirgapError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(str(error), where) from error


def _check_format(document: Mapping[str, Any], where: str) -> None:
    if document["format"] != FORMAT:
        raise UnsupportedBundle(
            tr("this receipt is of format {document}, which this version cannot read", document=document["format"]),
            where=where,
            hint=tr("use the airgap that wrote it, or a newer one"),
        )


def _parts(memory: Memory) -> Mapping[str, Part]:
    """How each key is read. The costs are what the entries of real receipts take."""

    def parse_repositories(digest: str, names: Any) -> tuple[str, tuple[str, ...]]:
        if not isinstance(names, list):
            raise ValueError(tr("not a list of repositories"))
        return digests.check(digest), memory.texts(names, _parse_repository)

    def parse_origin(digest: str, origin: Any) -> tuple[str, str]:
        return digests.check(digest), memory.text(parse_bundle_id(origin) or "")

    return {
        "format": Part("value", lambda value: value),
        "target": Part("value", _parse_target, located=True),
        "bundle": Part("value", parse_bundle_id),
        "images": Part("list", ReceiptImage.from_json, cost=400, located=True, optional=False),
        "blobs": Part("object", parse_repositories, 150, 0, dict, located=True, optional=False),
        "from": Part("object", parse_origin, 150, 0, dict),
        "bases": Part("list", BundleIdentity.from_json, cost=300),
        "artifacts": Part("list", ReceiptArtifact.from_json, cost=800, located=True),
    }


def _unreadable(reason: str, where: str) -> BundleError:
    hint = tr("airgap inventory TARGET -o FILE makes one")
    return BundleError(tr("this receipt is unreadable: {reason}", reason=reason), where=where, hint=hint)


def _parse_target(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(tr("not a text"))
    if reason := registry_problem(value.partition("/")[0]):
        raise BundleError(reason)
    return value


def _parse_repository(name: str) -> str:
    if reason := repository_problem(name):
        raise BundleError(tr("{name!r} is no repository: {reason}", name=name[:200], reason=reason))
    return name
