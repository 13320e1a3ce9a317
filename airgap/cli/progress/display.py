# SPDX-License-Identifier: Apache-2.0
"""Displays for the ``--progress`` modes: a bar, plain lines, JSON lines or none. All write to standard error.

The bar is redrawn, and plain lines are added every few seconds, by a thread of the display, so that the user also sees
when nothing moves.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from airgap.cli.error_reporter import current_reporter
from airgap.cli.folding import folded, terminal_columns
from airgap.cli.formatting.event_text import event_text, failure_text
from airgap.cli.formatting.message import MAX_SEPARATE, cause_of_failure
from airgap.cli.printing import Line, ansi, note, note_json
from airgap.cli.progress.model import ProgressModel
from airgap.cli.progress.view import draw, draw_plain
from airgap.errors import OutputError
from airgap.events import Event, Finished, ImageFailed, Planned, Warned, as_json
from airgap.i18n import tr

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

#: Seconds between plain lines, and between two drawings of the bar.
_LINE_INTERVAL = 5.0
_REDRAW_INTERVAL = 0.125


class Display:
    """An event sink that prints warnings and failed images and nothing else (``--progress none``).

    A context manager: when it exits, a bar is removed before other text is printed.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._limits = current_reporter().limits
        #: The images that failed, by cause.
        self._failed_images: dict[str, list[str]] = {}

    def __call__(self, event: Event) -> None:
        """Show ``event``. Raises :class:`OutputError` if standard error cannot be written.

        Not OSError: the caller may be in the middle of a request and would take it for an error of the network.
        """
        with self._lock:
            try:
                self.show(event)
            except OSError as error:
                raise OutputError(
                    tr("cannot write: {strerror}", strerror=error.strerror or error), where=tr("standard error")
                ) from error

    def show(self, event: Event) -> None:
        """Print what this display shows of ``event``. The caller holds the lock."""
        if isinstance(event, ImageFailed):
            self.show_failed_image(event)
        elif isinstance(event, Warned):
            self.print_line(event_text(event, self._limits))

    def show_failed_image(self, event: ImageFailed) -> None:
        """Print that an image failed, for the first images of each cause; the others are counted."""
        images = self._failed_images.setdefault(cause_of_failure(event), [])
        images.append(event.reference)
        if len(images) <= MAX_SEPARATE or self._limits.verbose:
            self.print_line(event_text(event, self._limits))

    def show_more_failed_images(self) -> None:
        """Print a line for each cause of which not every image was shown."""
        failed_images, self._failed_images = self._failed_images, {}
        for images in failed_images.values():
            if (more := images[MAX_SEPARATE:]) and not self._limits.verbose:
                text = tr(
                    "{more_count} more for the same reason as {images}: {more}",
                    more_count=len(more),
                    images=images[0],
                    more=", ".join(more),
                )
                self.print_line(failure_text(text, self._limits))

    def clear(self) -> None:
        """Remove what stands on the screen until there is more to show, so that other text can be printed."""

    def print_line(self, line: Line) -> None:
        """Print one line on standard error, or the lines of a result."""
        note(*line, lines=_has_lines(line))

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print what is still to be said; displays that keep something on the screen remove it here."""
        with self._lock, suppress(OSError, OutputError):
            self.show_more_failed_images()


class JsonDisplay(Display):
    """Prints each event as a JSON line."""

    def show(self, event: Event) -> None:
        """Print ``event`` as JSON."""
        note_json(as_json(event))


class PlainDisplay(Display):
    """Prints plain lines for events, and one about the progress every few seconds while blobs move."""

    interval = _LINE_INTERVAL

    def __init__(self) -> None:
        super().__init__()
        self.model = ProgressModel(time.monotonic)
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def show(self, event: Event) -> None:
        """Update the model and print the line for ``event``, if it has one."""
        self.model.update(event)
        if isinstance(event, Planned) and event.total and not self._ended.is_set():
            self.begin()
        elif isinstance(event, Finished):
            self.end()
            self.show_more_failed_images()
        if isinstance(event, ImageFailed):
            self.show_failed_image(event)
        elif line := event_text(event, self._limits):
            self.print_line(line)

    def begin(self) -> None:
        """Start to show the progress at intervals, by a thread."""
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._run_ticks, name="airgap-progress", daemon=True)
            self._ticker.start()

    def end(self) -> None:
        """Stop showing the progress for good; events are still printed."""
        self._ended.set()

    def tick(self) -> None:
        """Show the progress. Called with the lock held, every ``interval`` seconds."""
        if self.model.transfers:
            self.print_line((draw_plain(self.model),))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing the progress."""
        with self._lock:
            self.end()
        super().__exit__(kind, error, trace)

    def _run_ticks(self) -> None:
        # If this thread handled a signal, the main thread would not be interrupted. See also airgap.transfer.pool.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        while not self._ended.wait(self.interval):
            with self._lock:
                if self._ended.is_set():
                    return
                try:
                    self.tick()
                except (OSError, OutputError):
                    return  # the next event raises the error in a thread that can handle it


class BarDisplay(PlainDisplay):
    """Draws a bar with rate and remaining time, and the largest blobs below it; other lines scroll above."""

    interval = _REDRAW_INTERVAL

    def __init__(self) -> None:
        super().__init__()
        self._live: Live | None = None

    def begin(self) -> None:
        """Show the bar and start to redraw it."""
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            console = Console(file=sys.stderr, highlight=False)
            self._live = Live(
                get_renderable=lambda: self._draw(console),
                console=console,
                auto_refresh=False,
                transient=True,
                # If standard output is not the terminal, it is data and must not go through the console.
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()
        super().begin()

    def end(self) -> None:
        """Remove the bar for good."""
        super().end()
        self.clear()

    def clear(self) -> None:
        """Remove the bar until there is more to copy."""
        with self._lock:
            live, self._live = self._live, None
            if live is not None:
                live.stop()

    def tick(self) -> None:
        """Draw the bar again."""
        if self._live is not None:
            self._live.refresh()

    def print_line(self, line: Line) -> None:
        """Print one line on standard error, above the bar if it is shown."""
        if self._live is None:
            super().print_line(line)
        else:
            from rich.text import Text

            text = ansi(*line, lines=True)
            shown = text if _has_lines(line) else folded(text, terminal_columns(sys.stderr))
            self._live.console.print(Text.from_ansi(shown), soft_wrap=True)

    def _draw(self, console: Console) -> Text:
        from rich.text import Text

        lines = draw(self.model, *console.size, ascii_only=console.options.ascii_only)
        return Text("\n".join(lines), no_wrap=True, overflow="crop")


def _has_lines(line: Line) -> bool:
    return any("\n" in (part if isinstance(part, str) else part.text) for part in line)


def open_display(mode: str) -> Display:
    """Return the display for a ``--progress`` mode; a context manager that is called with events.

    ``auto`` is a bar on a terminal that can move its cursor, else plain lines.
    """
    if mode == "auto":
        mode = "bar" if sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb") else "plain"
    return {"bar": BarDisplay, "plain": PlainDisplay, "json": JsonDisplay, "none": Display}[mode]()
