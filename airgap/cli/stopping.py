# SPDX-License-Identifier: Apache-2.0
"""Handles Ctrl-C, SIGTERM and SIGHUP: the first one stops the work cleanly, the second one exits at once.

Python runs signal handlers in the main thread, between two steps of its own. While that thread waits inside a C
function (a name server that does not answer, for example) no handler runs. So Python also writes the number of each
signal to a pipe as it arrives, and a thread reads the pipe. A signal that arrives just before the main thread begins to
wait does not end that wait, so the thread wakes the main thread until its handler has run.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from types import FrameType

from airgap.cli.error_reporter import ErrorReporter
from airgap.errors import Interrupted
from airgap.events import Noted
from airgap.i18n import tr

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds within which the same signal counts once: ``timeout`` sends it to the process and then to its group.
_REPEAT_WINDOW = 0.1
#: Seconds after the first signal until the user is told what a second one does.
_NOTE_DELAY = 1.0
#: Its handler does nothing: it ends a wait of the main thread, which then handles the signals that came before.
_WAKING = signal.SIGURG
#: Seconds between two attempts to wake the main thread.
_WAKING_INTERVAL = 0.1


def listen(reporter: ErrorReporter) -> None:
    """Install the signal handlers. SIGINT keeps its handler if it is not Python's default one; SIGTERM and SIGHUP stay
    ignored if they are (``nohup``)."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # The new thread inherits this mask. If it handled a signal, the main thread would not be interrupted.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    arguments = (reading, threading.get_ident(), reporter)
    threading.Thread(target=_watch, args=arguments, name="airgap-signals", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    signal.signal(_WAKING, _do_nothing)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def block() -> None:
    """Block all signals. When Python exits it restores the default handlers, which would change the exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for name in SIGNALS:
        if signal.getsignal(name) is not signal.SIG_IGN:
            signal.signal(name, _do_nothing)
    raise KeyboardInterrupt


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """A second signal is handled by the thread that reads the pipe. With SIG_IGN nothing would be written to it, and no
    wait would end."""


def _watch(reading: int, main_thread: int, reporter: ErrorReporter) -> None:
    """Read signal numbers from the pipe; wake the main thread for the first signal, and exit at the second."""
    first_signal, stopping_since = 0, 0.0
    noted = False
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while True:
        if not poll.poll(_WAKING_INTERVAL * 1000 if first_signal and not noted else None):
            if time.monotonic() - stopping_since > _NOTE_DELAY:
                _write(reporter.format(Noted(tr("still stopping; another Ctrl-C ends airgap at once"))))
                noted = True
            elif signal.getsignal(first_signal) is _interrupt:  # it replaces itself when it runs
                signal.pthread_kill(main_thread, _WAKING)
            continue
        for number in os.read(reading, 64):
            if number not in SIGNALS:
                continue
            now = time.monotonic()
            if not first_signal:
                first_signal, stopping_since = number, now
            elif number != first_signal or now - stopping_since > _REPEAT_WINDOW:
                _exit_now(reporter)


def _exit_now(reporter: ErrorReporter) -> None:
    error = Interrupted(tr("stopped at once"), again=True)
    if not reporter.json and os.isatty(2) and os.environ.get("TERM") not in (None, "", "dumb"):
        _write("\x1b[?25h\n")  # show the cursor, which the progress bar hides
    _write(reporter.format(error))
    os._exit(error.exit_code)


def _write(line: str) -> None:
    """Write to standard error without waiting for the lock of ``sys.stderr`` or for a reader."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    if any(events & select.POLLOUT for _, events in poll.poll(0)):
        try:
            os.write(2, line.encode())
        except OSError:
            return  # there is no other place to write to
