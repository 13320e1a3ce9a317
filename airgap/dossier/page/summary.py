# SPDX-License-Identifier: Apache-2.0
"""The first sheet of the page: what to look at, the form that is filled in by hand, and the files with their hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airgap.dossier.facts import LICENCES, NOT_READ, Dossier, ImageFacts
from airgap.dossier.page.markup import Child, Markup, code, element, facts, join, table, value
from airgap.dossier.visible import visible
from airgap.formatting import human
from airgap.i18n import Bilingual, bilingual

#: The class of a state's mark, and its word.
BAD = ("bad", bilingual("found something"))
FINE = ("fine", bilingual("nothing found"))
LOOK = ("look", bilingual("look at it"))
UNKNOWN = ("unknown", bilingual("not known yet"))
NEUTRAL = ("neutral", bilingual("for information"))
#: Names that the table lists; of more, only how many there are.
_MOST_NAMED = 12
State = tuple[str, Bilingual]
Row = tuple[Child, Child, State]


def glance(dossier: Dossier) -> Markup:
    """Return the table of what whoever inspects looks at first."""
    rows = [(name, content, _mark(state)) for name, content, state in _rows(dossier)]
    headings = (bilingual("Subject"), bilingual("What was found"), bilingual("State"))
    return element(
        "section",
        element("h2", bilingual("At a glance"), id="glance"),
        table(headings, rows, class_="glance"),
    )


def form(dossier: Dossier) -> Markup:
    """Return the form for those who apply, inspect and approve: only the purpose is filled in."""
    headings = (
        bilingual("Role"),
        bilingual("Department"),
        bilingual("Name"),
        bilingual("Date"),
        bilingual("Signature"),
    )
    people = (bilingual("Applicant"), bilingual("Inspector"), bilingual("Approver"))
    purpose = value(dossier.purpose) if dossier.purpose else element("span", class_="blank")
    return element(
        "section",
        element("h2", bilingual("Application and approval"), id="form"),
        facts([(bilingual("Purpose"), purpose), (bilingual("Bundle"), _title(dossier))]),
        table(headings, [(person, "", "", "", "") for person in people], class_="form"),
        facts([(bilingual("Remarks"), element("span", class_="blank"))]),
        class_="sheet",
    )


def files(dossier: Dossier) -> Markup:
    """Return the hashes of the bundle and of its volumes, and how they are compared."""
    bundle = dossier.bundle
    unmade = bilingual("not made yet")
    rows: list[tuple[Child, Child]] = [
        (bilingual("Bundle"), value(bundle.file)),
        (bilingual("Size"), _exact(bundle.size)),
        ("SHA-256", code(bundle.sha256) if bundle.sha256 else None if bundle.made else unmade),
        (bilingual("Root digest (airgap/bundle.json)"), code(bundle.root)),
        (bilingual("Signers, not verified here"), _listed(bundle.signers)),
        (bilingual("Layers left out, which the far side holds"), str(bundle.requires) if bundle.requires else None),
    ]
    volumes = None
    if len(bundle.files) > 1:
        volumes = table(
            (bilingual("File"), bilingual("Bytes"), "SHA-256"),
            [
                (value(file.name), f"{file.size:,}", code(file.sha256) if file.sha256 else unmade)
                for file in bundle.files
            ],
        )
    return element(
        "section",
        element("h2", bilingual("Files and hashes"), id="files"),
        facts(rows),
        volumes,
        element(
            "p",
            bilingual(
                "The root digest follows from every byte of the contents. An approval names it, and airgap import "
                "refuses a bundle with another one. sha256sum -c BUNDLE.sha256 compares the files."
            ),
            class_="hint",
        ),
    )


def _rows(dossier: Dossier) -> Iterator[Row]:
    counts = bilingual(
        "images: {images}, artifacts: {artifacts}, resource files: {resources}",
        images=len(dossier.images),
        artifacts=len(dossier.artifacts),
        resources=len(dossier.resources),
    )
    yield bilingual("Contents"), counts, NEUTRAL
    yield _scan_row(dossier)
    if dossier.images:
        yield from _image_rows(dossier.images)
    if dossier.documents:
        names = [value(document.name) for document in dossier.documents[:_MOST_NAMED]]
        more = len(dossier.documents) - len(names)
        listed = _items([*names, *([bilingual("{more} more", more=more)] if more else [])])
        yield element("a", bilingual("Attached documents"), href="#documents"), listed, NEUTRAL
    yield bilingual("Changes"), _changes(dossier), NEUTRAL
    incomplete = [image for image in dossier.images if not image.complete]
    if incomplete:
        text = bilingual("layers are left out, because the far side has them")
        yield bilingual("Incomplete images"), join([text, _links(dossier.images, incomplete)]), LOOK
    if dossier.skipped:
        names = [value(f"{name}: {why}") for name, why in dossier.skipped]
        yield bilingual("Files that were not read for images"), _items(names), LOOK


def _scan_row(dossier: Dossier) -> Row:
    scan, name = dossier.scan, bilingual("Malware scan")
    if scan is None:
        return name, bilingual("not scanned"), UNKNOWN
    text = bilingual(
        "files scanned: {files}, found: {findings}, not scanned: {omissions}",
        files=f"{scan.files:,}",
        findings=f"{scan.findings:,}",
        omissions=f"{scan.omissions:,}",
    )
    state = BAD if scan.findings else LOOK if scan.omissions else FINE
    return name, element("a", text, href="#scan"), state


def _image_rows(images: Sequence[ImageFacts]) -> Iterator[Row]:
    as_root = [image for image in images if any(platform.is_root for platform in image.platforms)]
    yield _found(images, bilingual("Images that run as root"), as_root)
    contents = [platform.contents for image in images for platform in image.platforms if platform.is_container]
    privileged = [image for image in images if any(one.contents.privileged for one in image.platforms)]
    name = bilingual("Images with setuid or setgid files")
    if any(one.unread for one in contents):
        reason = NOT_READ if all(one.unread == NOT_READ for one in contents if one.unread) else ""
        text = bilingual("not read yet") if reason else bilingual("not all layers could be read")
        yield name, join([text, _links(images, privileged)]), LOOK if privileged else UNKNOWN
    else:
        yield _found(images, name, privileged)
    yield _found(images, bilingual("Images without a signature"), [i for i in images if not i.attached("signature")])
    yield _found(images, bilingual("Images without an SBOM"), [i for i in images if not i.attached("sbom")])
    unlicensed = [image for image in images if not image.label_values(LICENCES)]
    yield _found(images, bilingual("Images that name no licence"), unlicensed)


def _found(images: Sequence[ImageFacts], name: Child, found: Sequence[ImageFacts]) -> Row:
    count = bilingual("{number} of {total}", number=len(found), total=len(images))
    return name, join([count, _links(images, found)]), LOOK if found else FINE


def _links(images: Sequence[ImageFacts], found: Sequence[ImageFacts]) -> Markup:
    """Links to the sections of some images; all of them, or many, would only fill the sheet."""
    if not found or len(found) > _MOST_NAMED or len(found) == len(images) > 1:
        return Markup("")
    numbers = {image.reference: number for number, image in enumerate(images, 1)}
    return _items([element("a", value(image.reference), href=f"#image-{numbers[image.reference]}") for image in found])


def _items(items: Sequence[Child]) -> Markup:
    return element("ul", *[element("li", item) for item in items])


def _changes(dossier: Dossier) -> Child:
    changes = dossier.changes
    if changes is None:
        return bilingual("not compared with an earlier bundle")
    counted = dict.fromkeys(("added", "changed", "removed"), 0)
    for status in [one.status for one in changes.images] + [one.status for one in changes.artifacts]:
        counted[status] += 1
    return join(
        [
            bilingual("since {name}: ", name=visible(changes.name, most=200)),
            element("a", bilingual("new {added}, changed {changed}, gone {removed}", **counted), href="#changes"),
        ]
    )


def _mark(state: State) -> Markup:
    return element("span", state[1], class_=f"mark {state[0]}")


def _title(dossier: Dossier) -> Child:
    bundle = dossier.bundle
    title = " ".join(part for part in (bundle.name, bundle.version) if part)
    return join([value(f"{title} · {bundle.file}" if title else bundle.file), element("br"), code(bundle.root)])


def _exact(size: int) -> Bilingual:
    return bilingual("{size} ({bytes} bytes)", size=human(size), bytes=f"{size:,}")


def _listed(texts: Sequence[str]) -> Child:
    return join([part for text in texts for part in (element("br"), value(text))][1:]) if texts else None
