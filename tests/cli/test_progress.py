# SPDX-License-Identifier: Apache-2.0
"""Events become words, lines of JSON or a bar; never on standard output, and never backwards."""

from __future__ import annotations

import dataclasses
import inspect
import json
import random
import re
import threading

import pytest

from airgap import events
from airgap.cli.progress import Display, display, words
from airgap.events import (
    BlobDone,
    BlobProgress,
    BlobStarted,
    Event,
    ImageFailed,
    Noted,
    Planned,
    Retrying,
    Warned,
    as_json,
)

ALL: list[Event] = [
    Planned(1, 2, 3, 300),
    BlobStarted("sha256:a", 100),
    BlobProgress("sha256:a", 40),
    Retrying("GET /v2/", "the connection broke", 1, 0.5),
    BlobProgress("sha256:a", -40),
    BlobDone("sha256:a", 100, "fetched"),
    events.ManifestDone("sha256:m", "v1", "pushed"),
    ImageFailed("quay.io/a/x:1", "quay.io/a/x:1: no such tag"),
    Warned("mind this"),
    Noted("a step"),
]


def test_every_event_is_tried_here_and_frozen() -> None:
    kinds = {kind for _, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, Event)} - {Event}
    assert kinds == {type(event) for event in ALL}
    for kind in kinds:
        assert dataclasses.fields(kind)
        with pytest.raises(dataclasses.FrozenInstanceError):
            next(event for event in ALL if type(event) is kind).text = "x"  # type: ignore[attr-defined] # that is it


def test_json_has_the_name_in_kebab_case_and_the_fields() -> None:
    assert as_json(BlobDone("sha256:a", 5, "mounted")) == {
        "event": "blob-done",
        "digest": "sha256:a",
        "bytes": 5,
        "how": "mounted",
    }
    assert [as_json(event)["event"] for event in ALL] == [
        "planned",
        "blob-started",
        "blob-progress",
        "retrying",
        "blob-progress",
        "blob-done",
        "manifest-done",
        "image-failed",
        "warned",
        "noted",
    ]


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with display("json") as emit:
        for event in ALL:
            emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line) for line in err.splitlines()] == [as_json(event) for event in ALL]


def test_plain_lines_say_what_people_should_know(capsys: pytest.CaptureFixture[str]) -> None:
    with display("plain") as emit:
        for event in ALL:
            emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "trying again in 0.5 s (GET /v2/: the connection broke)",
        "failed: quay.io/a/x:1: no such tag",
        "warning: mind this",
        "a step",
    ]


def test_none_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with display("none") as emit:
        for event in ALL:
            emit(event)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_auto_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    with display("auto") as emit:
        emit(Noted("a step"))
    assert capsys.readouterr().err == "a step\n"


def test_the_bar_draws_and_is_taken_down(capsys: pytest.CaptureFixture[str]) -> None:
    with display("bar") as emit:
        for event in ALL:
            emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", err)
    assert "warning: mind this" in plain
    assert "a step" in plain


def test_what_is_shown_never_goes_backwards_and_ends_at_the_total() -> None:
    chance = random.Random(5)
    for _ in range(50):
        shown = Display()
        sizes = {f"sha256:{number}": chance.randrange(1, 1000) for number in range(8)}
        shown(Planned(1, 1, len(sizes), sum(sizes.values())))
        seen = [0]
        for digest, size in sizes.items():
            shown(BlobStarted(digest, size))
            for _ in range(chance.randrange(3)):
                part = chance.randrange(size + 1)
                shown(BlobProgress(digest, part))
                seen.append(shown.shown)
                if chance.random() < 0.5:
                    shown(BlobProgress(digest, -part))
                    seen.append(shown.shown)
                else:
                    break
            shown(BlobDone(digest, size, "fetched"))
            seen.append(shown.shown)
        assert seen == sorted(seen)
        assert seen[-1] == sum(sizes.values())


def test_events_may_come_from_several_threads() -> None:
    shown = Display()
    shown(Planned(1, 1, 8, 8 * 1000))

    def work(number: int) -> None:
        for _ in range(1000):
            shown(BlobProgress(f"sha256:{number}", 1))
        shown(BlobDone(f"sha256:{number}", 1000, "fetched"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown.shown == 8000


def test_a_new_plan_begins_at_nothing() -> None:
    shown = Display()
    shown(Planned(1, 1, 1, 100))
    shown(BlobDone("sha256:a", 100, "fetched"))
    shown(Planned(1, 1, 1, 50))
    assert shown.shown == 0


def test_words_are_only_for_what_people_read() -> None:
    assert words(BlobDone("sha256:a", 1, "fetched")) == ""
    assert words(Noted("x")) == "x"
