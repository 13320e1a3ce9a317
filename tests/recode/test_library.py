# SPDX-License-Identifier: Apache-2.0
"""The shared library: compiled the same everywhere, and what is said where it is missing or does not fit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airgap.recode import CodecFailure, Encoder, library, library_available, why_unavailable
from tests.parts.need import need
from tests.parts.service import clean_environment
from tests.recode.contents import needs_library
from tools import native

ROOT = Path(__file__).resolve().parents[2]


def compile_by_tool(output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tools/native.py", "--output", output]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, cwd=output.parent
    )


def test_it_is_here_where_a_compiler_is() -> None:
    need("gcc")
    assert library_available(), f"{why_unavailable()}: make setup compiles it"
    assert why_unavailable() == ""


def test_it_is_newer_than_its_sources() -> None:
    """A library of older sources would be tested in place of these."""
    if not library_available():
        pytest.skip(why_unavailable())
    newest = max(path.stat().st_mtime for path in native.SOURCES.glob("*.[ch]"))
    assert native.LIBRARY.stat().st_mtime >= newest, "python tools/native.py compiles it again"


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_one_line_says_so_and_all_goes_on(tmp_path: Path, compiler: str) -> None:
    done = compile_by_tool(tmp_path / "librecode.so", CC=compiler)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"airgap set-up: {compiler} ")
    assert "recoded bundles are not available" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(library, "PATH", tmp_path / "librecode.so")
    assert not library_available()
    assert "not part of this installation" in why_unavailable()
    with pytest.raises(CodecFailure, match="is missing") as caught:
        Encoder("go1.8-1.26/6")
    assert "wheel for this platform" in str(caught.value.hint)


def test_a_library_for_another_machine_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "librecode.so"
    path.write_bytes(b"\x7fELF for another machine")
    monkeypatch.setattr(library, "PATH", path)
    assert not library_available()
    assert "cannot be loaded" in why_unavailable()


def test_a_library_of_another_version_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "old.c").write_text("int recode_abi_version(void) { return 0; }\n")
    other = tmp_path / "librecode.so"
    subprocess.run([need("gcc"), "-shared", "-fPIC", "-o", other, tmp_path / "old.c"], check=True)
    monkeypatch.setattr(library, "PATH", other)
    assert not library_available()
    assert "another version" in why_unavailable()


def test_nothing_of_it_is_imported_by_others(tmp_path: Path) -> None:
    program = (
        "import sys, airgap.cli.app, airgap.flows; print([m for m in sys.modules if 'recode' in m or m == 'ctypes'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env=clean_environment(tmp_path, PYTHONPATH=str(ROOT)),
    )  # fmt: skip
    assert done.stdout == "[]\n"


@needs_library
def test_no_memory_is_an_error_and_no_crash(tmp_path: Path) -> None:
    program = """
import resource
from airgap.recode import Encoder
encoders = [Encoder("go1.27/6")]
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
try:
    while True:
        encoders.append(Encoder("go1.27/6"))
except MemoryError:
    print(len(encoders) > 20, encoders[0].update(b"still works") + encoders[0].finish() != b"")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=False, env=clean_environment(tmp_path, PYTHONPATH=str(ROOT)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr[-2000:]
