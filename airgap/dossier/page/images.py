# SPDX-License-Identifier: Apache-2.0
"""The images on the page: a table of all, and a section for each with its platforms, layers, packages and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airgap.dossier.facts import (
    LICENCES,
    NOT_READ,
    SOURCE,
    AttachmentFacts,
    Contents,
    Dossier,
    ImageFacts,
    Package,
    PlatformFacts,
)
from airgap.dossier.page.markup import Child, Markup, code, element, facts, join, table, value
from airgap.formatting import human
from airgap.i18n import Bilingual, bilingual

_KINDS = {
    "signature": bilingual("signature"),
    "attestation": bilingual("attestation"),
    "sbom": bilingual("SBOM"),
    "other": bilingual("other"),
}
CHANGES = {
    "added": bilingual("new"),
    "changed": bilingual("changed"),
    "removed": bilingual("gone"),
    "kept": bilingual("as before"),
}


def overview(dossier: Dossier) -> Markup | None:
    """Return the table of all images, ``None`` without any."""
    if not dossier.images:
        return None
    changes = {image.reference: image.status for image in dossier.changes.images} if dossier.changes else None
    headings: list[Child] = [
        bilingual("Image"),
        bilingual("Size (own)"),
        bilingual("Platforms"),
        bilingual("User"),
        bilingual("Attached"),
    ]
    headings += [bilingual("Change")] if changes is not None else []
    rows = []
    for number, image in enumerate(dossier.images, 1):
        name = element("a", value(image.reference), href=f"#image-{number}")
        row: list[Child] = [name, _sizes(image), _platforms(image), _users(image), _attached(image)]
        row += [CHANGES[changes.get(image.reference, "kept")]] if changes is not None else []
        rows.append(row)
    return element("section", element("h2", bilingual("Images"), id="images"), table(headings, rows, class_="overview"))


def details(dossier: Dossier) -> Markup | None:
    """Return a section for each image, ``None`` without any."""
    if not dossier.images:
        return None
    parts = [_image(number, image) for number, image in enumerate(dossier.images, 1)]
    return element("section", element("h2", bilingual("Images in detail"), id="details"), *parts)


def _image(number: int, image: ImageFacts) -> Markup:
    attached = [
        element("li", _KINDS[one.kind], " ", value(one.type), *([" · ", value(one.signer)] if one.signer else []))
        for one in _without_repeats(image.attachments)
    ]
    rows: list[tuple[Child, Child]] = [
        (bilingual("Digest"), code(image.digest)),
        (bilingual("Selected from"), code(image.derived_from) if image.derived_from else None),
        (bilingual("From"), value(image.registry)),
        (bilingual("Size"), _size_text(image)),
        (bilingual("Complete"), None if image.complete else bilingual("no: layers are left out")),
        (bilingual("Source"), _values(image.label_values(SOURCE))),
        (bilingual("Licence"), _values(image.label_values(LICENCES)) or bilingual("not named")),
        (bilingual("Attached, not verified here"), element("ul", *attached) if attached else bilingual("nothing")),
        (
            bilingual("Used by"),
            _values([f"{use.file}:{use.line}" for use in image.uses]) or bilingual("no resource file in the bundle"),
        ),
    ]
    return element(
        "article",
        element("h3", f"{number}. ", value(image.reference), id=f"image-{number}"),
        facts(rows),
        *[_platform(platform) for platform in image.platforms],
    )


def _platform(platform: PlatformFacts) -> Markup:
    user: Child = None
    if platform.is_container:
        name = value(platform.user) if platform.user else bilingual("not set")
        user = join([name, element("strong", bilingual(" (root)"))]) if platform.is_root else name
    command = " ".join([*platform.entrypoint, *platform.command])
    rows: list[tuple[Child, Child]] = [
        (bilingual("Digest"), code(platform.digest)),
        (bilingual("Created"), value(platform.created) if platform.created else bilingual("not said")),
        (bilingual("User"), user),
        (bilingual("Entrypoint"), code(command) if command else None),
        (bilingual("Layers"), _layers(platform)),
        *_contents(platform.contents, container=platform.is_container),
        (bilingual("Labels"), _labels(platform.labels)),
    ]
    return join(
        [
            element("h4", value(platform.platform) if platform.platform else bilingual("without a platform")),
            facts(rows),
        ]
    )


def _contents(contents: Contents, *, container: bool) -> Iterator[tuple[Child, Child]]:
    if not container:
        return
    if contents.unread:
        reason = bilingual("not read yet") if contents.unread == NOT_READ else value(contents.unread)
        yield bilingual("Setuid files and packages"), reason
        return
    files = [element("li", code(file.path), " ", file.mode) for file in contents.privileged]
    yield bilingual("Setuid and setgid files"), element("ul", *files) if files else bilingual("none")
    if not contents.packages_complete:
        yield (
            bilingual("Packages of rpm"),
            bilingual("not known: the program rpm is missing or cannot read the database"),
        )
    elif not contents.packages:
        yield bilingual("Packages"), bilingual("no database of dpkg, apk or rpm")
    if not contents.packages:
        return
    kinds = ", ".join(sorted({package.kind for package in contents.packages}))
    count = bilingual("{number} packages ({kinds})", number=len(contents.packages), kinds=kinds)
    yield bilingual("Packages"), element("details", element("summary", count), _packages(contents.packages))


def _packages(packages: Sequence[Package]) -> Markup:
    return table(
        (bilingual("Package"), bilingual("Version"), bilingual("Licence")),
        [(value(one.name), value(one.version), value(one.licence)) for one in packages],
        class_="packages",
    )


def _layers(platform: PlatformFacts) -> Child:
    if not platform.layers:
        return None
    own = sum(layer.size for layer in platform.layers if not layer.shared)
    shared = sum(layer.size for layer in platform.layers if layer.shared)
    text = bilingual(
        "{number} layers: own {own}, shared {shared}",
        number=len(platform.layers),
        own=human(own),
        shared=human(shared),
    )
    rows = [
        (code(layer.digest), f"{layer.size:,}", _layer_state(shared=layer.shared, carried=layer.carried))
        for layer in platform.layers
    ]
    headings = (bilingual("Layer"), bilingual("Bytes"), bilingual("Use"))
    return element("details", element("summary", text), table(headings, rows))


def _layer_state(*, shared: bool, carried: bool) -> Bilingual:
    if not carried:
        return bilingual("left out")
    return bilingual("shared") if shared else bilingual("own")


def _labels(labels: Mapping[str, str]) -> Child:
    if not labels:
        return None
    rows = [(value(name), value(text)) for name, text in sorted(labels.items())]
    count = bilingual("{number} labels", number=len(labels))
    return element("details", element("summary", count), table((bilingual("Label"), bilingual("Value")), rows))


def _size_text(image: ImageFacts) -> Child:
    if image.total is None or image.own is None or image.shared is None:
        return bilingual("not known")
    return bilingual(
        "{total} ({bytes} bytes): own {own}, shared with other images {shared}",
        total=human(image.total),
        bytes=f"{image.total:,}",
        own=human(image.own),
        shared=human(image.shared),
    )


def _sizes(image: ImageFacts) -> Child:
    if image.total is None or image.own is None:
        return bilingual("not known")
    return f"{human(image.total)} ({human(image.own)})"


def _platforms(image: ImageFacts) -> Child:
    return _values([platform.platform for platform in image.platforms if platform.platform])


def _users(image: ImageFacts) -> Child:
    users = dict.fromkeys(
        "root" if platform.is_root else platform.user for platform in image.platforms if platform.is_container
    )
    return _values(list(users))


def _attached(image: ImageFacts) -> Child:
    kinds = dict.fromkeys(one.kind for one in image.attachments)
    shown: list[Child] = []
    for kind in kinds:
        shown += [element("br")] if shown else []
        shown.append(_KINDS[kind])
    return join(shown) if shown else bilingual("nothing")


def _values(texts: Sequence[str]) -> Child:
    if not texts:
        return None
    return join([part for text in texts for part in (element("br"), value(text))][1:])


def _without_repeats(attachments: Sequence[AttachmentFacts]) -> list[AttachmentFacts]:
    return list({(one.kind, one.type, one.signer): one for one in attachments}.values())
