# SPDX-License-Identifier: Apache-2.0
"""The record of a rewriting (``.airgap-rewrite.log``), and reverting files by it.

One JSON line for each change: ``file`` (its path as the user gave it), ``line``, ``offset``, ``before``, ``after``;
``name``, the file's path relative to the record's folder; ``sha256`` and ``sha256_before``, the digests of the file
after and before the run; and ``first`` if the run made the file anew (``--output``) instead of changing it in place.
Records of version 0.1.0 have neither ``sha256_before`` nor ``first``.

A record is written before the files that it is about. After a crash its last runs may therefore not have reached
their file. The file's digest shows how far it came, and later runs are ignored. ``--revert`` undoes runs from the
last to the first and refuses a file that matches none of them: it has been edited.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from airgap.durable import replace_file
from airgap.errors import AirgapError, OutputError, ResourceError, raise_all
from airgap.kube.files import ResourceFile
from airgap.kube.model import Change
from airgap.kube.rewrite.files import RewrittenFile
from airgap.kube.rewrite.rewriter import revert as revert_changes
from airgap.records import Record, as_dict

#: ``kubectl apply -f DIR`` ignores a name with this ending.
RECORD = ".airgap-rewrite.log"
_KEYS = ("file", "line", "offset", "before", "after")


class Entry(Record):
    """One line of a record."""

    name: str
    sha256: str
    change: Change
    sha256_before: str
    first: bool
    #: The line as it is in the record, without its end.
    text: str


_Run = list[Entry]


class Reverted(Record):
    """``file`` is what is to be written; ``names`` what it is called in each record that it was reverted by."""

    file: RewrittenFile
    names: Mapping[Path, frozenset[str]]


def read(path: Path) -> list[Entry]:
    """Every change in the order in which they were made. Raises ResourceError with the line that is not valid, and for
    names that lead out of the record's folder."""
    if path.is_symlink():
        raise ResourceError("this record is a link, so it is not used", where=str(path))
    entries = []
    try:
        content = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ResourceError("this record cannot be read", where=str(path)) from error
    for number, line in enumerate(content.split("\n"), 1):
        if not line:
            continue
        try:
            entry = _entry(line)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ResourceError("this line is no record of a rewriting", where=f"{path}:{number}") from error
        if entry.name.startswith("/") or ".." in PurePosixPath(entry.name).parts:
            raise ResourceError(f"the name {entry.name!r} leads out of the record's folder", where=f"{path}:{number}")
        entries.append(entry)
    return entries


def note(log: Path, files: Sequence[tuple[str, RewrittenFile, bytes | None]], *, first: bool) -> None:
    """Add a run to a record, before it is written to its files. Each file comes with its name and its present content
    (``None``: it does not exist). Earlier runs stay as far as the present content is reverted by them; with ``first``
    the run does not build on them. Called again when all files are written, it drops the runs that no longer serve.
    """
    there = read(log) if log.is_symlink() or log.exists() else []
    runs = _runs(there)
    noted = {name for name, _, _ in files}
    lines = [entry.text for entry in there if entry.name not in noted]
    for name, file, content in files:
        earlier = runs.get(name, [])
        if content is None or (first and content == file.after):
            chain: list[_Run] | None = []
        else:
            chain = _in_force(earlier, content)
        if chain is None:
            # The file has been edited. Runs that are made in place stay on top of one another: reverting is refused.
            chain = [] if first else earlier
        lines += [entry.text for run in chain for entry in run]
        lines += _lines(name, file, first=first, even_unchanged=bool(chain))
    _write(log, lines)


def revert(files: Sequence[ResourceFile], paths: Iterable[str]) -> list[Reverted]:
    """What ``files``, read from the ``paths`` that the user gave, were before they were rewritten. Only records at or
    below a given folder are read, and that of a file's own folder. Files that no record names are skipped. Raises
    ResourceError if none is named, and for files that have been edited since."""
    folders = [Path(path).resolve() for path in paths if os.path.isdir(path)]
    records: dict[Path, dict[Path, list[Entry]]] = {}
    reverted: list[Reverted] = []
    errors: list[AirgapError] = []
    for file in files:
        if file.path == "-" or not (places := _recorded(Path(file.path).resolve(), folders, records)):
            continue
        try:
            content, changes = _reverted(file, [entry for entries in places.values() for entry in entries])
        except ResourceError as error:
            errors.append(error)
            continue
        names = {record: frozenset(entry.name for entry in entries) for record, entries in places.items()}
        reverted.append(Reverted(RewrittenFile(file.name, file.path, file.content, content, changes), names))
    raise_all(errors)
    if not reverted:
        raise ResourceError(
            "no record of a rewriting names these files",
            where=", ".join(file.path for file in files),
            hint=f"give the folder that holds {RECORD}; folders above the one that is given are not searched",
        )
    return reverted


def forget(reverted: Sequence[Reverted]) -> None:
    """Remove files that were reverted in place from their records; an empty record is deleted."""
    gone: dict[Path, set[str]] = {}
    for item in reverted:
        for record, names in item.names.items():
            gone.setdefault(record, set()).update(names)
    for record in gone:
        _write(record, [entry.text for entry in read(record) if entry.name not in gone[record]])


