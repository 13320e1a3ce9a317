# SPDX-License-Identifier: Apache-2.0
"""The packages in the images of a release, as a small document beside its ``bundle.json``, and what changed in them.

They come from the dossier, which reads the databases of dpkg, apk and rpm in the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from airgap import bounded_json, limits
from airgap.bundle.comparison import Comparison
from airgap.bundle.document_format import dump_json
from airgap.dossier.facts import ImageFacts
from airgap.errors import AirgapError
from airgap.records import Record
from airgap.release.updates import same_images, updated_images

#: The versions of each package by its name, such as ``deb openssl``, by image reference.
PackageLists = Mapping[str, Mapping[str, Sequence[str]]]
_FORMAT = 1


class PackageChange(Record):
    """A package that differs between two releases of an image. ``old`` or ``new`` is empty where it is not there."""

    image: str
    package: str
    old: str
    new: str


def packages_of(images: Sequence[ImageFacts]) -> dict[str, dict[str, list[str]]]:
    """Return the packages of each image, on all its platforms, sorted. Images whose packages are not known are absent.

    A package that an image has in two versions, also on two platforms, has both.
    """
    lists: dict[str, dict[str, list[str]]] = {}
    for image in images:
        contents = [platform.contents for platform in image.platforms if platform.is_container]
        if not contents or any(one.unread or not one.packages_complete for one in contents):
            continue
        versions: dict[str, set[str]] = {}
        for package in (package for one in contents for package in one.packages):
            versions.setdefault(f"{package.kind} {package.name}", set()).add(package.version)
        lists[image.reference] = {name: sorted(versions[name]) for name in sorted(versions)}
    return lists


def to_bytes(lists: PackageLists) -> bytes:
    """Return the document: a line for each image."""
    images = ",\n".join(f"{_text(reference)}:{_text(lists[reference])}" for reference in sorted(lists))
    return f'{{"format":{_FORMAT},"images":{{\n{images}}}}}\n'.encode()


def read_packages(path: Path) -> PackageLists | None:
    """Read the document; ``None`` where there is none that can be used. Notes can be written without it."""
    try:
        with path.open("rb") as file:
            document = bounded_json.parse(file.read(limits.value("dossier-bytes") + 1), "dossier", where=str(path))
        if document["format"] != _FORMAT:
            return None
        return {
            str(image): {str(name): [str(version) for version in versions] for name, versions in packages.items()}
            for image, packages in document["images"].items()
        }
    except (OSError, AirgapError, ValueError, KeyError, TypeError, AttributeError):
        return None


def changed_packages(comparison: Comparison, old: PackageLists, new: PackageLists) -> list[PackageChange]:
    """Return what changed in the images that both releases have, by image and package."""
    changes: list[PackageChange] = []
    for name, (before, after) in {**updated_images(comparison), **same_images(comparison)}.items():
        if before.reference in old and after.reference in new and before.old != after.new:
            changes += _differences(name, old[before.reference], new[after.reference])
    return sorted(changes, key=lambda change: (change.image, change.package))


def _differences(
    image: str, old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> Iterator[PackageChange]:
    for package in old.keys() | new.keys():
        before, after = (", ".join(lists.get(package, ())) for lists in (old, new))
        if before != after:
            yield PackageChange(image, package, before, after)


def _text(value: object) -> str:
    return dump_json(value).decode()
