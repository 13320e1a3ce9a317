# SPDX-License-Identifier: Apache-2.0
"""What the checksum and the dossier of a bundle cost: an image of one layer is exported plain, with ``--sha256`` and
with ``--dossier``, beside ``sha256sum`` and ``airgap verify``.

    python bench/dossier.py [MiB]

Half of the layer does not shrink and half is zeros, in files of 1 MiB. The time is the best of three, of the whole
command, and the memory the highest of the process.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from airgap.store import ImageLayout
from tests.cli.command import Airgap
from tests.parts.images import Images
from tests.suites.store_suite import noise

MIB = 1 << 20
ROUNDS = 3


def main(size: int) -> None:
    """Print a row for each command."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        airgap = Airgap(Path(name), Path(name), fresh=True)
        # In a process of its own: what this one has in memory would count for its children.
        filler = multiprocessing.Process(target=fill, args=(airgap.folder / "source", size))
        filler.start()
        filler.join()
        export = ("export", "--from", "oci:source", "-o", "b.tar", "--force")
        airgap.run(*export)
        bundle = (airgap.folder / "b.tar").stat().st_size
        print(f"{size} MiB of files, a bundle of {bundle / MIB:.0f} MiB")
        print("| command | seconds | peak memory, MiB |\n|-|-|-|")
        for title, words in (
            ("export", airgap.command(*export)),
            ("export --sha256", airgap.command(*export, "--sha256")),
            ("export --dossier", airgap.command(*export, "--dossier", "d")),
            ("dossier", airgap.command("dossier", "b.tar", "-o", "d", "--force")),
            ("verify", airgap.command("verify", "b.tar")),
            ("sha256sum", ["sha256sum", "b.tar"]),
        ):
            seconds, memory = measured(airgap, words)
            print(f"| {title} | {seconds:.2f} | {memory:.0f} |")


def fill(folder: Path, size: int) -> None:
    """Write the image into a layout."""
    images = Images(1)
    root = images.image(layers=[images.layer_of(layer(size))])
    images.push_to(ImageLayout.create(folder), {"quay.io/a/x:1": root})


def layer(size: int) -> bytes:
    """A tar of ``size`` MiB."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for number in range(size):
            member = tarfile.TarInfo(f"usr/share/{number}")
            member.size = MIB
            tar.addfile(member, io.BytesIO(noise(MIB, number) if number % 2 else bytes(MIB)))
    return made.getvalue()


def measured(airgap: Airgap, words: list[str]) -> tuple[float, float]:
    """The seconds and the MiB of a command."""
    best, memory = float("inf"), 0.0
    for _ in range(ROUNDS):
        start = time.monotonic()
        process = subprocess.Popen(
            words, cwd=airgap.folder, env=airgap.whole_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        said = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, said.decode()
        best, memory = min(best, time.monotonic() - start), max(memory, usage.ru_maxrss / 1024)
    return best, memory


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
