# SPDX-License-Identifier: Apache-2.0
"""``export --refresh`` over what an earlier run left: one export at a time, damaged blobs are fetched again, and
leftovers outlive a kill."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import Airgap
from tests.flows.test_resume import IMAGES, LARGE, MIB, Source, files, through
from tests.parts.faulty_line import STALL, faulty_line
from tests.parts.images import Images
from tests.parts.ledger import Ledger
from tests.parts.waiting import at_rest, wait_until


def moved_tag(source: Source, seed: int = 77) -> None:
    """Another image is called a/small:1 now."""
    images = Images(seed)
    source.fill(images, {"a/small:1": images.image(size=50_000)})


def whole_large_layer(airgap: Airgap, source: Source, *more: str) -> None:
    """Kill an export once the large layer has arrived, and some of the next."""
    stalled_after(airgap, source, LARGE + 100_000, *more)


def stalled_after(airgap: Airgap, source: Source, count: int, *more: str) -> None:
    with faulty_line(source.address, limit=count, ending=STALL) as line:
        through(airgap, line.url)
        process = airgap.started("export", *IMAGES, "-o", "b.tar", "--jobs", "1", *more)
        assert line.stalled.wait(60)
        wait_until(at_rest(process.pid))
        process.kill()
        process.communicate()


def expected_of(airgap: Airgap, source: Source, folder: Path) -> bytes:
    through(airgap, source.url)
    airgap.run("export", *IMAGES, "-o", folder / "expected.tar")
    return (folder / "expected.tar").read_bytes()


def stopped(process: subprocess.Popen[bytes], ledger: Ledger) -> None:
    """Pause a process that has written some of the large layer."""
    assert ledger.reached.wait(30)
    process.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize("option", ["--refresh", "--restart"])
def test_an_export_that_is_running_is_left_alone(airgap: Airgap, tmp_path: Path, option: str) -> None:
    ledger = Ledger()
    with Source(store=ledger) as source:
        expected = expected_of(airgap, source, tmp_path)
        ledger.forget()
        ledger.begin(20 * MIB)
        through(airgap, source.url)
        first = airgap.started("export", *IMAGES, "-o", "b.tar", "--jobs", "1")
        stopped(first, ledger)
        try:
            before = files(airgap.folder).keys()
            moved_tag(source)
            said = airgap.fails(42, "export", *IMAGES, "-o", "b.tar", option)
            assert "another airgap is writing this bundle" in said.errors[0]
            assert files(airgap.folder).keys() == before
        finally:
            ledger.begin()
            first.send_signal(signal.SIGCONT)
        _, stderr = first.communicate(timeout=60)
        assert first.returncode == 0, stderr.decode()
        assert files(airgap.folder) == {"b.tar": expected}


@pytest.mark.parametrize("damage", ["content", "header"])
def test_a_damaged_blob_among_the_leftovers_is_fetched_again(airgap: Airgap, tmp_path: Path, damage: str) -> None:
    with Source() as source:
        whole_large_layer(airgap, source)
        moved_tag(source)
        expected = expected_of(airgap, source, tmp_path)
        partial = airgap.folder / "b.tar.partial"
        content = bytearray(partial.read_bytes())
        if damage == "content":
            content[LARGE // 2] ^= 1
        else:
            (digest,) = source.large
            place = content.rindex(digest.removeprefix("sha256:").encode())
            content[place] ^= 1
        partial.write_bytes(content)
        through(airgap, source.url)
        airgap.run("export", *IMAGES, "-o", "b.tar", "--refresh")
        assert files(airgap.folder) == {"b.tar": expected}


def test_an_undamaged_blob_beside_a_damaged_one_is_still_used(airgap: Airgap, tmp_path: Path) -> None:
    with Source(LARGE, 10 * MIB) as source:
        stalled_after(airgap, source, LARGE + 10 * MIB + 50_000)
        moved_tag(source)
        expected = expected_of(airgap, source, tmp_path)
        partial = airgap.folder / "b.tar.partial"
        with partial.open("r+b") as file:  # the larger layer stands before the other
            file.seek(LARGE // 2)
            file.write(b"damage")
        with faulty_line(source.address) as line:
            through(airgap, line.url)
            airgap.run("export", *IMAGES, "-o", "b.tar", "--refresh")
            assert LARGE < line.received < LARGE + 2 * MIB
        assert files(airgap.folder) == {"b.tar": expected}


@pytest.mark.parametrize("again", ["--refresh", ""])
def test_leftovers_outlive_a_kill_of_the_run_that_uses_them(airgap: Airgap, tmp_path: Path, again: str) -> None:
    with Source() as source:
        whole_large_layer(airgap, source)
        moved_tag(source)
        expected = expected_of(airgap, source, tmp_path)
        # The manifests and configs come through, and then the line falls silent in a small layer.
        with faulty_line(source.address, limit=20_000, ending=STALL) as line:
            through(airgap, line.url)
            process = airgap.started("export", *IMAGES, "-o", "b.tar", "--jobs", "1", "--refresh")
            assert line.stalled.wait(60)
            wait_until(at_rest(process.pid))
            process.kill()
            process.communicate()
        assert "b.tar.partial.old" in files(airgap.folder)
        with faulty_line(source.address) as line:
            through(airgap, line.url)
            airgap.run("export", *IMAGES, "-o", "b.tar", *([again] if again else []))
            assert line.received < MIB, "the large layer was fetched again"
        assert files(airgap.folder) == {"b.tar": expected}


def test_restart_deletes_leftovers_that_nobody_uses(airgap: Airgap, tmp_path: Path) -> None:
    with Source() as source:
        expected = expected_of(airgap, source, tmp_path)
        whole_large_layer(airgap, source)
        (airgap.folder / "b.tar.partial.old").write_bytes((airgap.folder / "b.tar.partial").read_bytes())
        through(airgap, source.url)
        airgap.run("export", *IMAGES, "-o", "b.tar", "--restart")
        assert files(airgap.folder) == {"b.tar": expected}
