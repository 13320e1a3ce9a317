# SPDX-License-Identifier: Apache-2.0
"""What changes from one bundle to the next as Markdown, for release notes: what may surprise first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from airgap.bundle.artifact_comparison import ArtifactComparison, ComparedFile
from airgap.bundle.comparison import Comparison, ImageComparison
from airgap.formatting import counted, escaped, human
from airgap.i18n import tr
from airgap.release.packages import PackageChange
from airgap.release.updates import same_images, tag_of, updated_images

#: How many changed packages are shown.
MOST_PACKAGES = 500


def release_notes(comparison: Comparison, old: str, new: str, packages: Sequence[PackageChange] = ()) -> str:
    """Return the document. ``old`` and ``new`` are the titles of the two bundles, ``packages`` what changed inside of
    images."""
    sections = [
        _moved_tags(comparison),
        _updates(comparison),
        _plain(tr("New images"), comparison, "added"),
        _plain(tr("Images that are gone"), comparison, "removed"),
        _platforms(comparison),
        _artifacts(comparison),
        _packages(packages),
    ]
    lines = [f"# {_text(new)}", "", _summary(comparison, old)]
    for section in sections:
        shown = list(section)
        if shown:
            lines += ["", *shown]
    return "\n".join(lines) + "\n"


def _summary(comparison: Comparison, old: str) -> str:
    kept = counted(comparison.count("kept"), "image")
    text = tr("Compared with {old}; {kept} did not change.", old=_text(old), kept=kept)
    added, removed = comparison.bytes.added, comparison.bytes.removed
    if added is not None and removed is not None:
        text += " " + tr("{added} cross, {removed} are no longer needed.", added=human(added), removed=human(removed))
    return text


def _moved_tags(comparison: Comparison) -> Iterator[str]:
    changed = [image for image in comparison.images if image.status == "changed"]
    if not changed:
        return
    yield from _heading(tr("Same tag, other content"))
    yield tr("A node that has pulled one of these keeps the old content, unless it always pulls or is told the digest.")
    yield ""
    headings = (tr("image"), tr("old digest"), tr("new digest"), tr("added"))
    yield from _table(headings, [(_code(one.reference), _code(one.old), _code(one.new), _size(one)) for one in changed])


def _updates(comparison: Comparison) -> Iterator[str]:
    """Images of which one tag came and one went."""
    pairs = updated_images(comparison)
    if pairs:
        yield from _heading(tr("Updates"))
        rows = [(_code(name), _code(tag_of(old)), _code(tag_of(new)), _size(new)) for name, (old, new) in pairs.items()]
        yield from _table((tr("image"), tr("old tag"), tr("new tag"), tr("added")), rows)


def _plain(title: str, comparison: Comparison, status: str) -> Iterator[str]:
    paired = {image.reference for pair in updated_images(comparison).values() for image in pair}
    images = [one for one in comparison.images if one.status == status and one.reference not in paired]
    if images:
        yield from _heading(title)
        yield from (f"- {_code(one.reference)}{_in_brackets(_size(one))}" for one in images)


def _platforms(comparison: Comparison) -> Iterator[str]:
    """Images whose platforms changed, by what each document says of its own images."""
    rows = []
    for name, (old, new) in {**updated_images(comparison), **same_images(comparison)}.items():
        if old.old_platforms and new.new_platforms and old.old_platforms != new.new_platforms:
            rows.append((_code(name), ", ".join(old.old_platforms), ", ".join(new.new_platforms)))
    if rows:
        yield from _heading(tr("Platforms"))
        yield from _table((tr("image"), tr("before"), tr("now")), rows)


def _artifacts(comparison: Comparison) -> Iterator[str]:
    changed = [artifact for artifact in comparison.artifacts if artifact.status != "kept"]
    if changed:
        yield from _heading(tr("Packages and files"))
        headings = (tr("format"), tr("name"), tr("before"), tr("now"))
        yield from _table(headings, [_artifact_row(artifact) for artifact in changed])


def _packages(changes: Sequence[PackageChange]) -> Iterator[str]:
    if not changes:
        return
    yield from _heading(tr("Packages inside images"))
    headings = (tr("image"), tr("package"), tr("before"), tr("now"))
    rows = [tuple(map(_code, (one.image, one.package, one.old, one.new))) for one in changes[:MOST_PACKAGES]]
    yield from _table(headings, rows)
    if len(changes) > MOST_PACKAGES:
        yield ""
        yield tr("{count} more are not shown.", count=len(changes) - MOST_PACKAGES)


def _artifact_row(artifact: ArtifactComparison) -> tuple[str, str, str, str]:
    same_version = bool(artifact.old and artifact.new and artifact.old.version == artifact.new.version)
    old, new = (_file(file, with_digest=same_version) for file in (artifact.old, artifact.new))
    return artifact.format, _code(artifact.name), old, new


def _file(file: ComparedFile | None, *, with_digest: bool) -> str:
    if file is None:
        return ""
    digest = file.digest.partition(":")[2][:12]
    if with_digest or not file.version:
        return " ".join(_code(part) for part in (file.version, digest) if part)
    return _code(file.version)


def _size(image: ImageComparison) -> str:
    return "" if image.bytes.added is None else human(image.bytes.added)


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _heading(title: str) -> tuple[str, str]:
    return f"## {title}", ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'-|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _code(text: str) -> str:
    """A name from a document, which cannot end the cell or the code that it stands in."""
    return f"`{escaped(text).replace('`', chr(39)).replace('|', '¦')}`" if text else ""


def _text(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>#|!" else one for one in escaped(text))
