# SPDX-License-Identifier: Apache-2.0
"""Garbage collection of a layout folder: removes blobs that no manifest refers to, beside running servers.

A blob is kept if ``index.json`` leads to it, or if it is younger than the grace period: its client may be about to push
the manifest. A server renews the time of a blob each time that it tells a client that may push that the blob is here.
Each file is put aside under another name before its time is looked at for the last time, so that a renewal either
happens before that and is seen, or fails and the client is told that the blob is not here.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from airgap import bounded_json
from airgap.errors import ContentError, ContentMissing, OutputError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import MAX_STORED_MANIFEST, is_manifest_type, parse, successors
from airgap.records import Record
from airgap.store.layout import GRACE_PERIOD, ImageLayout
from airgap.store.leftovers import ASIDE, sweep_leftovers
from airgap.store.readers import fetch

_MAX_VALUES = 262_144


class Collected(Record):
    """What a collection removed, or would remove: a number of blobs, and bytes with those of temporary files."""

    blobs: int
    size: int


def collect_garbage(layout: ImageLayout, *, dry_run: bool = False, grace: float = GRACE_PERIOD) -> Collected:
    """Remove what nothing refers to and what is older than ``grace`` seconds.

    Raises :class:`ContentError` if a manifest is damaged, since it may refer to anything; :class:`OutputError`.
    """
    # What is renewed or pushed from now on is kept, however long the collection takes.
    oldest_kept = time.time() - grace
    needed = needed_digests(layout)
    blobs = size = 0
    try:
        if not dry_run:
            size = sweep_leftovers(layout.path)
        for path in _blob_files(layout.path / "blobs"):
            if f"{path.parent.name}:{path.name}" in needed:
                continue
            freed = _size_if_old(path, oldest_kept) if dry_run else _remove_if_old(path, oldest_kept)
            if freed is not None:
                blobs, size = blobs + 1, size + freed
    except OSError as error:
        raise OutputError(tr("cannot remove: {strerror}", strerror=error.strerror), where=str(layout.path)) from error
    return Collected(blobs, size)


def needed_digests(layout: ImageLayout) -> set[str]:
    """Return the digests of everything that ``index.json`` leads to. Raises :class:`ContentError`."""
    with layout.index.locked():
        queue = list(layout.index.read().entries)
    needed: set[str] = set()
    while queue:
        descriptor = queue.pop()
        if descriptor.digest not in needed:
            needed.add(descriptor.digest)
            queue.extend(_links(layout, descriptor))
    return needed


def _links(layout: ImageLayout, descriptor: Descriptor) -> tuple[Descriptor, ...]:
    if descriptor.media_type and not is_manifest_type(descriptor.media_type):
        return ()
    try:
        content = fetch(layout, descriptor, limit=MAX_STORED_MANIFEST)
        document = bounded_json.loads(content, values=_MAX_VALUES)
        return successors(parse(content, descriptor.media_type, document=document))
    except ContentMissing:  # an index may list platforms that were not copied
        return ()
    except ContentError as error:
        raise ContentError(
            tr("{what}; nothing was collected, since it may need any blob", what=error.what),
            where=descriptor.digest,
            hint=tr("push this image once more, or delete it, then collect again"),
        ) from error


def _blob_files(folder: Path) -> Iterator[Path]:
    for algorithm in sorted(folder.iterdir()):
        if algorithm.is_symlink() or not algorithm.is_dir():
            continue
        with os.scandir(algorithm) as entries:
            for entry in entries:
                if digests.problem(f"{algorithm.name}:{entry.name}") is None and entry.is_file(follow_symlinks=False):
                    yield Path(entry)


def _size_if_old(path: Path, oldest_kept: float) -> int | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_mtime < oldest_kept else None


def _remove_if_old(path: Path, oldest_kept: float) -> int | None:
    if _size_if_old(path, oldest_kept) is None:
        return None
    aside = path.with_name(f"{ASIDE}{path.name}")
    try:
        os.rename(path, aside)
        size = _size_if_old(aside, oldest_kept)
        if size is None:
            os.rename(aside, path)  # a client was told of it in this moment
            return None
        aside.unlink()
    except FileNotFoundError:  # another collection took it
        return None
    return size