def _entry(line: str) -> Entry:
    """Raises ValueError, KeyError or TypeError for a line that is not valid, or holds what cannot be written."""
    fields = json.loads(line)
    texts = [fields[key] for key in ("file", "before", "after", "name", "sha256")]
    texts.append(sha256_before := fields.get("sha256_before", ""))
    numbers = [fields[key] for key in ("line", "offset")]
    first = fields.get("first", False)
    if not all(type(text) is str for text in texts) or not all(type(number) is int for number in numbers):
        raise ValueError
    if not fields["name"] or "\0" in fields["name"] or type(first) is not bool:
        raise ValueError
    change = Change(**{key: fields[key] for key in _KEYS})
    os.fsencode(fields["name"])
    (change.before + change.after).encode()
    return Entry(fields["name"], fields["sha256"], change, sha256_before, first, line)


def _lines(name: str, file: RewrittenFile, *, first: bool, even_unchanged: bool) -> list[str]:
    """A run of one file. One without changes has a line only if the runs before it would be taken for its own."""
    changes = file.changes
    if not changes and even_unchanged:
        changes = (Change(file.path, 1, 0, "", ""),)
    run: dict[str, object] = {"name": name, "sha256": _sum(file.after), "sha256_before": _sum(file.before)}
    if first:
        run["first"] = True
    return [json.dumps(as_dict(change) | run, ensure_ascii=False) for change in changes]


def _write(log: Path, lines: Sequence[str]) -> None:
    """Make these the lines of the record; without lines there is no record."""
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    try:
        if not content:
            log.unlink(missing_ok=True)
        elif not log.exists() or log.read_bytes() != content:
            replace_file(log, content)
    except OSError as error:
        raise OutputError(f"cannot write the record: {error.strerror}", where=str(log)) from error


def _runs(entries: Sequence[Entry]) -> dict[str, list[_Run]]:
    """The runs of each name."""
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry)
    return {name: _split(same_name) for name, same_name in by_name.items()}


def _split(entries: Sequence[Entry]) -> list[_Run]:
    """The runs of one file. Inside a run the digests are the same and the offsets rise."""
    runs: list[_Run] = []
    last = None
    for entry in entries:
        if (
            last is not None
            and (last.sha256, last.sha256_before, last.first) == (entry.sha256, entry.sha256_before, entry.first)
            and last.change.offset < entry.change.offset
        ):
            runs[-1].append(entry)
        else:
            runs.append([entry])
        last = entry
    return runs


def _in_force(runs: Sequence[_Run], content: bytes) -> list[_Run] | None:
    """The runs that made ``content``, in order; ``None`` if it has been edited since."""
    digest = _sum(content)
    for count in range(len(runs), -1, -1):
        if count and runs[count - 1][0].sha256 == digest:
            break
        if count < len(runs) and runs[count][0].sha256_before == digest:
            if runs[count][0].first:
                return []
            break
    else:
        return None
    start = max((index for index in range(count) if runs[index][0].first), default=0)
    return list(runs[start:count])


def _recorded(
    file: Path, folders: Sequence[Path], records: dict[Path, dict[Path, list[Entry]]]
) -> dict[Path, list[Entry]]:
    """The entries of ``file`` in each record that names it. The one in its own folder comes last: ``--output`` writes
    one for the whole folder, and rewriting in place then adds one beside the file. ``records`` keeps what was read."""
    places: dict[Path, list[Entry]] = {}
    for folder in file.parents:
        if folder != file.parent and not any(folder.is_relative_to(given) for given in folders):
            break
        record = folder / RECORD
        if record not in records:
            records[record] = _by_file(record) if record.is_symlink() or record.exists() else {}
        if entries := records[record].get(file):
            places = {record: entries, **places}
    return places


def _by_file(record: Path) -> dict[Path, list[Entry]]:
    """The entries of a record by the files that they are about; a name that leads out through a link is refused."""
    entries: dict[Path, list[Entry]] = {}
    places: dict[str, Path] = {}
    for entry in read(record):
        if entry.name not in places:
            places[entry.name] = place = Path(os.path.realpath(record.parent / entry.name))
            if not place.is_relative_to(record.parent):
                raise ResourceError(f"the name {entry.name!r} leads out of the record's folder", where=str(record))
        entries.setdefault(places[entry.name], []).append(entry)
    return entries


def _reverted(file: ResourceFile, entries: Sequence[Entry]) -> tuple[bytes, tuple[Change, ...]]:
    """The file's first content, and the changes that were undone."""
    content = file.content
    changes: list[Change] = []
    every = _split(entries)
    runs = _in_force(every, content)
    for run in reversed(every if runs is None else runs):
        if _sum(content) != run[0].sha256:
            raise ResourceError(
                "the file has been edited since it was rewritten",
                where=file.path,
                hint="restore the file from before the rewriting, or change it by hand",
            )
        undone = [entry.change for entry in run]
        content = revert_changes(content, undone)
        if run[0].sha256_before not in ("", _sum(content)):
            raise ResourceError(
                "the record does not give the bytes that the file had",
                where=file.path,
                hint="the record has been changed: restore the file from before the rewriting",
            )
        changes = [*undone, *changes]
    return content, tuple(changes)


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
