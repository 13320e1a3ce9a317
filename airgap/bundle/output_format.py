# SPDX-License-Identifier: Apache-2.0
"""The form in which a bundle is written: one tar, volumes, compressed with zstd, or standard output."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle.media import Draft, FileDraft
from airgap.bundle.media.naming import DEFAULT_PATTERN, names_of
from airgap.bundle.tar import Layout
from airgap.errors import UsageError
from airgap.records import Record


class OutputFormat(Record):
    """Where and how a bundle is written.

    ``path`` is the file, ``-`` for standard output, compressed if it ends in ``.zst``. With ``volume_size`` (bytes,
    0 for none) the tar is split into volumes named by ``pattern``; ``volume`` (from 1, 0 for all) selects one.
    """

    path: Path
    volume_size: int = 0
    volume: int = 0
    pattern: str = DEFAULT_PATTERN

    @property
    def streamed(self) -> bool:
        """Whether the bundle goes to standard output."""
        return str(self.path) == "-"

    @property
    def name(self) -> str:
        """The place, for messages."""
        return "standard output" if self.streamed else str(self.path)

    @property
    def compressed(self) -> bool:
        """Whether the bundle is a ``.tar.zst``."""
        return self.path.suffix == ".zst"

    @property
    def label(self) -> str:
        """What a journal remembers of the form: a run with another label cannot continue it."""
        if self.volume_size:
            which = f"volume {self.volume}" if self.volume else "all volumes"
            return f"{which} of {self.volume_size} bytes, called {self.pattern}"
        return "tar.zst" if self.compressed else "tar"

    def check(self) -> None:
        """Raise :class:`UsageError` for options that exclude each other."""
        if self.volume_size and self.streamed:
            raise UsageError("standard output has no volumes", hint="leave --volume-size out, or name a file with -o")
        if self.volume_size and self.compressed:
            raise UsageError("volumes are of a plain tar", hint="call it .tar: layers are compressed already")
        if self.volume and not self.volume_size:
            raise UsageError("--volume makes one of several volumes", hint="give --volume-size as the first time")

    def names(self, layout: Layout) -> list[Path]:
        """The files that will be written."""
        if self.streamed:
            return []
        if not self.volume_size:
            return [self.path]
        names = names_of(self.path, layout.total, self.volume_size, self.pattern)
        if self.volume > len(names):
            raise UsageError(f"there is no volume {self.volume}, there are {len(names)}", where=str(self.path))
        return names[self.volume - 1 : self.volume] if self.volume else names

    def draft(self, layout: Layout, *, resume: bool) -> Draft | None:
        """Open the place to write to; with ``resume`` an unfinished one, ``None`` where there is none.

        Raises :class:`airgap.errors.OutputError`.
        """
        if self.streamed:
            from airgap.bundle.media.stream import StreamDraft

            return StreamDraft(1, layout.total)
        if self.compressed:
            from airgap.bundle.media.frame_draft import FrameDraft

            starts = [layout.places[blob.digest].offset for blob in layout.blobs]
            return FrameDraft(self.path, layout.total, starts, resume=resume)
        if self.volume_size:
            from airgap.bundle.media.volume_draft import VolumeDraft

            only = self.volume - 1 if self.volume else None
            names = names_of(self.path, layout.total, self.volume_size, self.pattern)
            return VolumeDraft(self.path, names, layout.total, self.volume_size, only=only, resume=resume)
        return FileDraft.go_on(self.path, layout.total) if resume else FileDraft.begin(self.path, layout.total)
