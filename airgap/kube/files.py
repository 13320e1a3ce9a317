# SPDX-License-Identifier: Apache-2.0
"""Read resource files: a path is a file, ``-`` for standard input, or a folder.

A folder is walked in sorted order. The walk reads ``*.yaml``, ``*.yml``, ``*.json``, and files without a suffix that
hold Kubernetes objects (apiVersion and kind). It skips hidden files and folders. It follows symbolic links, but enters
each real folder only once. A file of a walk that cannot be read does not end the walk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from airgap import limits
from airgap.durable import missing_file, read_hint
from airgap.errors import AirgapError, ResourceError, raise_all
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, yaml_events
from airgap.kube.parse.budget import OverBudget, too_large
from airgap.kube.parse.source import Source
from airgap.records import Record

_SUFFIXES = (".yaml", ".yml", ".json")
_SNIFF = 1 << 16
_HEAD = 512
#: POSIX.1 "ustar Interchange Format": a header has the name at 0 and the magic at 257. A bundle begins with oci-layout.
_TAR, _BUNDLE = b"ustar", b"oci-layout\0"
#: gzip (RFC 1952, 2.3.1), and the frames that a zstd-compressed bundle may begin with (RFC 8878, 3.1).
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", *(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60)))


class ResourceFile(Record):
    """A resource file. ``name`` is unique and relative to the common folder of all inputs; ``path`` is for messages.

    ``walked`` is true for a file that was found in a folder. ``carried`` is false for content that is no file.
    """

    name: str
    path: str
    content: bytes
    walked: bool = False
    carried: bool = True


class UnreadFile(Record):
    """A file of a walk that cannot be read, with the reason. ``name`` and ``path`` are as in :class:`ResourceFile`."""

    name: str
    path: str
    error: AirgapError


class _Input(Record):
    """A file that was read: ``absolute`` is its path, ``None`` for standard input; ``path`` is as the user gave it.

    ``content`` is the error of a file that cannot be read.
    """

    absolute: str | None
    path: str
    content: bytes | AirgapError
    walked: bool = False


class Loaded(Record):
    """The files that were read, those of a walk that cannot be read, and the given folders in which none was found."""

    files: list[ResourceFile]
    unread: list[UnreadFile]
    empty_folders: list[str]


#: Returns whether a walk leaves out a file, or a folder below the given one.
Skip = Callable[[str], bool]


def load(
    paths: Sequence[str], stdin: Callable[[], bytes] | None = None, skip: Skip = lambda _: False
) -> list[ResourceFile]:
    """Read all inputs in the given order. A file that is given twice is read once.

    A walk leaves out each file and each folder below the given one for whose path ``skip`` returns true.

    Raises UsageError for a path that is missing, ResourceError for one that cannot be read, a folder
    without resource files, a chart's folder, and for ``-`` without standard input.
    """
    for path in paths:
        if os.path.exists(os.path.join(path, "Chart.yaml")):
            raise ResourceError(
                tr("this folder is a Helm chart, whose templates name no images until they are rendered"),
                where=path,
                hint=f"helm template {quoted(path)} | airgap images -",
            )
    loaded = load_readable(paths, stdin, skip)
    raise_all([*map(empty_folder_error, loaded.empty_folders), *(file.error for file in loaded.unread)])
    return loaded.files


def empty_folder_error(folder: str) -> ResourceError:
    """Return the error for a given folder in which a walk has found nothing."""
    return ResourceError(
        tr("no resource files in this folder"),
        where=folder,
        hint=tr("resource files end in .yaml, .yml or .json; hidden ones and airgap's own are skipped"),
    )


def load_readable(
    paths: Sequence[str], stdin: Callable[[], bytes] | None = None, skip: Skip = lambda _: False
) -> Loaded:
    """Read all inputs as :func:`load` does, charts too. What a walk cannot read and empty folders are in the result."""
    inputs: dict[str | None, _Input] = {}
    folders: list[str] = []
    empty_folders: list[str] = []
    total = 0
    for path in paths:
        if path == "-":
            if None not in inputs:
                inputs[None] = _Input(None, path, _standard_input(stdin))
            continue
        walked = os.path.isdir(path)
        members: list[tuple[str, bytes | AirgapError]]
        if walked:
            folders.append(os.path.abspath(path))
            members = list(_folder(path, skip))
            if not members:
                empty_folders.append(path)
        else:
            folders.append(os.path.dirname(os.path.abspath(path)))
            members = [(path, _read(path))]
        for member, content in members:
            if isinstance(content, bytes):
                total += len(content)
                if total > limits.value("resources-bytes"):
                    total -= len(content)
                    content = _too_much(member)
            absolute = os.path.abspath(member)
            known = inputs.get(absolute)
            if known is None or (known.walked and not walked):
                inputs[absolute] = _Input(absolute, member, content, walked)
    common = os.path.commonpath(folders) if folders else ""
    used_names: set[str] = set()
    files: list[ResourceFile] = []
    unread: list[UnreadFile] = []
    for item in inputs.values():
        name = _unique(_name(item, common), used_names)
        if isinstance(item.content, bytes):
            files.append(ResourceFile(name, item.path, item.content, item.walked, item.absolute is not None))
        else:
            unread.append(UnreadFile(name, item.path, item.content))
    return Loaded(files, unread, empty_folders)


def _too_much(path: str) -> OverBudget:
    limit = limits.value("resources-bytes")
    what = tr("with this file, all files together have more than {limit:,} bytes", limit=limit)
    return OverBudget(what, where=path, hint=limits.hint("resources-bytes"))


def _name(item: _Input, common: str) -> str:
    """The path relative to the folder ``common``, or a name for standard input."""
    if item.absolute is None:
        assert isinstance(item.content, bytes)
        return "stdin.json" if item.content.lstrip()[:1] in (b"{", b"[") else "stdin.yaml"
    return os.path.relpath(item.absolute, common)


def holds_objects(content: bytes, file: str) -> bool:
    """Return whether a document of ``content`` is a Kubernetes object: a mapping with apiVersion and kind."""
    if b"apiVersion" not in content or b"kind" not in content:
        return False
    try:
        source = Source(content, file)
        if json_events.could_be(source):
            try:
                return _top_level_object(json_events.parse(source))
            except json_events.NotJSON:
                pass
        return _top_level_object(yaml_events.parse(source))
    except ResourceError:
        return False


def _top_level_object(events: ev.Events) -> bool:
    """Whether a top-level mapping has non-empty values for both keys. Reads all events, so that parse errors show."""
    found_object = False
    containers: list[int] = []  # the types of the open mappings and sequences
    key: str | None = None  # the key whose value comes next; ``None`` if a key comes next
    object_keys: set[str] = set()
    for event_type, value, *_ in events:
        at_top = containers == [ev.MAPPING]
        if event_type == ev.DOCUMENT:
            containers.clear()
            object_keys.clear()
            key = None
        elif event_type in (ev.MAPPING, ev.SEQUENCE):
            if at_top:
                key = "" if key is None else None
            containers.append(event_type)
        elif event_type == ev.END:
            containers.pop()
        elif at_top and event_type in (ev.SCALAR, ev.ALIAS):
            if key is None:
                key = value
            else:
                if key in ("apiVersion", "kind") and value:
                    object_keys.add(key)
                key = None
        found_object = found_object or len(object_keys) == 2
    return found_object


def _folder(path: str, skip: Skip) -> Iterator[tuple[str, bytes | AirgapError]]:
    """Yield the files below ``path`` in sorted order, with their content or why they cannot be read."""
    visited: set[tuple[int, int]] = set()
    pending = [path]
    while pending:
        current = pending.pop()
        try:
            status = os.stat(current)
            if not stat.S_ISDIR(status.st_mode):
                if stat.S_ISREG(status.st_mode):
                    yield from _member(current, skip)
                continue
            if (status.st_dev, status.st_ino) in visited:
                continue
            if current != path and skip(current):
                continue
            visited.add((status.st_dev, status.st_ino))
            names = sorted(os.listdir(current), reverse=True)
        except OSError as error:
            if current == path:
                raise _unreadable(current, error) from error
            if not os.path.islink(current):  # otherwise a broken or circular link
                yield current, _unreadable(current, error)
            continue
        pending += [os.path.join(current, name) for name in names if not name.startswith(".")]


def _member(path: str, skip: Skip) -> Iterator[tuple[str, bytes | AirgapError]]:
    suffix = os.path.splitext(path)[1]
    try:
        if suffix.lower() in _SUFFIXES:
            if not skip(path):
                yield path, _read(path)
        elif not suffix:
            with _opened(path) as file:
                head = file.read(_SNIFF)
                if b"\0" in head:
                    return
                may_be_one = b"apiVersion" in head or b"kind" in head
                if not may_be_one and os.fstat(file.fileno()).st_size > limits.value("resource-bytes"):
                    return  # a log, or another large text
                content = _read_rest(file, head, path)
            if holds_objects(content, path):
                yield path, content
    except AirgapError as error:
        yield path, error


def _read(path: str) -> bytes:
    with _opened(path) as file:
        head = file.read(_HEAD)
        _refuse_archive(head, path)  # before reading the rest: a bundle may be larger than memory
        return _read_rest(file, head, path)


def _read_rest(file: BinaryIO, head: bytes, path: str) -> bytes:
    """Return the content of ``file``, of which ``head`` was read. Raises OverBudget past the limit."""
    limit = limits.value("resource-bytes")
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode):
        if status.st_size > limit:
            raise too_large(path, status.st_size)
        file.seek(0)  # so that a large file is not copied once more
        content = file.read(min(status.st_size, limit) + 1)
        content += file.read(limit + 1 - len(content)) if len(content) > status.st_size else b""  # it grows
    else:
        content = head + file.read(limit + 1)
    if len(content) > limit:
        raise too_large(path)
    return content


def _refuse_archive(head: bytes, path: str) -> None:
    """Raise ResourceError if the file is a bundle or another archive."""
    shown = quoted(path) if path != "-" else "FILE"
    if head[257:262] == _TAR and head.startswith(_BUNDLE):
        raise ResourceError(
            tr("this is a bundle, not a resource file"),
            where=path,
            hint=tr(
                "an import writes the files that it carries, rewritten; to rewrite others, use it as --from {shown}; "
                "to show what it holds: airgap inspect {shown}",
                shown=shown,
            ),
        )
    if head[257:262] == _TAR or head.startswith(_COMPRESSED):
        raise ResourceError(
            tr("this is an archive, not a resource file"),
            where=path,
            hint=tr(
                "a chart's archive ends in .tgz, and other files are unpacked first; if it is a bundle, show what it "
                "holds: airgap inspect {shown}",
                shown=shown,
            ),
        )


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> AirgapError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return missing_file(path, hint=tr("give a file, a folder, or - for standard input"))
    return ResourceError(
        tr("cannot be read: {strerror}", strerror=error.strerror or error), where=path, hint=read_hint(error, path)
    )


def _standard_input(stdin: Callable[[], bytes] | None) -> bytes:
    if stdin is None:
        raise ResourceError(tr("standard input cannot be read here"), where="-", hint=tr("give a file or a folder"))
    try:
        content = stdin()
    except OSError as error:
        raise _unreadable("-", error) from error
    _refuse_archive(content[:_HEAD], "-")
    return content


def _unique(name: str, used_names: set[str]) -> str:
    stem, suffix = os.path.splitext(name)
    number = 1
    while name in used_names:
        number += 1
        name = f"{stem}-{number}{suffix}"
    used_names.add(name)
    return name
