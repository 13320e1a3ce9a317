# SPDX-License-Identifier: Apache-2.0
"""A bundle on its way to its name: begun, gone on with after whatever broke it off, in the form that was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airgap.bundle import BundleReader, BundleWriter, Inventory, Journal, Lock, journal_of
from airgap.bundle.format import Layout
from airgap.bundle.media import Draft, FileDraft, partial_of
from airgap.bundle.media.naming import DEFAULT_PATTERN, names_of
from airgap.copy import Plan
from airgap.errors import AirgapError, Interrupted, UsageError
from airgap.events import Noted, Sink
from airgap.flows import output
from airgap.flows.words import human
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.store.base import Reader, Source

#: The name in a plan of what an earlier run had fetched for another bundle of the same name.
SALVAGE = "what an earlier run left"


class Form(Record):
    """How the bundle lies: one tar, with ``volume_size`` its byte ranges, of which ``volume`` alone is made if it is
    not 0; by its name ``.tar.zst`` compressed; ``-`` is standard output."""

    path: Path
    volume_size: int = 0
    volume: int = 0
    pattern: str = DEFAULT_PATTERN

    @property
    def streamed(self) -> bool:
        return str(self.path) == "-"

    @property
    def name(self) -> str:
        """What people call the place."""
        return "standard output" if self.streamed else str(self.path)

    @property
    def compressed(self) -> bool:
        return self.path.suffix == ".zst"

    @property
    def label(self) -> str:
        if self.volume_size:
            which = f"volume {self.volume}" if self.volume else "all volumes"
            return f"{which} of {self.volume_size} bytes, called {self.pattern}"
        return "tar.zst" if self.compressed else "tar"

    def check(self) -> None:
        """Raise :class:`UsageError` for what does not go together."""
        if self.volume_size and self.streamed:
            raise UsageError("standard output has no volumes", hint="leave --volume-size out, or name a file with -o")
        if self.volume_size and self.compressed:
            raise UsageError("volumes are of a plain tar", hint="call it .tar: layers are compressed already")
        if self.volume and not self.volume_size:
            raise UsageError("--volume makes one of several volumes", hint="give --volume-size as the first time")
        if self.streamed and os.isatty(1):
            raise UsageError("a bundle is not for a terminal", hint="name a file with -o, or pipe it on: -o - | ssh …")

    def names(self, layout: Layout) -> list[Path]:
        """The files that there will be."""
        if self.streamed:
            return []
        if not self.volume_size:
            return [self.path]
        names = names_of(self.path, layout.total, self.volume_size, self.pattern)
        if self.volume > len(names):
            raise UsageError(f"there is no volume {self.volume}, there are {len(names)}", where=str(self.path))
        return names[self.volume - 1 : self.volume] if self.volume else names

    def draft(self, layout: Layout, *, resume: bool) -> Draft | None:
        """Where to write; ``None`` where nothing lies that ``resume`` could go on with."""
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


class Making:
    """What an earlier run left is looked for at once; ``refresh`` takes only its blobs, ``restart`` nothing."""

    def __init__(self, form: Form, *, refresh: bool, restart: bool, emit: Sink) -> None:
        self.form = form
        self._emit = emit
        self._refresh = refresh
        self._path = journal_of(form.path)
        self._journal = None if form.streamed or restart else Journal.load(self._path)
        self._old: BundleReader | None = None

    @property
    def goes_on(self) -> bool:
        return self._journal is not None

    @property
    def lock(self) -> Lock | None:
        """What the earlier run had resolved: a tag that has moved since blocks nothing."""
        return self._journal.lock if self._journal is not None and not self._refresh else None

    def other_inputs(self) -> UsageError:
        return UsageError(
            f"{partial_of(self.form.path).name} was begun with other images, files or options",
            where=str(self.form.path),
            hint="--refresh resolves anew and keeps what still serves; --restart begins anew",
        )

    @contextmanager
    def writer(self, plan: Plan, inventory: Inventory, layout: Layout, lock: Lock) -> Iterator[BundleWriter]:
        """The bundle's writer; where the work then fails, what is worth it is kept, and said to be."""
        writer = self._open(plan, inventory, layout, lock)
        try:
            yield writer
        except BaseException as error:
            if not writer.worth_keeping:
                writer.discard()
                self._forget_old()
                raise
            writer.keep()
            kept = f"what has arrived is kept beside {self.form.path}"
            if isinstance(error, KeyboardInterrupt | Interrupted):
                raise Interrupted(f"stopped; {kept}", hint="the same command goes on") from None
            self._emit(Noted(f"{kept}; the same command goes on"))
            raise
        self._forget_old()

    def salvage(self, plan: Plan, sources: dict[str, Source]) -> dict[str, Source]:
        """``sources``, and where blobs of ``plan`` lie in what an earlier run left, that before the registries."""
        if self._old is None:
            return sources
        found = {digest: job for digest, job in plan.blobs.items() if digest in self._old_whole}
        for job in found.values():
            job.sources.insert(0, SALVAGE)
        self._emit(Noted(f"{human(sum(j.descriptor.size for j in found.values()))} of the earlier run still serve"))
        return {**sources, SALVAGE: _Salvage(self._old, self._old_whole)}

    def _open(self, plan: Plan, inventory: Inventory, layout: Layout, lock: Lock) -> BundleWriter:
        identity = digests.encoded(digests.of(inventory.to_bytes()))
        contents = {**plan.small, **{digest: one.content for digest, one in plan.manifests.items()}}
        journal = self._journal
        if journal is not None and (journal.id, journal.form) != (identity, self.form.label):
            if not self._refresh:
                raise self.other_inputs()
            self._set_aside(journal)
            journal = None
        if journal is not None:
            draft = self.form.draft(layout, resume=True)
            writer = BundleWriter.go_on(draft, layout, contents, journal) if draft is not None else None
            if writer is not None:
                self._emit(Noted(f"goes on with what an earlier run left of {self.form.path}"))
                return writer
        new = None if self.form.streamed else Journal(self._path, lock, identity, self.form.label)
        draft = self.form.draft(layout, resume=False)
        assert draft is not None
        return BundleWriter.begin(draft, layout, contents, new)

    def _set_aside(self, journal: Journal) -> None:
        """Blobs of another bundle of this name are read from it instead of being fetched again."""
        partial = partial_of(self.form.path)
        if self.form.label != "tar" or journal.form != "tar" or not partial.is_file():
            return
        old = partial.with_name(f"{partial.name}.old")
        os.replace(partial, old)
        with suppress(AirgapError):
            self._old = BundleReader(old)
            self._old_whole = frozenset(journal.whole)

    def _forget_old(self) -> None:
        if self._old is not None:
            self._old.close()
            with suppress(OSError):
                self._old.path.unlink()


class _Salvage(Record):
    """Of an unfinished bundle, the blobs that were whole. Whoever takes them verifies them."""

    bundle: BundleReader
    whole: frozenset[str]

    def resolve(self, name: str) -> Descriptor:
        return self.bundle.resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.whole

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        return self.bundle.open(descriptor, offset)


def check_places(form: Form, layout: Layout, *, force: bool) -> None:
    """Raise :class:`OutputError` where one of the files cannot be put."""
    for path in form.names(layout):
        output.check_place(path, force=force)
