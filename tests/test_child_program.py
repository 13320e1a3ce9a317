# SPDX-License-Identifier: Apache-2.0
"""Other programs: what they print is bounded while they print it, and so is their time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap import child_program
from airgap.child_program import ERROR_BYTES, Finished, TooMuchOutput, TooSlow, run


def shell(script: str, *, most: int = 1000, seconds: float = 30, stdin: bytes = b"") -> Finished:
    return run(["/bin/sh", "-c", script], most=most, seconds=seconds, stdin=stdin)


def test_output_errors_and_exit_code() -> None:
    assert shell("printf out; printf err >&2; exit 3") == Finished(3, b"out", b"err")
    assert run(["/bin/sh", "-c", "echo $A"], most=9, seconds=30, environment={"A": "b"}).stdout == b"b\n"
    with pytest.raises(FileNotFoundError):
        run(["/nonexistent"], most=9, seconds=30)


def test_input() -> None:
    assert shell("cat").stdout == b""
    long = bytes(range(256)) * 4096
    assert shell("cat", most=len(long), stdin=long).stdout == long
    assert shell("exec <&-; printf enough", stdin=long).stdout == b"enough"


@pytest.mark.parametrize("over", [0, 1])
def test_the_most_output(over: int) -> None:
    if over:
        with pytest.raises(TooMuchOutput, match="more than 9 bytes"):
            shell("printf 0123456789", most=9)
    else:
        assert shell("printf 0123456789", most=10).stdout == b"0123456789"


def test_a_program_that_prints_without_end_is_killed(tmp_path: Path) -> None:
    """At once, though another program holds its pipes open; and no more is read than a piece past the limit."""
    started = tmp_path / "pid"
    with pytest.raises(TooMuchOutput):
        shell(f"echo $$ > {started}; sleep 60 & exec yes", most=100_000)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_a_program_that_does_not_end(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    for script in ("exec sleep 60", "exec >&- 2>&-; exec sleep 60"):
        with pytest.raises(TooSlow, match="not done after"):
            shell(f"echo $$ > {started}; {script}", seconds=0.3)
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.read_text()), 0)


def test_of_errors_the_end_is_kept() -> None:
    found = shell("yes 0123456 | head -c 200000 >&2; echo last >&2")
    assert len(found.stderr) == ERROR_BYTES
    assert found.stderr.endswith(b"last\n")


def test_an_interruption_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "pid"

    def interrupted(*_: object) -> tuple[bytes, bytes]:
        raise KeyboardInterrupt

    monkeypatch.setattr(child_program, "_exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shell(f"echo $$ > {started}; exec sleep 60")
    if started.exists() and started.read_text():
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.read_text()), 0)
