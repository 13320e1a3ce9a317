# SPDX-License-Identifier: Apache-2.0
"""A program that is started, waited for and ended by its process id, with its log kept."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.parts.waiting import wait_until

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A loopback port that nothing listened on a moment ago. Where a server can bind port 0 itself, let it."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether something accepts TCP connections on this loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """PATH and a HOME of its own: no proxy, credential or configuration of the user comes along."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(home),
        **more,
    }


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    ready: Callable[[], bool],
    environment: Mapping[str, str],
    seconds: float = 30,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``command``, yield once ``ready()`` is true, end it afterwards.

    Raises :class:`RuntimeError` with the end of the log when the program ends by itself or is not ready in time.
    """
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(environment), cwd=log.parent
        )
    try:
        try:
            wait_until(lambda: process.poll() is not None or ready(), seconds=seconds, every=0.03)
        except AssertionError:
            state = "is not ready"
        else:
            state = "" if process.returncode is None else f"ended with {process.returncode}"
        if state:
            raise RuntimeError(f"{command[0]} {state}:\n{log.read_text(errors='replace')[-4000:]}")
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], *, seconds: float = 15) -> None:
    """SIGTERM, and SIGKILL when that has not been enough."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
