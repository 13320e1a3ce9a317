# SPDX-License-Identifier: Apache-2.0
"""The bar on real pseudo-terminals of several sizes: it fits, never goes back, and leaves nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.command import Airgap, Registry, settings
from tests.parts.faulty_line import CLOSE, Break, Fault, FaultyLine, faulty_line
from tests.parts.images import Images
from tests.parts.terminal import Screen, on_terminal

#: What stays on the screen: the bar and what hangs under it must not be among that.
STAYS = re.compile(
    r"trying again in .* too early\)|bundle size: .*|(?:bundle|images|platforms|new|reused|time|next)  .*|"
    r"error: stopped.*|  to continue: airgap export .*"
)
BAR = re.compile(r"\s*(\d+)%(?:$| [━─]+)")
BLOB = re.compile(r"(?:  |[ \d]{3}% )(?:x:1 )?([0-9a-f]{4,12})")


@pytest.fixture
def slow() -> Iterator[FaultyLine]:
    """A registry with six layers behind a slow line, which is cut once in the second blob."""
    images = Images(17)
    root = images.image(layers=[images.layer(size=size * 60_000) for size in (5, 4, 4, 3, 3, 2)])
    with Registry() as registry:
        registry.fill(images, {"a/x:1": root})
        cut = Fault("GET", "/blobs/", skip=1, header="Host", response=Break(CLOSE, 70_000), delay=0.02)
        with faulty_line(registry.address, cut, Fault("GET", "/blobs/", 99, header="Host", delay=0.02)) as line:
            yield line


@pytest.fixture
def ready(airgap: Airgap, slow: FaultyLine) -> Airgap:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": slow.url}}))
    airgap.environment["TERM"] = "xterm-256color"
    return airgap


EXPORT = ("export", "--image", "quay.io/a/x:1", "-o", "b.tar")


def unfolded(screen: Screen) -> list[str]:
    """What stands there, each line with those that it goes on in."""
    return re.sub(r"\n {4}(?=\S)", " ", "\n".join(screen.lines())).split("\n")


def shown(screen: Screen) -> list[int]:
    return [int(found[1]) for line in screen.written if (found := BAR.match(line))]


@pytest.mark.parametrize(("width", "height"), [(10, 6), (20, 4), (39, 24), (40, 2), (80, 24), (200, 3)])
def test_it_fits_and_leaves_nothing_behind(ready: Airgap, width: int, height: int) -> None:
    code, said = on_terminal(
        ready.command(*EXPORT), width, height, environment=ready.whole_environment(), folder=ready.folder
    )
    screen = Screen(width, height)
    screen.feed(said)
    assert code == 0, said
    assert screen.cursor
    assert all(STAYS.fullmatch(line) for line in unfolded(screen)), screen.lines()
    assert any(re.match(r"images +1 image, 8 blobs, ", line) for line in unfolded(screen))
    assert sum(line.startswith("trying again in ") for line in unfolded(screen)) == 1
    # Nothing that was drawn filled the last column, so that no terminal wraps it.
    drawn = [line for line in screen.written if BAR.match(line) or BLOB.match(line)]
    assert drawn
    assert max(map(len, drawn)) < width
    percents = shown(screen)
    assert percents == sorted(percents)
    assert len(set(percents)) >= 3
    blobs = {found[1] for line in screen.written if (found := BLOB.match(line))}
    assert len(blobs) >= (0 if height == 2 else 1)
    if height >= 24:
        assert len(blobs) >= 4
        assert any("again in " in line for line in screen.written if BLOB.match(line))
    if width >= 80:
        # Each blob is called by its image.
        assert all(line.startswith("  x:1 ") for line in screen.written if BLOB.match(line))
        assert any(re.search(r"\d [kM]?B of \d.* [kM]?B/s +\d+:\d\d left", line) for line in screen.written)


def test_ctrl_c_takes_it_down(ready: Airgap) -> None:
    sent = []

    def look(said: str, process: subprocess.Popen[bytes]) -> None:
        if not sent and said.count("%") > 8:
            sent.append(process.send_signal(signal.SIGINT))

    code, said = on_terminal(
        ready.command(*EXPORT), 60, 10, environment=ready.whole_environment(), folder=ready.folder, look=look
    )
    screen = Screen(60, 10)
    screen.feed(said)
    assert (code, screen.cursor) == (130, True)
    assert all(STAYS.fullmatch(line) for line in unfolded(screen)), screen.lines()
    assert any(line.startswith("error: stopped") for line in unfolded(screen))


def test_a_terminal_without_a_cursor_gets_lines(ready: Airgap) -> None:
    ready.environment["TERM"] = "dumb"
    code, said = on_terminal(ready.command(*EXPORT), 80, 24, environment=ready.whole_environment(), folder=ready.folder)
    assert code == 0
    assert "\x1b[" not in re.sub(r"\x1b\[\d*m", "", said)
    assert "1 image, 8 blobs, " in said
