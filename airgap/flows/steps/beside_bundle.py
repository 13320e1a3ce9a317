# SPDX-License-Identifier: Apache-2.0
"""What an export writes beside its bundle when that is finished: the checksum, and the dossier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import OutputFormat, open_bundle
from airgap.bundle.media.checksums import checksums_path, format_checksums, joined_sha256, write_csv
from airgap.dossier import output as dossier_output
from airgap.dossier.facts import Dossier
from airgap.dossier.planned import PlannedBundle
from airgap.durable import replace_file, writing
from airgap.errors import OutputError, UsageError
from airgap.flows.dossier import DossierRequest, dossier_of, planned_dossier
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import Record
from airgap.transfer import Context


class BesideBundle(Record):
    """What is asked for: the ``folder`` of a dossier, and whether the checksums are written too.

    These are ``BUNDLE.sha256``, which a dossier has anyway, and ``BUNDLE.sha256.csv``.
    """

    folder: Path | None = None
    sha256: bool = False
    request: DossierRequest = DossierRequest()

    def check(self, form: OutputFormat) -> None:
        """Raise :class:`UsageError` where it could not be made, before any work is done."""
        if not self.folder and not self.sha256:
            return
        if form.streamed or form.volume:
            raise UsageError(
                tr("--dossier and --sha256 are about a whole bundle in files"),
                hint=tr("leave them out for one volume or standard output"),
            )
        if self.folder and form.sealer:
            raise UsageError(
                tr("what is in a sealed bundle can only be read with its key"),
                hint=tr("airgap dossier {bundle} --identity FILE", bundle=quoted(form.path)),
            )
        if self.folder and self.folder.exists() and not self.folder.is_dir():
            raise OutputError(
                tr("a file is already there"), where=str(self.folder), hint=tr("--dossier names a folder")
            )

    def write(
        self, form: OutputFormat, paths: Sequence[Path], planned: PlannedBundle, context: Context, *, dry_run: bool,
        force: bool,
    ) -> None:  # fmt: skip
        """Write it, and tell of each file. Of a dry run there is only the dossier.

        Raises :class:`OutputError`, and what :func:`airgap.flows.dossier.dossier_of` raises.
        """
        written: list[Path] = []
        dossier: Dossier | None = None
        if self.folder and dry_run:
            dossier = planned_dossier(planned, form.path.name, self.request, context)
        elif self.folder:
            with open_bundle(paths[0]) as bundle:
                dossier = dossier_of(bundle, self.request, context)
        if (self.sha256 or self.folder) and not dry_run and not form.volume_size and not form.folder:
            sha256 = dossier.bundle.sha256 if dossier else joined_sha256(paths, lambda _: context.cancel.check())[0]
            path = checksums_path(form.path)
            with writing(path):
                replace_file(path, format_checksums([(form.path.name, sha256)]))
            written.append(path)
        if self.sha256 and not dry_run and not form.folder:
            written.append(write_csv(form.path))
        if self.folder and dossier:
            files = dossier_output.files_of(dossier)
            dossier_output.write(self.folder, files, force=force)
            written += [self.folder / name for name, _ in files]
        for path in written:
            context.note(tr("wrote {path}", path=path))
