# SPDX-License-Identifier: Apache-2.0
"""Events turned into a bar, plain lines or JSON lines, always on standard error.

On a terminal a few lines are drawn again and again, elsewhere a line tells every few seconds how far it is; both by a
thread of their own, so that a line that stands still shows too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

from airgap.cli.formatting.printable import printable
from airgap.cli.formatting.summary import summary
from airgap.cli.progress.model import Tally
from airgap.cli.progress.view import draw, plainly
from airgap.errors import OutputError
from airgap.events import Event, Finished, ImageFailed, Noted, Planned, Retrying, Warned, as_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

#: Seconds between lines where there is no terminal, and between drawings where there is one.
_INTERVAL = 5.0
_REDRAW = 0.125


class Display:
    """A sink for events that tells only what went wrong; a context manager, since a bar must be taken down before
    anything else is printed."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        """Raises :class:`OutputError` where standard error cannot be written: whoever emits may be in the middle of a
        request, and this is not the network's error."""
        with self._lock:
            try:
                self.show(event)
            except OSError as error:
                raise OutputError(f"cannot write: {error.strerror or error}", where="standard error") from error

    def show(self, event: Event) -> None:
        """Called under the lock."""
        if isinstance(event, Warned | ImageFailed):
            self.line(words(event))

    def line(self, text: str) -> None:
        click.echo(text, err=True)

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to take down."""


class Json(Display):
    def show(self, event: Event) -> None:
        click.echo(json.dumps(as_json(event), ensure_ascii=False), err=True)


class Words(Display):
    """Plain lines: what people should know, and how far it is every few seconds while blobs move."""

    interval = _INTERVAL

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally(time.monotonic)
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def show(self, event: Event) -> None:
        self.tally.count(event)
        if isinstance(event, Planned) and event.total and not self._ended.is_set():
            self.begin()
        elif isinstance(event, Finished):
            self.end()
        if text := words(event):
            self.line(text)

    def begin(self) -> None:
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, name="airgap-progress", daemon=True)
            self._ticker.start()

    def end(self) -> None:
        """No more is told of itself."""
        self._ended.set()

    def tick(self) -> None:
        """Called under the lock, every ``interval`` seconds."""
        if self.tally.running:
            self.line(plainly(self.tally))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self.end()

    def _tick(self) -> None:
        # As in airgap.transfer.pool: a signal that this thread took would not wake the main thread.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        while not self._ended.wait(self.interval):
            with self._lock:
                if self._ended.is_set():
                    return
                try:
                    self.tick()
                except OSError:
                    return  # the next event raises it where somebody can act on it


class Bar(Words):
    """A bar over all bytes with rate and time left, and the largest blobs on their way under it; lines scroll above."""

    interval = _REDRAW

    def __init__(self) -> None:
        super().__init__()
        self._live: Live | None = None

    def begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            console = Console(file=sys.stderr, highlight=False)
            self._live = Live(
                get_renderable=lambda: self._drawn(console),
                console=console,
                auto_refresh=False,
                transient=True,
                # Where standard output goes elsewhere, it is data.
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()
        super().begin()

    def end(self) -> None:
        super().end()
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def tick(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def line(self, text: str) -> None:
        if self._live is None:
            super().line(text)
        else:
            from rich.text import Text

            self._live.console.print(Text.from_ansi(text), soft_wrap=True)

    def _drawn(self, console: Console) -> Text:
        from rich.text import Text

        lines = draw(self.tally, *console.size, plain=console.options.ascii_only)
        return Text("\n".join(lines), no_wrap=True, overflow="crop")


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
    if isinstance(event, Finished):
        return printable(summary(event))
    return ""


def display(how: str) -> Display:
    """The display that ``--progress`` asks for. A terminal that cannot move its cursor gets plain lines."""
    if how == "auto":
        how = "bar" if sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb") else "plain"
    return {"bar": Bar, "plain": Words, "json": Json, "none": Display}[how]()
