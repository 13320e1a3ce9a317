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
from airgap.kube.model import Edit
from airgap.kube.rewrite.file_set import RewrittenFile
from airgap.kube.rewrite.rewriter import revert_content
from airgap.records import Record, as_dict

#: ``kubectl apply -f DIR`` ignores a name with this ending.
REWRITE_LOG = ".airgap-rewrite.log"
_KEYS = ("file", "line", "offset", "before", "after")


class LogEntry(Record):
    """One line of a record."""

    name: str
    sha256: str
    edit: Edit
    sha256_before: str
    first: bool
    #: The line as it is in the record, without its end.
    text: str


_Run = list[LogEntry]


class RevertedFile(Record):
    """``file`` is what is to be written; ``names`` what it is called in each record that it was reverted by."""

    file: RewrittenFile
    names: Mapping[Path, frozenset[str]]


def read_log(path: Path) -> list[LogEntry]:
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
            entry = _parse_entry(line)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ResourceError("this line is no record of a rewriting", where=f"{path}:{number}") from error
        if entry.name.startswith("/") or ".." in PurePosixPath(entry.name).parts:
            raise ResourceError(f"the name {entry.name!r} leads out of the record's folder", where=f"{path}:{number}")
        entries.append(entry)
    return entries


def append_run(log: Path, files: Sequence[tuple[str, RewrittenFile, bytes | None]], *, first: bool) -> None:
    """Add a run to a record, before it is written to its files. Each file comes with its name and its present content
    (``None``: it does not exist). Earlier runs stay as far as the present content is reverted by them; with ``first``
    the run does not build on them. Called again when all files are written, it drops the runs that no longer serve.
    """
    logged_entries = read_log(log) if log.is_symlink() or log.exists() else []
    runs = _runs_by_name(logged_entries)
    names = {name for name, _, _ in files}
    lines = [entry.text for entry in logged_entries if entry.name not in names]
    for name, file, content in files:
        earlier = runs.get(name, [])
        if content is None or (first and content == file.after):
            chain: list[_Run] | None = []
        else:
            chain = _runs_behind(earlier, content)
        if chain is None:
            # The file has been edited. Runs that are made in place stay on top of one another: reverting is refused.
            chain = [] if first else earlier
        lines += [entry.text for run in chain for entry in run]
        lines += _run_lines(name, file, first=first, mark_unchanged=bool(chain))
    _write_log(log, lines)


def revert_files(files: Sequence[ResourceFile], paths: Iterable[str]) -> list[RevertedFile]:
    """What ``files``, read from the ``paths`` that the user gave, were before they were rewritten. Only records at or
    below a given folder are read, and that of a file's own folder. Files that no record names are skipped. Raises
    ResourceError if none is named, and for files that have been edited since."""
    folders = [Path(path).resolve() for path in paths if os.path.isdir(path)]
    logs: dict[Path, dict[Path, list[LogEntry]]] = {}
    reverted: list[RevertedFile] = []
    errors: list[AirgapError] = []
    for file in files:
        if file.path == "-" or not (places := _entries_of_file(Path(file.path).resolve(), folders, logs)):
            continue
        try:
            content, edits = _revert_file(file, [entry for entries in places.values() for entry in entries])
        except ResourceError as error:
            errors.append(error)
            continue
        names = {log: frozenset(entry.name for entry in entries) for log, entries in places.items()}
        reverted.append(RevertedFile(RewrittenFile(file.name, file.path, file.content, content, edits), names))
    raise_all(errors)
    if not reverted:
        raise ResourceError(
            "no record of a rewriting names these files",
            where=", ".join(file.path for file in files),
            hint=f"give the folder that holds {REWRITE_LOG}; folders above the one that is given are not searched",
        )
    return reverted


def remove_reverted(reverted: Sequence[RevertedFile]) -> None:
    """Remove files that were reverted in place from their records; an empty record is deleted."""
    gone: dict[Path, set[str]] = {}
    for item in reverted:
        for log, names in item.names.items():
            gone.setdefault(log, set()).update(names)
    for log in gone:
        _write_log(log, [entry.text for entry in read_log(log) if entry.name not in gone[log]])


def _parse_entry(line: str) -> LogEntry:
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
    edit = Edit(**{key: fields[key] for key in _KEYS})
    os.fsencode(fields["name"])
    (edit.before + edit.after).encode()
    return LogEntry(fields["name"], fields["sha256"], edit, sha256_before, first, line)


