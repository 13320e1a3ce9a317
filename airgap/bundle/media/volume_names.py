# SPDX-License-Identifier: Apache-2.0
"""The names and sizes of volumes.

All numbers of a bundle's volumes have the same width, so that the names sort in order and ``cat NAME.[0-9]*`` joins
them. (``NAME.*`` would also match the file of checksums.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.media.checksums import checksums_path, read_checksums
from airgap.errors import UsageError
from airgap.i18n import tr

#: Bytes that stay free in the last volume, so that a signature can be added without a new volume.
SIGNATURE_ROOM = 64 * 1024
MIN_VOLUME = 1024 * 1024
#: FAT32 stores file sizes in 32 bits.
_NAMED_SIZES = {"fat32": 4 * 1024**3 - 1}
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?", re.IGNORECASE)
DEFAULT_PATTERN = "{name}.{number}"
#: More volumes than any bundle has. Files with higher numbers are other files, such as one with a date in its name.
MAX_VOLUMES = 100_000
_PARITY = re.compile(r".+\.p\d{3}")
_NUMBERED = re.compile(r"(?P<base>.+)\.(?P<number>\d{3,})", re.ASCII)


def parse_volume_size(text: str) -> int:
    """Return the bytes that ``4.7GB``, ``25GiB`` or ``fat32`` stands for. Raises :class:`UsageError`."""
    size = parse_size(text, volume=True)
    if size < MIN_VOLUME:
        raise UsageError(
            tr("a volume of {size:,} bytes is too small", size=size),
            hint=tr("at least {min_volume:,} bytes", min_volume=MIN_VOLUME),
        )
    return size


def parse_size(text: str, *, volume: bool = False) -> int:
    """Return the bytes, at least one, of the size of a file, or of a ``volume``, as :func:`parse_volume_size` does."""
    named = _NAMED_SIZES.get(text.strip().lower())
    if named is not None:
        return named
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if match is None or (size < 1 and not volume):
        what = (
            tr("{text!r} is no size of a volume", text=text)
            if volume
            else tr("{text!r} is no size of a file", text=text)
        )
        raise UsageError(what, hint=tr("such as 4.7GB, 25GiB or fat32"))
    return size


def check_pattern(pattern: str) -> str:
    """Return ``pattern``. Raises :class:`UsageError` if two volumes would get the same name or a name with a slash."""
    try:
        first, second = (pattern.format(name="n", number=number) for number in ("1", "2"))
    except (KeyError, IndexError, ValueError, AttributeError):
        first = second = ""
    if first == second or "n" not in first or "/" in first:
        raise UsageError(
            tr("{pattern!r} is no pattern for the names of volumes", pattern=pattern),
            hint=tr("such as '{name}.{number}', the default"),
        )
    return pattern


def volume_paths(path: Path, total: int, size: int, pattern: str = DEFAULT_PATTERN) -> list[Path]:
    """Return the paths of the volumes, in order, for a tar of ``total`` bytes in volumes of ``size`` bytes."""
    count = max(1, -(-(total + SIGNATURE_ROOM) // size))
    width = max(3, len(str(count)))
    return [
        path.with_name(pattern.format(name=path.name, number=f"{number:0{width}}")) for number in range(1, count + 1)
    ]


def is_parity_name(name: str) -> bool:
    """Whether a file name is that of a parity volume, such as ``bundle.tar.p001``."""
    return _PARITY.fullmatch(name) is not None


def bundle_name(path: str) -> str:
    """Return the bundle's file name without a volume number; ``bundle`` for standard input."""
    if path == "-":
        return "bundle"
    match = _NUMBERED.fullmatch(Path(path).name)
    return match["base"] if match else Path(path).name


def bundle_path(volume: Path) -> Path:
    """Return the path of the bundle that a volume belongs to: by the file of checksums that lists it, or its name."""
    for checksums in sorted(volume.parent.glob("*.sha256")):
        if volume.name in read_checksums(checksums):
            return checksums.with_suffix("")
    return volume.with_name(bundle_name(str(volume)))


def sibling_volumes(path: Path) -> list[Path] | None:
    """Return all volumes of the bundle that ``path`` belongs to, in order; ``None`` if it is no volume.

    A ``.sha256`` file in the same folder lists all of them, whether or not they exist. Without one, the volumes are
    numbered up to the highest number in the folder.
    """
    for checksums in sorted(path.parent.glob("*.sha256")):
        names = [name for name in read_checksums(checksums) if not is_parity_name(name)]
        if path.name in names and _are_volumes(names, checksums.name.removesuffix(".sha256")):
            return [path.with_name(name) for name in names]
    match = _NUMBERED.fullmatch(path.name)
    if match is None or not _is_volume_number(match["number"]):
        return None
    width, base = len(match["number"]), match["base"]
    numbers = [int(match["number"])]
    for file in path.parent.iterdir():
        numbered = _NUMBERED.fullmatch(file.name)
        if numbered is not None and numbered["base"] == base and len(numbered["number"]) == width:
            numbers.append(int(numbered["number"]))
    numbers = [number for number in numbers if 0 < number <= MAX_VOLUMES]
    return [path.with_name(f"{base}.{number:0{width}}") for number in range(1, max(numbers) + 1)]


def volumes_called(path: Path) -> list[Path] | None:
    """Return all volumes of the bundle ``path``, in order, if no file has that name; ``None`` if there are none.

    They are found as :func:`sibling_volumes` finds them.
    """
    if path.exists() or not path.parent.is_dir():
        return None
    listed = [name for name in read_checksums(checksums_path(path)) if not is_parity_name(name)]
    first = next((path.with_name(name) for name in listed if path.with_name(name).exists()), None)
    if first is not None:
        return sibling_volumes(first)
    numbered = [file for file in sorted(path.parent.iterdir()) if bundle_name(str(file)) == path.name]
    return next((volumes for file in numbered if (volumes := sibling_volumes(file)) is not None), None)


def _is_volume_number(digits: str) -> bool:
    return len(digits) <= len(str(MAX_VOLUMES)) and 0 < int(digits) <= MAX_VOLUMES


def _are_volumes(names: Sequence[str], bundle: str) -> bool:
    """Whether the names differ only in their digits and contain the bundle's name.

    Users also list several whole bundles in one file of checksums.
    """
    without_digits = {re.sub(r"\d+", "#", name.replace(bundle, "/", 1)) for name in names}
    return len(names) > 1 and len(without_digits) == 1 and "/" in without_digits.pop()
