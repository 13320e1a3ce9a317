# SPDX-License-Identifier: Apache-2.0
"""Prints: the only module of this package that writes to standard output and standard error.

Text is escaped here (:func:`airgap.formatting.escaped`), so that no file name, label or answer reaches a terminal as
commands. Where the reader of an output has ended (``| head -1``), what is left is dropped and the command goes on, with
its own exit code; an output that cannot be written for another reason, such as a full disk, is an OutputError.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from airgap.cli.folding import folded, terminal_columns
from airgap.errors import OutputError
from airgap.formatting import escaped, json_text
from airgap.i18n import tr
from airgap.records import Record


class Styled(Record):
    """Text with a colour, by click's name for it, or in bold type."""

    text: str
    colour: str | None = None
    bold: bool = False


#: The parts of a line.
Line = tuple[str | Styled, ...]


def say(*parts: str | Styled, lines: bool = False, end: str = "\n") -> None:
    """Print one line on standard output, folded on a terminal.

    With ``lines``, line feeds and tabs in ``parts`` are kept, and nothing is folded. Raises :class:`OutputError`.
    """
    with _writing(stream := _standard_output(), tr("standard output")):
        click.echo(_line(parts, stream, lines=lines) + end, nl=False)


def note(*parts: str | Styled, lines: bool = False, end: str = "\n") -> None:
    """Print one line on standard error, as :func:`say` does on standard output. Raises :class:`OutputError`."""
    with _writing(sys.stderr, tr("standard error")):
        click.echo(_line(parts, sys.stderr, lines=lines) + end, err=True, nl=False)


def say_json(document: object) -> None:
    """Print a JSON document on standard output. Raises :class:`OutputError`."""
    with _writing(_standard_output(), tr("standard output")):
        click.echo(json_text(document, indent=2))


def note_json(document: object) -> None:
    """Print a JSON document on one line of standard error. Raises :class:`OutputError`."""
    with _writing(sys.stderr, tr("standard error")):
        click.echo(json_text(document), err=True)


def write_bytes(content: bytes) -> None:
    """Write the content of a file to standard output, as it is. Raises :class:`OutputError`."""
    stream = _standard_output()
    with _writing(stream, tr("standard output")):
        stream.buffer.write(content)
        stream.flush()


def ansi(*parts: str | Styled, lines: bool = False) -> str:
    """Return ``parts`` as one text, escaped, with the codes of their colours."""
    return "".join(
        escaped(part, lines=lines)
        if isinstance(part, str)
        else click.style(escaped(part.text, lines=lines), fg=part.colour, bold=part.bold or None)
        for part in parts
    )


def _line(parts: Line, stream: TextIO | None, *, lines: bool) -> str:
    text = ansi(*parts, lines=lines)
    return text if lines or stream is None else folded(text, terminal_columns(stream))


def prepare() -> None:
    """Let standard output take every character, as standard error does: one that its encoding lacks is escaped.

    Raises :class:`OutputError` for what is in its buffer and cannot be written.
    """
    if sys.stdout is not None:
        with _writing(sys.stdout, tr("standard output")):
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a TextIOWrapper


def flush() -> None:
    """Write what is still in the buffer of standard output. Raises :class:`OutputError`."""
    if sys.stdout is not None:
        with _writing(sys.stdout, tr("standard output")):
            sys.stdout.flush()


def discard(stream: TextIO) -> None:
    """Discard what is in the buffer of ``stream`` and what follows: Python writes it when it exits, and would fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _standard_output() -> TextIO:
    """Standard output; raises OutputError if it was closed when the program began."""
    if sys.stdout is None:
        raise OutputError(tr("it is closed"), where=tr("standard output"))
    return sys.stdout


@contextmanager
def _writing(stream: TextIO | None, where: str) -> Iterator[None]:
    """Run the block, which writes to ``stream``, the standard output or error that ``where`` says."""
    try:
        yield
    except BrokenPipeError:
        if stream is not None:
            discard(stream)
    except OSError as error:
        if stream is not None:
            discard(stream)
        raise OutputError(tr("cannot write: {strerror}", strerror=error.strerror or error), where=where) from error