def _run_lines(name: str, file: RewrittenFile, *, first: bool, mark_unchanged: bool) -> list[str]:
    """A run of one file. One without changes has a line only if the runs before it would be taken for its own."""
    edits = file.edits
    if not edits and mark_unchanged:
        edits = (Edit(file.path, 1, 0, "", ""),)
    run: dict[str, object] = {"name": name, "sha256": _sha256(file.after), "sha256_before": _sha256(file.before)}
    if first:
        run["first"] = True
    return [json.dumps(as_dict(edit) | run, ensure_ascii=False) for edit in edits]


def _write_log(log: Path, lines: Sequence[str]) -> None:
    """Make these the lines of the record; without lines there is no record."""
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    try:
        if not content:
            log.unlink(missing_ok=True)
        elif not log.exists() or log.read_bytes() != content:
            replace_file(log, content)
    except OSError as error:
        raise OutputError(f"cannot write the record: {error.strerror}", where=str(log)) from error


def _runs_by_name(entries: Sequence[LogEntry]) -> dict[str, list[_Run]]:
    """The runs of each name."""
    by_name: dict[str, list[LogEntry]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry)
    return {name: _split_runs(same_name) for name, same_name in by_name.items()}


def _split_runs(entries: Sequence[LogEntry]) -> list[_Run]:
    """The runs of one file. Inside a run the digests are the same and the offsets rise."""
    runs: list[_Run] = []
    last = None
    for entry in entries:
        if (
            last is not None
            and (last.sha256, last.sha256_before, last.first) == (entry.sha256, entry.sha256_before, entry.first)
            and last.edit.offset < entry.edit.offset
        ):
            runs[-1].append(entry)
        else:
            runs.append([entry])
        last = entry
    return runs


def _runs_behind(runs: Sequence[_Run], content: bytes) -> list[_Run] | None:
    """The runs that made ``content``, in order; ``None`` if it has been edited since."""
    digest = _sha256(content)
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


def _entries_of_file(
    file: Path, folders: Sequence[Path], logs: dict[Path, dict[Path, list[LogEntry]]]
) -> dict[Path, list[LogEntry]]:
    """The entries of ``file`` in each record that names it. The one in its own folder comes last: ``--output`` writes
    one for the whole folder, and rewriting in place then adds one beside the file. ``records`` keeps what was read."""
    places: dict[Path, list[LogEntry]] = {}
    for folder in file.parents:
        if folder != file.parent and not any(folder.is_relative_to(given) for given in folders):
            break
        log = folder / REWRITE_LOG
        if log not in logs:
            logs[log] = _entries_by_file(log) if log.is_symlink() or log.exists() else {}
        if entries := logs[log].get(file):
            places = {log: entries, **places}
    return places


def _entries_by_file(log: Path) -> dict[Path, list[LogEntry]]:
    """The entries of a record by the files that they are about; a name that leads out through a link is refused."""
    entries: dict[Path, list[LogEntry]] = {}
    places: dict[str, Path] = {}
    for entry in read_log(log):
        if entry.name not in places:
            places[entry.name] = place = Path(os.path.realpath(log.parent / entry.name))
            if not place.is_relative_to(log.parent):
                raise ResourceError(f"the name {entry.name!r} leads out of the record's folder", where=str(log))
        entries.setdefault(places[entry.name], []).append(entry)
    return entries


def _revert_file(file: ResourceFile, entries: Sequence[LogEntry]) -> tuple[bytes, tuple[Edit, ...]]:
    """The file's first content, and the changes that were undone."""
    content = file.content
    edits: list[Edit] = []
    every = _split_runs(entries)
    runs = _runs_behind(every, content)
    for run in reversed(every if runs is None else runs):
        if _sha256(content) != run[0].sha256:
            raise ResourceError(
                "the file has been edited since it was rewritten",
                where=file.path,
                hint="restore the file from before the rewriting, or change it by hand",
            )
        undone = [entry.edit for entry in run]
        content = revert_content(content, undone)
        if run[0].sha256_before not in ("", _sha256(content)):
            raise ResourceError(
                "the record does not give the bytes that the file had",
                where=file.path,
                hint="the record has been changed: restore the file from before the rewriting",
            )
        edits = [*undone, *edits]
    return content, tuple(edits)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
