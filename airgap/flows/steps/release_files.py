# SPDX-License-Identifier: Apache-2.0
"""What lies beside the bundles of a release: dossiers, notes, guides, checksums, and the document that lists it all."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle import open_bundle
from airgap.bundle.media.checksums import checksums_path, format_checksums, read_checksums
from airgap.dossier import output as dossier_output
from airgap.dossier.facts import Dossier
from airgap.durable import replace_file, writing
from airgap.flows.dossier import dossier_of
from airgap.flows.steps.release_bundles import PlannedRelease
from airgap.flows.steps.release_notes import NOTES_FILES, ReleaseNotes
from airgap.flows.steps.release_request import ReleaseRequest
from airgap.oci import digest as digests
from airgap.records import replace
from airgap.release import document
from airgap.release.document import DOCUMENT_NAME, Release, ReleaseBundle, ReleaseFile
from airgap.release.install import install_guides
from airgap.release.packages import PackageLists, changed_packages, packages_of, read_packages
from airgap.release.remembered import PastRelease
from airgap.transfer import Context
from airgap.trust import minisign

SUMS = "SHA256SUMS"


class WrittenRelease:
    """The files of the folder ``partial`` as they are written or found; :meth:`finish` lists them.

    ``packages`` are those of the images of the full bundle, once its dossier is made.
    """

    def __init__(self, request: ReleaseRequest, context: Context) -> None:
        self._request = request
        self._context = context
        self._folder = request.folder.partial
        self._files: list[ReleaseFile] = []
        self._bundles: list[ReleaseBundle] = []
        self.packages: PackageLists = {}

    def add_bundle(self, planned: PlannedRelease, previous: PastRelease | None) -> None:
        """List a bundle that is written, and write its dossier and its checksums. Reads all of it."""
        entry, compared = planned.entry, planned.since or previous
        request = replace(self._request.dossier, since=compared.path if compared else None)
        with open_bundle(planned.laid_out.paths[0]) as bundle:
            dossier = dossier_of(bundle, request, self._context)
        if planned.since is None:
            self.packages = packages_of(dossier.images)
        for file in dossier.bundle.files:
            self._files.append(ReleaseFile(file.name, file.size, file.sha256, document.BUNDLE, entry.id))
        path = planned.request.form.path
        # With it, the far side can choose its files before any volume is there.
        self._write(f"{path.stem}.bundle.json", planned.laid_out.inventory.to_bytes(), document.INVENTORY, entry.id)
        self._add_checksums(path, dossier, entry)
        files = dossier_output.files_of(dossier)
        for name, content in files:
            self._write(name, content, document.DOSSIER, entry.id)
        self._bundles.append(replace(entry, dossier=tuple(name for name, _ in files)))

    def add_notes(self, notes: ReleaseNotes | None, written: bytes | None) -> None:
        """Write the notes: those that somebody has written, or those that follow from the previous release."""
        if notes is None:
            if written is not None:
                self._write(self._request.notes_name, written, document.NOTES)
            return
        old = read_packages(self._request.remembered.packages(notes.previous.site.version)) or {}
        changes = changed_packages(notes.comparison, old, self.packages)
        for language, text in notes.texts(changes).items():
            self._write(NOTES_FILES[language], text, document.NOTES)

    def finish(self) -> tuple[Release, list[str]]:
        """Write the guides, the checksums, the document and its signatures; return it, and the names of all files."""
        request = self._request
        guides = install_guides(request.name, request.version, self._bundles, request.far)
        for name, content in guides.items():
            self._write(name, content, document.INSTALL)
        self._files.sort(key=lambda file: file.name)
        sums = format_checksums([(file.name, file.sha256) for file in self._files])
        self._write(SUMS, sums, document.CHECKSUMS)
        self._files.sort(key=lambda file: file.name)
        release = Release(request.name, request.version, tuple(self._bundles), tuple(self._files))
        content = release.to_bytes()
        # Whoever reads it later would refuse what this refuses.
        Release.from_bytes(content, where=str(request.folder.path / DOCUMENT_NAME))
        names = [file.name for file in self._files]
        for name, data in (*self._signatures(content), (DOCUMENT_NAME, content)):
            _write(self._folder / name, data)
            names.append(name)
        return release, names

    def _add_checksums(self, path: Path, dossier: Dossier, entry: ReleaseBundle) -> None:
        """The file of checksums that goes with a bundle. Parity volumes are listed there already; data volumes are not
        if other machines have made them."""
        sums = checksums_path(path)
        listed = read_checksums(sums) if entry.parity else {}
        for name in entry.parity:
            size = (self._folder / name).stat().st_size
            self._files.append(ReleaseFile(name, size, listed[name], document.PARITY, entry.id))
        data = [(file.name, file.sha256) for file in dossier.bundle.files]
        content = format_checksums([*data, *((name, listed[name]) for name in entry.parity)])
        self._write(sums.name, content, document.CHECKSUMS, entry.id)

    def _signatures(self, content: bytes) -> list[tuple[str, bytes]]:
        made = [sign(content) for sign in self._request.signers]
        names = [f"{DOCUMENT_NAME}{minisign.SUFFIX}", *(f"{DOCUMENT_NAME}.{one.name}" for one in made[1:])]
        return [(name, one.content) for name, one in zip(names, made, strict=False)]

    def _write(self, name: str, content: bytes, role: str, bundle: str | None = None) -> None:
        _write(self._folder / name, content)
        self._list(name, content, role, bundle)

    def _list(self, name: str, content: bytes, role: str, bundle: str | None) -> None:
        sha256 = digests.encoded(digests.of(content))
        self._files.append(ReleaseFile(name, len(content), sha256, role, bundle))


def _write(path: Path, content: bytes) -> None:
    with writing(path):
        replace_file(path, content)
