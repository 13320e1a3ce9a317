# SPDX-License-Identifier: Apache-2.0
"""``airgap verify RELEASE``: compares each file that is there with ``release.json``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.checksums import file_sha256
from airgap.bundle.media.file import open_regular_file
from airgap.errors import AirgapError, DigestMismatch
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.records import Record
from airgap.release.at_hand import ReleaseAtHand
from airgap.store.readers import translate_read_errors
from airgap.transfer import Context


class VerifiedRelease(Record):
    """``complete`` are the files of each bundle that is whole, ``broken`` a file of each other one that has parity.

    ``errors`` are about files that are not as ``release.json`` says.
    """

    complete: Sequence[Sequence[Path]]
    broken: Sequence[Path]
    errors: Sequence[AirgapError]


def verify_release(folder: ReleaseAtHand, context: Context) -> VerifiedRelease:
    """Read every file of a release that is there. What is missing is only said: not every site needs all of them."""
    files = {file.name: file for file in folder.release.files}
    wrong: dict[str, AirgapError] = {
        name: DigestMismatch(reason, where=str(folder.path / name)) for name, reason in folder.refused.items()
    }
    for name, path in folder.paths.items():
        context.cancel.check()
        if (digest := _sha256(path)) != files[name].sha256:
            wrong[name] = DigestMismatch(
                tr("it has the SHA-256 {digest}, and release.json names {expected}",
                   digest=digest, expected=files[name].sha256),
                where=str(path),
                hint=tr("copy it once more from the other side"),
            )  # fmt: skip
    whole = [name for name in folder.paths if name not in wrong]
    size = human(sum(files[name].size for name in whole))
    context.note(tr("{path}: {file_count}, {size}, as release.json names them",
                    path=folder.path, file_count=counted(len(whole), "file"), size=size))  # fmt: skip
    if missing := [name for name in files if name not in folder.paths and name not in wrong]:
        context.note(tr("not here: {names}", names=", ".join(missing)))
    complete, broken = [], []
    for bundle in folder.release.bundles:
        if all(name in whole for name in bundle.files):
            complete.append([folder.paths[name] for name in bundle.files])
        elif bundle.parity:
            paths = [folder.path / name for name in (*bundle.files, *bundle.parity)]
            broken += [path for path in paths if path.exists()][:1]
    return VerifiedRelease(complete, broken, [wrong[name] for name in sorted(wrong)])


def _sha256(path: Path) -> str:
    fd, _ = open_regular_file(path, follow=False)
    try:
        with translate_read_errors(str(path)):
            return file_sha256(fd)
    finally:
        os.close(fd)
