# SPDX-License-Identifier: Apache-2.0
"""``airgap diff``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from airgap.bundle import Document, Inventory, read_document
from airgap.bundle.artifact_comparison import Status, counts_of, lines_of
from airgap.bundle.comparison import ByteCounts, Comparison
from airgap.cli import options
from airgap.cli.formatting.columns import display_width, left, right
from airgap.cli.printing import Styled, say, say_json
from airgap.cli.release_folder import bundle_in, document_in
from airgap.flows.diff import diff
from airgap.formatting import escaped, human
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.release.packages import PackageChange

#: What happened to an image or a file, in a table.
_WORDS: dict[Status, str] = {
    "added": tr("added"),
    "removed": tr("removed"),
    "changed": tr("changed"),
    "kept": tr("kept"),
}
_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "kept": ("=", None)}


@click.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@options.as_json
@click.option("--markdown", is_flag=True, help=tr("Print release notes in Markdown, what may surprise first."))
@click.option(
    "--packages",
    is_flag=True,
    help=tr("With --markdown: read the layers of bundles, and list the packages that changed inside images."),
)
def command(old: str, new: str, as_json: bool, markdown: bool, packages: bool) -> None:
    """Show which images and how many bytes NEW adds to OLD, removes from it, changes and keeps.

    Each is a bundle, the bundle.json of one, a release folder, a receipt, an inventory or a lock. Bytes are shown where
    both files have them: a lock lists no layers, a receipt no sizes. The exit code is 0 even if they differ.

    \b
    airgap diff platform-1.9.tar platform-1.10.tar
    airgap diff held.json platform-1.10.tar --json | jq .bytes.added
    airgap diff platform-1.9.tar platform-1.10.tar --markdown --packages > notes.md
    """
    if as_json and markdown:
        raise click.UsageError(tr("--json and --markdown are two outputs"))
    if packages and not markdown:
        raise click.UsageError(tr("--packages goes with --markdown"))
    # The bundle.json in the folder of a release leads to no layers.
    find = bundle_in if packages else document_in
    old_document, new_document = read_document(find(old)), read_document(find(new))
    comparison = diff(old_document, new_document)
    if markdown:
        from airgap.release.notes import release_notes

        changes = _changed_packages(old_document, new_document, comparison) if packages else []
        for line in release_notes(comparison, _title(old_document), _title(new_document), changes).splitlines():
            say(line)
        return
    if as_json:
        say_json(comparison.to_json())
        return
    _print_table(comparison)


def _changed_packages(old: Document, new: Document, comparison: Comparison) -> list[PackageChange]:
    from airgap.flows.steps.package_lists import package_lists
    from airgap.release.packages import changed_packages
    from airgap.transfer import Context

    return changed_packages(comparison, package_lists(old, Context()), package_lists(new, Context()))


def _title(document: Document) -> str:
    """The name and version of a bundle; the name of the file for others."""
    content = document.content
    if isinstance(content, Inventory) and content.name:
        return " ".join(part for part in (content.name, content.version) if part)
    return Path(document.path).name


def _print_table(comparison: Comparison) -> None:
    rows = [
        (image.status, escaped(image.reference), _digests(image.old, image.new), *_cells(image.bytes))
        for image in comparison.images
    ]
    widths = [max((display_width(row[column]) for row in rows), default=0) for column in range(1, 6)]
    for status, name, digests, *numbers in rows:
        sign, colour = _SIGNS[status]
        cells = [left(name, widths[0]), left(digests, widths[1])]
        cells += [right(cell, columns) for cell, columns in zip(numbers, widths[2:], strict=True)]
        say(Styled(f"{sign} {'  '.join(cells)}".rstrip(), colour))
    counts = ", ".join(_counted(comparison.count(status), status) for status in _WORDS)
    for change, text in lines_of(comparison.artifacts):
        sign, colour = _SIGNS[change]
        say(Styled(f"{sign} {text}", colour))
    say(tr("images: {counts}", counts=counts))
    if comparison.artifacts:
        counts = ", ".join(_counted(number, change) for change, number in counts_of(comparison.artifacts).items())
        say(tr("artifacts: {counts}", counts=counts))
    added, removed, kept = (cell.strip("+-= ") or tr("unknown") for cell in _cells(comparison.bytes))
    say(tr("bytes: {added} added, {removed} removed, {kept} kept", added=added, removed=removed, kept=kept))


def _counted(number: int, status: Status) -> str:
    return tr("{number} {word}", number=number, word=_WORDS[status])


def _digests(old: str, new: str) -> str:
    """The first digits of one or both digests, without the algorithm."""
    short = [digest.partition(":")[2][:12] for digest in dict.fromkeys((old, new)) if digest]
    return " -> ".join(short)


def _cells(count: ByteCounts) -> tuple[str, str, str]:
    """The sizes added, removed and kept; an empty string for one that is not known."""
    signs = (("+", count.added), ("-", count.removed), ("=", count.kept))
    return tuple("" if size is None else f"{sign}{human(size)}" for sign, size in signs)  # type: ignore[return-value] # always three
