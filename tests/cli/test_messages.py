# SPDX-License-Identifier: Apache-2.0
"""No message is longer than four lines, failures of one cause are one message, and ``--verbose`` shows the rest."""

from __future__ import annotations

import json
import re

import pytest

from airgap.cli.formatting.message import MAX_LINES, MessageLimits
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.terminal import on_terminal

MANY = [f"quay.io/team/service-with-a-long-name-{number:02}:v1.0.{number}" for number in range(40)]


def lines_on_a_screen(text: str, width: int = 120) -> int:
    return sum(-(-len(line) // width) for line in text.splitlines())


@pytest.fixture
def many(airgap: Airgap, quay: Registry) -> Airgap:
    """YAML that names 40 images, none of which the registry has."""
    airgap.write("pod.yaml", pod(*MANY))
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    return airgap


def test_forty_failures_of_one_cause_are_one_message(many: Airgap) -> None:
    said = many.run("export", "pod.yaml", "-o", "b.tar", code=22)
    (error,) = said.errors
    assert error.startswith("40 failures of one cause; the first: quay.io/team/service-with-a-long-name-00:v1.0.0: ")
    assert "the registry has no tag v1.0.0" in error
    assert MANY[1] in error
    assert "(--verbose shows all of it)" in error
    assert "check the spelling" in said.stderr
    assert lines_on_a_screen(said.stderr) <= MAX_LINES


def test_verbose_shows_each_of_them(many: Airgap) -> None:
    for arguments in (
        ("export", "pod.yaml", "-o", "b.tar", "--verbose"),
        ("--verbose", "export", "pod.yaml", "-o", "b.tar"),
    ):
        errors = many.run(*arguments, code=22).errors
        assert [error.partition(": ")[0] for error in errors] == MANY


def test_json_keeps_all(many: Airgap) -> None:
    said = many.run("export", "pod.yaml", "-o", "b.tar", "--progress", "json", code=22)
    last = json.loads(said.stderr.splitlines()[-1])
    assert [error["where"] for error in (last, *last["more"])] == MANY


def test_three_of_one_cause_are_three_messages(many: Airgap) -> None:
    many.write("pod.yaml", pod(*MANY[:3]))
    assert len(many.run("export", "pod.yaml", "-o", "b.tar", code=22).errors) == 3


def test_failures_of_two_causes_are_two_messages(many: Airgap, quay: Registry) -> None:
    with Registry(credentials=("jane", "secret")) as closed:
        many.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}, "closed.io": {"mirror": closed.url}}))
        many.write("pod.yaml", pod(*MANY, *(f"closed.io/a/x{number}:1" for number in range(5))))
        errors = many.run("export", "pod.yaml", "-o", "b.tar", code=None).errors
    assert sorted(error.partition(";")[0] for error in errors) == [
        "40 failures of one cause",
        "5 failures of one cause",
    ]


def test_images_that_are_left_out(many: Airgap, quay: Registry) -> None:
    """With ``--keep-going`` each cause is told for three images; the others are counted."""
    many.write("pod.yaml", pod("quay.io/jetstack/cert-manager-webhook:v1.14.4", *MANY))
    said = many.run("export", "pod.yaml", "-o", "b.tar", "--keep-going", code=3).stderr
    failed = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 4
    assert failed[3].startswith(f"failed: 37 more for the same reason as {MANY[0]}: {MANY[3]}, ")
    assert "not in the bundle: " in said
    assert all(lines_on_a_screen(line) <= MAX_LINES for line in said.splitlines())
    again = many.run("export", "pod.yaml", "-o", "b.tar", "--keep-going", "--force", "--verbose", code=3).stderr
    assert sum(line.startswith("failed: ") for line in again.splitlines()) == 40
    assert all(name in again.splitlines()[-1] for name in MANY)
    events = many.run("export", "pod.yaml", "-o", "b.tar", "--keep-going", "--force", "--progress", "json", code=3)
    assert sum(event["event"] == "image-failed" for event in events.events) == 40


def test_a_long_text_is_cut_between_words(many: Airgap) -> None:
    text = f"{'y' * 400} {'z' * 200} end"
    assert MessageLimits().line(text) == f"{'y' * 400} … (--verbose shows all of it)"
    assert len(MessageLimits().line("y" * 900)) == MAX_LINES * 120
    assert MessageLimits(verbose=True).line(text) == text


def test_a_terminal_has_its_own_width(many: Airgap) -> None:
    code, said = on_terminal(
        many.command("export", "pod.yaml", "-o", "b.tar"),
        80,
        24,
        environment=many.whole_environment(),
        folder=many.folder,
    )
    assert code == 22
    assert "(--verbose shows all of it)" in said
    assert lines_on_a_screen(re.sub(r"\x1b\[[0-9;]*m", "", said), 80) <= MAX_LINES
