# SPDX-License-Identifier: Apache-2.0
"""The log of rewrites (``.airgap-rewrite.log``), and reverting files with it.

The log has one JSON line for each edit: ``file`` (the path that the user gave), ``line``, ``offset``, ``before``,
``after``; ``name``, the file's path relative to the log's folder; ``sha256`` and ``sha256_before``, the digests of the
file after and before the run; ``first`` if the run created the file (``--output``) instead of editing it in place; and
``bundle``, the ID of the bundle that an import took the file from. An import records files without edits too.
Logs of version 0.1.0 have neither ``sha256_before`` nor ``first``.

The log is written before its files. After a crash the last runs in it may therefore not have changed their file. The
file's digest shows which run wrote it last; runs recorded after that one are ignored. ``--revert`` undoes runs from
the last to the first. It refuses a file that matches no run, because that file has been edited.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from airgap import bounded_json, limits
from airgap.durable import locked_folder, replace_file
from airgap.errors import AirgapError, ContentError, OutputError, ResourceError, raise_all
from airgap.i18n import tr
from airgap.kube.files import ResourceFile
from airgap.kube.model import Edit
from airgap.kube.rewrite.file_set import RewrittenFile
from airgap.kube.rewrite.rewriter import revert_content
from airgap.records import Record, as_dict

#: The name of the log. ``kubectl apply -f DIR`` ignores files with this ending.
REWRITE_LOG = ".airgap-rewrite.log"
#: Values of a line: some ten, and the commas and brackets of the texts, which count too.
_MAX_VALUES = 131_072
_KEYS = ("file", "line", "offset", "before", "after")


class LogEntry(Record):
    """One line of a log."""

    name: str
    sha256: str
    edit: Edit
    sha256_before: str
    first: bool
    #: The line in the log, without its end.
    text: str
    #: The ID of the bundle whose import wrote the file; empty for other runs.
    bundle: str = ""


_Run = list[LogEntry]


class RevertedFile(Record):
    """A reverted file, and its names in each log that it was reverted with."""

    file: RewrittenFile
    names: Mapping[Path, frozenset[str]]


def read_log(path: Path) -> list[LogEntry]:
    """Return all entries in the order of the log.

    Raises ResourceError for a log that is a link or cannot be read, for lines that are not valid, and for names
    outside of the log's folder.
    """
    entries = []
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if not line:
            continue
        try:
            entry = _parse_entry(line)
        except (ContentError, ValueError, KeyError, TypeError) as error:
            raise ResourceError(tr("this line is no record of a rewriting"), where=f"{path}:{number}") from error
        if entry.name.startswith("/") or ".." in PurePosixPath(entry.name).parts:
            raise ResourceError(
                tr("the name {name!r} leads out of the record's folder", name=entry.name), where=f"{path}:{number}"
            )
        entries.append(entry)
    return entries


def _read_text(path: Path) -> str:
    """The content of a log: a regular file, not larger than the limit ``record-bytes``."""
    if path.is_symlink():
        raise ResourceError(tr("this record is a link, so it is not used"), where=str(path))
    limit = limits.value("record-bytes")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            is_file = stat.S_ISREG(os.fstat(fd).st_mode)
            content = file.read(limit + 1) if is_file else b""
    except OSError as error:
        raise ResourceError(tr("this record cannot be read"), where=str(path)) from error
    if not is_file:
        raise ResourceError(tr("this record is no file"), where=str(path), hint=tr("move it away"))
    if len(content) > limit:
        what = tr("this record has more than {limit:,} bytes", limit=limit)
        raise ResourceError(what, where=str(path), hint=limits.hint("record-bytes"))
    return content.decode("utf-8", "surrogateescape")


def record_run(
    log: Path, files: Sequence[tuple[str, RewrittenFile, bytes | None]], *, first: bool, bundle: str = ""
) -> None:
    """Add a run to a log, before the files are written.

    Each file comes with its name and its present content, ``None`` if it does not exist. Only the earlier runs that
    lead to the present content stay. With ``first`` the run creates the files and does not build on earlier ones. A
    second call after all files are written drops the runs that are no longer needed. ``bundle`` is the ID of the one
    that is imported.
    """
    logged_entries = read_log(log) if log.is_symlink() or log.exists() else []
    runs = _runs_by_name(logged_entries)
    names = {name for name, _, _ in files}
    lines = [entry.text for entry in logged_entries if entry.name not in names]
    for name, file, content in files:
        earlier = runs.get(name, [])
        if content is None or (first and content == file.after):
            kept_runs: list[_Run] | None = []
        else:
            kept_runs = _runs_behind(earlier, content)
        if kept_runs is None:
            # The file has been edited. For a run in place all earlier runs are kept; their digests do not match, so
            # that --revert refuses the file.
            kept_runs = [] if first else earlier
        lines += [entry.text for run in kept_runs for entry in run]
        lines += _run_lines(name, file, first=first, mark_unchanged=bool(kept_runs or bundle), bundle=bundle)
    _write_log(log, lines)


def revert_files(files: Sequence[ResourceFile], paths: Iterable[str]) -> list[RevertedFile]:
    """Return ``files``, read from the user's ``paths``, as they were before they were rewritten.

    Reads the logs in and below the given folders, and the log in each file's own folder. Skips files without a log.
    Raises ResourceError if no file has one, and for files that have been edited since.
    """
    folders = [Path(path).resolve() for path in paths if os.path.isdir(path)]
    logs: dict[Path, dict[Path, list[LogEntry]]] = {}
    reverted: list[RevertedFile] = []
    errors: list[AirgapError] = []
    for file in files:
        if file.path == "-" or not (entries_by_log := _entries_of_file(Path(file.path).resolve(), folders, logs)):
            continue
        try:
            content, edits = _revert_file(file, [entry for entries in entries_by_log.values() for entry in entries])
        except ResourceError as error:
            errors.append(error)
            continue
        names = {log: frozenset(entry.name for entry in entries) for log, entries in entries_by_log.items()}
        reverted.append(RevertedFile(RewrittenFile(file.name, file.path, file.content, content, edits), names))
    raise_all(errors)
    if not reverted:
        raise ResourceError(
            tr("no record of a rewriting names these files"),
            where=", ".join(file.path for file in files),
            hint=tr(
                "give the folder that holds {rewrite_log}; folders above the one that is given are not searched",
                rewrite_log=REWRITE_LOG,
            ),
        )
    return reverted


def first_contents(files: Sequence[ResourceFile], paths: Iterable[str]) -> list[tuple[ResourceFile, bytes]]:
    """Return what each of ``files``, read from the user's ``paths``, was before it was rewritten.

    Files that were not rewritten, or were edited since, are left out. Raises ResourceError for a log that cannot be
    read.
    """
    folders = [Path(path).resolve() for path in paths if os.path.isdir(path)]
    logs: dict[Path, dict[Path, list[LogEntry]]] = {}
    found = []
    for file in files:
        if file.path == "-" or "://" in file.path:
            continue
        entries_by_log = _entries_of_file(Path(file.path).resolve(), folders, logs)
        with contextlib.suppress(ResourceError):
            content, edits = _revert_file(file, [entry for entries in entries_by_log.values() for entry in entries])
            if edits:
                found.append((file, content))
    return found


def forget_reverted(reverted: Sequence[RevertedFile]) -> None:
    """Remove files that were reverted in place from their logs; delete empty logs."""
    for log in dict.fromkeys(log for item in reverted for log in item.names):
        with locked_folder(log.parent):
            forget_files(log, {name for item in reverted for name in item.names.get(log, ())})


def forget_files(log: Path, names: Collection[str]) -> None:
    """Remove files from a log, whose folder is locked; delete the log if it is then empty."""
    _write_log(log, [entry.text for entry in read_log(log) if entry.name not in names])


def _parse_entry(line: str) -> LogEntry:
    """Raises ContentError, ValueError, KeyError or TypeError for a line that is not valid, or cannot be written."""
    bounded_json.check(line.encode("utf-8", "surrogateescape"), values=_MAX_VALUES)
    fields = json.loads(line)  # not by bytes: a file's name may be no UTF-8
    texts = [fields[key] for key in ("file", "before", "after", "name", "sha256")]
    texts.append(sha256_before := fields.get("sha256_before", ""))
    texts.append(bundle := fields.get("bundle", ""))
    numbers = [fields[key] for key in ("line", "offset")]
    first = fields.get("first", False)
    if not all(type(text) is str for text in texts) or not all(type(number) is int for number in numbers):
        raise ValueError
    if not fields["name"] or "\0" in fields["name"] or type(first) is not bool:
        raise ValueError
    edit = Edit(**{key: fields[key] for key in _KEYS})
    os.fsencode(fields["name"])
    (edit.before + edit.after).encode()
    return LogEntry(fields["name"], fields["sha256"], edit, sha256_before, first, line, bundle)


def _run_lines(name: str, file: RewrittenFile, *, first: bool, mark_unchanged: bool, bundle: str) -> list[str]:
    """The lines of a run of one file. A run without edits has a line only if ``mark_unchanged``."""
    edits = file.edits
    if not edits and mark_unchanged:
        edits = (Edit(file.path, 1, 0, "", ""),)
    run: dict[str, object] = {"name": name, "sha256": _sha256(file.after), "sha256_before": _sha256(file.before)}
    if first:
        run["first"] = True
    if bundle:
        run["bundle"] = bundle
    return [json.dumps(as_dict(edit) | run, ensure_ascii=False) for edit in edits]


def _write_log(log: Path, lines: Sequence[str]) -> None:
    """Write the log with these lines, or delete it if there are none."""
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    try:
        if not content:
            log.unlink(missing_ok=True)
        elif not log.exists() or log.read_bytes() != content:
            replace_file(log, content)
    except OSError as error:
        raise OutputError(tr("cannot write the record: {strerror}", strerror=error.strerror), where=str(log)) from error


def _runs_by_name(entries: Sequence[LogEntry]) -> dict[str, list[_Run]]:
    """The runs of each name."""
    by_name: dict[str, list[LogEntry]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry)
    return {name: _split_runs(same_name) for name, same_name in by_name.items()}


def _split_runs(entries: Sequence[LogEntry]) -> list[_Run]:
    """The runs of one file. In a run the digests are the same and the offsets rise."""
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
    """The runs that lead to ``content``, in order; ``None`` if it has been edited since."""
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
    """The entries of ``file`` in each log that names it, with the log in its own folder last.

    ``--output`` writes a log for the whole folder, and rewriting in place later adds one next to the file. ``logs``
    caches the logs that were read.
    """
    entries_by_log: dict[Path, list[LogEntry]] = {}
    for folder in file.parents:
        if folder != file.parent and not any(folder.is_relative_to(given) for given in folders):
            break
        log = folder / REWRITE_LOG
        if log not in logs:
            logs[log] = _entries_by_file(log) if log.is_symlink() or log.exists() else {}
        if entries := logs[log].get(file):
            entries_by_log = {log: entries, **entries_by_log}
    return entries_by_log


def _entries_by_file(log: Path) -> dict[Path, list[LogEntry]]:
    """The entries of a log by file. Raises ResourceError for a name that leads out of its folder through a link."""
    entries: dict[Path, list[LogEntry]] = {}
    paths: dict[str, Path] = {}
    for entry in read_log(log):
        if entry.name not in paths:
            paths[entry.name] = path = Path(os.path.realpath(log.parent / entry.name))
            if not path.is_relative_to(log.parent):
                raise ResourceError(
                    tr("the name {name!r} leads out of the record's folder", name=entry.name), where=str(log)
                )
        entries.setdefault(paths[entry.name], []).append(entry)
    return entries


def _revert_file(file: ResourceFile, entries: Sequence[LogEntry]) -> tuple[bytes, tuple[Edit, ...]]:
    """The file's first content, and the edits that were undone."""
    content = file.content
    edits: list[Edit] = []
    all_runs = _split_runs(entries)
    runs = _runs_behind(all_runs, content)
    for run in reversed(all_runs if runs is None else runs):
        if _sha256(content) != run[0].sha256:
            raise ResourceError(
                tr("the file has been edited since it was rewritten"),
                where=file.path,
                hint=tr("restore the file from before the rewriting, or change it by hand"),
            )
        undone_edits = [entry.edit for entry in run]
        content = revert_content(content, undone_edits)
        if run[0].sha256_before not in ("", _sha256(content)):
            raise ResourceError(
                tr("the record does not give the bytes that the file had"),
                where=file.path,
                hint=tr("the record has been changed: restore the file from before the rewriting"),
            )
        edits = [*undone_edits, *edits]
    return content, tuple(edits)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
