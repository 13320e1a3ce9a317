# SPDX-License-Identifier: Apache-2.0
"""Reading resource files: PATH is a file, ``-`` for standard input, or a folder.

A folder is walked in sorted order over ``*.yaml``, ``*.yml``, ``*.json`` and files without suffix that hold
Kubernetes objects (apiVersion and kind). Hidden files and folders are skipped; symbolic links are followed, each
real folder once, so that loops end. Nothing is rendered: a chart's folder is refused with what to run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from airgap.errors import ResourceError
from airgap.kube.parse import events as ev
from airgap.kube.parse import json_events, yaml_events
from airgap.kube.parse.source import Source
from airgap.records import Record

_SUFFIXES = (".yaml", ".yml", ".json")
_SNIFF = 1 << 16
_HEAD = 512
#: POSIX.1 "ustar Interchange Format": a member's name stands first, the magic at 257; a bundle's first is oci-layout.
_TAR, _BUNDLE = b"ustar", b"oci-layout\0"
#: gzip (RFC 1952, 2.3.1), and zstd's frame and skippable frame that a compressed bundle may begin with (RFC 8878, 3.1).
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", *(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60)))


class ResourceFile(Record):
    """``name`` is relative to the folder that all inputs share, and unique; ``path`` is what the user would say."""

    name: str
    path: str
    content: bytes


def load(paths: Sequence[str], stdin: Callable[[], bytes] | None = None) -> list[ResourceFile]:
    """Read all inputs in the order given; the same file given twice is read once.

    Raises ResourceError for a path that is missing or cannot be read, a folder without resource files, a chart,
    and for ``-`` where there is no standard input.
    """
    found: list[tuple[str | None, str, bytes]] = []  # absolute path (None: standard input), path as given, content
    tops: list[str] = []
    seen: set[str | None] = set()
    for path in paths:
        if path == "-":
            if None not in seen:
                seen.add(None)
                found.append((None, path, _standard_input(stdin)))
            continue
        if os.path.isdir(path):
            tops.append(os.path.abspath(path))
            members = list(_folder(path))
            if not members:
                raise ResourceError(
                    "no resource files in this folder",
                    where=path,
                    hint="resource files end in .yaml, .yml or .json; hidden ones are skipped",
                )
        else:
            tops.append(os.path.dirname(os.path.abspath(path)))
            members = [(path, _read(path))]
        for member, content in members:
            absolute = os.path.abspath(member)
            if absolute not in seen:
                seen.add(absolute)
                found.append((absolute, member, content))
    common = os.path.commonpath(tops) if tops else ""
    taken: set[str] = set()
    files = []
    for place, shown, content in found:
        if place is None:
            name = "stdin.json" if content.lstrip()[:1] in (b"{", b"[") else "stdin.yaml"
        else:
            name = os.path.relpath(place, common)
        files.append(ResourceFile(_unique(name, taken), shown, content))
    return files


def holds_objects(content: bytes, file: str) -> bool:
    """Whether some document of ``content`` is a Kubernetes object: a mapping with apiVersion and kind."""
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
    """Read to the end: a file that does not parse as a whole is none."""
    depth = 0
    key = ""
    expects_key = True
    seen: set[str] = set()
    answer = False
    for what, value, *_ in events:
        if what == ev.DOCUMENT:
            depth, expects_key = 0, True
            seen.clear()
        elif what in (ev.MAPPING, ev.SEQUENCE):
            if depth == 1:
                key, expects_key = "", not expects_key
            depth += 1 if what == ev.MAPPING or depth else 2
        elif what == ev.END:
            depth -= 1
        elif depth == 1 and what in (ev.SCALAR, ev.ALIAS):
            if not expects_key and key in ("apiVersion", "kind") and value:
                seen.add(key)
            key, expects_key = value if expects_key else "", not expects_key
        answer = answer or len(seen) == 2
    return answer


def _folder(path: str) -> Iterator[tuple[str, bytes]]:
    if os.path.exists(os.path.join(path, "Chart.yaml")):
        raise ResourceError(
            "this folder is a Helm chart, whose templates name no images until they are rendered",
            where=path,
            hint=f"helm template {path} | airgap images -",
        )
    visited: set[tuple[int, int]] = set()
    waiting = [path]
    while waiting:
        here = waiting.pop()
        try:
            status = os.stat(here)
            if not stat.S_ISDIR(status.st_mode):
                if stat.S_ISREG(status.st_mode):
                    yield from _member(here)
                continue
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            names = sorted(os.listdir(here), reverse=True)
        except OSError as error:
            if here != path and os.path.islink(here):
                continue  # a link that leads nowhere, or in circles
            raise _unreadable(here, error) from error
        waiting += [os.path.join(here, name) for name in names if not name.startswith(".")]


def _member(path: str) -> Iterator[tuple[str, bytes]]:
    suffix = os.path.splitext(path)[1]
    if suffix.lower() in _SUFFIXES:
        yield path, _read(path)
    elif not suffix:
        with _opened(path) as file:
            head = file.read(_SNIFF)
            if b"\0" in head:
                return
            content = head + file.read()
        if holds_objects(content, path):
            yield path, content


def _read(path: str) -> bytes:
    with _opened(path) as file:
        head = file.read(_HEAD)
        _refuse_archive(head, path)  # before it is read as a whole: a bundle may be larger than the memory
        return head + file.read()


def _refuse_archive(head: bytes, path: str) -> None:
    """A bundle or another archive where a resource file was meant is told what it is, not that it is no text."""
    if head[257:262] == _TAR and head.startswith(_BUNDLE):
        raise ResourceError(
            "this is a bundle, not a resource file",
            where=path,
            hint=f"airgap inspect {path} shows what it holds; airgap import writes the files that it carries, "
            f"rewritten, and others are rewritten by: airgap rewrite FILES --from {path} --to TARGET",
        )
    if head[257:262] == _TAR or head.startswith(_COMPRESSED):
        raise ResourceError(
            "this is an archive, not a resource file",
            where=path,
            hint=f"if it is a bundle, airgap inspect {path} shows what it holds; "
            "a chart's archive ends in .tgz, and other files are unpacked first",
        )


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> ResourceError:
    missing = isinstance(error, FileNotFoundError)
    return ResourceError(
        "no such file or folder" if missing else f"cannot be read: {error.strerror or error}",
        where=path,
        hint="give a file, a folder, or - for standard input" if missing else None,
    )


def _standard_input(stdin: Callable[[], bytes] | None) -> bytes:
    if stdin is None:
        raise ResourceError("standard input cannot be read here", where="-", hint="give a file or a folder")
    try:
        content = stdin()
    except OSError as error:
        raise _unreadable("-", error) from error
    _refuse_archive(content[:_HEAD], "-")
    return content


def _unique(name: str, taken: set[str]) -> str:
    stem, suffix = os.path.splitext(name)
    number = 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name)
    return name
