# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal of a given size that a program runs on, and the screen that its output makes.

The screen knows what programs that draw a few lines need (cursor up, erase, colours, wrapping, scrolling) and refuses
every other control sequence.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\r\n])|([^\x00-\x1f\x7f])")


@dataclass
class Row:
    """``wrapped`` says that the row after it continues it."""

    cells: list[str] = field(default_factory=list)
    wrapped: bool = False


@dataclass
class Screen:
    """``gone`` are rows that scrolled off the top; ``cursor`` is whether it shows."""

    width: int
    height: int
    rows: list[Row] = field(default_factory=lambda: [Row()])
    gone: list[Row] = field(default_factory=list)
    line: int = 0
    column: int = 0
    cursor: bool = True
    #: Every line as it stood when the cursor left or erased it, in the order of writing.
    written: list[str] = field(default_factory=list)

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            assert token, f"not for this terminal: {text[at : at + 20]!r}"
            at = token.end()
            parameters, command, control, character = token.groups()
            if character:
                self._put(character)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self._leave()
                self._down()
            elif command == "A":
                self._leave()
                self.line = max(0, self.line - int(parameters or 1))
            elif command == "K":
                assert parameters in ("2", "0", "")
                self._leave()
                kept = 0 if parameters == "2" else self.column
                row = self.rows[self.line]
                row.cells, row.wrapped = row.cells[:kept], False
            elif command in "hl":
                assert parameters == "?25", parameters
                self.cursor = command == "h"
            else:
                assert command == "m", f"not for this terminal: {token[0]!r}"

    def lines(self) -> list[str]:
        """What stands there in the end and above, wrapped rows joined, without empty lines."""
        found, whole = [], ""
        for row in (*self.gone, *self.rows):
            whole += "".join(row.cells)
            if not row.wrapped:
                found.append(whole.rstrip())
                whole = ""
        return [line for line in found if line]

    def _put(self, character: str) -> None:
        if self.column == self.width:
            self.rows[self.line].wrapped = True
            self._down()
            self.column = 0
        cells = self.rows[self.line].cells
        cells.extend(" " * (self.column + 1 - len(cells)))
        cells[self.column] = character
        self.column += 1

    def _leave(self) -> None:
        self.written.append("".join(self.rows[self.line].cells))

    def _down(self) -> None:
        self.line += 1
        if self.line == len(self.rows):
            self.rows.append(Row())
        if len(self.rows) > self.height:
            self.gone.append(self.rows.pop(0))
            self.line -= 1


def on_terminal(
    command: Sequence[str],
    width: int,
    height: int,
    *,
    environment: Mapping[str, str],
    folder: Path,
    look: Callable[[str, subprocess.Popen[bytes]], None] = lambda said, process: None,
    seconds: float = 40,
    answers: Sequence[bytes] = (),
) -> tuple[int, str]:
    """Run ``command`` with a terminal as its output; its exit code and everything that it wrote there.

    ``look`` is called with that as it grows, and the process. With ``answers`` the terminal is its input too, and one
    of them is typed at each question, which ends with a colon. Raises :class:`TimeoutError` after ``seconds``.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    said, left, deadline = b"", list(answers), time.monotonic() + seconds
    try:
        process = subprocess.Popen(
            command,
            stdin=slave if answers else subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
            env=dict(environment),
            cwd=folder,
            # Its controlling terminal: where a password is asked for. Never that of whoever runs the tests.
            preexec_fn=_own_terminal if answers else None,
        )
    finally:
        os.close(slave)
    try:
        while True:
            ready, _, _ = select.select([master], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"not ended after {seconds} s: {said[-500:]!r}")
            try:
                piece = os.read(master, 65536)
            except OSError:
                piece = b""  # EIO: nobody has the other end any more
            if not piece:
                return process.wait(5), said.decode()
            said += piece
            if left and said.endswith(b": "):
                os.write(master, left.pop(0))
            look(said.decode(errors="replace"), process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)


def _own_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
