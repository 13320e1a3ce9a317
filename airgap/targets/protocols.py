# SPDX-License-Identifier: Apache-2.0
"""What every target provides, and what some provide in addition."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from airgap.oci import Reference
from airgap.records import Record
from airgap.store.protocols import Store
from airgap.targets.mapping import Mapping


class Finding(Record):
    """One result of a check. A ``problem`` prevents the push.

    ``what`` is the result and ``hint`` the remedy, in words; ``run`` are lines to type or to write into a file.
    ``check`` is the name of the check. ``fix`` names the change of :mod:`airgap.targets.doctor.fixes` that corrects
    the problem, or is empty. The fields are those of ``airgap doctor --json``.
    """

    level: Literal["ok", "warning", "problem"]
    what: str
    hint: str = ""
    check: str = ""
    run: tuple[str, ...] = ()
    fix: str = ""


class Target(Protocol):
    """A registry address with a prefix, and the product behind it.

    ``mapping`` makes the names that nodes pull. It differs from the mapping that was given where images are pushed to
    another address than the one they are pulled from.
    """

    mapping: Mapping

    def preflight(self) -> list[Finding]:
        """Check the registry before anything is pushed. Signs in exactly once."""

    def locate(self, reference: Reference, /) -> Reference:
        """Return the reference that nodes will pull."""

    def open(self, repository: str, /) -> Store:
        """Return the repository, named as in :meth:`locate`'s references; opens it once."""

    def repositories(self) -> list[str]:
        """List the repositories below the prefix, named as in :meth:`locate`'s references.

        Raises the error of the registry if it does not list them.
        """


@runtime_checkable
class SupportsCapacity(Protocol):
    """A target that has a limit of tags."""

    def check_capacity(self, new_tags: int, /) -> list[Finding]:
        """Return a problem or a warning if ``new_tags`` more tags would exceed, or nearly reach, the limit."""


@runtime_checkable
class SupportsTagPolicy(Protocol):
    """A target that may forbid to move tags."""

    def fixed_tag(self, tag: str, /) -> Finding | None:
        """Return the problem if a tag that exists cannot be moved; ``None`` if it can, or that is not known.

        Call this after the preflight.
        """


@runtime_checkable
class SupportsSparseCheck(Protocol):
    """A target of which is known whether it takes an index without all of its images."""

    def sparse_refusal(self) -> Finding | None:
        """Return the problem if it refuses such an index; ``None`` if it takes it, or that is not known."""


@runtime_checkable
class SupportsUploadProbe(Protocol):
    """A target that must be asked for an upload to find out whether it accepts one."""

    def probe_upload(self) -> list[Finding]:
        """Begin an upload and cancel it. Call this only if uploads will follow."""


class Remover(Protocol):
    """Deletes images of a target. Repositories are named as in :meth:`Target.locate`'s references. Thread-safe.

    ``cleans_up`` says that the product removes manifests by itself to which no tag leads; then only tags are removed.
    """

    cleans_up: bool

    def check(self, repository: str, /) -> None:
        """Find out whether the target deletes at all, without deleting anything.

        Raises :class:`airgap.errors.NotReady` with the setting that allows it, and
        :class:`airgap.errors.Unauthorized` for a user without the right.
        """

    def remove_tag(self, repository: str, tag: str, digest: str, /) -> None:
        """Remove a tag that stands for ``digest``, and no other tag; what is gone already is no error.

        Raises :class:`airgap.errors.Rejected` where tags cannot be deleted without their manifest.
        """

    def remove_manifest(self, repository: str, digest: str, /) -> None:
        """Remove a manifest and all its tags; what is gone already is no error."""

    def next_steps(self) -> list[str]:
        """Return what gives the space back afterwards, one step in each text."""


@runtime_checkable
class SupportsRemoval(Protocol):
    """A target that images can be deleted from."""

    def remover(self) -> Remover:
        """Return what deletes. Call this after the preflight."""
