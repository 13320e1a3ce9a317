# SPDX-License-Identifier: Apache-2.0
"""Events turned into a bar, plain lines or JSON lines, always on standard error."""

from __future__ import annotations

import json
import sys
import threading
import time
from types import TracebackType
from typing import Any

import click

from airgap.cli.printable import printable
from airgap.events import (
    BlobDone,
    BlobProgress,
    Event,
    ImageFailed,
    Noted,
    Planned,
    Retrying,
    Warned,
    as_json,
)
from airgap.flows.words import human

#: Seconds between lines where there is no terminal.
_INTERVAL = 5.0


class Display:
    """A sink for events; a context manager, since a bar must be taken down before anything else is printed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0
        self._done: dict[str, int] = {}
        self._sum = 0
        self._shown = 0

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._count(event)
            self.show(event)

    def show(self, event: Event) -> None:
        """Called under the lock."""

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to take down."""

    @property
    def shown(self) -> int:
        """Bytes to tell: a transfer that starts again does not move the bar back."""
        self._shown = max(self._shown, min(self._sum, self._total))
        return self._shown

    def _count(self, event: Event) -> None:
        if isinstance(event, Planned):
            self._total, self._sum, self._shown = event.total, 0, 0
            self._done.clear()
        elif isinstance(event, BlobProgress):
            self._add(event.digest, event.bytes)
        elif isinstance(event, BlobDone):
            self._add(event.digest, event.bytes - self._done.get(event.digest, 0))
            self._done.pop(event.digest, None)

    def _add(self, digest: str, count: int) -> None:
        self._done[digest] = self._done.get(digest, 0) + count
        self._sum += count


class Words(Display):
    """Plain lines: what people should know, and how far it is every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.monotonic()

    def show(self, event: Event) -> None:
        text = words(event)
        if text:
            self.line(text)
        elif isinstance(event, BlobProgress | BlobDone) and time.monotonic() - self._last >= _INTERVAL:
            self._last = time.monotonic()
            self.line(f"{human(self.shown)} of {human(self._total)}")

    def line(self, text: str) -> None:
        click.echo(text, err=True)


class Json(Display):
    def show(self, event: Event) -> None:
        click.echo(json.dumps(as_json(event), ensure_ascii=False), err=True)


class Bar(Words):
    """One bar over all bytes, with rate and time left; lines scroll above it."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._task: Any = None

    def show(self, event: Event) -> None:
        if isinstance(event, Planned) and event.total:
            self._start()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.shown, total=self._total)
            if text := words(event):
                self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif text := words(event):
            self.line(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(file=sys.stderr), transient=True)
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()


def words(event: Event) -> str:
    """What an event says to people, or nothing."""
    if isinstance(event, Noted):
        return printable(event.text)
    if isinstance(event, Warned):
        return f"{click.style('warning:', fg='yellow')} {printable(event.text)}"
    if isinstance(event, Retrying):
        return f"trying again in {event.delay:.1f} s ({printable(event.what)}: {printable(event.reason)})"
    if isinstance(event, ImageFailed):
        return f"{click.style('failed:', fg='red')} {printable(event.reason)}"
    return ""


def display(how: str) -> Display:
    """The display that ``--progress`` asks for."""
    if how == "auto":
        how = "bar" if sys.stderr.isatty() else "plain"
    return {"bar": Bar, "plain": Words, "json": Json, "none": Display}[how]()
