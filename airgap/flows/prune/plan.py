# SPDX-License-Identifier: Apache-2.0
"""What a prune would delete, and what it leaves and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airgap.errors import AirgapError
from airgap.oci import digest as digests
from airgap.records import Record, field


class Left(Record):
    """What stays although no kept release needs it. ``failed`` says that deleting it was tried, or could not be."""

    name: str
    reason: str
    failed: bool = False

    @classmethod
    def after(cls, name: str, error: AirgapError) -> Left:
        """What could not be deleted because of ``error``."""
        return cls(name, error.what if error.hint is None else f"{error.what} ({error.hint})", failed=True)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``left``."""
        return {"name": self.name, "reason": self.reason, "failed": self.failed}


def place_of(repository: str, name: str) -> str:
    """Return ``repository:tag`` or ``repository@digest``."""
    return f"{repository}{'@' if digests.is_digest(name) else ':'}{name}"


class Removal(Record):
    """An image that is deleted: a tag, or a digest that has lost its tag, as ``name``. ``size`` is the bytes of all
    that it leads to, ``frees`` of what nothing else needs.

    ``only_tag`` says that its manifest stays, since another tag leads to it. ``companion`` marks the tag of a
    signature or another referrer, which goes with its image and is not listed by itself.
    """

    repository: str
    name: str
    digest: str
    size: int
    frees: int
    only_tag: bool = False
    companion: bool = False

    @property
    def place(self) -> str:
        """``repository:tag`` or ``repository@digest``."""
        return place_of(self.repository, self.name)

    @property
    def tag(self) -> str:
        """The tag; empty for a digest without one."""
        return "" if digests.is_digest(self.name) else self.name

    def to_json(self, registry: str) -> dict[str, Any]:
        """Return the entry of ``images``."""
        return {
            "image": f"{registry}/{self.place}",
            "digest": self.digest,
            "size": self.size,
            "frees": self.frees,
            "only_tag": self.only_tag,
        }


class ImagePlan(Record):
    """``removals`` are deleted, companions included; ``manifests`` are the digests that nothing else needs, by
    repository: theirs first, then what they lead to. ``frees`` is the bytes of them all, each blob counted once.

    ``staying`` are the digests of all other tags of these repositories, by repository and tag.
    """

    removals: tuple[Removal, ...] = ()
    manifests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    staying: Mapping[tuple[str, str], str] = field(default_factory=dict)
    frees: int = 0
    left: tuple[Left, ...] = ()

    @property
    def images(self) -> list[Removal]:
        """The images without companions, the one that frees most first."""
        images = [removal for removal in self.removals if not removal.companion]
        return sorted(images, key=lambda image: (-image.frees, -image.size, image.place))


class FileRemoval(Record):
    """An artifact that is deleted: its ``label``, and its address ``target``."""

    label: str
    format: str
    target: str
    path: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``artifacts``."""
        return {"artifact": self.label, "target": self.target, "digest": self.digest, "size": self.size}
