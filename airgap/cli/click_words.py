# SPDX-License-Identifier: Apache-2.0
"""The words of click itself in the user's language: headings of ``--help``, and errors in the command line.

click marks its texts for gettext, but looks them up in a folder of catalogues, which a program in a zip file does not
have. Here the functions by which its modules look them up are replaced. ``tests/cli/test_click_words.py`` checks that
each text of the installed click is listed.
"""

from __future__ import annotations

import importlib

import click

from airgap.i18n import language_in_use, plural_form, tr

_MODULES = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types")


def use_language() -> None:
    """Let click speak the language in use. A text that the catalogue lacks stays English."""
    click.IntRange.name = tr("integer")  # click's "integer range" is its own word for it, also in English
    if language_in_use() == "en":
        return
    for name in _MODULES:
        module = importlib.import_module(f"click.{name}")
        for function, replacement in (("_", tr), ("ngettext", plural_form)):
            if hasattr(module, function):
                setattr(module, function, replacement)


def listed() -> tuple[str, ...]:
    """Return what click may say, for the collector of messages. Those with a second wording are of older versions."""
    return (
        tr("Usage:"),
        tr("Options"),
        tr("Commands"),
        tr("Show this message and exit."),
        tr("default: {default}"),
        tr("required"),
        tr("Missing argument"),
        tr("Missing option"),
        tr("Missing parameter"),
        tr("Missing command."),
        tr("Invalid value: {message}"),
        tr("Invalid value for {param_hint}: {message}"),
        tr("No such option {name!r}."),
        tr("No such option: {name}"),
        plural_form("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)", 1),
        tr("Option {name!r} does not take a value."),
        plural_form("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments.", 1),
        tr("Argument {name!r} takes {nargs} values."),
        plural_form("Takes {nargs} values but 1 was given.", "Takes {nargs} values but {len} were given.", 1),
        plural_form("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})", 1),
        tr("Choose from:\n\t{choices}"),
        plural_form("{value!r} is not {choice}.", "{value!r} is not one of {choices}.", 1),
        tr("{value} is not in the range {range}."),
        tr("{value!r} is not a valid {number_type}."),
        tr("{value!r} is not a valid boolean. Recognized values: {states}"),
        tr("Could not open file {filename!r}: {message}"),
        tr("file"),
        tr("directory"),
        tr("path"),
        tr("{name} {filename!r} does not exist."),
        tr("{name} {filename!r} is a file."),
        tr("{name} {filename!r} is a directory."),
        tr("{name} {filename!r} is not readable."),
        tr("{name} {filename!r} is not writable."),
        tr("{name} {filename!r} is not executable."),
        tr("Repeat for confirmation"),
        tr("Error: The two entered values do not match."),
        tr("Error: invalid input"),
        tr("Error: {message}"),
    )
