# SPDX-License-Identifier: Apache-2.0
"""Habits of the tree that no reader should have to check: what is imported when, how long modules are, licences."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.cli.command import ROOT, pod
from tests.parts.service import clean_environment

SOURCES = sorted((ROOT / "airgap").rglob("*.py"))
HTTP = ("httpx", "http.client", "ssl", "urllib.request")
EXTRAS = ("yaml", "rich", "zstandard", "cheroot")


def imported(home: Path, *arguments: str) -> set[str]:
    """The modules that a run of the command line has loaded when it ends."""
    program = (
        "import json, sys\n"
        "from airgap.cli.run import run\n"
        "code = run(sys.argv[1:])\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=home,
        env=clean_environment(home, PYTHONPATH=str(ROOT)),
        check=True,
    )
    code, modules = json.loads(run.stderr.splitlines()[-1])
    assert code == 0, run.stderr
    return set(modules)


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_telling_the_version_loads_next_to_nothing(argument: str, tmp_path: Path) -> None:
    loaded = imported(tmp_path, argument)
    assert not loaded & {*HTTP, *EXTRAS}
    assert not [name for name in loaded if name.startswith(("airgap.flows", "airgap.registry", "airgap.kube"))]


def test_listing_the_images_of_a_file_loads_no_http(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(pod("nginx"))
    loaded = imported(tmp_path, "images", "pod.yaml")
    assert not loaded & {*HTTP, "rich", "zstandard", "cheroot"}
    assert "yaml" in loaded


def test_rewriting_a_file_loads_no_http(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(pod("nginx"))
    loaded = imported(tmp_path, "rewrite", "pod.yaml", "--to", "t.example/p")
    assert not loaded & {*HTTP, "rich", "zstandard", "cheroot"}


def test_every_file_names_its_licence() -> None:
    tracked = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    tracked += (ROOT / "bench").rglob("*.py")
    head = "# SPDX-License-Identifier: Apache-2.0"
    without = [
        str(path.relative_to(ROOT))
        for path in tracked
        if "__pycache__" not in path.parts and head not in path.read_text().splitlines()[:2]
    ]
    assert without == []


def test_no_test_sleeps_until_something_has_happened() -> None:
    """Only what waits for a condition and slow servers sleep; tests wait for events, or by tests/parts/waiting.py."""
    sleeping = re.compile(r"\btime\.sleep\b|\bfrom time import .*\bsleep\b|\basyncio\.sleep\b")
    doubles = ROOT / "tests" / "doubles"
    allowed = {ROOT / "tests" / "parts" / "waiting.py", Path(__file__).resolve()}
    allowed |= {path for path in doubles.rglob("*.py") if not path.name.startswith("test_")}
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path not in allowed
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if sleeping.search(line)
    ]
    assert found == []


def test_modules_can_be_read_at_one_sitting() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def test_a_flow_is_read_on_one_page() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in SOURCES
        if path.is_relative_to(ROOT / "airgap" / "flows")
    }
    assert {name: length for name, length in lengths.items() if length > 150} == {}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions count, those for type checkers alone do not."""
    graph = grimp.build_graph("airgap", exclude_type_checking_imports=True, cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    left = dict(imported)
    while leaves := [module for module, names in left.items() if not names & left.keys()]:
        for module in leaves:
            del left[module]
    circles = {module: sorted(names & left.keys()) for module, names in left.items()}
    assert circles == {}


def test_every_room_says_what_it_holds() -> None:
    for path in SOURCES:
        if path.name == "__init__.py" and path.parent.name != "commands":
            text = path.read_text()
            assert re.search(r'^"""\S', text, re.MULTILINE), f"{path} opens with no paragraph"


def test_the_readme_names_what_a_newcomer_runs() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md yet")
    text = readme.read_text()
    for command in ("make demo", "make test", "airgap export", "airgap import"):
        assert command in text, command


def test_the_drawing_of_the_rooms_is_up_to_date() -> None:
    drawn = subprocess.run([sys.executable, "tools/architecture.py", "--check"], cwd=ROOT, check=False)
    assert drawn.returncode == 0, "python tools/architecture.py draws it again"


def test_only_one_module_prints() -> None:
    """What is printed has gone through the escapes of airgap/cli/printing.py; ``--version`` and questions aside."""
    printing = re.compile(
        r"\bclick\.(?:echo|style|secho)\b|(?<![\w.])print\(|\bsys\.std(?:out|err)\.(?:buffer|write)\b"
    )
    allowed = {"airgap/cli/printing.py", "airgap/cli/__init__.py"}
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "airgap" / "cli").rglob("*.py")
        if printing.search(path.read_text())
    }
    assert found <= allowed
