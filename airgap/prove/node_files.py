# SPDX-License-Identifier: Apache-2.0
"""The files of a node below a folder: ``/`` on the node itself, or where its root is mounted or was copied.

Links are followed as the node would follow them, so an absolute one begins at that folder and none leads out of it.
Sizes and counts are limited.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from airgap import bounded_json, limits
from airgap.errors import AirgapError, ContentError, ResourceError, UsageError
from airgap.i18n import tr
from airgap.records import Record, field

#: The links that one path may lead through (Linux: ELOOP).
_MAX_LINKS = 40


class NodeFileError(ResourceError):
    """A file of the node cannot be read, or does not hold what it should."""


class Tree(Protocol):
    """Where files lie. Paths are of the node, absolute and without links; a missing one is an OSError."""

    @property
    def is_this_machine(self) -> bool:
        """Whether these are the files of the machine that runs."""

    def link(self, path: str) -> str:
        """Return where the link at ``path`` leads, an empty string for what is no link."""

    def content(self, path: str, limit: int) -> bytes:
        """Return a file, of which ``limit`` bytes at most are read and one more."""

    def names(self, path: str, limit: int) -> list[str]:
        """Return the names in a folder, ``limit`` at most and one more."""


class Folder(Record):
    """A node whose root is at ``root`` on this machine."""

    root: str

    @property
    def is_this_machine(self) -> bool:
        """Whether the root is that of this machine."""
        return os.path.realpath(self.root) == "/"

    def link(self, path: str) -> str:
        """Return the target of a link."""
        place = f"{self.root}{path}"
        return os.readlink(place) if stat.S_ISLNK(os.lstat(place).st_mode) else ""

    def content(self, path: str, limit: int) -> bytes:
        """Return the content of a regular file. Neither a link nor a pipe that was put there meanwhile is opened."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(f"{self.root}{path}", flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return file.read(limit + 1)

    def names(self, path: str, limit: int) -> list[str]:
        """Return the names in a folder."""
        with os.scandir(f"{self.root}{path}") as entries:
            return [entry.name for entry in itertools.islice(entries, limit + 1)]


class NodeFiles(Record, eq=False):
    """Reads the files of a node, each once. ``label`` is what messages put before their paths.

    Raises :class:`NodeFileError`.
    """

    tree: Tree
    label: str
    _read: dict[str, bytes | None] = field(default_factory=dict, repr=False)

    @classmethod
    def below(cls, root: str) -> NodeFiles:
        """Return the files of the node whose root is the folder ``root``. Raises :class:`UsageError` without one."""
        if not os.path.isdir(root):
            raise UsageError(
                tr("there is no such folder"),
                where=root,
                hint=tr("--root takes the folder where the root of a node is mounted or copied; / is this machine"),
            )
        text = root.rstrip("/")
        return cls(Folder(text), text)

    @property
    def is_this_machine(self) -> bool:
        """Whether these are the files of the machine that runs."""
        return self.tree.is_this_machine

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; ``None`` if there is none."""
        if path not in self._read:
            self._read[path] = self._read_file(path)
        return self._read[path]

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; an empty list if there is none."""
        most = limits.value("node-folder-entries")
        try:
            names = self.tree.names(self._resolve(folder), most)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unreadable(folder, error) from error
        if len(names) > most:
            raise NodeFileError(
                tr("this folder has more than {most:,} entries", most=most),
                where=self.place(folder),
                hint=limits.hint("node-folder-entries"),
            )
        return sorted(names)

    def has(self, path: str) -> bool:
        """Whether there is a file or folder."""
        try:
            self._resolve(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unreadable(path, error) from error
        return True

    def place(self, path: str) -> str:
        """Return a path for messages."""
        return f"{self.label}{path}"

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
        most = limits.value("node-file-bytes")
        try:
            content = self.tree.content(self._resolve(path), most)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(path, error) from error
        if len(content) > most:
            raise NodeFileError(
                tr("this file has more than {limit:,} bytes", limit=most),
                where=self.place(path),
                hint=limits.hint("node-file-bytes"),
            )
        return content

    def _resolve(self, path: str) -> str:
        """Return ``path`` without links, as the node would follow them: none leads out of its root."""
        todo = [part for part in reversed(path.split("/")) if part]
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in (".", ".."):
                del done[len(done) - (part == "..") :]
                continue
            target = self.tree.link("/" + "/".join((*done, part)))
            if not target:
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith("/"):
                done.clear()
            todo += [step for step in reversed(target.split("/")) if step]
        return "/" + "/".join(done)

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
