# SPDX-License-Identifier: Apache-2.0
"""Where an export writes a bundle and in which form: one tar, volumes, compressed with zstd, or standard output."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle.media import Draft, FileDraft
from airgap.bundle.media.volume_names import DEFAULT_PATTERN, volume_paths
from airgap.bundle.tar import TarLayout
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record


class OutputFormat(Record):
    """The place and form of a bundle.

    ``path`` is the file, or ``-`` for standard output. A name that ends in ``.zst`` selects compression. With
    ``volume_size`` (bytes, 0 for none) the tar is split into volumes named by ``pattern``; ``volume`` (from 1, 0 for
    all) selects one of them.
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
        return tr("standard output") if self.streamed else str(self.path)

    @property
    def compressed(self) -> bool:
        """Whether the bundle is a ``.tar.zst``."""
        return self.path.suffix == ".zst"

    @property
    def label(self) -> str:
        """The form as the journal records it. A run with another label cannot continue the bundle."""
        if self.volume_size:
            which = tr("volume {volume}", volume=self.volume) if self.volume else tr("all volumes")
            return tr(
                "{which} of {volume_size} bytes, called {pattern}",
                which=which,
                volume_size=self.volume_size,
                pattern=self.pattern,
            )
        return "tar.zst" if self.compressed else "tar"

    def check(self) -> None:
        """Raise :class:`UsageError` for options that exclude each other."""
        if self.volume_size and self.streamed:
            raise UsageError(
                tr("standard output has no volumes"), hint=tr("leave --volume-size out, or name a file with -o")
            )
        if self.volume_size and self.compressed:
            raise UsageError(tr("volumes are of a plain tar"), hint=tr("call it .tar: layers are compressed already"))
        if self.volume and not self.volume_size:
            raise UsageError(
                tr("--volume makes one of several volumes"), hint=tr("give --volume-size as the first time")
            )

    def output_paths(self, layout: TarLayout) -> list[Path]:
        """Return the files that will be written. Raises :class:`UsageError` if the selected volume does not exist."""
        if self.streamed:
            return []
        if not self.volume_size:
            return [self.path]
        paths = volume_paths(self.path, layout.total, self.volume_size, self.pattern)
        if self.volume > len(paths):
            raise UsageError(
                tr("there is no volume {volume}, there are {paths_count}", volume=self.volume, paths_count=len(paths)),
                where=str(self.path),
            )
        return paths[self.volume - 1 : self.volume] if self.volume else paths

    def begin_draft(self, layout: TarLayout) -> Draft:
        """Create the output. Raises :class:`airgap.errors.OutputError`."""
        if self.streamed:
            from airgap.bundle.media.stream import StreamDraft

            return StreamDraft(1, layout.total)
        if self.compressed:
            from airgap.bundle.media.frame_draft import FrameDraft

            return FrameDraft.begin(self.path, layout.total, _blob_offsets(layout))
        if self.volume_size:
            return self._open_volumes(layout, resume=False)
        return FileDraft.begin(self.path, layout.total)

    def resume_draft(self, layout: TarLayout) -> Draft | None:
        """Reopen the unfinished output of an earlier run, which is not streamed. Return ``None`` if there is none.

        Raises :class:`airgap.errors.OutputError`.
        """
        if self.compressed:
            from airgap.bundle.media.frame_draft import FrameDraft

            return FrameDraft.resume(self.path, layout.total, _blob_offsets(layout))
        if self.volume_size:
            return self._open_volumes(layout, resume=True)
        return FileDraft.resume(self.path, layout.total)

    def _open_volumes(self, layout: TarLayout, *, resume: bool) -> Draft:
        from airgap.bundle.media.volume_draft import VolumeDraft

        only = self.volume - 1 if self.volume else None
        paths = volume_paths(self.path, layout.total, self.volume_size, self.pattern)
        return VolumeDraft.open(self.path, paths, layout.total, self.volume_size, only=only, resume=resume)


def _blob_offsets(layout: TarLayout) -> list[int]:
    return [layout.places[blob.digest].header_offset for blob in layout.blobs]
