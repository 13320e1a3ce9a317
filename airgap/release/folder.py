# SPDX-License-Identifier: Apache-2.0
"""The folder of a release while it is made: ``NAME-VERSION.partial``, which is renamed when all files are in it.

So whoever watches the folder above never sees an incomplete release, and what a stopped run left is found again.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airgap import durable
from airgap.bundle.media.checksums import joined_sha256
from airgap.durable import FileLocked, writing
from airgap.durable.files import sync_folder
from airgap.errors import AirgapError, OutputError
from airgap.i18n import tr
from airgap.records import Record
from airgap.release.document import DOCUMENT_NAME, Release, read_release
from airgap.transfer import Context

#: Held while a run works in the folder. No bundle can be called so.
_LOCK = "release.journal"


class ReleaseFolder(Record):
    """The folder ``path``. A release is made in ``partial`` beside it."""

    path: Path

    @property
    def partial(self) -> Path:
        """The folder in which the release is made."""
        return self.path.with_name(f"{self.path.name}.partial")

    def check(self) -> None:
        """Raise :class:`OutputError` where something else than a release is in the way."""
        if self.path.is_symlink() or (self.path.exists() and not (self.path / DOCUMENT_NAME).is_file()):
            raise OutputError(
                tr("something is already there, and it is no release"),
                where=str(self.path),
                hint=tr("move it away, or choose another folder with -o"),
            )

    @contextmanager
    def run(self, *, restart: bool) -> Iterator[None]:
        """Hold the folder ``partial`` for the block. It is made if it is missing, and removed if it is empty at the
        end. ``restart`` empties it first.

        Raises :class:`OutputError`, also if another run makes this release.
        """
        with writing(self.partial):
            self.partial.mkdir(parents=True, exist_ok=True)
            try:
                lock = durable.Journal.open(self.partial / _LOCK, mode=0o666)
            except FileLocked as error:
                raise OutputError(
                    tr("another airgap is making this release"),
                    where=str(self.partial),
                    hint=tr("wait until it has ended, or choose another folder with -o"),
                ) from error
        try:
            if restart:
                self._remove_others((_LOCK,))
            yield
        finally:
            with writing(self.partial):
                lock.remove()
            with suppress(OSError):
                self.partial.rmdir()

    def finish(self, names: Collection[str]) -> None:
        """Remove what is not one of the files ``names`` from ``partial``, and give the folder its name. An earlier
        release there is replaced. Raises :class:`OutputError`."""
        self._remove_others(names)
        with writing(self.path):
            sync_folder(self.partial)
            if self.path.exists():
                shutil.rmtree(self.path)
            self.partial.rename(self.path)
            sync_folder(self.path.parent)

    def whole_release(self, context: Context, known: Collection[str]) -> Release | None:
        """Return the release in the folder if every file that it lists is there and unchanged. Reads all of them but
        those that are ``known`` to be."""
        try:
            release = read_release(self.path)
            for file in release.files:
                path = self.path / file.name
                if path.is_symlink() or path.stat().st_size != file.size:
                    return None
                if file.name not in known:
                    sha256, _ = joined_sha256([path], lambda _: context.cancel.check())
                    if sha256 != file.sha256:
                        return None
        except (AirgapError, OSError):
            context.cancel.check()
            return None
        return release

    def _remove_others(self, names: Collection[str]) -> None:
        with writing(self.partial):
            for path in self.partial.iterdir():
                if path.name in names:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
