# SPDX-License-Identifier: Apache-2.0
"""Reads the key ``release`` of ``airgap.yaml``: what ``airgap release`` does unless options say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airgap.bundle.media.volume_names import parse_volume_size
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectReader

#: The most parity volumes that can be asked for.
MOST_PARITY = 100


class ReleaseSettings(Record):
    """``volume_size`` is in bytes, 0 for none; ``parity`` the number of parity volumes; ``sign`` the files of keys."""

    volume_size: int = 0
    parity: int = 0
    sign: Sequence[str] = ()


def read_release_settings(reader: ProjectReader, node: Any) -> ReleaseSettings:
    """Return the settings of the key's value. Raises :class:`UsageError`."""
    values = reader.mapping(node, ("volume_size", "parity", "sign"))
    keys: Sequence[Any] = ()
    if "sign" in values:
        keys = reader.items(values["sign"]) if values["sign"].id == "sequence" else [values["sign"]]
    return ReleaseSettings(
        reader.parsed(values["volume_size"], parse_volume_size) if "volume_size" in values else 0,
        _parity(reader, values["parity"]) if "parity" in values else 0,
        [str(reader.folder / reader.text(key)) for key in keys],
    )


def _parity(reader: ProjectReader, node: Any) -> int:
    text = reader.text(node)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_PARITY):
        raise UsageError(
            tr("{text!r} is no number from 1 to {most}", text=text[:80], most=MOST_PARITY), where=reader.where(node)
        )
    return int(text)
