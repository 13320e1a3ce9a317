# SPDX-License-Identifier: Apache-2.0
"""The signatures of a bundle: those in it, and those in files beside it.

Beside ``BUNDLE`` they are called ``BUNDLE.minisig`` and ``BUNDLE.p7s``, or ``BUNDLE.KEYID.minisig`` for further ones.
All of them sign the bytes of ``airgap/bundle.json``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.volume_names import bundle_name
from airgap.bundle.reader import BundleReader
from airgap.bundle.tail import MAX_SIGNATURE, SIGNATURES_FOLDER
from airgap.trust.files import read_small_file
from airgap.trust.policy import SignatureFile

_SUFFIXES = r"(\.[0-9A-Fa-f]{16})?\.(minisig|p7s)"


def find_signatures(bundle: BundleReader, files: Sequence[Path] = ()) -> list[SignatureFile]:
    """Return the signatures beside the bundle, in the given files, and in the bundle.

    Those in the bundle are left out where they come last (:attr:`BundleReader.signatures_come_last`). Raises
    :class:`airgap.errors.UsageError` for a file that cannot be read.
    """
    beside = [] if bundle.is_standard_input else sidecars(bundle.path)
    by_place = {path.absolute(): path for path in (*beside, *files)}
    found = [SignatureFile(str(path), read_small_file(path, MAX_SIGNATURE)) for path in by_place.values()]
    return found if bundle.signatures_come_last else [*found, *inner_signatures(bundle)]


def inner_signatures(bundle: BundleReader) -> list[SignatureFile]:
    """Return the signatures in the bundle; where they come last, only after its blobs were read."""
    return [
        SignatureFile(f"{bundle.path}: {SIGNATURES_FOLDER}{name}", content, name)
        for name, content in bundle.signatures().items()
    ]


def sidecars(path: Path) -> list[Path]:
    """Return the files of signatures beside the bundle ``path``, which may be one of its volumes."""
    name = bundle_name(str(path))
    try:
        files = sorted(path.parent.iterdir())
    except OSError:
        return []
    return [file for file in files if file.name.startswith(name) and re.fullmatch(_SUFFIXES, file.name[len(name) :])]


def sidecar_for(path: Path, member: str) -> Path:
    """Return the file beside the bundle ``path`` for the signature that is called ``member`` in a bundle.

    The plain name is taken if it is free or has a signature by the same key.
    """
    key, _, suffix = member.rpartition(".")
    plain = path.with_name(f"{bundle_name(str(path))}.{suffix}")
    longer = path.with_name(f"{bundle_name(str(path))}.{key}.{suffix}")
    if longer.exists():
        return longer
    if not plain.exists():
        return plain
    return plain if suffix == "minisig" and _key_of(plain) == key else longer


def _key_of(path: Path) -> str:
    from airgap.errors import AirgapError
    from airgap.trust.minisign import Signature

    try:
        return Signature.from_bytes(read_small_file(path, MAX_SIGNATURE), where=str(path)).id
    except AirgapError:
        return ""
