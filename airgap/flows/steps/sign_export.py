# SPDX-License-Identifier: Apache-2.0
"""Signs a bundle while it is made: its inventory is known before its first byte is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import Inventory, OutputFormat
from airgap.bundle.tail import with_signatures
from airgap.bundle.tar import TarLayout
from airgap.durable import output, replace_file, writing
from airgap.errors import UsageError
from airgap.flows.sign import Sign
from airgap.i18n import tr
from airgap.records import Record

#: Files of signatures, each with its content.
SignatureFiles = Sequence[tuple[Path, bytes]]


class Signing(Record):
    """How to sign: ``signers``, and the ``file`` for the signature of a bundle that cannot hold it."""

    signers: Sequence[Sign] = ()
    file: Path | None = None

    def check(self, output_format: OutputFormat, *, force: bool) -> None:
        """Raise an error where a signature could not be written, before any work is done."""
        if self.file is not None and not self.signers:
            raise UsageError(tr("--signature goes with --sign"))
        if not self.signers:
            return
        if output_format.streamed and self.file is None:
            raise UsageError(
                tr("a bundle in standard output cannot be followed by its signature"),
                hint=tr("add --signature FILE, and give that file to airgap import - as --signature too"),
            )
        if self._is_detached(output_format) and len(self.signers) > 1:
            raise UsageError(
                tr("one signature is made beside a compressed bundle or a pipe"),
                hint=tr("airgap sign BUNDLE --key KEY adds the others"),
            )
        if self._is_detached(output_format):
            output.check_place(self._path(output_format), force=force, option="--signature")

    def sign(
        self, output_format: OutputFormat, inventory: Inventory, layout: TarLayout
    ) -> tuple[TarLayout, SignatureFiles]:
        """Return the layout with the signatures in it, and the files of those that it cannot hold."""
        made = [sign(inventory.to_bytes()) for sign in self.signers]
        if self._is_detached(output_format):
            return layout, [(self._path(output_format), signature.content) for signature in made]
        return with_signatures(layout, {signature.name: signature.content for signature in made}), ()

    def _is_detached(self, output_format: OutputFormat) -> bool:
        return output_format.streamed or output_format.compressed or self.file is not None

    def _path(self, output_format: OutputFormat) -> Path:
        return self.file or output_format.path.with_name(f"{output_format.path.name}.minisig")


def write_signatures(files: SignatureFiles) -> None:
    """Write signatures beside a bundle, before it gets its name: none is seen without its signature."""
    for path, content in files:
        with writing(path):
            replace_file(path, content)
