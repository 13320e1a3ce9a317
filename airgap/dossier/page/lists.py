# SPDX-License-Identifier: Apache-2.0
"""What the page lists besides images: changes, artifacts, resource files and the release notes."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.bundle.artifact_comparison import ComparedFile
from airgap.dossier.facts import ArtifactFacts, DocumentFacts, Dossier, ScanEntry
from airgap.dossier.page.images import CHANGES
from airgap.dossier.page.markup import Child, Markup, code, element, facts, join, lines, table, value
from airgap.dossier.visible import visible
from airgap.formatting import human
from airgap.i18n import Bilingual, bilingual


def changes(dossier: Dossier) -> Markup | None:
    """Return what is new, changed and gone, ``None`` if it was not compared."""
    compared = dossier.changes
    if compared is None:
        return None
    rows = [
        (CHANGES[image.status], value(image.reference), _digests(image.old, image.new)) for image in compared.images
    ]
    rows += [
        (CHANGES[artifact.status], value(f"{artifact.format} {artifact.name}"), _files(artifact.old, artifact.new))
        for artifact in compared.artifacts
    ]
    headings = (bilingual("Change"), bilingual("Image or artifact"), bilingual("Before and after"))
    return element(
        "section",
        element("h2", bilingual("Changes since {name}", name=visible(compared.name, most=200)), id="changes"),
        table(headings, rows, class_="changes")
        if rows
        else element("p", bilingual("Nothing is new, changed or gone.")),
    )


def scan(dossier: Dossier) -> Markup | None:
    """Return the result of the scan, ``None`` without one."""
    result = dossier.scan
    if result is None:
        return None
    database = f"{result.database} {result.date}".strip()
    rows: list[tuple[Child, Child]] = [
        (bilingual("Engine"), value(result.engine)),
        (bilingual("Database"), value(database) if database else bilingual("not said")),
        (
            bilingual("Scanned"),
            bilingual(
                "{files} files, {size}; {reused} of them in an earlier scan with the same database",
                files=f"{result.files:,}",
                size=human(result.bytes),
                reused=f"{result.reused:,}",
            ),
        ),
        (bilingual("Found"), f"{result.findings:,}"),
        (bilingual("Not scanned"), f"{result.omissions:,}"),
        ("SHA-256 (scan.json)", code(result.sha256)),
    ]
    return element(
        "section",
        element("h2", bilingual("Malware scan"), id="scan"),
        facts(rows),
        _entries(bilingual("Found"), result.found),
        _entries(bilingual("Not scanned"), result.not_scanned),
    )


def _entries(heading: Bilingual, entries: Sequence[ScanEntry]) -> Markup | None:
    if not entries:
        return None
    headings = (bilingual("File"), bilingual("Reason"), bilingual("Images or artifacts"))
    rows = [
        (
            join([value(one.file or one.place), element("br"), code(one.place)]),
            value(f"{one.reason} {one.what}".strip()),
            join([part for user in one.users for part in (element("br"), value(user))][1:]),
        )
        for one in entries
    ]
    return join([element("h3", heading), table(headings, rows)])


def artifacts(dossier: Dossier) -> Markup | None:
    """Return the table of artifacts, ``None`` without any."""
    if not dossier.artifacts:
        return None
    headings = (bilingual("Artifact"), bilingual("Size"), bilingual("SHA-256 and origin"))
    rows = [(_artifact_name(one), human(one.size), _artifact_origin(one)) for one in dossier.artifacts]
    return element("section", element("h2", bilingual("Artifacts"), id="artifacts"), table(headings, rows))


def resources(dossier: Dossier) -> Markup | None:
    """Return the table of resource files, ``None`` without any."""
    if not dossier.resources:
        return None
    headings = (bilingual("Resource file"), bilingual("Images"), "SHA-256")
    rows = [(value(one.name), str(one.images), code(one.sha256)) for one in dossier.resources]
    return element("section", element("h2", bilingual("Resource files"), id="resources"), table(headings, rows))


def documents(dossier: Dossier) -> Markup | None:
    """Return the table of attached documents, ``None`` without any."""
    if not dossier.documents:
        return None
    headings = (bilingual("Document"), bilingual("What it says"), bilingual("Size"), "SHA-256")
    rows = [(value(one.name), _report(one), human(one.size), code(one.sha256)) for one in dossier.documents]
    note = bilingual("Whoever made the bundle attached these. airgap inspect BUNDLE --attached NAME takes one out.")
    return element(
        "section",
        element("h2", bilingual("Attached documents"), id="documents"),
        table(headings, rows),
        element("p", note, class_="hint"),
    )


def _report(document: DocumentFacts) -> Child:
    """What a document is and counts; a document of another kind is only named."""
    if not document.kind:
        return bilingual("a document")
    counts = ", ".join(f"{word} {count:,}" for word, count in document.severities)
    shown: list[Child] = [value(" · ".join(part for part in (document.kind, document.about) if part))]
    if document.severities:
        shown += [element("br"), bilingual("vulnerabilities: {counts}", counts=counts)]
    elif document.kind in ("trivy", "grype", "SARIF"):
        shown += [element("br"), bilingual("no vulnerabilities listed")]
    if document.parts:
        shown += [element("br"), bilingual("components: {number}", number=f"{document.parts:,}")]
    return join(shown)


def notes(dossier: Dossier) -> Markup | None:
    """Return the release notes, ``None`` without any."""
    if not dossier.notes:
        return None
    return element("section", element("h2", bilingual("Release notes"), id="notes"), lines(dossier.notes))


def _artifact_name(artifact: ArtifactFacts) -> Child:
    name = value(" ".join(part for part in (artifact.format, artifact.name, artifact.version) if part))
    return join([name, element("br"), value(artifact.file)])


def _artifact_origin(artifact: ArtifactFacts) -> Child:
    properties = [part for key, text in sorted(artifact.properties.items())
                  for part in (element("br"), value(f"{key}: {text}"))]  # fmt: skip
    origin = value(artifact.source) if artifact.source else bilingual("a file of the maker")
    return join([code(artifact.digest), element("br"), origin, *properties])


def _digests(old: str, new: str) -> Child:
    return _pair(code(old) if old else None, code(new) if new else None)


def _files(old: ComparedFile | None, new: ComparedFile | None) -> Child:
    shown = [
        join([value(f"{file.version} {file.file}".strip()), element("br"), code(file.digest)]) if file else None
        for file in (old, new)
    ]
    return _pair(*shown)


def _pair(old: Markup | None, new: Markup | None) -> Child:
    before = join([bilingual("before: "), old]) if old else None
    after = join([bilingual("after: "), new]) if new else None
    return join([before, element("br") if before and after else None, after])
