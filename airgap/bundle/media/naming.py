# SPDX-License-Identifier: Apache-2.0
"""What volumes are called and how large they may be. Numbers have one width, so that names sort as they count and
``cat NAME.[0-9]*`` joins them; the checksums' file would be caught by ``NAME.*``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.sums import read_sums
from airgap.errors import UsageError

#: Left free in the last volume, so that a signature can be added without a new volume.
SIGNATURE_ROOM = 64 * 1024
MIN_VOLUME = 1024 * 1024
#: FAT32 holds no file of 4 GiB (its sizes are 32 bits wide).
_NAMED = {"fat32": 4 * 1024**3 - 1}
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?", re.IGNORECASE)
DEFAULT_PATTERN = "{name}.{number}"
_DIGITS = re.compile(r"(?P<base>.+)\.(?P<number>\d{3,})")


def volume_size(text: str) -> int:
    """Bytes of ``4.7GB``, ``25GiB`` or ``fat32``. Raises :class:`UsageError`."""
    named = _NAMED.get(text.strip().lower())
    if named is not None:
        return named
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no size of a volume", hint="such as 4.7GB, 25GiB or fat32")
    size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size < MIN_VOLUME:
        raise UsageError(f"a volume of {size:,} bytes is too small", hint=f"at least {MIN_VOLUME:,} bytes")
    return size


def check_pattern(pattern: str) -> str:
    """A pattern of names as it is. Raises :class:`UsageError` for one that would not tell volumes apart."""
    try:
        one, two = (pattern.format(name="n", number=number) for number in ("1", "2"))
    except (KeyError, IndexError, ValueError, AttributeError):
        one = two = ""
    if one == two or "n" not in one or "/" in one:
        raise UsageError(
            f"{pattern!r} is no pattern for the names of volumes", hint="such as '{name}.{number}', the default"
        )
    return pattern


def names_of(path: Path, total: int, size: int, pattern: str = DEFAULT_PATTERN) -> list[Path]:
    """The volumes' names, in order, for a tar of ``total`` bytes."""
    count = max(1, -(-(total + SIGNATURE_ROOM) // size))
    width = max(3, len(str(count)))
    return [path.with_name(pattern.format(name=path.name, number=f"{n:0{width}}")) for n in range(1, count + 1)]


def bundle_name(path: str) -> str:
    """What people call the bundle that ``path`` is, or is a volume of."""
    if path == "-":
        return "bundle"
    match = _DIGITS.fullmatch(Path(path).name)
    return match["base"] if match else Path(path).name


def _are_volumes(names: Sequence[str], bundle: str) -> bool:
    """Whether a list of checksums is one of volumes: anybody may list several bundles in such a file too."""
    alike = {re.sub(r"\d+", "#", name.replace(bundle, "/", 1)) for name in names}
    return len(names) > 1 and len(alike) == 1 and "/" in alike.pop()


def siblings_of(path: Path) -> list[Path] | None:
    """The volumes that belong to ``path``, in order, whether or not they are there; ``None`` if it is no volume.

    The checksums know all of them; without these, those that lie beside it, up to the highest number.
    """
    for listed in sorted(path.parent.glob("*.sha256")):
        names = read_sums(listed)
        if path.name in names and _are_volumes(list(names), listed.name.removesuffix(".sha256")):
            return [path.with_name(name) for name in names]
    match = _DIGITS.fullmatch(path.name)
    if match is None:
        return None
    width, base = len(match["number"]), match["base"]
    numbers = [int(match["number"])]
    for other in path.parent.iterdir():
        found = _DIGITS.fullmatch(other.name)
        if found is not None and found["base"] == base and len(found["number"]) == width:
            numbers.append(int(found["number"]))
    return [path.with_name(f"{base}.{number:0{width}}") for number in range(1, max(numbers) + 1)]
