# SPDX-License-Identifier: Apache-2.0
"""Events: what happens while airgap works, as records that are passed to a sink.

A sink is a function, and may be called by several threads at once. ``as_json`` gives the format of
``--progress json``: the name of the event in kebab case, and its fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from airgap.records import Record, as_dict


class Event(Record):
    """The base of all events."""


class Planned(Event):
    """The plan of a copy: ``total`` bytes in ``blobs`` blobs and ``manifests`` manifests."""

    images: int
    manifests: int
    blobs: int
    total: int


class BlobStarted(Event):
    """The transfer of a blob of ``size`` bytes begins. ``image`` is the first image that needs it, if that is known."""

    digest: str
    size: int
    image: str = ""


class BlobProgress(Event):
    """``bytes`` more of a blob were transferred; negative if its transfer starts again."""

    digest: str
    bytes: int


class BlobResumed(Event):
    """``bytes`` of a blob exist from an earlier run and need no transfer; negative if they turn out to be unusable."""

    digest: str
    bytes: int


class BlobDone(Event):
    """``how`` is one of ``fetched pushed resumed mounted skipped verified failed``.

    ``fetched`` and ``pushed`` blobs were transferred completely. Of ``resumed`` blobs a part existed from an earlier
    run (:class:`BlobResumed`). ``mounted`` and ``skipped`` blobs needed no transfer. With ``--keep-going`` a blob may
    have ``failed``: it is not counted, and :class:`ImageFailed` events for its images follow.
    """

    digest: str
    bytes: int
    how: str


class ManifestDone(Event):
    """A manifest is at its destination under ``name``, a tag or digest; ``how`` is ``pushed`` or ``skipped``."""

    digest: str
    name: str
    how: str


class Retrying(Event):
    """A request has failed and is retried after ``delay`` seconds."""

    what: str
    reason: str
    attempt: int
    delay: float


class ImageFailed(Event):
    """With ``--keep-going``: this image has failed and is left out."""

    reference: str
    reason: str


class ImageChecked(Event):
    """It is known whether a node would get this image (``airgap prove``)."""

    reference: str
    ready: bool


class Warned(Event):
    """A warning. The command continues."""

    text: str


class Noted(Event):
    """A step of the work in one line of text."""

    text: str


class Finished(Event):
    """The result of a copy. ``text`` describes it in one line; counts are blobs.

    ``seconds`` and ``rate`` (bytes per second) are for the copy alone, ``elapsed`` is the seconds of the whole command.
    ``resumed`` blobs are also counted in ``moved``, with the bytes that were transferred; ``resumed_bytes`` are the
    bytes that needed no transfer. ``name`` is the bundle or the target, ``platforms`` are those of the images, and
    ``next`` is the command to run next; they are empty where the result is shown as one line.
    """

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
    name: str = ""
    platforms: tuple[str, ...] = ()
    next: str = ""


class Failed(Event):
    """The error that ended the command; ``code`` is its exit code. It is not passed to a sink: the CLI makes it.

    ``more`` are the other errors if there were several (:class:`airgap.errors.Failures`), with the same four keys.
    """

    code: int
    what: str
    where: str | None
    hint: str | None
    more: tuple[dict[str, int | str | None], ...] = ()


Sink = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing: a sink for callers that want no events."""


def as_json(event: Event) -> dict[str, object]:
    """Return the JSON object of an event: ``{"event": "blob-done", …fields}``."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    return {"event": name, **as_dict(event)}
