# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect RELEASE``: the bundles and files of a release, and which of them are in the folder."""

from __future__ import annotations

import json

from airgap.cli.printing import Styled, say, say_json
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.release import ReleaseBundle
from airgap.release.at_hand import ReleaseAtHand, open_release, release_folder

#: What the files that belong to no bundle are called.
_ROLES = {"checksums": tr("checksums"), "install": tr("to install"), "notes": tr("notes")}


def print_release(argument: str, *, as_json: bool) -> None:
    """Print the release in the folder ``argument``; as JSON its document, with the names of ``missing`` files."""
    path = release_folder(argument)
    assert path is not None
    folder = open_release(path)
    release = folder.release
    missing = [file for file in release.files if file.name not in folder.paths]
    if as_json:
        say_json({**json.loads(release.to_bytes()), "missing": [file.name for file in missing]})
        return
    total = human(sum(file.size for file in release.files))
    say(f"{release.name} {release.version}: {counted(len(release.files), 'file')}, {total}")
    for bundle in release.bundles:
        say(Styled(_title(bundle), bold=True))
        say("  " + tr("ID {id}", id=bundle.id))
        for line in _lines(folder, bundle):
            say(f"  {line}")
    for file in release.files:
        if file.bundle is None:
            absent = "" if file.name in folder.paths else tr(", not here")
            say(f"{_ROLES.get(file.role, file.role)}: {file.name}, {human(file.size)}{absent}")


def _title(bundle: ReleaseBundle) -> str:
    size = human(bundle.size)
    if bundle.since is None:
        return tr("full bundle, {size}", size=size)
    return tr("for a site with {version}: {size}", version=bundle.since.version, size=size)


def _lines(folder: ReleaseAtHand, bundle: ReleaseBundle) -> list[str]:
    files = {file.name: file for file in folder.release.files}
    lines = []
    for name in (*bundle.files, *bundle.parity, *bundle.dossier):
        reason = folder.refused.get(name) or tr("not here")
        absent = "" if name in folder.paths else f", {reason}"
        lines.append(f"{name}, {human(files[name].size)}{absent}")
    return lines
