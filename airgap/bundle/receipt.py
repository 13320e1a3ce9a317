# SPDX-License-Identifier: Apache-2.0
"""The receipt: what a target holds, as import leaves it behind or as ``airgap inventory`` asks for it.

Keys that are not known are ignored, ``format`` says when that is not safe. ``from`` and ``bases`` are written only
where there is something to say: which blobs came by another bundle than this one, and how bundles are called.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from airgap.bundle.required_layers import Origin, id_of
from airgap.errors import AirgapError, BundleError, UnsupportedBundle
from airgap.oci import Reference
from airgap.oci import digest as digests
from airgap.oci.reference import registry_problem, repository_problem
from airgap.records import Record, field

FORMAT = 1

T = TypeVar("T")


class HeldImage(Record):
    """``source`` is the reference it was exported under, empty where only the target was asked; ``target`` is
    ``registry/repository:tag``."""

    source: str
    target: str
    digest: str


class Receipt(Record):
    """``target`` is ``registry[/prefix]``, ``bundle`` the ID of the bundle that was imported, ``None`` for an
    inventory. ``blobs`` maps configs and layers to repositories of that registry; ``origins`` maps those that came by
    another bundle to its ID."""

    target: str
    bundle: str | None
    images: tuple[HeldImage, ...]
    blobs: Mapping[str, tuple[str, ...]] = field(repr=False)
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)
    bases: tuple[Origin, ...] = ()

    @property
    def registry(self) -> str:
        return self.target.partition("/")[0]

    def to_bytes(self) -> bytes:
        document: dict[str, Any] = {
            "format": FORMAT,
            "target": self.target,
            "bundle": self.bundle,
            "images": [{"source": i.source or None, "target": i.target, "digest": i.digest} for i in self.images],
            "blobs": {digest: sorted(repositories) for digest, repositories in sorted(self.blobs.items())},
        }
        if self.origins:
            document["from"] = dict(sorted(self.origins.items()))
        if self.bases:
            document["bases"] = [base.to_json() for base in self.bases]
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, document: Mapping[str, Any], *, where: str) -> Receipt:
        """Raise :class:`UnsupportedBundle` for a newer one's, :class:`BundleError` for nonsense."""
        try:
            if document["format"] != FORMAT:
                raise UnsupportedBundle(
                    f"this receipt is of format {document['format']}, which this version cannot read",
                    where=where,
                    hint="take at least the airgap that made it",
                )
            return cls(
                _parsed("target", _target, document["target"]),
                id_of(document["bundle"]),
                tuple(_parsed(f"images[{n}]", _image, entry) for n, entry in enumerate(_list(document, "images"))),
                {
                    digests.check(digest): _parsed(f"blobs[{digest}]", _repositories, names)
                    for digest, names in _object(document, "blobs").items()
                },
                {digests.check(key): id_of(value) or "" for key, value in (document.get("from") or {}).items()},
                tuple(map(Origin.from_json, document.get("bases") or ())),
            )
        except UnsupportedBundle:
            raise
        except KeyError as error:
            raise _unreadable(f"it has no {error}", where) from error
        except (AirgapError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(str(error), where) from error


def _unreadable(why: str, where: str) -> BundleError:
    hint = "airgap inventory TARGET -o FILE makes one"
    return BundleError(f"this receipt is unreadable: {why}", where=where, hint=hint)


def _parsed(place: str, parse: Callable[[Any], T], value: Any) -> T:
    """``parse(value)``, whose errors say in which ``place`` of the receipt the value stands."""
    try:
        return parse(value)
    except KeyError as error:
        raise BundleError(f"{place} has no {error}") from error
    except (AirgapError, ValueError, TypeError, AttributeError) as error:
        raise BundleError(f"{place}: {error}") from error


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document[key]
    if not isinstance(value, list):
        raise ValueError(f"{key!r} is not a list")
    return value


def _object(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document[key]
    if not isinstance(value, dict):
        raise ValueError(f"{key!r} is not an object")
    return value


def _target(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    if reason := registry_problem(value.partition("/")[0]):
        raise BundleError(reason)
    return value


def _image(entry: Mapping[str, Any]) -> HeldImage:
    source = entry["source"]
    return HeldImage(
        str(Reference.parse(source)) if source is not None else "",
        str(Reference.parse(entry["target"])),
        digests.check(entry["digest"]),
    )


def _repositories(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise ValueError("not a list of repositories")
    return tuple(map(_repository, names))


def _repository(name: Any) -> str:
    if reason := repository_problem(str(name)):
        raise BundleError(f"{str(name)[:200]!r} is no repository: {reason}")
    return str(name)
