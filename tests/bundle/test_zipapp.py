# SPDX-License-Identifier: Apache-2.0
"""``airgap.pyz``: unpacked, its files and folders have the usual modes."""

from __future__ import annotations

import io
import zipfile

from airgap.bundle.zipapp import build_zipapp

MSDOS_DIRECTORY = 0x10


def test_modes_of_files_and_folders() -> None:
    with zipfile.ZipFile(io.BytesIO(build_zipapp())) as archive:
        attributes = {(entry.is_dir(), entry.external_attr) for entry in archive.infolist()}
    assert attributes == {(True, 0o040755 << 16 | MSDOS_DIRECTORY), (False, 0o100644 << 16)}


def test_what_dependencies_need_is_in_it() -> None:
    """cheroot needs more_itertools, and jaraco.functools, which needs it too."""
    with zipfile.ZipFile(io.BytesIO(build_zipapp())) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {"cheroot", "more_itertools", "jaraco", "rich", "click", "yaml"} <= tops
