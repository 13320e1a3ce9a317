# SPDX-License-Identifier: Apache-2.0
"""``--help`` on a terminal of any width: click counts characters, where a Hangul syllable takes two columns, breaks
words at hyphens, and takes every terminal for 50 columns wide or more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

import click

from airgap.cli.formatting.columns import cut, display_width, left
from airgap.i18n import tr

#: Columns of the narrowest page, and those of text beside an option below which it is printed under the option.
_MIN_WIDTH, _MIN_BESIDE = 24, 34
#: A paragraph that begins with this line keeps its lines: it has examples to paste.
_VERBATIM = "\b"
#: What is kept on one line of a command: a word, of which a quoted text is a part, or an option with its value.
_SHELL_WORD = re.compile(r"""(?:--?[\w-]+ (?=[^-\s]))?(?:"[^"]*"|'[^']*'|[^\s"'])+""")

#: A word with the blanks before it, and such words that may also end behind a ``|``.
_WORD, _PART = re.compile(r"(?<!\s)\s*\S+"), re.compile(r"\s*[^\s|]*\|?")


class TerminalFormatter(click.HelpFormatter):
    """Wraps text between words by columns of the terminal, and commands so that they can be pasted."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        import shutil

        columns = width or min(shutil.get_terminal_size().columns, max_width or 80) - 2
        super().__init__(indent_increment, max(columns, _MIN_WIDTH), max_width)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line of usage."""
        begin = f"{prefix or tr('Usage:')} {prog}"
        hanging = display_width(begin) + 1
        self._write_lines(
            wrapped(f"{begin} {args}", self.width), " " * (hanging if hanging < self.width // 2 else 4), first=""
        )

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        room = self.width - self.current_indent
        paragraphs = (paragraph.splitlines() for paragraph in re.split(r"\n\s*\n", text.strip("\n")))
        for number, lines in enumerate(paragraphs):
            if number:
                self.write("\n")
            if lines[0].strip() == _VERBATIM:
                self._write_lines(chain.from_iterable(wrapped_command(line.strip(), room) for line in lines[1:]))
            else:
                self._write_lines(wrapped(" ".join(lines), room))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a table of two columns; on a narrow terminal, the second under the first."""
        rows = list(rows)
        room = self.width - self.current_indent
        widths = [display_width(name) for name, _ in rows]
        column = max((width for width in widths if width <= col_max), default=col_max) + col_spacing
        below = room - column < _MIN_BESIDE
        if below:
            column = 2 * self.indent_increment
        for name, text in rows:
            lines = list(wrapped(text, room - column))
            if not below and lines and display_width(name) + col_spacing <= column:
                self._write_lines([left(name, column) + lines.pop(0)])
            else:
                self._write_lines(wrapped(name, room, at_bars=True))
            self._write_lines(lines, " " * (self.current_indent + column))

    def _write_lines(self, lines: Iterable[str], indent: str | None = None, *, first: str | None = None) -> None:
        """Write ``lines`` behind ``indent``, the first of them behind ``first`` if given."""
        indent = " " * self.current_indent if indent is None else indent
        for line in lines:
            self.write(f"{indent if first is None else first}{line}\n")
            first = None


def wrapped(text: str, width: int, *, at_bars: bool = False) -> Iterator[str]:
    """Yield the lines of ``text`` in ``width`` columns. Only a word that is wider than a line is broken.

    With ``at_bars`` a line may also end behind a ``|``.
    """
    line = ""
    for word in (_PART if at_bars else _WORD).findall(text):
        if line and display_width(line + word) > width:
            yield line
            line = word.lstrip()
        else:
            line += word if line else word.lstrip()
        while display_width(line) > width:
            yield (begin := cut(line, width))
            line = line[len(begin) :]
    if line:
        yield line


def wrapped_command(command: str, width: int) -> Iterator[str]:
    """Yield the lines of a shell command in ``width`` columns, each but the last with a backslash at its end."""
    line = ""
    *words, last = _SHELL_WORD.findall(command) or [""]
    for word, end in (*((word, " \\") for word in words), (last, "")):
        if line and display_width(f"{line} {word}{end}") > width:
            yield f"{line} \\"
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    yield line
