# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what lintian and systemd say of it, and its life in a clean Debian 13."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import airgap
from tests.parts import chroots
from tests.parts.need import need

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "debian/airgap-oci.airgap-serve.service"
PACKAGE = "airgap-oci"


def build(output: Path, umask: int = 0o022, **environment: str) -> Path:
    for program, package in (("dpkg-buildpackage", "dpkg-dev"), ("dh", "debhelper"), ("dh_python3", "dh-python")):
        need(program, package=package)
    made = subprocess.run(
        [sys.executable, str(ROOT / "tools/deb.py"), "--output", str(output)],
        capture_output=True, text=True, check=False, umask=umask,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("deb"))


def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", package="systemd")
    path = tmp_path / "airgap-serve.service"
    # The program is looked for, and this machine need not have the package.
    (tmp_path / "airgap").write_text("#!/bin/sh\n")
    (tmp_path / "airgap").chmod(0o755)
    path.write_text(UNIT.read_text().replace("/usr/bin/airgap", f"{tmp_path}/airgap"))
    verified = subprocess.run([analyze, "verify", "--man=no", path], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    # 0 is best, 100 worst; what remains is that it uses the network.
    command = [analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", path]
    secured = subprocess.run(command, capture_output=True, text=True, check=False)
    assert secured.returncode == 0, secured.stdout


@pytest.mark.long
def test_two_builds_are_the_same_bytes(deb: Path, tmp_path: Path) -> None:
    other = build(tmp_path, umask=0o077, TZ="Asia/Seoul", PYTHONHASHSEED="7")
    assert other.name == deb.name == f"airgap-oci_{airgap.__version__}_all.deb"
    assert other.read_bytes() == deb.read_bytes()


@pytest.mark.long
def test_lintian_finds_nothing(deb: Path) -> None:
    command = [need("lintian"), "--fail-on", "error,warning", "--allow-root", str(deb)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


def everything(root: chroots.Root) -> set[str]:
    """All paths but those that apt and dpkg keep for themselves."""
    own = ("var/cache/", "var/lib/apt/", "var/lib/dpkg/", "var/log/", "tmp", "data", "run/")
    names = {str(path.relative_to(root.path)) for path in root.path.rglob("*")}
    return {name for name in names if not name.startswith(own)}


@pytest.mark.long
def test_it_is_installed_used_and_removed(deb: Path, tmp_path: Path) -> None:
    root = chroots.debian("trixie", tmp_path)
    shutil.copy("/etc/resolv.conf", root.path / "etc/resolv.conf")
    (root.path / "data").mkdir(mode=0o777)
    (root.path / "data").chmod(0o777)
    shutil.copy(deb, root.path / "data/airgap.deb")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}

    def run(*command: str, user: int = 0) -> str:
        return root.run(*command, folder="/data", environment=environment, user=user).stdout

    # What it depends on comes first, so that what is left behind afterwards is its own.
    depends = ("python3", "python3-cheroot", "python3-click", "python3-rich", "python3-yaml", "python3-zstandard")
    depends += ("python3-cryptography", "python3-typing-extensions")
    run("apt-get", "update", "-q")
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", *depends, "bash-completion", "man-db")
    before = everything(root)
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", "./airgap.deb")
    assert run("airgap", "--version") == f"airgap {airgap.__version__}\n"
    assert "all files are kept in airgap-demo" in run("airgap", "demo", user=54321)
    run(
        "sh", "-c", "cd airgap-demo && airgap export --from oci-archive:bundle.tar --with-self -o again.tar", user=54321
    )
    run("sh", "-c", "cd airgap-demo && tar xf again.tar airgap/airgap.pyz", user=54321)
    assert run("python3", "airgap-demo/airgap/airgap.pyz", "--version") == f"airgap {airgap.__version__}\n"
    run("airgap", "keygen", "--no-passphrase", "-o", "maker", user=54321)
    completed = "source /usr/share/bash-completion/completions/airgap && complete -p airgap"
    assert "airgap" in run("bash", "-c", completed)
    for path in ("man/man1/airgap-export.1.gz", "zsh/vendor-completions/_airgap"):
        assert (root.path / "usr/share" / path).is_file()
    assert (root.path / "usr/lib/systemd/system/airgap-serve.service").is_file()
    run("apt-get", "purge", "-q", "-y", PACKAGE)
    assert everything(root) == before
