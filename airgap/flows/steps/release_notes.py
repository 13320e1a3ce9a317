# SPDX-License-Identifier: Apache-2.0
"""The notes of a release for which nobody has written any: what changed since the previous one."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.bundle import Document
from airgap.bundle.comparison import Comparison
from airgap.flows.diff import diff
from airgap.flows.steps.bundle_contents import BundleContents
from airgap.flows.steps.make_bundle import lay_out_bundle
from airgap.flows.steps.release_request import ReleaseRequest
from airgap.flows.steps.sign_export import Signing
from airgap.i18n import in_language
from airgap.records import replace
from airgap.release.notes import release_notes
from airgap.release.packages import PackageChange
from airgap.release.remembered import PastRelease
from airgap.transfer import Context

#: The files of notes that nobody has written, by language.
NOTES_FILES = {"en": "NOTES.md", "ko": "NOTES.ko.md"}


class ReleaseNotes:
    """Notes that follow from a comparison with the release ``previous``, in every language."""

    def __init__(
        self, request: ReleaseRequest, contents: BundleContents, previous: PastRelease, context: Context
    ) -> None:
        plain = replace(request.export, signing=Signing(), notes=None)
        inventory = lay_out_bundle(plain, contents, None, context).inventory
        new = Document("", "bundle", "", inventory)
        self.previous = previous
        self.comparison: Comparison = diff(previous.document, new)
        self._title = f"{request.name} {request.version}"

    def texts(self, packages: Sequence[PackageChange] = ()) -> dict[str, bytes]:
        """Return the notes by language. What changed inside of images is known only when they are fetched."""
        texts = {}
        for language in NOTES_FILES:
            with in_language(language):
                text = release_notes(self.comparison, self.previous.title, self._title, packages)
            texts[language] = text.encode()
        return texts

    def to_carry(self) -> bytes:
        """Return the notes that the bundles carry: all languages, one after the other."""
        return b"\n---\n\n".join(self.texts().values())
