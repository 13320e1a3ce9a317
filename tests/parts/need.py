# SPDX-License-Identifier: Apache-2.0
"""What a test needs of the machine: a real program, or a privilege. A test whose need is not met is skipped with the
reason; in CI it fails where the program could have been installed, or where the tests run as root.

``@pytest.mark.requires("skopeo", "oras")`` on a test, a class or a module's ``pytestmark``, or :func:`need` inside
a fixture. Programs that behave differently by version are asked with ``at_least``. :func:`need_privilege` tries what
the test is about to do.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

#: Which Debian package brings a program whose name differs from the package's.
PACKAGES = {
    "ar": "binutils",
    "clamd": "clamav-daemon",
    "containerd": "containerd",
    "ctr": "containerd",
    "docker": "docker-cli",
    "dockerd": "docker.io",
    "htpasswd": "apache2-utils",
    "minisign": "minisign",
    "mvn": "maven",
    "ip": "iproute2",
    "newuidmap": "uidmap",
    "nginx": "nginx-light",
    "ssh-keygen": "openssh-client",
}
#: What a test may have to be allowed to do, and the shell script that tries it in an empty folder.
PRIVILEGES = {
    "mount file systems": """
        mkdir a b
        mount -t tmpfs -o size=1m tmpfs a
        trap 'umount a' EXIT
        mount --bind a b
        umount b
    """,
    "make namespaces": "exec unshare --net --mount --propagation private sh -euc 'ip link set lo up; mount --bind . .'",
    # dockerd turns forwarding on when it starts, and changes its root folder in a mount namespace to unpack a layer.
    "run dockerd": """
        exec unshare --net --mount --propagation private sh -euc '
            ip link set lo up
            mount --bind . .
            forwarding=/proc/sys/net/ipv4/ip_forward
            grep -qx 1 $forwarding || echo 1 > $forwarding
            chroot / true
        '
    """,
    "become another user": "setpriv --reuid=nobody --regid=nogroup --clear-groups true",
    # podman as root unpacks layers whose files belong to any user.
    "run podman as root": """
        touch file
        chown nobody:nogroup file
        podman --root "$PWD/root" --runroot "$PWD/run" --tmpdir "$PWD/tmp" --storage-driver vfs \
            --events-backend none --cgroup-manager cgroupfs info
    """,
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


def need_privilege(privilege: str) -> None:
    """Skip the test unless this process has ``privilege``, one of the keys of :data:`PRIVILEGES`.

    Whoever is not root may have it, and root inside a container may not, so it is tried, once in a run.
    """
    refusal = refused(privilege)
    if refusal is None:
        return
    reason = f"cannot {privilege} here: {refusal}"
    if os.environ.get("AIRGAP_REQUIRE_PARTS") and os.geteuid() == 0:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@functools.cache
def refused(privilege: str) -> str | None:
    """Why this process cannot do what ``privilege`` is called, or ``None`` if it can."""
    with tempfile.TemporaryDirectory(prefix="airgap-try-") as folder:
        path = os.pathsep.join((os.environ.get("PATH", "/usr/bin:/bin"), *_MORE_FOLDERS))
        command = ["sh", "-euc", PRIVILEGES[privilege]]
        environment = {"PATH": path, "HOME": folder, "LC_ALL": "C.UTF-8"}
        run = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False
        )
    if run.returncode == 0:
        return None
    words = [line for line in (run.stderr.strip() or run.stdout.strip()).splitlines() if "level=warning" not in line]
    return words[0] if words else f"exit code {run.returncode}"


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
