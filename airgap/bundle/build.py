# SPDX-License-Identifier: Apache-2.0
"""A bundle from its first byte to its final name, over as many runs as that takes.

The journal's lock is held from the start of a run to its end, so that no two exports work on one bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from airgap.bundle.inventory import Inventory, Lock
from airgap.bundle.journal import ExportJournal, journal_of
from airgap.bundle.leftovers import Leftovers
from airgap.bundle.media import partial_of
from airgap.bundle.output_format import OutputFormat
from airgap.bundle.tar import Layout
from airgap.bundle.writer import BundleWriter
from airgap.durable import writing
from airgap.errors import Interrupted, UsageError
from airgap.events import Noted, Sink
from airgap.formatting import human
from airgap.oci import digest as digests
from airgap.store.protocols import Source
from airgap.transfer import Plan

#: The name in a plan of what an earlier run with other inputs had fetched.
LEFTOVERS = "leftovers"


class BundleBuild:
    """Loads and locks what an earlier run left. ``refresh`` reuses only its blobs; ``restart`` discards it.

    ``dry_run`` reads the journal without its lock and changes nothing. A context manager: leaving it releases the
    lock. Raises :class:`airgap.errors.OutputError` where another export of the same bundle is running.
    """

    def __init__(self, output_format: OutputFormat, *, refresh: bool, restart: bool, dry_run: bool, emit: Sink) -> None:
        self.format = output_format
        self._emit = emit
        self._refresh = refresh
        self._leftovers: Leftovers | None = None
        path = journal_of(output_format.path)
        self._journal: ExportJournal | None = None
        if not output_format.streamed:
            self._journal = ExportJournal.read(path) if dry_run else ExportJournal.open(path, create=False)
        self._restart = restart

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
        return self._journal is not None and self._journal.has_content and not self._restart

    @property
    def lock(self) -> Lock | None:
        """What the earlier run had resolved, so that tags stay at the digests of the first run."""
        return self._journal.lock if self._journal is not None and self.resuming and not self._refresh else None

    def other_inputs(self) -> UsageError:
        """The error for an earlier run with other inputs."""
        return UsageError(
            f"{partial_of(self.format.path).name} was begun with other images, files or options",
            where=str(self.format.path),
            hint="--refresh resolves anew and keeps what still serves; --restart begins anew",
        )

    @contextmanager
    def writer(self, plan: Plan, inventory: Inventory, layout: Layout, lock: Lock) -> Iterator[BundleWriter]:
        """The writer of the bundle. Where the block fails, what was fetched is kept for the next run."""
        writer = self._open(plan, inventory, layout, lock)
        try:
            yield writer
        except BaseException as error:
            if not writer.worth_keeping:
                writer.discard()
                raise
            writer.keep()
            kept = f"what has arrived is kept beside {self.format.path}"
            if isinstance(error, KeyboardInterrupt | Interrupted):
                raise Interrupted(f"stopped; {kept}", hint="the same command goes on") from None
            self._emit(Noted(f"{kept}; the same command goes on"))
            raise
        if self._leftovers is not None:
            self._leftovers.remove()

    def with_leftovers(self, plan: Plan, sources: Mapping[str, Source]) -> dict[str, Source]:
        """``sources``, and before them, for blobs of ``plan`` that lie in leftovers, these leftovers."""
        if self._leftovers is None:
            return dict(sources)
        begun = [job for job in plan.blobs.values() if self._leftovers.begun(job.descriptor)]
        if not begun:
            return dict(sources)
        for job in begun:
            job.sources.insert(0, LEFTOVERS)
        self._emit(Noted(f"up to {human(sum(job.descriptor.size for job in begun))} of the earlier run still serve"))
        return {**sources, LEFTOVERS: self._leftovers}

    def _open(self, plan: Plan, inventory: Inventory, layout: Layout, lock: Lock) -> BundleWriter:
        contents = {**plan.inline_blobs, **{digest: manifest.content for digest, manifest in plan.manifests.items()}}
        if self.format.streamed:
            draft = self.format.draft(layout, resume=False)
            assert draft is not None
            return BundleWriter.begin(draft, layout, contents)
        if self._journal is None:
            self._journal = ExportJournal.open(journal_of(self.format.path), create=True)
        assert self._journal is not None
        identity = digests.encoded(digests.of(inventory.to_bytes()))
        if self._restart:
            Leftovers(self.format.path).remove()
        same = self.resuming and (self._journal.id, self._journal.form) == (identity, self.format.label)
        if self.resuming and not same:
            if not self._refresh:
                raise self.other_inputs()
            self._set_aside(self._journal)
        self._leftovers = Leftovers(self.format.path)
        if same:
            draft = self.format.draft(layout, resume=True)
            writer = BundleWriter.go_on(draft, layout, contents, self._journal) if draft is not None else None
            if writer is not None:
                self._emit(Noted(f"goes on with what an earlier run left of {self.format.path}"))
                return writer
        return self._begin(layout, contents, self._journal, lock, identity)

    def _begin(
        self, layout: Layout, contents: Mapping[str, bytes], journal: ExportJournal, lock: Lock, identity: str
    ) -> BundleWriter:
        try:
            draft = self.format.draft(layout, resume=False)
            assert draft is not None
            try:
                journal.begin(lock, identity, self.format.label)
            except BaseException:
                draft.discard()
                raise
        except BaseException:
            if not journal.has_content:
                journal.remove()
            raise
        return BundleWriter.begin(draft, layout, contents, journal)

    def _set_aside(self, journal: ExportJournal) -> None:
        """Only a plain tar can be read before it is finished; other forms are begun again in place."""
        partial = partial_of(self.format.path)
        if self.format.label == journal.form == "tar" and partial.is_file() and not partial.is_symlink():
            with writing(partial):
                Leftovers.set_aside(self.format.path)
