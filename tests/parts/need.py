# SPDX-License-Identifier: Apache-2.0
"""Is a real program here? If not, the test is skipped by name, and in CI it fails where it could have been installed.

``@pytest.mark.requires("skopeo", "oras")`` on a test, a class or a module's ``pytestmark``, or :func:`need` inside
a fixture. Programs that behave differently by version are asked with ``at_least``.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

#: Which Debian package brings a program whose name differs from the package's.
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "docker": "docker-cli",
    "dockerd": "docker.io",
    "htpasswd": "apache2-utils",
    "minisign": "minisign",
    "ip": "iproute2",
    "newuidmap": "uidmap",
    "nginx": "nginx-light",
}
#: Daemons lie here, and a normal user's PATH may lack it.
_MORE_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def program(name: str) -> str | None:
    """The full path of a program, or ``None``."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(_MORE_FOLDERS))


def need(name: str, *, at_least: tuple[int, ...] = (), package: str | None = None) -> str:
    """The full path of the program ``name``; skips the test when it is missing or older than ``at_least``."""
    found = program(name)
    if found is None:
        package = package or PACKAGES.get(name, name)
        if os.environ.get("AIRGAP_REQUIRE_PARTS") and os.geteuid() == 0 and offered(package):
            pytest.fail(f"{name} is missing, though this Debian release has the package {package}", pytrace=False)
        pytest.skip(f"{name} is not installed (Debian package {package})")
    if at_least and version(name) < at_least:
        wanted, has = (".".join(map(str, numbers)) for numbers in (at_least, version(name)))
        pytest.skip(f"{name} is {has}, and this test needs {wanted}")
    return found


def need_root(why: str) -> None:
    """Skip unless root: ``why`` says what for."""
    if os.geteuid() != 0:
        pytest.skip(f"needs root: {why}")


@functools.cache
def version(name: str) -> tuple[int, ...]:
    """A program's version as numbers: the first ``N.N[.N]`` that ``name --version`` (or ``name version``) prints."""
    path = program(name)
    for argument in ("--version", "version"):
        if path is not None:
            run = subprocess.run([path, argument], capture_output=True, text=True, timeout=30, check=False)
            match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", run.stdout + run.stderr)
            if match:
                return tuple(int(number) for number in match.groups() if number)
    return ()


@functools.cache
def offered(package: str) -> bool:
    """Whether this machine's Debian release could install ``package``."""
    if not Path("/usr/bin/apt-cache").exists():
        return False
    environment = {**os.environ, "LC_ALL": "C"}
    command = ["/usr/bin/apt-cache", "policy", package]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return re.search(r"^  Candidate: [^(]", run.stdout, re.MULTILINE) is not None
