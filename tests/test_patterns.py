# SPDX-License-Identifier: Apache-2.0
"""No regular expression of the package takes more than linear time, whatever somebody else wrote into a file, a header
or an answer. Measured in processor time, in a process that the kernel ends if it hangs (tests/parts/patterns.py)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import ROOT
from tests.parts import patterns


def measured(*packages: str | Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Every pattern of the packages, and the slow ones."""
    command = [sys.executable, "-m", "tests.parts.patterns", *map(str, packages)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{done.returncode} at {lines[-1:]}: {done.stderr[-2000:]}"
    return [line for line in lines if "slow" not in line], [line for line in lines if "slow" in line]


def test_no_pattern_is_slow_on_its_worst_input() -> None:
    every, slow = measured(ROOT / "airgap")
    assert len(every) > 300
    assert slow == []


@pytest.mark.long
def test_no_phrase_of_explain_is_slow_on_its_worst_input() -> None:
    """Each of them; the test above takes one of each shape."""
    every, slow = measured(ROOT / "airgap", patterns.ALL_PHRASES)
    assert len(every) > 600
    assert slow == []


def test_phrases_of_one_shape_differ_in_their_words_alone() -> None:
    some = (r"no[\W_]+route", r"is[\W_].{0,200}?not", r"not[\W_]+found[\W_]+here", r"a+", r"is[\W_].{0,200}?no[\W_]+x")
    found = patterns.one_of_each_shape(map(re.compile, some))
    assert {pattern.pattern for pattern in found} == {some[2], some[3], some[4]}


def test_every_pattern_is_known() -> None:
    """One that is put together when the program runs has to be listed in `computed`, with values as they occur."""
    _, unknown = patterns.collect(patterns.modules())
    assert set(unknown) == set(patterns.computed())


#: Patterns that are slow, and how each is read.
SLOW = {
    "nested": r"""re.fullmatch(r"(?:a+)+", text)""",
    "from_every_place": r"""re.findall(r"<([^>]*)>", text)""",
    "two_in_a_row": r"""re.match(r"[ \t]*,?[ \t]*x", text)""",
    "bytes": r"""re.search(rb"\{\{\s*(?:if)?\s*x", text)""",
    "end": r"""re.sub(r"\s+$", "", text)""",
    "case": r"""re.compile(r"a+[A-Z]*!", re.IGNORECASE).match(text)""",
}
#: Names of modules, whose use decides: `_START` is linear, being tried at one place only.
HELD = {
    "held": """_ALL = {"x": (re.compile("b*c"), 1)}""",
    "used": """_END, _START = re.compile("a*c"), re.compile("d*c")\n_END.search("")\n_START.match("")""",
}


def test_slow_patterns_are_noticed(tmp_path: Path) -> None:
    package = tmp_path / "slowly"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name, call in SLOW.items():
        (package / f"{name}.py").write_text(f"import re\n\n\ndef read(text):\n    return {call}\n")
    for name, lines in HELD.items():
        (package / f"{name}.py").write_text(f"import re\n\n{lines}\n")
    _, slow = measured(package)
    assert not any("d*c" in line["pattern"] for line in slow)
    slow_modules = {line["where"].partition(":")[0] for line in slow}
    assert slow_modules == {f"slowly.{name}" for name in SLOW} | {f"slowly.{name}" for name in HELD}
