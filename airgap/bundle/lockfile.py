# SPDX-License-Identifier: Apache-2.0
"""``airgap.lock``: read where it is there, written where it is not, and never a surprise after the work is done."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import Lock, Resource, read_json_document
from airgap.durable import replace_file
from airgap.errors import BundleError, OutputError, UnsupportedBundle, UsageError
from airgap.oci import Descriptor, Platform
from airgap.transfer import Plan


def read(path: Path, platforms: Sequence[Platform], *, refresh: bool, base: str | None = None) -> Lock | None:
    """The lock at ``path``; ``None`` where it is to be written, after a look whether that can be done.

    Raises :class:`UsageError` for a lock of other platforms or another base, :class:`OutputError` for a place that
    cannot be written, and what :func:`airgap.bundle.read_json_document` raises.
    """
    if path.is_dir():
        raise OutputError("a folder stands where the lock should be", where=str(path))
    if refresh or not path.exists():
        folder = path.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            why = "cannot be written" if folder.is_dir() else "does not exist"
            raise OutputError(f"the lock has no place: its folder {why}", where=str(path), hint="--lock names another")
        return None
    try:
        lock = _parsed(path)
    except UnsupportedBundle:
        raise
    except BundleError as error:
        error.hint = "mend it, or remove it to have it written anew"
        raise
    wanted = tuple(map(str, platforms))
    if wanted != lock.platforms:
        raise UsageError(
            f"the lock is for {', '.join(lock.platforms) or 'all platforms'}, "
            f"not for {', '.join(wanted) or 'all platforms'}",
            where=str(path),
            hint="give the same --platform, or --refresh",
        )
    if base != lock.base:
        raise UsageError(
            f"the lock is for {f'the base {lock.base}' if lock.base else 'a whole bundle'}, "
            f"not for {f'the base {base}' if base else 'a whole bundle'}",
            where=str(path),
            hint="give the same file with --base, or --refresh",
        )
    return lock


def _parsed(path: Path) -> Lock:
    document = read_json_document(path)
    if document is None or not isinstance(document.content, Lock):
        what = f"a {document.kind}" if document else "not JSON"
        raise BundleError(f"this is no lock: it is {what}", where=str(path))
    return document.content


def check_resources(path: Path, lock: Lock, resources: Sequence[Resource]) -> None:
    """Raise :class:`UsageError` naming the first resource file that is not as it was when the lock was written."""
    now = _sums(resources)
    for name in sorted({*now, *lock.resources}):
        if now.get(name) != lock.resources.get(name):
            what = "has changed" if name in now and name in lock.resources else "is new" if name in now else "is gone"
            raise UsageError(
                f"the resource file {name} {what} since the lock was written",
                where=str(path),
                hint="--refresh resolves everything anew and rewrites the lock",
            )


def _sums(resources: Sequence[Resource]) -> dict[str, str]:
    return {resource.name: f"sha256:{hashlib.sha256(resource.content).hexdigest()}" for resource in resources}


def lock_of(
    platforms: Sequence[Platform], planned: Plan, resources: Sequence[Resource], base: str | None = None
) -> Lock:
    """What ``planned`` has resolved."""
    images: dict[str, Descriptor] = {}
    referrers: dict[str, list[str]] = {}
    for image in planned.images:
        if image.referrer_of:
            referrers.setdefault(image.referrer_of, []).append(image.digest)
            continue
        images[image.root.label] = image.resolved
    return Lock(
        tuple(map(str, platforms)),
        images,
        referrers,
        _sums(resources),
        base,
    )


def write(path: Path, lock: Lock) -> None:
    try:
        replace_file(path, lock.to_bytes())
    except OSError as error:
        raise OutputError(f"the lock cannot be written: {error.strerror}", where=str(path)) from error
