# SPDX-License-Identifier: Apache-2.0
"""One bundle from its first byte to its final name, over as many runs as that takes.

A run holds the lock of the bundle's journal while it writes, so that no two exports write the same bundle. If an
earlier run left a journal, the lock is held from the start, otherwise from just before the first byte.

The unfinished file is ``NAME.partial`` (a draft is its open form). Leftovers are unfinished bundles with other content
that ``--refresh`` set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from airgap.bundle.inventory import Inventory
from airgap.bundle.journal import ExportJournal, journal_path
from airgap.bundle.leftovers import Leftovers
from airgap.bundle.lockfile import Lockfile
from airgap.bundle.media import partial_path
from airgap.bundle.output_format import OutputFormat
from airgap.bundle.tar import TarLayout
from airgap.bundle.writer import BundleWriter
from airgap.durable import writing
from airgap.errors import AirgapError, Interrupted, UsageError
from airgap.events import Noted, Sink
from airgap.formatting import human
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.store.protocols import Source
from airgap.transfer import Plan

#: The name of the leftovers among a plan's sources.
LEFTOVERS = "leftovers"


class BundleBuild:
    """A run that writes a bundle, or continues one. Made by :meth:`open`.

    A context manager: leaving it releases the journal's lock.
    """

    def __init__(
        self, output_format: OutputFormat, journal: ExportJournal | None, *, refresh: bool, restart: bool, emit: Sink
    ) -> None:
        self.format = output_format
        self._journal = journal
        self._refresh = refresh
        self._restart = restart
        self._emit = emit
        self._leftovers: Leftovers | None = None

    @classmethod
    def open(
        cls, output_format: OutputFormat, *, refresh: bool, restart: bool, dry_run: bool, emit: Sink
    ) -> BundleBuild:
        """Read the journal of an earlier run and take its lock.

        ``refresh`` reuses only the blobs of the earlier run; ``restart`` discards all of it. ``dry_run`` reads the
        journal without its lock and changes nothing. Raises :class:`airgap.errors.OutputError` if another export of
        the same bundle is running, and what :meth:`OutputFormat.check` raises.
        """
        output_format.check()
        journal: ExportJournal | None = None
        if not output_format.streamed:
            path = journal_path(output_format.run_path)
            journal = ExportJournal.read(path) if dry_run else ExportJournal.open(path, create=False)
        return cls(output_format, journal, refresh=refresh, restart=restart, emit=emit)

    def __enter__(self) -> BundleBuild:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leftovers is not None:
            self._leftovers.close()
        if self._journal is not None:
            self._journal.close()

    @property
    def resuming(self) -> bool:
        """Whether an earlier run left something to continue."""
        return self._journal is not None and self._journal.identifies_bundle and not self._restart

    @property
    def lockfile(self) -> Lockfile | None:
        """The lockfile of the earlier run. With it, tags are not resolved again when a run is continued."""
        if self._journal is None or not self.resuming or self._refresh:
            return None
        return self._journal.lockfile

    def other_inputs_error(self) -> UsageError:
        """Return the error to raise if the earlier run had other images, files or options."""
        return UsageError(
            tr("{name} was begun with other images, files or options", name=partial_path(self.format.path).name),
            where=str(self.format.path),
            hint=tr("--refresh resolves anew and keeps what still serves; --restart begins anew"),
        )

    @contextmanager
    def writer(self, plan: Plan, inventory: Inventory, layout: TarLayout, lockfile: Lockfile) -> Iterator[BundleWriter]:
        """Open the writer of the bundle. If the block fails, what was written is kept for the next run."""
        writer = self._open_writer(plan, inventory, layout, lockfile)
        try:
            yield writer
        except BaseException as error:
            if not writer.worth_keeping:
                writer.discard()
                raise
            writer.keep()
            kept = tr("what has arrived is kept beside {path}", path=self.format.path)
            if isinstance(error, KeyboardInterrupt | Interrupted):
                raise Interrupted(tr("stopped; {kept}", kept=kept), again=True) from None
            self._emit(Noted(kept))
            if isinstance(error, AirgapError):
                error.again = True
            raise
        if self._leftovers is not None:
            self._leftovers.remove()

    def with_leftovers(self, plan: Plan, sources: Mapping[str, Source]) -> dict[str, Source]:
        """Return ``sources`` and the leftovers, and make them the first source of the blobs that they may have."""
        if self._leftovers is None:
            return dict(sources)
        reusable_jobs = [job for job in plan.blobs.values() if self._leftovers.holds_part_of(job.descriptor)]
        if not reusable_jobs:
            return dict(sources)
        for job in reusable_jobs:
            job.sources.insert(0, LEFTOVERS)
        size = sum(job.descriptor.size for job in reusable_jobs)
        self._emit(Noted(tr("up to {size} of the earlier run still serve", size=human(size))))
        return {**sources, LEFTOVERS: self._leftovers}

    def _open_writer(self, plan: Plan, inventory: Inventory, layout: TarLayout, lockfile: Lockfile) -> BundleWriter:
        contents = {**plan.inline_blobs, **{digest: manifest.content for digest, manifest in plan.manifests.items()}}
        if self.format.streamed:
            return BundleWriter.begin(self.format.begin_draft(layout), layout, contents)
        if self._journal is None:
            self._journal = ExportJournal.open(journal_path(self.format.run_path), create=True)
        assert self._journal is not None
        bundle_id = digests.encoded(digests.of(inventory.to_bytes()))
        if self._restart:
            Leftovers.find(self.format.run_path).remove()
            self.format.remove_unfinished()
        recorded = (self._journal.bundle_id, self._journal.output_format)
        same_bundle = self.resuming and recorded == (bundle_id, self.format.label)
        if self.resuming and not same_bundle:
            if not self._refresh:
                raise self.other_inputs_error()
            self._set_aside(self._journal)
        self._leftovers = Leftovers.find(self.format.run_path)
        if same_bundle:
            writer = self._resume_writer(layout, contents, self._journal)
            if writer is not None:
                return writer
        return self._begin_writer(layout, contents, self._journal, lockfile, bundle_id)

    def _resume_writer(
        self, layout: TarLayout, contents: Mapping[str, bytes], journal: ExportJournal
    ) -> BundleWriter | None:
        draft = self.format.resume_draft(layout)
        writer = BundleWriter.resume(draft, layout, contents, journal) if draft is not None else None
        if writer is not None:
            self._emit(Noted(tr("goes on with what an earlier run left of {path}", path=self.format.path)))
        return writer

    def _begin_writer(
        self,
        layout: TarLayout,
        contents: Mapping[str, bytes],
        journal: ExportJournal,
        lockfile: Lockfile,
        bundle_id: str,
    ) -> BundleWriter:
        try:
            draft = self.format.begin_draft(layout)
            try:
                journal.begin(lockfile, bundle_id, self.format.label)
            except BaseException:
                draft.discard()
                raise
        except BaseException:
            if not journal.identifies_bundle:
                journal.remove()
            raise
        return BundleWriter.begin(draft, layout, contents, journal)

    def _set_aside(self, journal: ExportJournal) -> None:
        """Keep the partial file for its blobs, if it can be read before it is finished: only a plain tar can."""
        partial = partial_path(self.format.path)
        if self.format.label == journal.output_format == "tar" and partial.is_file() and not partial.is_symlink():
            with writing(partial):
                Leftovers.set_aside(self.format.path)
