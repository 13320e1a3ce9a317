# SPDX-License-Identifier: Apache-2.0
"""The lock that an export reads before it resolves anything, and writes at its end; and where its bundle may be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import Lockfile, OutputFormat, Resource, read_lockfile
from airgap.bundle.lockfile import write_lockfile
from airgap.durable import missing_file, output
from airgap.errors import UsageError
from airgap.flows.images import FoundImages
from airgap.flows.steps.finished_bundle import may_be_finished
from airgap.flows.steps.sign_export import Signing
from airgap.i18n import tr
from airgap.oci import Platform


def read_export_lock(
    lock: Path | None, form: OutputFormat, platforms: Sequence[Platform], base_id: str | None,
    resources: Sequence[Resource] | None, *, refresh: bool, sparse: bool = False,
) -> Lockfile | None:  # fmt: skip
    """Return the lockfile to follow, ``None`` if there is none or it is written anew.

    Raises :class:`UsageError` if it was written for other options, or for other ``resources`` where these are given.
    """
    if lock is None:
        return None
    if form.volume and not lock.exists():
        raise missing_file(lock, hint=tr("write it first: the same command with --lock-only in place of --volume"))
    if lockfile := read_lockfile(lock, platforms, refresh=refresh, base=base_id, sparse=sparse):
        if resources is not None:
            lockfile.check_resources(resources, where=str(lock))
        return lockfile
    return None


def check_output(form: OutputFormat, found_images: FoundImages, signing: Signing, replace: bool) -> None:
    """Raise :class:`airgap.errors.OutputError` if the bundle cannot be written, :class:`UsageError` if it would replace
    one of its own resource files. A bundle that may be this one, finished, is left to :func:`is_finished`."""
    replace = replace or may_be_finished(form, found_images)
    signing.check(form, force=replace)
    if form.streamed:
        return
    if not form.volume_size:
        form.check_place(replace=replace)
    for file, _ in found_images.files:
        if form.path.exists() and os.path.exists(file.path) and os.path.samefile(form.path, file.path):
            raise UsageError(tr("the bundle would replace a resource file that it is made of"), where=file.path)


def check_places(form: OutputFormat, paths: Sequence[Path], *, replace: bool) -> None:
    """Raise :class:`airgap.errors.OutputError` if one of the files of the bundle cannot be written."""
    if not form.volume_size and paths:
        form.check_place(replace=replace)
        return
    for path in [*paths, *form.parity_paths]:
        output.check_place(path, force=replace)


def write_export_lock(path: Path | None, lockfile: Lockfile, *, refresh: bool) -> None:
    """Write the lockfile of an export to ``path`` if it does not exist, or if it was made again."""
    if path is not None and (refresh or not path.exists()):
        write_lockfile(path, lockfile)
