# SPDX-License-Identifier: Apache-2.0
"""What ``make dist`` gives: the same bytes from the same tree, and one file that runs on a bare Python."""

from __future__ import annotations

import ast
import functools
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import airgap
from airgap.flows.sign import key_signer
from airgap.trust.secret_key import SecretKey
from tests.bundle.mutations import make

ROOT = Path(__file__).resolve().parent.parent
HAS_COMPILER = any(map(shutil.which, ("cc", "gcc", "clang")))
#: Not read out of a zipapp; a wheel has the compiled encoders.
UNUSED_SUFFIXES = (".po", ".pot", ".so", ".c", ".h")
NAMES = ("python3", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14")


def build(tool: str, output: Path, umask: int, *options: str, **environment: str) -> Path:
    """Run one of tools/ and return the file that it made."""
    command = [sys.executable, str(ROOT / "tools" / tool), "--output", str(output), *options]
    made = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        umask=umask,
        cwd=output.parent,
        env={"PATH": os.environ["PATH"], "HOME": str(output.parent), **environment},
    )
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("pyz.py", tmp_path_factory.mktemp("one") / "airgap.pyz", 0o022)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel.py", tmp_path_factory.mktemp("wheel") / "a", 0o022)


@functools.cache
def interpreters() -> dict[str, str]:
    """Pythons on the PATH that are new enough and of other versions than this one: version → path."""
    found: dict[str, str] = {}
    for name in NAMES:
        path = shutil.which(name)
        if path is None:
            continue
        program = "import sys; print('.'.join(map(str, sys.version_info[:3])), sys.executable)"
        run = subprocess.run([path, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
        version, _, executable = run.stdout.strip().partition(" ")
        minor = tuple(map(int, version.split(".")[:2])) if run.returncode == 0 else (0, 0)
        if minor >= (3, 10) and minor != sys.version_info[:2]:
            found.setdefault(version, executable)
    return found


def test_two_builds_are_identical(pyz: Path, tmp_path: Path) -> None:
    other = build("pyz.py", tmp_path / "airgap.pyz", 0o077, TZ="Asia/Seoul", PYTHONHASHSEED="7")
    assert other.read_bytes() == pyz.read_bytes()


def test_two_wheels_are_identical(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = build("wheel.py", tmp_path / "b", 0o077, TZ="Asia/Seoul", PYTHONHASHSEED="7")
    platform = f"linux_{os.uname().machine}" if HAS_COMPILER else "any"
    assert wheel.name == other.name == f"airgap_oci-{airgap.__version__}-py3-none-{platform}.whl"
    assert wheel.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_nothing_tells_where_it_was_built(pyz: Path) -> None:
    places = {str(ROOT), sys.prefix, sys.base_prefix if sys.base_prefix != "/usr" else sys.prefix, str(Path.home())}
    with zipfile.ZipFile(pyz) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            content = archive.read(entry)
            assert not [place for place in places if place != "/" and place.encode() in content], entry.filename


def test_holds_the_whole_program_and_no_compiled_part(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    infos = {name.split("/")[0] for name in names if ".dist-info/" in name}
    for name in names:
        if not name.endswith("/") and name.split("/")[0] not in {*infos, "airgap"}:
            assert name.endswith(".py"), name
    for info in infos:
        inside = [name for name in names if name.startswith(f"{info}/")]
        assert f"{info}/METADATA" in inside
        assert any("LICEN" in name.upper() or "COPYING" in name.upper() for name in inside), info
    assert {name for name in names if name.startswith("airgap/") and not name.endswith("/")} == own_files()


def own_files() -> set[str]:
    own = {str(path.relative_to(ROOT)) for path in (ROOT / "airgap").rglob("*") if path.is_file()}
    return {name for name in own if "/__pycache__/" not in name and not name.endswith(UNUSED_SUFFIXES)}


def test_the_wheel_holds_the_whole_program(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        compiled = {"airgap/recode/native/librecode.so"} if HAS_COMPILER else set()
        assert {name for name in archive.namelist() if name.startswith("airgap/")} == own_files() | compiled


def test_the_wheel_for_every_platform_holds_the_same_without_the_encoders(tmp_path: Path) -> None:
    pure = build("wheel.py", tmp_path / "pure", 0o022, "--pure", SOURCE_DATE_EPOCH="1700000000")
    assert pure.name == f"airgap_oci-{airgap.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(pure) as archive:
        assert {name for name in archive.namelist() if name.startswith("airgap/")} == own_files()
        assert {entry.date_time for entry in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(pure)!r}); {SAYS_WHY}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "not part of this installation" in said.stdout, said.stderr


SAYS_WHY = "import airgap.recode as r; assert not r.library_available(); print(r.why_unavailable())"


def test_messages_are_explained_in_korean_from_inside(pyz: Path) -> None:
    program = f"import os, sys; os.environ['AIRGAP_LANG'] = 'ko'; sys.path.insert(0, {str(pyz)!r}); "
    program += "from airgap.explain import find_matches; "
    program += "print(find_matches('toomanyrequests')[0].message.title)"
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", program]
    run = subprocess.run(command, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.decode("utf-8").strip() == "레지스트리가 요청 수를 제한함"


def test_starts_by_its_first_line(pyz: Path) -> None:
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert os.access(pyz, os.X_OK)


def test_runs_on_a_bare_interpreter(pyz: Path, tmp_path: Path) -> None:
    """An empty environment, no site-packages, and every other Python that is here."""
    alone = shutil.copy(pyz, tmp_path / "alone.pyz")
    if not interpreters():
        pytest.skip(f"no other Python from 3.10 on is on the PATH, by the names {', '.join(NAMES)}")
    for version, executable in interpreters().items():
        command = [executable, "-I", "-S", str(alone), "--version"]
        run = subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd=tmp_path)
        assert (run.returncode, run.stderr) == (0, ""), version
        assert airgap.__version__ in run.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.pyz"]


@pytest.mark.long
def test_verifies_signed_bundles_without_a_library(pyz: Path, tmp_path: Path) -> None:
    """And says which package signing and sealed bundles need."""
    keys = {name: SecretKey.generate() for name in ("maker", "other")}
    for name, key in keys.items():
        (tmp_path / f"{name}.pub").write_bytes(key.public_key.to_bytes())
    (tmp_path / "maker.key").write_bytes(keys["maker"].to_bytes(""))
    make(tmp_path / "b", "tar", key_signer(keys["maker"]))
    changed = bytearray((tmp_path / "b/b.tar").read_bytes())
    changed[-3000] ^= 1
    (tmp_path / "changed.tar").write_bytes(changed)

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", str(pyz), *arguments]
        environment = {"HOME": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
        return done.returncode, done.stderr

    code, said = run("verify", "b/b.tar", "--key", "maker.pub")
    assert code == 0, said
    assert f"signed by {keys['maker'].public_key.id}" in said
    assert run("verify", "b/b.tar", "--key", "other.pub")[0] == 43
    assert run("verify", "changed.tar", "--key", "maker.pub")[0] in (31, 40, 43)
    code, said = run("sign", "b/b.tar", "--key", "maker.key")
    assert code == 1
    assert "py-minisign" in said


IMPORT_ALL = """
import importlib, importlib.util, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    if name.split(".")[0] != "airgap" and importlib.util.find_spec(name.split(".")[0]) is None:
        continue  # not a dependency: something that may be there to make airgap faster
    importlib.import_module(name)
    print(name)
"""


def test_every_import_works_inside(pyz: Path, tmp_path: Path) -> None:
    """Imports inside functions too, so that nothing is missed that a user would meet only later."""
    wanted = set()
    for path in (ROOT / "airgap").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if path.name != "__main__.py":
            wanted.add(module)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted.add(node.module)
    # What is compiled for one machine stays behind; a compressed bundle says so (airgap/bundle/media/zstd.py).
    wanted = {name for name in wanted if name.split(".")[0] not in {*sys.stdlib_module_names, "zstandard"}}
    executable = next(iter(interpreters().values()), sys.executable)
    command = [executable, "-I", "-S", "-c", IMPORT_ALL, str(pyz), *sorted(wanted)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert {"airgap.cli", "airgap.oci", "click", "yaml"} <= set(run.stdout.split())


def test_an_old_python_is_told_so(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        main = archive.read("__main__.py").decode()
    program = f"import sys; sys.version_info = (3, 9, 1); exec(compile({main!r}, 'main', 'exec'))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "airgap needs Python 3.10 or later, and this is 3.9\n"
