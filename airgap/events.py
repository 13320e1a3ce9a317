# SPDX-License-Identifier: Apache-2.0
"""What happens while airgap works, as frozen records handed to a sink.

This room is silent: it neither prints nor keeps anything. A sink may be called from several threads
at once. ``as_json`` gives the shape of ``--progress json``: the event's name in kebab case and its fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from airgap.records import Record, as_dict


class Event(Record):
    """Base of all events."""


class Planned(Event):
    """What a copy is about to do: ``total`` bytes in ``blobs`` blobs and ``manifests`` manifests."""

    images: int
    manifests: int
    blobs: int
    total: int


class BlobStarted(Event):
    digest: str
    size: int


class BlobProgress(Event):
    """``bytes`` more of one blob have arrived or left; negative when a transfer starts again."""

    digest: str
    bytes: int


class BlobResumed(Event):
    """``bytes`` of one blob are there from an earlier run: they count as neither moved nor to be moved; negative
    when they turn out to be of no use."""

    digest: str
    bytes: int


class BlobDone(Event):
    """``how`` is one of ``fetched pushed resumed mounted skipped verified failed``.

    A blob that moved whole was ``fetched`` or ``pushed``; one of which a part was there from an earlier run, told by
    :class:`BlobResumed`, was ``resumed``; of one ``mounted`` or ``skipped`` nothing had to move. With
    ``--keep-going`` a blob may have ``failed``: it is out of the count, and the images that need it follow.
    """

    digest: str
    bytes: int
    how: str


class ManifestDone(Event):
    """``name`` is the tag or digest it was pushed by; ``how`` is ``pushed`` or ``skipped``."""

    digest: str
    name: str
    how: str


class Retrying(Event):
    """A request failed in a way that may heal; it is tried again after ``delay`` seconds."""

    what: str
    reason: str
    attempt: int
    delay: float


class ImageFailed(Event):
    """With ``--keep-going``: this image is left out."""

    reference: str
    reason: str


class Warned(Event):
    """Something that the user should know and that stops nothing."""

    text: str


class Noted(Event):
    """A step of the work in one line, for people."""

    text: str


class Finished(Event):
    """The last word on a copy: ``text`` is what it made, for people; counts are blobs. ``seconds`` and ``rate`` (bytes
    a second) are those of the copying alone, ``elapsed`` the seconds of the whole command. ``resumed`` blobs count in
    ``moved`` too, with the bytes that did move; ``resumed_bytes`` are those that did not have to."""

    text: str
    how: str
    images: int
    manifests: int
    moved: int
    moved_bytes: int
    resumed: int
    resumed_bytes: int
    mounted: int
    mounted_bytes: int
    skipped: int
    skipped_bytes: int
    seconds: float
    rate: float
    elapsed: float


class Failed(Event):
    """What ended the command, last of all: ``code`` is its exit code. ``more`` holds the other errors where planning
    found several, each with the same four keys. No sink is handed this: whoever tells errors makes it."""

    code: int
    what: str
    where: str | None
    hint: str | None
    more: tuple[dict[str, int | str | None], ...] = ()


Sink = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The sink that keeps nothing."""


def as_json(event: Event) -> dict[str, object]:
    """The JSON object of one event: ``{"event": "blob-done", …fields}``."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    return {"event": name, **as_dict(event)}
