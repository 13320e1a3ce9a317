# SPDX-License-Identifier: Apache-2.0
"""The receipt: which images and blobs a target has. ``airgap import`` and ``airgap inventory`` write it.

Unknown keys are ignored; ``format`` tells when that is not safe. The keys ``from`` and ``bases`` are written only if
they are not empty, as is ``artifacts``. The target is ``null`` after an import of artifacts alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from airgap.bundle.artifacts import NamedArtifact
from airgap.bundle.required_layers import BundleIdentity, parse_bundle_id
from airgap.errors import AirgapError, BundleError, UnsupportedBundle
from airgap.i18n import tr
from airgap.oci import Descriptor, Reference
from airgap.oci import digest as digests
from airgap.oci.reference import registry_problem, repository_problem
from airgap.records import Record, field

FORMAT = 1

T = TypeVar("T")


class ReceiptImage(Record):
    """An image at the target.

    ``source`` is the reference under which it was exported, empty if only the target was asked. ``target`` is
    ``registry/repository:tag``.
    """

    source: str
    target: str
    digest: str


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
    def from_json(cls, document: Mapping[str, Any], *, where: str) -> Receipt:
        """Build a receipt from a parsed document.

        Raises :class:`UnsupportedBundle` for a newer format, :class:`BundleError` for an invalid document.
        """
        try:
            if document["format"] != FORMAT:
                raise UnsupportedBundle(
                    tr(
                        "this receipt is of format {document}, which this version cannot read",
                        document=document["format"],
                    ),
                    where=where,
                    hint=tr("use the airgap that wrote it, or a newer one"),
                )
            return cls(
                _parse_at("target", _parse_target, document["target"]),
                parse_bundle_id(document["bundle"]),
                tuple(
                    _parse_at(f"images[{index}]", _parse_image, entry)
                    for index, entry in enumerate(_list(document, "images"))
                ),
                {
                    digests.check(digest): _parse_at(f"blobs[{digest}]", _parse_repositories, names)
                    for digest, names in _object(document, "blobs").items()
                },
                {
                    digests.check(digest): parse_bundle_id(origin) or ""
                    for digest, origin in (document.get("from") or {}).items()
                },
                tuple(map(BundleIdentity.from_json, document.get("bases") or ())),
                tuple(
                    _parse_at(f"artifacts[{index}]", _parse_artifact, entry)
                    for index, entry in enumerate(document.get("artifacts") or ())
                ),
            )
        except UnsupportedBundle:
            raise
        except KeyError as error:
            raise _unreadable(tr("it has no {error}", error=error), where) from error
        except (AirgapError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(str(error), where) from error


def _unreadable(reason: str, where: str) -> BundleError:
    hint = tr("airgap inventory TARGET -o FILE makes one")
    return BundleError(tr("this receipt is unreadable: {reason}", reason=reason), where=where, hint=hint)


def _parse_at(path: str, parse: Callable[[Any], T], value: Any) -> T:
    """Return ``parse(value)``. Raises :class:`BundleError` that begins with ``path``, the value's path in the JSON."""
    try:
        return parse(value)
    except KeyError as error:
        raise BundleError(tr("{path} has no {error}", path=path, error=error)) from error
    except (AirgapError, ValueError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: {error}") from error


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document[key]
    if not isinstance(value, list):
        raise ValueError(tr("{key!r} is not a list", key=key))
    return value


def _object(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document[key]
    if not isinstance(value, dict):
        raise ValueError(tr("{key!r} is not an object", key=key))
    return value


def _parse_target(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(tr("not a text"))
    if reason := registry_problem(value.partition("/")[0]):
        raise BundleError(reason)
    return value


def _parse_image(entry: Mapping[str, Any]) -> ReceiptImage:
    source = entry["source"]
    return ReceiptImage(
        str(Reference.parse(source)) if source is not None else "",
        str(Reference.parse(entry["target"])),
        digests.check(entry["digest"]),
    )


def _parse_artifact(entry: Mapping[str, Any]) -> ReceiptArtifact:
    content = Descriptor.from_json({"mediaType": "", **entry})
    format_name, name, version, file = (str(entry[key] or "") for key in ("format", "name", "version", "file"))
    return ReceiptArtifact(format_name, name, version, file, content.digest, content.size, str(entry["target"]))


def _parse_repositories(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise ValueError(tr("not a list of repositories"))
    return tuple(map(_parse_repository, names))


def _parse_repository(name: Any) -> str:
    if reason := repository_problem(str(name)):
        raise BundleError(tr("{name!r} is no repository: {reason}", name=str(name)[:200], reason=reason))
    return str(name)
