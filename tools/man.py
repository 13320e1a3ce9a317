# SPDX-License-Identifier: Apache-2.0
"""``dist/man/airgap.1``, ``airgap-export.1`` and so on: a manual page for each command, made from its ``--help``.

    python tools/man.py                  # write them
    man -l dist/man/airgap-export.1      # read one

The same tree gives the same bytes: the date of the pages is that of the version in CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import click

from airgap import __version__, errors
from airgap.cli.app import COMMANDS, cli

ROOT = Path(__file__).resolve().parent.parent
NAME = "airgap"


def pages() -> dict[str, str]:
    """Every page by its file name."""
    root = click.Context(cli, info_name=NAME)
    found = {f"{NAME}.1": _program_page(root)}
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        found[f"{NAME}-{name}.1"] = _command_page(click.Context(command, root, name), COMMANDS[name])
    return found


def _program_page(context: click.Context) -> str:
    lines = _head(NAME, "carry the images that Kubernetes YAML names into a closed network")
    lines += [".SH SYNOPSIS", f".B {NAME}", ".I COMMAND", "[OPTIONS] [ARGUMENTS]"]
    lines += _description(cli.help or "")
    lines += [".SH COMMANDS"]
    for name, what in COMMANDS.items():
        lines += [".TP", f".BR {NAME}\\-{_text(name)} (1)", _text(what)]
    lines += [".SH OPTIONS", *_options(context)]
    lines += [".SH EXIT STATUS", *_exit_codes()]
    return "\n".join(lines) + "\n"


def _command_page(context: click.Context, summary: str) -> str:
    lines = _head(f"{NAME}-{context.info_name}", summary[0].lower() + summary[1:].rstrip("."))
    usage = " ".join(context.command.collect_usage_pieces(context))
    lines += [".SH SYNOPSIS", f".B {_text(context.command_path)}", _text(usage)]
    lines += _description(context.command.help or "")
    lines += [".SH OPTIONS", *_options(context)]
    lines += [".SH SEE ALSO", f".BR {NAME} (1)"]
    return "\n".join(lines) + "\n"


def _head(title: str, what: str) -> list[str]:
    return [
        '.\\" Made by tools/man.py from --help. SPDX-License-Identifier: Apache-2.0',
        f'.TH {title.upper()} 1 {_release_date()} "airgap {__version__}" "airgap manual"',
        ".SH NAME",
        f"{_text(title)} \\- {_text(what)}",
    ]


def _release_date() -> str:
    """The day on which CHANGELOG.md says that this version was released."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## \[{re.escape(__version__)}\] - (\S+)$", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"CHANGELOG.md has no date for {__version__}")
    return found[1]


def _description(text: str) -> list[str]:
    """The paragraphs of a help; those that begin with ``\\b`` are examples, whose lines stay as they are."""
    paragraphs = [paragraph.strip("\n") for paragraph in re.split(r"\n\s*\n", text.strip())]
    prose = [" ".join(paragraph.split()) for paragraph in paragraphs if not paragraph.lstrip().startswith("\b")]
    examples = [
        line.strip()
        for paragraph in paragraphs
        if paragraph.lstrip().startswith("\b")
        for line in paragraph.replace("\b", "").splitlines()
        if line.strip()
    ]
    lines = [".SH DESCRIPTION", _text(prose[0])]
    for paragraph in prose[1:]:
        lines += [".PP", _text(paragraph)]
    if examples:
        lines += [".SH EXAMPLES", ".nf", *map(_text, examples), ".fi"]
    return lines


def _options(context: click.Context) -> list[str]:
    lines = []
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            lines += [".TP", f".B {_text(record[0])}", _text(record[1])]
    return lines


def _exit_codes() -> list[str]:
    """Each error class's code with the first sentence of its docstring."""
    classes = {value.exit_code: value for value in reversed(vars(errors).values()) if _is_error(value)}
    lines = [".TP", ".B 0", "Done."]
    for code, error in sorted(classes.items()):
        what = "Anything else." if code == 1 else re.split(r"(?<=\.)\s", (error.__doc__ or "").replace("``", ""))[0]
        lines += [".TP", f".B {code}", _text(" ".join(what.split()))]
    return lines


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, errors.AirgapError) and "exit_code" in vars(value)


def _text(text: str) -> str:
    """``text`` for roff: hyphens that can be copied, and no line that looks like a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "").replace("…", "...")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main() -> None:
    """Write all pages into a folder, and print its name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "man", metavar="FOLDER")
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (folder / name).write_text(page, encoding="utf-8")
    print(folder)


if __name__ == "__main__":
    main()
