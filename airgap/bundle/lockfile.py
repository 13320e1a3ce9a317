# SPDX-License-Identifier: Apache-2.0
"""``airgap.lock``: the digests that references resolved to, and everything else that decides a bundle's bytes.

It is read by :func:`airgap.bundle.documents.read_lockfile`. It contains no time and no folder names: the same content
always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airgap.bounded_json import TooLarge
from airgap.bundle.artifacts import LockedArtifact
from airgap.bundle.document_format import (
    ARTIFACTS,
    FORMAT,
    SPARSE,
    check_supported,
    optional_list,
    parse_referrer_tag,
)
from airgap.bundle.document_parts import Memory, Part, read_parts
from airgap.bundle.required_layers import parse_bundle_id
from airgap.durable import replace_file
from airgap.errors import AirgapError, BundleError, OutputError, UnsupportedBundle, UsageError
from airgap.i18n import tr
from airgap.json_stream import JsonStream, pread_of
from airgap.oci import Descriptor, Platform
from airgap.oci import digest as digests
from airgap.records import Record, field

if TYPE_CHECKING:
    from airgap.bundle.layout_builder import Resource
    from airgap.transfer import Plan

#: The hint for a lockfile that cannot be read.
REPAIR_HINT = tr("mend it, or remove it to have it written anew")


class Lockfile(Record, frozen=False):
    """The content of a lockfile.

    ``images`` maps normalised references to what they resolved to, before platforms were selected. ``referrers`` maps
    a subject's digest to its referrers', ``resources`` the names of resource files to their digests. ``base`` is the
    ID of the document given with ``--base``, or ``None``. ``artifacts`` are those that were collected, and
    ``artifact_requests`` tells for each format which entries of airgap.yaml they were collected for. ``referrer_tags``
    are the tags of those referrers that are found by one, by digest. ``sparse`` says that indexes stay as they are.
    """

    platforms: tuple[str, ...] = ()
    images: dict[str, Descriptor] = field(default_factory=dict)
    referrers: dict[str, list[str]] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    base: str | None = None
    artifacts: tuple[LockedArtifact, ...] = ()
    artifact_requests: dict[str, str] = field(default_factory=dict)
    referrer_tags: dict[str, str] = field(default_factory=dict)
    sparse: bool = False

    def to_bytes(self) -> bytes:
        """Return the file's content: indented JSON, sorted by key."""
        document = {
            "format": FORMAT,
            "platforms": list(self.platforms) or None,
            "images": {
                name: {"digest": image.digest, "mediaType": image.media_type, "size": image.size}
                for name, image in sorted(self.images.items())
            },
            "referrers": {subject: sorted(referrers) for subject, referrers in sorted(self.referrers.items())},
            **({"referrerTags": dict(sorted(self.referrer_tags.items()))} if self.referrer_tags else {}),
            "resources": dict(sorted(self.resources.items())),
            "base": self.base,
            "features": [*([ARTIFACTS] if self.artifact_requests else []), *([SPARSE] if self.sparse else [])],
            **(
                {
                    "artifactRequests": dict(sorted(self.artifact_requests.items())),
                    "artifacts": [artifact.to_json() for artifact in self.artifacts],
                }
                if self.artifact_requests
                else {}
            ),
        }
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Lockfile:
        """Parse the file's content.

        Raises :class:`UnsupportedBundle` for a newer format, :class:`BundleError` for an invalid document.
        """
        return cls.read(JsonStream(pread_of(content)), where=where)

    @classmethod
    def read(cls, stream: JsonStream, *, where: str) -> Lockfile:
        """Read the file's content. Raises what :meth:`from_bytes` raises, with the hint that names a limit."""
        memory = Memory()
        try:
            found = read_parts(stream, _parts(memory), memory, lambda read: check_supported(read, where))
            check_supported(found, where)
            return cls(
                found.get("platforms", ()),
                found["images"],
                found.get("referrers", {}),
                found.get("resources", {}),
                found.get("base"),
                found.get("artifacts", ()),
                found.get("artifactRequests", {}),
                found.get("referrerTags", {}),
                SPARSE in found.get("features", ()),
            )
        except UnsupportedBundle:
            raise
        except TooLarge as error:
            refused = _unreadable(error, where)
            refused.hint = error.hint
            raise refused from None
        except (AirgapError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(error, where) from error

    def check_options(
        self, platforms: Sequence[Platform], base: str | None, *, sparse: bool = False, where: str
    ) -> None:
        """Raise :class:`UsageError` if the lockfile was written for other platforms, ``sparse`` or another base."""
        requested = tuple(map(str, platforms))
        if requested != self.platforms:
            raise UsageError(
                tr(
                    "the lock is for {platforms}, not for {requested}",
                    platforms=", ".join(self.platforms) or tr("all platforms"),
                    requested=", ".join(requested) or tr("all platforms"),
                ),
                where=where,
                hint=tr("give the same --platform, or --refresh"),
            )
        if sparse != self.sparse:
            raise UsageError(
                tr("the lock is for indexes as they are (--sparse)")
                if self.sparse
                else tr("the lock is not for --sparse, which leaves indexes as they are"),
                where=where,
                hint=tr("give the same options, or --refresh"),
            )
        if base != self.base:
            raise UsageError(
                tr(
                    "the lock is for {base}, not for {requested}",
                    base=tr("the base {base}", base=self.base) if self.base else tr("a whole bundle"),
                    requested=tr("the base {base}", base=base) if base else tr("a whole bundle"),
                ),
                where=where,
                hint=tr("give the same file with --base, or --refresh"),
            )

    def check_resources(self, resources: Sequence[Resource], *, where: str) -> None:
        """Raise :class:`UsageError` that names the first resource file that differs from the lockfile."""
        current = _resource_digests(resources)
        for name in sorted({*current, *self.resources}):
            if current.get(name) != self.resources.get(name):
                is_known = name in self.resources
                change = (
                    tr("has changed") if name in current and is_known else tr("is gone") if is_known else tr("is new")
                )
                raise UsageError(
                    tr("the resource file {name} {change} since the lock was written", name=name, change=change),
                    where=where,
                    hint=tr("--refresh resolves everything anew and rewrites the lock"),
                )


def create_lockfile(
    platforms: Sequence[Platform],
    plan: Plan,
    resources: Sequence[Resource],
    base: str | None = None,
    *,
    sparse: bool = False,
) -> Lockfile:
    """Return the lockfile of what ``plan`` resolved."""
    images: dict[str, Descriptor] = {}
    referrers: dict[str, list[str]] = {}
    tags: dict[str, str] = {}
    for image in plan.images:
        if image.referrer_tag:
            tags[image.digest] = image.referrer_tag
        if image.referrer_of:
            referrers.setdefault(image.referrer_of, []).append(image.digest)
        else:
            images[image.root.label] = image.resolved
    return Lockfile(
        tuple(map(str, platforms)),
        images,
        referrers,
        _resource_digests(resources),
        base,
        referrer_tags=tags,
        sparse=sparse,
    )


def check_writable(path: Path) -> None:
    """Raise :class:`OutputError` if a lockfile cannot be written at ``path``."""
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        reason = tr("cannot be written") if folder.is_dir() else tr("does not exist")
        raise OutputError(
            tr("the lock has no place: its folder {reason}", reason=reason),
            where=str(path),
            hint=tr("--lock names another"),
        )


def write_lockfile(path: Path, lockfile: Lockfile) -> None:
    """Write or replace the file ``path`` atomically. Raises :class:`OutputError`."""
    try:
        replace_file(path, lockfile.to_bytes())
    except OSError as error:
        raise OutputError(
            tr("the lock cannot be written: {strerror}", strerror=error.strerror), where=str(path)
        ) from error


def _parts(memory: Memory) -> Mapping[str, Part]:
    """How each key is read. The costs are what the entries of real locks take."""

    def parse_image(name: str, entry: Any) -> tuple[str, Descriptor]:
        image = Descriptor.from_json(entry)
        return name, Descriptor(memory.text(image.media_type), image.digest, image.size)

    def parse_text(name: str, value: Any) -> tuple[str, str]:
        return name, str(value)

    return {
        "format": Part("value", lambda value: value),
        "features": Part("value", optional_list),
        "tool": Part("value", lambda value: value),
        "platforms": Part("value", lambda value: tuple(str(Platform.parse(text)) for text in optional_list(value))),
        "images": Part("object", parse_image, cost=350, into=dict, optional=False),
        "referrers": Part("object", lambda name, value: (name, list(map(digests.check, value))), 270, 2, dict),
        "referrerTags": Part("object", parse_referrer_tag, 270, into=dict),
        "resources": Part("object", parse_text, cost=250, into=dict),
        "base": Part("value", parse_bundle_id),
        "artifacts": Part("list", LockedArtifact.from_json, cost=800, factor=2),
        "artifactRequests": Part("object", parse_text, cost=250, into=dict),
    }


def _unreadable(error: Exception, where: str) -> BundleError:
    return BundleError(tr("this lock is unreadable ({error})", error=error), where=where, hint=REPAIR_HINT)


def _resource_digests(resources: Sequence[Resource]) -> dict[str, str]:
    return {resource.name: f"sha256:{hashlib.sha256(resource.content).hexdigest()}" for resource in resources}
