# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect --sbom``: prints the SBOM of an image, or lists those that it has."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from airgap.bundle import BundleReader
from airgap.cli.printing import note, say, say_json, write_bytes
from airgap.errors import NotFound, UsageError
from airgap.flows.sboms import Sbom, find_sboms, sbom_content
from airgap.formatting import human, quoted
from airgap.i18n import tr
from airgap.records import Record


class SbomPrinter(Record):
    """Prints one of some SBOMs. ``name`` is what was asked for, ``where`` the bundle or image.

    ``command`` shows one if a digest follows it. ``none`` and ``hint`` are said where there is none.
    """

    name: str
    where: str
    command: str
    none: str
    hint: str

    def show(self, sboms: Sequence[Sbom], read: Callable[[Sbom], bytes], *, as_json: bool) -> None:
        """Print the only SBOM as it is; on a terminal, escaped. With ``as_json``, list what there is.

        Raises :class:`UsageError` for several, after they were listed, and :class:`NotFound` for none.
        """
        if as_json:
            say_json([_sbom_json(sbom) for sbom in sboms])
            return
        if not sboms:
            raise NotFound(self.none, where=self.where, hint=self.hint)
        if len(sboms) > 1:
            _list(sboms)
            raise UsageError(
                tr("{name} has {count} SBOMs", name=self.name, count=len(sboms)),
                where=self.where,
                hint=tr("name one by its digest: {example}", example=f"{self.command} {sboms[0].layer.digest}"),
            )
        content = read(sboms[0])
        if sys.stdout is not None and sys.stdout.isatty():
            say(content.decode("utf-8", "replace"), lines=True, end="")
        else:
            write_bytes(content)


def print_sbom(reader: BundleReader, name: str, *, as_json: bool) -> None:
    """Print the only SBOM of an image in a bundle, or the one with a digest. Raises what :class:`SbomPrinter` does."""
    printer = SbomPrinter(
        name,
        str(reader.path),
        f"airgap inspect {quoted(str(reader.path))} --sbom",
        tr("{name} has no SBOM in this bundle", name=name),
        tr("an export takes along those that the registry has; --no-referrers leaves them there"),
    )
    printer.show(find_sboms(reader, name), lambda sbom: sbom_content(reader, sbom), as_json=as_json)


def _list(sboms: Sequence[Sbom]) -> None:
    for sbom in sboms:
        about = f"{sbom.subject[:19]} {sbom.platform}".strip()
        size = human(sbom.layer.size)
        note(
            tr(
                "{digest}  {format} of {about}, {size}",
                digest=sbom.layer.digest,
                format=sbom.format,
                about=about,
                size=size,
            )
        )


def _sbom_json(sbom: Sbom) -> dict[str, object]:
    return {
        "digest": sbom.layer.digest,
        "format": sbom.format,
        "subject": sbom.subject,
        "platform": sbom.platform or None,
        "size": sbom.layer.size,
    }
