# SPDX-License-Identifier: Apache-2.0
"""What one shell script costs, with every process that it starts.

Exact: wall, CPU (user + system of all that the script waited for), and the bytes by which pages of block devices were
made dirty, which Linux adds up from child to parent even for files deleted later; nothing that goes to tmpfs or to a
socket is in it. By looking every 20 ms: memory, the sum of the peaks (VmHWM) of the processes alive together, so what
lives shorter is not seen; every 40 ms: disk beyond the bundle, that is the temporary folder and whatever else lies in
the working folder. The wire is what crossed the loopback device, headers and acknowledgements among it, and only
known in a network namespace of our own. Tools differ in whether they end before their bundle is on the disk: what
they left to be written is timed apart.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_LOOK, _LOOKS_A_DISK = 0.02, 2
_LONGEST = 1800.0  # seconds, after which a script is stopped and has failed


@dataclass(frozen=True)
class Sample:
    """Seconds and bytes; ``flush`` is what the kernel then took to write what it still held. ``wire`` and ``written``
    are ``None`` where this machine does not tell."""

    wall: float
    flush: float
    cpu: float
    memory: int
    written: int | None
    temporary: int
    wire: int | None
    bundle: int


class FailedError(Exception):
    """The script ended with another code than 0; the text is what it said last."""


def measure(
    script: str, *, folder: Path, bundle: Path, environment: Mapping[str, str], crossings: int, log: Path
) -> Sample:
    """Run ``script`` by ``sh -e`` in ``folder``, its ``TMPDIR`` and ``bundle`` lying below that.

    ``crossings`` is how often one byte crosses the loopback device: twice through a relay, 0 where others use it too.
    Raises :class:`FailedError`.
    """
    temporary = Path(environment["TMPDIR"])
    start, bundle_before = _disk(folder), _disk(bundle)
    memory_only = kind_of_disk(folder) == "tmpfs"
    written, wire = _written(), _loopback()
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            ["sh", "-ec", script],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        with _watched(process.pid, folder, temporary) as seen, _ended(process.pid):
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise FailedError(f"{process.returncode}: {log.read_text(errors='replace').strip()[-400:]}")
    written_after, wire_after = _written(), _loopback()
    flush = synced()
    grown = _disk(bundle) - bundle_before
    return Sample(
        wall=wall,
        flush=flush,
        cpu=usage.ru_utime + usage.ru_stime,
        memory=seen.memory,
        written=None if memory_only or written is None or written_after is None else written_after - written,
        temporary=max(seen.temporary, seen.folder - start - grown, 0),
        wire=(wire_after - wire) // crossings if crossings else None,
        bundle=sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()),
    )


def synced() -> float:
    """Have everything written that the kernel holds; how many seconds that took."""
    began = time.monotonic()
    os.sync()
    return time.monotonic() - began


@contextlib.contextmanager
def _ended(group: int) -> Iterator[None]:
    """Leave none of the script's processes behind: not when we are interrupted, nor when it takes too long."""
    timer = threading.Timer(_LONGEST, os.killpg, (group, signal.SIGKILL))
    timer.start()
    try:
        yield
    except BaseException:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.killpg(group, signal.SIGKILL)
            os.waitpid(group, 0)
        raise
    finally:
        timer.cancel()


class _Seen:
    memory = 0
    folder = 0
    temporary = 0


@contextlib.contextmanager
def _watched(pid: int, folder: Path, temporary: Path) -> Iterator[_Seen]:
    seen, over = _Seen(), threading.Event()

    def watch() -> None:
        looks = 0
        while not over.wait(_LOOK):
            seen.memory = max(seen.memory, sum(map(_peak, _tree(pid))))
            looks += 1
            if looks % _LOOKS_A_DISK == 0:
                seen.folder = max(seen.folder, _disk(folder))
                seen.temporary = max(seen.temporary, _disk(temporary))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _tree(pid: int) -> Iterator[int]:
    """``pid`` and what descends from it, whichever thread forked it."""
    yield pid
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                    yield from _tree(int(child))


def _peak(pid: int) -> int:
    """The most memory that one process has had resident so far, in bytes."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0


def _written() -> int | None:
    """Bytes written to block devices by this process and by all that it has waited for."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def _loopback() -> int:
    """Bytes that the loopback device of this network namespace has received, which are those it sent."""
    lines = Path("/proc/self/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))


def _disk(top: Path) -> int:
    """Bytes allocated below the folder ``top``; what disappears meanwhile counts as nothing."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(top) as found:
        for entry in found:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += _disk(Path(entry.path))
                else:
                    total += 512 * entry.stat(follow_symlinks=False).st_blocks
    return total


def kind_of_disk(folder: Path) -> str:
    """The type of the file system that ``folder`` lies on, such as ext4 or tmpfs."""
    best, found = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if str(folder.resolve()).startswith(place) and len(place) >= len(best):
            best, found = place, kind
    return found
