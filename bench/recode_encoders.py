# SPDX-License-Identifier: Apache-2.0
"""Throughput of each exact encoder, on one core and on all of them, and its memory.

    python bench/recode_encoders.py [MB] [FOLDER]

The content is the first MB (100 by default) of a tar of FOLDER (/usr/bin by default). MB are of content. The time is
CPU time of the thread that encodes, so other load on the machine weighs little; ``gzip -6`` stands beside it. Threads
are as many as there are cores, each with an encoder of its own: the factor is their content in the time of one. Memory
is what the library takes for one stream.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

from airgap.recode import CODECS, Encoder, why_unavailable
from airgap.recode.library import load

CHUNK = 1 << 20


class Head:
    """The first bytes of what is written to it."""

    def __init__(self, size: int) -> None:
        self.content = bytearray()
        self.size = size

    def write(self, data: bytes) -> int:
        self.content += data
        if len(self.content) >= self.size:
            raise EOFError
        return len(data)


def head_of_tar(folder: Path, size: int) -> bytes:
    head = Head(size)
    try:
        with tarfile.open(fileobj=head, mode="w|") as archive:
            archive.add(folder, folder.name)
    except EOFError:
        pass
    return bytes(head.content[:size])


def encode(codec: str, content: memoryview) -> tuple[float, int]:
    """CPU seconds of this thread, and the bytes that came out."""
    started, size = time.thread_time(), 0
    with Encoder(codec) as encoder:
        for start in range(0, len(content), CHUNK):
            size += len(encoder.update(content[start : start + CHUNK]))
        size += len(encoder.finish())
    return time.thread_time() - started, size


def factor(codec: str, content: memoryview) -> float:
    """How much more all cores encode than one does in the same time."""
    cores = len(os.sched_getaffinity(0))
    started = time.monotonic()
    encode(codec, content)
    alone = time.monotonic() - started
    threads = [threading.Thread(target=encode, args=(codec, content)) for _ in range(cores)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return cores * alone / (time.monotonic() - started)


def main(megabytes: int = 100, folder: str = "/usr/bin") -> None:
    if reason := why_unavailable():
        raise SystemExit(reason)
    content = memoryview(head_of_tar(Path(folder), megabytes * 1_000_000))
    print(f"{len(content) / 1e6:.0f} MB of a tar of {folder}\n")
    print("| encoder | MB/s a core | compressed to |\n|-|-|-|")
    for codec in CODECS:
        seconds, size = encode(codec, content)
        print(f"| {codec} | {len(content) / 1e6 / seconds:.0f} | {size / len(content):.3f} |", flush=True)
    before_gzip = os.times()
    size = len(subprocess.run(["gzip", "-6"], input=content, capture_output=True, check=True).stdout)
    after_gzip = os.times()
    seconds = after_gzip.children_user + after_gzip.children_system
    seconds -= before_gzip.children_user + before_gzip.children_system
    print(f"| gzip -6 | {len(content) / 1e6 / seconds:.0f} | {size / len(content):.3f} |\n")
    print(f"memory: {load().recode_context_size() / 2**20:.1f} MiB an encoder")
    for codec in ("go1.8-1.26/6", "pgzip/kp-1.18.2+/5"):
        print(f"{codec} on all cores: {factor(codec, content):.2f} times one")


if __name__ == "__main__":
    main(*[int(word) if word.isdigit() else word for word in sys.argv[1:]])
