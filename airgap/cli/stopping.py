# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C, SIGTERM and SIGHUP: the first one stops the work cleanly, the second one ends the process at once.

Python runs signal handlers in the main thread, between two steps of its own. While that thread waits inside a C
function (a name server that does not answer, for example) no handler runs. So Python also writes the number of each
signal to a pipe as it arrives, and a thread reads the pipe.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from types import FrameType

from airgap.cli.errors import Teller
from airgap.errors import Interrupted
from airgap.events import Noted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: The same signal again within so many seconds is the same request: ``timeout`` sends it to the process and then to
#: its group.
_SAME = 0.1
#: So many seconds after the first signal the user is told about the second one.
_PATIENCE = 1.0


def listen(teller: Teller) -> None:
    """Install the handlers. SIGINT stays as it is where it was ignored or handled before."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # The thread inherits this mask: a signal that it took would not wake the main thread.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    threading.Thread(target=_watch, args=(reading, teller), name="airgap-signals", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def block() -> None:
    """Deliver no more signals: while Python ends, its default handlers are back, which change the exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for name in SIGNALS:
        signal.signal(name, _leave)
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    """The thread that reads the pipe acts on this signal. SIG_IGN would keep its number out of the pipe."""


def _watch(reading: int, teller: Teller) -> None:
    first, stopping_since = 0, 0.0
    told = False
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while True:
        if not poll.poll(_PATIENCE * 1000 if first and not told else None):
            _write(teller.line(Noted("still stopping; another Ctrl-C ends airgap at once")))
            told = True
            continue
        for number in os.read(reading, 64):
            if number not in SIGNALS:
                continue
            now = time.monotonic()
            if not first:
                first, stopping_since = number, now
            elif number != first or now - stopping_since > _SAME:
                _end(teller)


def _end(teller: Teller) -> None:
    error = Interrupted("stopped at once", hint="run the same command again to go on")
    if not teller.json and os.isatty(2) and os.environ.get("TERM") not in (None, "", "dumb"):
        _write("\x1b[?25h\n")  # the bar hides the cursor
    _write(teller.line(error))
    os._exit(error.exit_code)


def _write(line: str) -> None:
    """Write to standard error without waiting for anything: neither for a lock of ``sys.stderr`` nor for a reader."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    if any(events & select.POLLOUT for _, events in poll.poll(0)):
        try:
            os.write(2, line.encode())
        except OSError:
            return  # nobody can be told
