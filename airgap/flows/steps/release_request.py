# SPDX-License-Identifier: Apache-2.0
"""What a release is asked for, and what it has made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.flows.dossier import DossierRequest
from airgap.flows.sign import Sign
from airgap.flows.steps.export_request import ExportRequest
from airgap.records import Record, replace
from airgap.release.document import Release, ReleaseBundle, SiteRelease
from airgap.release.folder import ReleaseFolder
from airgap.release.install import FarSide
from airgap.release.remembered import RememberedReleases
from airgap.transfer import Report

#: Releases that a release has a differential bundle for, unless others are named.
MOST_BASES = 3


class ReleaseRequest(Record):
    """What to make: the full bundle as ``export`` says, in the folder's ``partial``, and all that goes with it.

    ``since`` names releases to build on, instead of the last ones in ``remembered``. ``notes_name`` is the file name of
    written notes. ``signers`` sign ``release.json``. ``far`` is what ``install.md`` says about the far side.
    """

    name: str
    version: str
    folder: ReleaseFolder
    remembered: RememberedReleases
    export: ExportRequest
    since: Sequence[str] = ()
    notes_name: str = "NOTES.md"
    dossier: DossierRequest = DossierRequest()
    signers: Sequence[Sign] = ()
    far: FarSide = FarSide()

    @property
    def lock(self) -> Path:
        """The lock to follow, which is written if it does not exist."""
        return self.export.lock or self.remembered.lock(self.version)

    def differential(self, since: SiteRelease, base: Path) -> ExportRequest:
        """Return what to make for sites that have the release ``since``."""
        path = self.export.form.path
        form = replace(self.export.form, path=path.with_name(f"{self.name}-{self.version}-since-{since.version}.tar"))
        return replace(self.export, form=form, base=base)


class Released(Record):
    """``bundles`` are those of the release, the full one first; ``document`` is ``None`` after a dry run.

    ``report`` is about what came over the network, ``None`` if everything was there.
    """

    folder: Path
    bundles: Sequence[ReleaseBundle]
    document: Release | None = None
    report: Report | None = None
