# SPDX-License-Identifier: Apache-2.0
"""The files of a node below a folder: ``/`` on the node itself, or where its root is mounted or was copied.

Links are followed as the node would follow them, so an absolute one begins at that folder and none leads out of it.
Sizes and counts are limited.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Mapping
from typing import Any

from airgap import bounded_json, limits
from airgap.errors import AirgapError, ContentError, ResourceError, UsageError
from airgap.i18n import tr
from airgap.records import Record, field

#: The links that one path may lead through (Linux: ELOOP).
_MAX_LINKS = 40


class NodeFileError(ResourceError):
    """A file of the node cannot be read, or does not hold what it should."""


class NodeFiles(Record, eq=False):
    """Reads below ``root``. Paths are absolute paths of the node. Files are read once. Raises NodeFileError."""

    root: str
    _read: dict[str, bytes | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not os.path.isdir(self.root):
            raise UsageError(
                tr("there is no such folder"),
                where=self.root,
                hint=tr("--root takes the folder where the root of a node is mounted or copied; / is this machine"),
            )

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; ``None`` if there is none."""
        if path not in self._read:
            self._read[path] = self._read_file(path)
        return self._read[path]

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; an empty list if there is none."""
        place = self._resolve(folder)
        if place is None:
            return []
        try:
            with os.scandir(place) as entries:
                names: list[str] = []
                for entry in entries:
                    names.append(entry.name)
                    if len(names) > limits.value("node-folder-entries"):
                        most = limits.value("node-folder-entries")
                        raise NodeFileError(
                            tr("this folder has more than {most:,} entries", most=most),
                            where=self.place(folder),
                            hint=limits.hint("node-folder-entries"),
                        )
        except NotADirectoryError:
            return []
        except OSError as error:
            raise self._unreadable(folder, error) from error
        return sorted(names)

    def has(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return self._resolve(path) is not None

    def place(self, path: str) -> str:
        """Return the path as this machine has it, for messages."""
        return os.path.join(self.root, path.lstrip("/"))

    def toml(self, path: str) -> Mapping[str, Any] | None:
        """Return the document in a TOML file; ``None`` if there is none."""
        content = self.read(path)
        return None if content is None else parse_toml(content, self.place(path))

    def json(self, path: str) -> Mapping[str, Any] | None:
        """Return the object in a JSON file; ``None`` if there is none."""
        content = self.read(path)
        if content is None:
            return None
        try:
            document = bounded_json.parse(content or b"{}", "node-file", where=self.place(path))
        except ContentError as error:
            raise NodeFileError(error.what, where=self.place(path), hint=error.hint) from None
        if not isinstance(document, dict):
            raise NodeFileError(tr("must be a JSON object"), where=self.place(path))
        return document

    def _read_file(self, path: str) -> bytes | None:
        place = self._resolve(path)
        if place is None:
            return None
        most = limits.value("node-file-bytes")
        try:
            # Neither a link nor a pipe that was put there meanwhile is opened.
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return None
                content = file.read(most + 1)
        except OSError as error:
            raise self._unreadable(path, error) from error
        if len(content) > most:
            raise NodeFileError(
                tr("this file has more than {limit:,} bytes", limit=most),
                where=self.place(path),
                hint=limits.hint("node-file-bytes"),
            )
        return content

    def _resolve(self, path: str) -> str | None:
        """Return the place of ``path`` on this machine, without links; ``None`` if nothing is there."""
        todo = [part for part in reversed(path.split("/")) if part]
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == ".":
                continue
            if part == "..":
                del done[-1:]
                continue
            place = os.path.join(self.root, *done, part)
            try:
                is_link = stat.S_ISLNK(os.lstat(place).st_mode)
                target = os.readlink(place) if is_link else ""
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                    return None
                raise self._unreadable(path, error) from error
            if not is_link:
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if target.startswith("/"):
                done.clear()
            todo += [step for step in reversed(target.split("/")) if step]
        return os.path.join(self.root, *done)

    def _unreadable(self, path: str, error: OSError) -> AirgapError:
        hint = tr("read it as root: sudo airgap prove …") if isinstance(error, PermissionError) else None
        return NodeFileError(
            tr("cannot be read: {strerror}", strerror=error.strerror or error), where=self.place(path), hint=hint
        )


def parse_toml(content: bytes, where: str) -> Mapping[str, Any]:
    """Return the document in TOML. Raises :class:`NodeFileError`."""
    if sys.version_info >= (3, 11):
        import tomllib  # novm: the branch for 3.10 has tomli
    else:
        import tomli as tomllib
    try:
        document: Mapping[str, Any] = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise NodeFileError(tr("not valid TOML: {error}", error=error), where=where) from None
    return document
