# SPDX-License-Identifier: Apache-2.0
"""Which files of a release bring a site to it: of each bundle those that have to be read, and of the bundles the
cheapest. Pure: it reads no file and asks nobody.

A bundle brings a site to its release if the site holds every layer that the bundle leaves out. Of its volumes only
those are read that hold something which the site lacks, or the head and the manifests, which every import reads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airgap.bundle.inventory import Inventory
from airgap.bundle.media.volume_names import SIGNATURE_ROOM
from airgap.bundle.required_layers import RequiredLayer
from airgap.bundle.tar import END, BlobPlaces
from airgap.oci.manifest import is_manifest_type
from airgap.records import Record
from airgap.release.document import ReleaseBundle, ReleaseFile


class Candidate(Record):
    """A bundle, the ``files`` of it that have to be read, and how many layers it needs that the site lacks."""

    bundle: ReleaseBundle
    files: tuple[ReleaseFile, ...]
    lacking: int = 0

    @property
    def size(self) -> int:
        """The bytes that have to be carried."""
        return sum(file.size for file in self.files)


class Choice(Record):
    """The ``cheapest`` of all candidates that serve, and the one to import, ``chosen``, whose files are all at hand.

    Without one, ``chosen`` is ``None``; ``nearest`` is then the candidate that needs the fewest bytes more, and
    ``fetch`` are the files that it lacks.
    """

    cheapest: Candidate
    chosen: Candidate | None
    nearest: Candidate
    fetch: tuple[ReleaseFile, ...] = ()


def choose(candidates: Sequence[Candidate], at_hand: Collection[str]) -> Choice | None:
    """Choose among ``candidates``; ``at_hand`` are names of files. Return ``None`` if none of them serves.

    The fewest bytes count, then the fewest files, then the order of the candidates.
    """
    usable = [candidate for candidate in candidates if not candidate.lacking]
    if not usable:
        return None
    missing = {candidate.bundle.id: _without(candidate.files, at_hand) for candidate in usable}
    cheapest = min(usable, key=_cost)
    nearest = min(usable, key=lambda candidate: (_cost_of(missing[candidate.bundle.id]), _cost(candidate)))
    ready = [candidate for candidate in usable if not missing[candidate.bundle.id]]
    chosen = min(ready, key=_cost) if ready else None
    return Choice(cheapest, chosen, nearest, missing[nearest.bundle.id])


def files_to_read(
    inventory: Inventory, files: Sequence[ReleaseFile], head_end: int | None, held: Collection[str]
) -> tuple[ReleaseFile, ...]:
    """Return which of a bundle's ``files`` an import reads if the site holds the blobs with the digests ``held``.

    ``head_end`` is the offset of the first blob in the tar. If it is not known, it follows from the size of the files,
    but for the room of signatures: then a file more may be returned than is read.
    """
    places = BlobPlaces(inventory.blobs, 0)
    size = sum(file.size for file in files)
    latest = head_end if head_end is not None else max(0, size - places.end - len(END))
    earliest = head_end if head_end is not None else max(0, latest - SIGNATURE_ROOM)
    needed = [(0, latest)]
    for blob in inventory.blobs:
        if is_manifest_type(blob.media_type) or blob.digest not in held:
            place = places[blob.digest]
            needed.append((earliest + place.header_offset, latest + place.end))
    return tuple(file for file, start in zip(files, _starts(files), strict=True) if _overlaps(start, file.size, needed))


def required_layers(inventory: Inventory) -> list[RequiredLayer]:
    """Return the layers that a bundle builds on: those that it leaves out, and those that recoded ones are made of."""
    prefixes = (layer.prefix for layer in inventory.recoded.values())
    return [*inventory.requires, *(prefix.layer for prefix in prefixes if prefix is not None)]


def blobs_length(inventory: Inventory) -> int:
    """Return how many bytes of a tar the blobs take."""
    return BlobPlaces(inventory.blobs, 0).end


def _starts(files: Sequence[ReleaseFile]) -> list[int]:
    starts, offset = [], 0
    for file in files:
        starts.append(offset)
        offset += file.size
    return starts


def _overlaps(start: int, size: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first < start + size and start < end for first, end in ranges)


def _without(files: Sequence[ReleaseFile], names: Collection[str]) -> tuple[ReleaseFile, ...]:
    return tuple(file for file in files if file.name not in names)


def _cost(candidate: Candidate) -> tuple[int, int]:
    return _cost_of(candidate.files)


def _cost_of(files: Sequence[ReleaseFile]) -> tuple[int, int]:
    return sum(file.size for file in files), len(files)
