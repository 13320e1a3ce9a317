# SPDX-License-Identifier: Apache-2.0
"""The options of ``airgap export`` about the form of the bundle: a folder, volumes, parity, recoded layers; and those
that ``airgap release`` has too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.bundle import OutputFormat
from airgap.bundle.media.volume_names import DEFAULT_PATTERN, check_pattern, parse_size, parse_volume_size
from airgap.config.release_yaml import MOST_PARITY
from airgap.errors import UsageError
from airgap.flows.steps.export_recoding import recoded_name
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectSettings
    from airgap.trust.age_stream import Sealer

F = TypeVar("F", bound=Callable[..., Any])


volume_size = click.option(
    "--volume-size", metavar="SIZE", help=tr("Split into volumes of this size: 4.7GB, 25GiB, fat32.")
)

parity = click.option(
    "--parity",
    type=click.IntRange(1, MOST_PARITY),
    metavar="N",
    help=tr("Add N volumes, from which `airgap repair` makes any N lost or damaged ones again."),
)

platforms = click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help=tr("Carry only this platform, such as linux/amd64. Repeatable. [default: all]"),
)

refresh = click.option(
    "--refresh",
    is_flag=True,
    help=tr("Resolve tags again, rewrite the lock, and reuse the blobs of an interrupted run."),
)

restart = click.option("--restart", is_flag=True, help=tr("Delete what an interrupted run left, and begin again."))


class OutputOptions(Record):
    """The options, as :func:`bundle_form` passes them. ``layout`` is ``tar`` or ``folder``."""

    layout: str
    max_file_size: str | None
    volume_size: str | None
    volume_names: str
    parity: int | None
    volume: int | None
    recode: bool

    def output_format(self, output: str | None, project: ProjectSettings, sealer: Sealer | None) -> OutputFormat:
        """Return the checked form of a bundle at ``output``, or under the project's name.

        Raises :class:`UsageError`, and :class:`airgap.errors.OutputError` as :meth:`OutputFormat.check` does.
        """
        is_folder = self.layout == "folder"
        name = project.bundle_name.removesuffix(".tar") if is_folder else project.bundle_name
        name = recoded_name(name) if self.recode and name else name
        output_format = OutputFormat(
            Path(output or name),
            parse_volume_size(self.volume_size) if self.volume_size else 0,
            self.volume or 0,
            check_pattern(self.volume_names),
            sealer,
            self.parity or 0,
            is_folder,
            parse_size(self.max_file_size) if self.max_file_size else 0,
        )
        if output and output.endswith("/") and not is_folder:
            raise UsageError(
                tr("a bundle is a file"),
                where=output,
                hint=tr("name one in it: -o {output}", output=quoted(f"{output}bundle.tar")),
            )
        output_format.check()
        return output_format


def bundle_form(function: F) -> F:
    """Add the options; the command gets them as one argument ``form``."""

    @functools.wraps(function)
    def with_one_argument(
        layout: str, max_file_size: str | None, volume_size: str | None, volume_names: str, parity: int | None,
        volume: int | None, recode: bool, **others: Any,
    ) -> Any:  # fmt: skip
        form = OutputOptions(layout, max_file_size, volume_size, volume_names, parity, volume, recode)
        return function(form=form, **others)

    decorated = cast("F", with_one_argument)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_OPTIONS = (
    click.option(
        "--layout",
        type=click.Choice(("tar", "folder")),
        default="tar",
        show_default=True,
        help=tr("One file, or an OCI layout folder with a file for each layer, for a transfer station."),
    ),
    click.option(
        "--max-file-size",
        metavar="SIZE",
        help=tr("With --layout folder: refuse a layer that is larger, such as 2GB, before anything is pulled."),
    ),
    volume_size,
    click.option(
        "--volume-names",
        metavar="PATTERN",
        default=DEFAULT_PATTERN,
        show_default=True,
        help=tr("File names of the volumes."),
    ),
    parity,
    click.option("--volume", type=click.IntRange(1), metavar="N", help=tr("Write only this volume, from --lock.")),
    click.option(
        "--recode",
        is_flag=True,
        help=tr(
            "Make the bundle smaller: gzip layers cross as zstd of what is in them, and import makes the same gzip "
            "bytes of it again. Takes longer; only airgap reads it; called .recoded.tar."
        ),
    ),
)
