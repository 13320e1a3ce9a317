# SPDX-License-Identifier: Apache-2.0
"""Where an export writes a bundle and in which form: one tar, volumes, a folder, compressed, or standard output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle.folder.place import check_file_sizes, check_folder_name, check_folder_place
from airgap.bundle.inventory import Inventory
from airgap.bundle.media import Draft, FileDraft
from airgap.bundle.media.volume_names import DEFAULT_PATTERN, volume_paths
from airgap.bundle.tar import TarLayout
from airgap.durable.output import check_file_name, check_place
from airgap.errors import UsageError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.trust.age_stream import Sealer

#: Endings of archives that export does not write.
_OTHER_FORMATS = (".gz", ".tgz", ".zip", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".lz4", ".rar")


class OutputFormat(Record):
    """The place and form of a bundle.

    ``path`` is the file, or ``-`` for standard output. A name that ends in ``.zst`` selects compression. With
    ``volume_size`` (bytes, 0 for none) the tar is split into volumes named by ``pattern``; ``volume`` (from 1, 0 for
    all) selects one of them, and ``parity`` is the number of parity volumes beside them. A ``sealer`` seals it, for
    one run. With ``folder`` the bundle is a folder, none of whose files has more than ``max_file_size`` bytes (0 for
    any size).
    """

    path: Path
    volume_size: int = 0
    volume: int = 0
    pattern: str = DEFAULT_PATTERN
    sealer: Sealer | None = field(default=None, compare=False, repr=False)
    parity: int = 0
    folder: bool = False
    max_file_size: int = 0

    @property
    def streamed(self) -> bool:
        """Whether the bundle goes to standard output."""
        return str(self.path) == "-"

    @property
    def run_path(self) -> Path:
        """The path that the files of an unfinished run are named after: ``path``, or one of its own for a single
        volume, so that several machines can write volumes into one folder."""
        return self.path.with_name(f"{self.path.name}.volume-{self.volume}") if self.volume else self.path

    def describe(self, paths: Sequence[Path]) -> str:
        """Return the files ``paths`` for messages: one name, or those of the first and the last volume."""
        if self.streamed:
            return tr("standard output")
        return f"{paths[0]} … {paths[-1].name}" if len(paths) > 1 else str(paths[0])

    @property
    def compressed(self) -> bool:
        """Whether the bundle is a ``.tar.zst``."""
        return self.path.suffix == ".zst" and not self.folder

    @property
    def label(self) -> str:
        """The form as the journal records it. A run with another label cannot continue the bundle."""
        if self.sealer is not None:
            return f"age:{self._volumes_label}"
        if self.folder:
            return "folder"
        return self._volumes_label or ("tar.zst" if self.compressed else "tar")

    @property
    def _volumes_label(self) -> str:
        if self.volume_size:
            which = tr("volume {volume}", volume=self.volume) if self.volume else tr("all volumes")
            volumes = tr(
                "{which} of {volume_size} bytes, called {pattern}",
                which=which,
                volume_size=self.volume_size,
                pattern=self.pattern,
            )
            return (
                tr("{volumes}, with {parity} for parity", volumes=volumes, parity=self.parity)
                if self.parity
                else volumes
            )
        return ""

    def check(self) -> None:
        """Raise :class:`UsageError` for options that exclude each other and for a name that promises another format,
        :class:`OutputError` for a folder."""
        if self.folder:
            self._check_folder()
            return
        if self.max_file_size:
            raise UsageError(
                tr("--max-file-size goes with --layout folder"),
                hint=tr("--volume-size cuts a tar into files of this size"),
            )
        if not self.streamed:
            check_file_name(self.path)
            _check_suffix(self.path)
        self._check_sealing()
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
        if self.parity and not self.volume_size:
            raise UsageError(
                tr("--parity adds volumes to a bundle in volumes"),
                hint=tr("give --volume-size too: 4.7GB, 25GiB, fat32"),
            )

    def _check_folder(self) -> None:
        if self.streamed:
            raise UsageError(
                tr("standard output is no folder"), hint=tr("name a folder with -o, or leave --layout folder out")
            )
        if self.volume_size or self.parity or self.volume:
            raise UsageError(
                tr("volumes and parity are of a tar, and --layout folder writes each layer as a file"),
                hint=tr("leave --layout folder out; or --volume-size, --volume and --parity"),
            )
        if self.sealer is not None:
            raise UsageError(
                tr("only a tar is sealed, and --layout folder writes each layer as a file"),
                hint=tr("leave --layout folder out, or --encrypt-to and --passphrase"),
            )
        check_folder_name(self.path)

    def _check_sealing(self) -> None:
        if self.sealer is None and self.path.suffix == ".age":
            raise UsageError(
                tr("this name is for a sealed bundle"),
                where=str(self.path),
                hint=tr("add --encrypt-to RECIPIENT, or choose another name with -o"),
            )
        if self.sealer is None:
            return
        if self.streamed:
            raise UsageError(
                tr("a sealed bundle is a file"), hint=tr("airgap export -o - | age -r RECIPIENT seals what it writes")
            )
        if self.path.suffix != ".age" or self.path.name.endswith(".zst.age"):
            raise UsageError(
                tr("a sealed bundle is called .tar.age"),
                where=str(self.path),
                hint=tr("name it so: -o {path}", path=quoted(self.path.with_suffix(".tar.age"))),
            )
        if self.volume:
            raise UsageError(
                tr("a volume of a sealed bundle cannot be made again alone: each run has another key"),
                hint=tr("export all volumes again, without --volume"),
            )

    def check_place(self, *, replace: bool) -> None:
        """Raise :class:`OutputError` if the bundle cannot be put at its place, which volumes have several of."""
        if self.folder:
            check_folder_place(self.path, force=replace)
        else:
            check_place(self.path, force=replace)

    def check_layout(self, layout: TarLayout, inventory: Inventory) -> None:
        """Raise :class:`OutputError` for each file of more than ``max_file_size`` bytes."""
        if self.max_file_size:
            check_file_sizes(layout, inventory, self.max_file_size)

    def output_size(self, layout: TarLayout) -> int:
        """Return the size of the uncompressed output in bytes: of the tar, or of what seals it."""
        return self.sealer.size(layout.total) if self.sealer is not None else layout.total

    def output_paths(self, layout: TarLayout) -> list[Path]:
        """Return the files that will be written. Raises :class:`UsageError` if the selected volume does not exist."""
        if self.streamed:
            return []
        if not self.volume_size:
            return [self.path]
        total = self.output_size(layout)
        paths = volume_paths(self.path, total, self.split_size(total), self.pattern)
        if self.volume > len(paths):
            raise UsageError(
                tr("there is no volume {volume}, there are {paths_count}", volume=self.volume, paths_count=len(paths)),
                where=str(self.path),
            )
        return paths[self.volume - 1 : self.volume] if self.volume else paths

    def size_on_disk(self, layout: TarLayout, paths: Sequence[Path]) -> int:
        """Return the bytes of all files of the finished bundle ``paths``."""
        if self.folder:
            return sum(member.size for member, _ in layout.head) + sum(blob.size for blob in layout.blobs)
        return sum(path.stat().st_size for path in paths) or layout.total

    def split_size(self, total: int) -> int:
        """Return the bytes of each volume of a bundle of ``total`` bytes: with parity, a little less than asked for."""
        if not self.parity:
            return self.volume_size
        from airgap.bundle.parity import data_volume_size

        return data_volume_size(total, self.volume_size, self.parity, self.path.name)

    @property
    def parity_paths(self) -> list[Path]:
        """The files of the parity volumes. With ``volume`` there are none: that run makes one volume again."""
        from airgap.bundle.parity import parity_paths

        return parity_paths(self.path, self.parity) if self.parity and not self.volume else []

    def remove_unfinished(self) -> None:
        """Delete what an earlier run has put into the folder; other unfinished files are overwritten anyway."""
        if self.folder:
            from airgap.bundle.folder.draft import remove_unfinished

            remove_unfinished(self.path)

    def begin_draft(self, layout: TarLayout) -> Draft:
        """Create the output. Raises :class:`airgap.errors.OutputError`."""
        if self.sealer is not None:
            draft = self._open_sealed(layout, self.sealer, resume=False)
            assert draft is not None
            return draft
        if self.streamed:
            from airgap.bundle.media.stream import StreamDraft

            return StreamDraft(1, layout.total)
        if self.folder:
            from airgap.bundle.folder.draft import FolderDraft

            return FolderDraft.begin(self.path, layout)
        if self.compressed:
            from airgap.bundle.media.frame_draft import FrameDraft

            return FrameDraft.begin(self.path, layout.total, _blob_offsets(layout))
        if self.volume_size:
            return self._open_volumes(layout.total, resume=False)
        return FileDraft.begin(self.path, layout.total)

    def resume_draft(self, layout: TarLayout) -> Draft | None:
        """Reopen the unfinished output of an earlier run, which is not streamed. Return ``None`` if there is none.

        Raises :class:`airgap.errors.OutputError`.
        """
        if self.sealer is not None:
            return self._open_sealed(layout, self.sealer, resume=True)
        if self.folder:
            from airgap.bundle.folder.draft import FolderDraft

            return FolderDraft.resume(self.path, layout)
        if self.compressed:
            from airgap.bundle.media.frame_draft import FrameDraft

            return FrameDraft.resume(self.path, layout.total, _blob_offsets(layout))
        if self.volume_size:
            return self._open_volumes(layout.total, resume=True)
        return FileDraft.resume(self.path, layout.total)

    def _open_sealed(self, layout: TarLayout, sealer: Sealer, *, resume: bool) -> Draft | None:
        from airgap.bundle.media.sealed import SealedDraft

        size = self.output_size(layout)

        def open_output() -> Draft:
            if self.volume_size:
                return self._open_volumes(size, resume=False)
            return FileDraft.begin(self.path, size)

        return SealedDraft.open(self.path, layout.total, sealer, open_output, resume=resume)

    def _open_volumes(self, total: int, *, resume: bool) -> Draft:
        from airgap.bundle.media.volume_draft import VolumeDraft

        only = self.volume - 1 if self.volume else None
        size = self.split_size(total)
        paths = volume_paths(self.path, total, size, self.pattern)
        return VolumeDraft.open(self.path, paths, total, size, only=only, resume=resume)


def _check_suffix(path: Path) -> None:
    """Raise :class:`UsageError` for the name of an archive that a bundle is not."""
    suffix = next((suffix for suffix in _OTHER_FORMATS if path.name.lower().endswith(suffix)), None)
    if suffix is not None:
        stem = path.name[: -len(suffix)].removesuffix(".tar") or "bundle"
        plain, compressed = path.with_name(f"{stem}.tar"), path.with_name(f"{stem}.tar.zst")
        raise UsageError(
            tr("a bundle is a plain tar or one compressed with zstd, not a {suffix}", suffix=suffix),
            where=str(path),
            hint=tr(
                "names that work: -o {plain}, or compressed: -o {compressed}",
                plain=quoted(plain),
                compressed=quoted(compressed),
            ),
        )


def _blob_offsets(layout: TarLayout) -> list[int]:
    return [layout.places[blob.digest].header_offset for blob in layout.blobs]
