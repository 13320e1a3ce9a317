# SPDX-License-Identifier: Apache-2.0
"""The record that rewriting leaves beside what it wrote, and turning files back by it.

One JSON line a change: ``file`` (as it was called), ``line``, ``offset``, ``before``, ``after``, then ``name``, the
file below the record's folder, and ``sha256`` of the file's content after that run. Runs on one file follow one
another, and are undone from the last to the first. A file that was edited since is refused by its sum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from airgap import kube
from airgap.durable import replace_file
from airgap.errors import AirgapError, ResourceError, raise_all
from airgap.flows.rewrite import RewrittenFile
from airgap.records import Record, as_dict

#: A name that ``kubectl apply -f DIR`` passes over.
RECORD = ".airgap-rewrite.log"
_KEYS = ("file", "line", "offset", "before", "after")


class Entry(Record):
    """One change of the file ``name`` in the run that left it with ``sha256``."""

    name: str
    sha256: str
    change: kube.Change


class Reverted(Record):
    """``file`` is what is to be written; ``record`` what its folder's record is then, ``name`` the file in it."""

    file: RewrittenFile
    record: Path
    name: str


def lines(name: str, after: bytes, changes: Sequence[kube.Change]) -> str:
    """The record of one file's run."""
    extra = {"name": name, "sha256": _sum(after)}
    return "".join(json.dumps(as_dict(change) | extra, ensure_ascii=False) + "\n" for change in changes)


def read(path: Path) -> list[Entry]:
    """Every change in the order in which they were made; raise ResourceError with the line that is no record."""
    entries = []
    try:
        content = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceError("this record cannot be read", where=str(path)) from error
    for number, line in enumerate(content.split("\n"), 1):
        if not line:
            continue
        try:
            found = json.loads(line)
            texts = [found[key] for key in ("file", "before", "after", "name", "sha256")]
            numbers = [found[key] for key in ("line", "offset")]
            if not all(type(one) is str for one in texts) or not all(type(one) is int for one in numbers):
                raise ValueError
            change = kube.Change(**{key: found[key] for key in _KEYS})
        except (ValueError, KeyError, TypeError) as error:
            raise ResourceError("this line is no record of a rewriting", where=f"{path}:{number}") from error
        entries.append(Entry(found["name"], found["sha256"], change))
    return entries


def revert(files: Sequence[kube.ResourceFile]) -> list[Reverted]:
    """What ``files`` were before they were rewritten. Those that no record names are passed over; raises ResourceError
    where none is named, and for files that were edited since."""
    found: list[Reverted] = []
    errors: list[AirgapError] = []
    for file in files:
        if (place := _recorded(Path(file.path))) is None:
            continue
        record, name, entries = place
        try:
            content = _turned_back(file, entries)
        except ResourceError as error:
            errors.append(error)
            continue
        changes = tuple(entry.change for entry in entries)
        found.append(Reverted(RewrittenFile(file.name, file.path, file.content, content, changes), record, name))
    raise_all(errors)
    if not found:
        raise ResourceError(
            "no record of a rewriting names these files",
            where=", ".join(file.path for file in files),
            hint=f"{RECORD} must lie beside them or in a folder above",
        )
    return found


def forget(reverted: Sequence[Reverted]) -> None:
    """Take what was turned back in place out of its record; an empty record is removed."""
    for record in dict.fromkeys(one.record for one in reverted):
        gone = {one.name for one in reverted if one.record == record}
        every = record.read_text("utf-8").split("\n")
        kept = [line for line in every if line and json.loads(line)["name"] not in gone]
        if kept:
            replace_file(record, ("\n".join(kept) + "\n").encode())
        else:
            record.unlink()


def _recorded(path: Path) -> tuple[Path, str, list[Entry]] | None:
    """The nearest record at or above the file that names it."""
    real = path.resolve()
    for folder in real.parents:
        record = folder / RECORD
        if record.is_file():
            name = real.relative_to(folder).as_posix()
            entries = [entry for entry in read(record) if entry.name == name]
            if entries:
                return record, name, entries
    return None


def _turned_back(file: kube.ResourceFile, entries: Sequence[Entry]) -> bytes:
    content = file.content
    waiting = list(entries)
    while waiting:
        sum_ = waiting[-1].sha256
        run = [entry for entry in waiting if entry.sha256 == sum_]
        start = len(waiting) - len(run)
        if _sum(content) != sum_ or any(entry.sha256 != sum_ for entry in waiting[start:]):
            raise ResourceError(
                "the file has been edited since it was rewritten",
                where=file.path,
                hint="restore the file from before the rewriting, or change it by hand",
            )
        content = kube.revert(content, [entry.change for entry in run])
        waiting = waiting[:start]
    return content


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
