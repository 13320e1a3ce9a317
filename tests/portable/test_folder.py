# SPDX-License-Identifier: Apache-2.0
"""The portable folder where it is meant for: other distributions, and roots with nothing but the folder."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import airgap
from tests.cli.command import Airgap, Registry
from tests.parts import chroots
from tests.parts.certificates import Authority
from tests.parts.need import need
from tests.portable.conftest import Built, build, unpacked
from tools.portable import elf
from tools.portable.folder import loader_arguments

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
#: A user and group that no system knows.
NOBODY_KNOWS = 54321
HERE = "/opt/airgap-portable"
#: The working folder of commands in a root.
WORK = "/data"
DEMO_ENDS = "all files are kept in "


def put(portable: Built, root: chroots.Root) -> None:
    shutil.copytree(portable.folder, root.path / HERE[1:])
    (root.path / "data").mkdir(mode=0o777)
    (root.path / "data").chmod(0o777)


def started_by_the_loader(portable: Built) -> list[str]:
    (loader,) = (portable.folder / "lib").glob("ld-linux-*")
    (python,) = (portable.folder / "bin").glob("python3.*")
    return [f"{HERE}/lib/{loader.name}", *loader_arguments(HERE, python.name)]


def test_two_builds_are_the_same_bytes(portable: Built, tmp_path: Path) -> None:
    other = build(tmp_path / "other", umask=0o077, TZ="Asia/Seoul", PYTHONHASHSEED="7", LC_ALL="C")
    assert other.name == portable.archive.name == f"airgap-{airgap.__version__}-portable-linux-x86_64.tar.gz"
    subprocess.run(["cmp", other, portable.archive], check=True)


def test_the_demo_runs_in_an_empty_root(portable: Built, tmp_path: Path) -> None:
    """No file but the folder's: no shell, no /proc, no /etc, nothing executable in /tmp, a user without a home."""
    root = chroots.empty(tmp_path / "root")
    put(portable, root)
    program = started_by_the_loader(portable)
    before = {path for path in root.path.rglob("*") if "data" not in path.parts}
    said = root.run(*program, "demo", user=NOBODY_KNOWS, folder=WORK)
    assert DEMO_ENDS in said.stdout
    assert '+          image: "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4"' in said.stdout
    for arguments in (
        ["verify", "bundle.tar"],
        ["inspect", "bundle.tar"],
        ["doctor", "--explain", "x509: certificate signed by unknown authority"],
    ):
        root.run(*program, *arguments, user=NOBODY_KNOWS, folder=f"{WORK}/airgap-demo")
    assert not list((root.path / "data").glob("*~*"))
    assert {path for path in root.path.rglob("*") if "data" not in path.parts} == before


def test_the_launcher_needs_nothing_but_a_shell(portable: Built, tmp_path: Path) -> None:
    root = chroots.empty(tmp_path / "root")
    put(portable, root)
    (root.path / "bin").mkdir()
    shutil.copy(need("busybox", package="busybox-static"), root.path / "bin/sh")
    said = root.run(f"{HERE}/airgap", "demo", user=NOBODY_KNOWS, folder=WORK, environment={"LANG": "ko_KR.EUC-KR"})
    assert said.stdout.endswith("모든 파일은 airgap-demo/에 남아 있습니다\n")
    # /tmp is mounted noexec: a folder that lies there cannot run, and says why.
    said = root.run("/bin/sh", "-c", f"cp -R {HERE} /tmp/x && sh /tmp/x/airgap --version", code=126)
    assert "mounted noexec" in said.stderr


@pytest.mark.parametrize("suite", ["bullseye", "bookworm", "trixie"])
def test_the_demo_runs_on_other_releases(suite: str, portable: Built, tmp_path: Path) -> None:
    root = chroots.debian(suite, tmp_path)
    put(portable, root)
    assert root.run(f"{HERE}/airgap", "--version").stdout == f"airgap {airgap.__version__}\n"
    assert DEMO_ENDS in root.run(f"{HERE}/airgap", "demo", user=NOBODY_KNOWS, folder=WORK).stdout


IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_every_import_works_inside(portable: Built, tmp_path: Path) -> None:
    """Imports inside functions too, which a user would meet only later. Korean encodings, compiled parsers and zstd
    are there; the standard library's modules that were left out are not used."""
    wanted = {"_codecs_kr", "encodings.cp949", "encodings.euc_kr", "encodings.idna", "_ctypes", "yaml._yaml"}
    wanted |= {
        "minisign",
        "bcrypt",
        "cryptography.hazmat.primitives.ciphers.aead",
        "zstandard.backend_c",
        "pyzstd",
        "lzma",
        "bz2",
        "ssl",
        "rich.live",
        "rich.progress",
        "cheroot.ssl.builtin",
    }
    for path in (ROOT / "airgap").rglob("*.py"):
        if path.name != "__main__.py":
            wanted.add(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted.add(node.module)
    wanted -= {"typing_extensions", "tomli"}  # read by type checkers, and by Python 3.10
    (loader,) = (portable.folder / "lib").glob("ld-linux-*")
    arguments = loader_arguments(str(portable.folder), next((portable.folder / "bin").iterdir()).name)
    program = f"import sys; sys.path.insert(0, {str(portable.folder / 'app')!r})\n{IMPORT_ALL}"
    run = subprocess.run(
        [loader, *arguments[:-1], "-c", program, *sorted(wanted)],
        capture_output=True, text=True, check=False, env={}, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


def test_the_encoders_for_recoded_layers_are_inside(portable: Built) -> None:
    need("gcc")
    (loader,) = (portable.folder / "lib").glob("ld-linux-*")
    (python,) = (portable.folder / "bin").glob("python3.*")
    program = f"import sys; sys.path.insert(0, {str(portable.folder / 'app')!r}); import airgap.recode as r; "
    program += "print(r.library_available(), r.why_unavailable()); r.self_test('go1.27/6/fma')"
    command = [loader, *loader_arguments(str(portable.folder), python.name)[:-1], "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert (done.returncode, done.stdout) == (0, "True \n"), done.stderr


def test_it_says_what_it_was_made_of(portable: Built) -> None:
    said = subprocess.run([portable.program, "--version", "--verbose"], capture_output=True, text=True, check=True)
    for name in ("libc6", "libssl3t64", "python3-yaml", "libzstd1"):
        assert f"\n  {name} " in said.stdout
        licence = portable.folder / "licences" / name
        assert licence.read_text("utf-8").strip(), name
    assert "portable, for linux-x86_64" in said.stdout
    assert (portable.folder / "licences/common-licenses/LGPL-2.1").is_file()
    for path in portable.folder.rglob("*"):
        if path.is_file() and elf.is_elf(path.read_bytes()):
            for library in elf.needed(path.read_bytes()):
                assert (portable.folder / "lib" / library).is_file(), (path, library)


def test_nothing_tells_where_it_was_built(portable: Built) -> None:
    places = [str(ROOT).encode(), str(portable.archive.parent).encode()]
    for path in portable.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [place for place in places if place in content], path


@pytest.mark.parametrize(
    "place",
    [
        "etc/ssl/certs/ca-certificates.crt",
        "etc/pki/tls/certs/ca-bundle.crt",
        "etc/ssl/ca-bundle.pem",
        "etc/ssl/cert.pem",
    ],
    ids=["debian", "rhel", "suse", "alpine"],
)
def test_the_certificates_of_the_system_are_found(place: str, portable: Built, tmp_path: Path) -> None:
    root = chroots.empty(tmp_path / "root")
    put(portable, root)
    authority = Authority(tmp_path / "ca")
    pair = authority.good()
    program = started_by_the_loader(portable)
    with Registry(tls=(pair.certificate, pair.key)) as registry:
        target = registry.address.replace("127.0.0.1", "localhost")
        (root.path / "etc").mkdir()
        (root.path / "etc/hosts").write_text("127.0.0.1 localhost\n")
        refused = root.run(*program, "inventory", f"https://{target}", "-o", "a.json", code=None, folder=WORK)
        assert refused.returncode == 24, refused.stderr
        (root.path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(authority.ca, root.path / place)
        root.run(*program, "inventory", f"https://{target}", "-o", "a.json", folder=WORK)


def test_a_bundle_carries_it_and_its_own_zipapp(portable: Built, prepared: Airgap, tmp_path: Path) -> None:
    """``--with-self=portable`` from the folder gives the archive itself, and README's two lines work."""
    prepared_command = [portable.program, "export", "cert-manager.yaml", "--with-self=portable", "-o", "b.tar"]
    subprocess.run(prepared_command, cwd=prepared.folder, env=prepared.whole_environment(), check=True)
    carried = "tar xOf b.tar airgap/airgap-portable-linux-x86_64.tar.gz"
    for script in (
        f"{carried} | cmp - {portable.archive}",
        f"{carried} | tar xz\n./airgap-portable/airgap verify b.tar",
    ):
        subprocess.run(["sh", "-euc", script], cwd=prepared.folder, check=True)
    zipapp = [portable.program, "export", "cert-manager.yaml", "--with-self", "-o", "c.tar"]
    subprocess.run(zipapp, cwd=prepared.folder, env=prepared.whole_environment(), check=True)
    subprocess.run(["tar", "xf", "c.tar", "airgap/airgap.pyz"], cwd=prepared.folder, check=True)
    program = [sys.executable, "-I", "-S", "airgap/airgap.pyz", "verify", "c.tar"]
    subprocess.run(program, cwd=prepared.folder, check=True)


def test_another_architecture(portable: Built, tmp_path: Path) -> None:
    """aarch64 on this machine: the demo under qemu, whose byte code was made here."""
    qemu = need("qemu-aarch64-static", package="qemu-user-static")
    built = unpacked(build(tmp_path / "dist", "--architecture", "aarch64"), tmp_path / "unpacked")
    (loader,) = (built.folder / "lib").glob("ld-linux-aarch64*")
    arguments = loader_arguments(str(built.folder), next((built.folder / "bin").iterdir()).name)
    command = [qemu, str(loader), *arguments]
    said = subprocess.run(
        [*command, "--version", "--verbose"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "portable, for linux-aarch64" in said.stdout
    demo = subprocess.run([*command, "demo"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert DEMO_ENDS in demo.stdout
    ours = {path.relative_to(portable.folder): path.read_bytes() for path in portable.folder.rglob("*.pyc")}
    theirs = {path.relative_to(built.folder): path.read_bytes() for path in built.folder.rglob("*.pyc")}
    differing = [path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)]
    assert [path.name for path in differing if not path.name.startswith("_sysconfigdata")] == []
