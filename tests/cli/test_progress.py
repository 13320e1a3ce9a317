# SPDX-License-Identifier: Apache-2.0
"""Events become words, lines of JSON or a bar; never on standard output, and never backwards."""

from __future__ import annotations

import inspect
import json
import re
import threading

import pytest

from airgap import events
from airgap.cli.formatting.event_text import event_text
from airgap.cli.formatting.message import MessageLimits
from airgap.cli.progress import display
from airgap.cli.progress.display import BarDisplay, PlainDisplay, open_display
from airgap.events import (
    BlobDone,
    BlobProgress,
    BlobResumed,
    BlobStarted,
    Event,
    Failed,
    Finished,
    ImageFailed,
    Noted,
    Planned,
    Retrying,
    Warned,
    as_json,
)
from tests.parts.waiting import wait_until

ALL: list[Event] = [
    Planned(1, 2, 3, 300),
    BlobStarted("sha256:a", 100),
    BlobProgress("sha256:a", 40),
    Retrying("GET /v2/", "the connection broke", 1, 0.5),
    BlobProgress("sha256:a", -40),
    BlobDone("sha256:a", 100, "fetched"),
    events.ManifestDone("sha256:m", "v1", "pushed"),
    ImageFailed("quay.io/a/x:1", "quay.io/a/x:1: no such tag"),
    events.ImageChecked("quay.io/a/x:1", True),
    Warned("mind this"),
    Noted("a step"),
    BlobResumed("sha256:a", 30),
    Finished("b.tar: 1 image", "fetched", 1, 1, 2, 3_000_000, 1, 400_000, 3, 5000, 1, 60, 2.0, 1_500_000, 2.5),
    Failed(22, "no such tag", "quay.io/a/x:1", None),
]
SUMMARY = (
    "b.tar: 1 image; 3.0 MB fetched at 1.5 MB/s, 1 blob resumed (400.0 kB of them already there), "
    "3 blobs (5.0 kB) mounted, 1 blob (60 B) already there; 2.5 s in all"
)


def test_every_event_is_tried_here_and_frozen() -> None:
    kinds = {kind for _, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, Event)} - {Event}
    assert kinds == {type(event) for event in ALL}
    for kind in kinds:
        assert kind.__match_args__
        with pytest.raises(AttributeError):
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
        "image-checked",
        "warned",
        "noted",
        "blob-resumed",
        "finished",
        "failed",
    ]


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with open_display("json") as emit:
        for event in ALL:
            emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line) for line in err.splitlines()] == [json.loads(json.dumps(as_json(event))) for event in ALL]


def test_plain_lines_say_what_people_should_know(capsys: pytest.CaptureFixture[str]) -> None:
    with open_display("plain") as emit:
        for event in ALL:
            emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "trying again in 0.5 s (GET /v2/: the connection broke)",
        "failed: quay.io/a/x:1: no such tag",
        "warning: mind this",
        "a step",
        SUMMARY,
    ]


def test_none_tells_only_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with open_display("none") as emit:
        for event in ALL:
            emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["failed: quay.io/a/x:1: no such tag", "warning: mind this"]


def test_without_a_terminal_auto_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    with open_display("auto") as emit:
        emit(Noted("a step"))
    assert capsys.readouterr().err == "a step\n"


def test_the_bar_draws_and_is_taken_down(capsys: pytest.CaptureFixture[str]) -> None:
    with open_display("bar") as emit:
        for event in ALL:
            emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", err)
    assert "warning: mind this" in plain
    assert "a step" in plain


def test_lines_tell_every_few_seconds_how_far_it_is_even_where_nothing_moves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = 0
    tick = PlainDisplay.tick

    def counted(shown: PlainDisplay) -> None:
        nonlocal ticks
        tick(shown)
        ticks += 1

    def after_two_ticks() -> str:
        before = ticks
        wait_until(lambda: ticks >= before + 2)
        return capsys.readouterr().err

    monkeypatch.setattr(PlainDisplay, "interval", 0.02)
    monkeypatch.setattr(PlainDisplay, "tick", counted)
    with open_display("plain") as emit:
        emit(Planned(1, 1, 1, 100_000))
        assert after_two_ticks() == ""  # no blob is on its way
        emit(BlobStarted("sha256:a", 100_000))
        emit(BlobProgress("sha256:a", 40_000))
        said = after_two_ticks().splitlines()
        emit(BlobDone("sha256:a", 100_000, "fetched"))
        capsys.readouterr()
        assert after_two_ticks() == ""
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "airgap-progress"])
    assert capsys.readouterr().err == ""
    assert len(said) >= 2
    assert all(re.fullmatch(r"40\.0 kB of 100\.0 kB, [0-9.]+ k?B/s, 0:0\d left", line) for line in said), said


def test_events_may_come_from_several_threads(capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainDisplay()
    shown(Planned(1, 1, 8, 8 * 1000))

    def work(number: int) -> None:
        shown(BlobStarted(f"sha256:{number}", 1000))
        for _ in range(1000):
            shown(BlobProgress(f"sha256:{number}", 1))
        shown(BlobDone(f"sha256:{number}", 1000, "fetched"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with shown:
        assert shown.model.moved == 8000
    assert capsys.readouterr().err == ""


def test_a_thread_that_draws_takes_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Ctrl-C would wake that one, and the work would go on."""
    import signal

    seen: list[set[int]] = []
    monkeypatch.setattr(PlainDisplay, "interval", 0.01)
    monkeypatch.setattr(PlainDisplay, "tick", lambda _: seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    with open_display("plain") as emit:
        emit(Planned(1, 1, 1, 100))
        wait_until(lambda: seen)
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= seen[0]


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display.sys.stderr, "isatty", lambda: True, raising=False)
    for term, kind in (("xterm", BarDisplay), ("dumb", PlainDisplay), ("", PlainDisplay)):
        monkeypatch.setenv("TERM", term)
        assert type(open_display("auto")) is kind


def test_words_are_only_for_what_people_read() -> None:
    assert event_text(BlobDone("sha256:a", 1, "fetched"), MessageLimits()) == ()
    assert event_text(Noted("x"), MessageLimits()) == ("x",)
