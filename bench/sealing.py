# SPDX-License-Identifier: Apache-2.0
"""What sealing costs: an image with one layer is exported, verified and imported, plain and sealed for a key of age.

    python bench/sealing.py [MiB]

Both registries are ``airgap serve``'s server on loopback, in a process of their own. Plain and sealed take turns; the
time is the best of three, of the whole command. A sealed export writes the plain partial file first.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from airgap.trust import bech32
from airgap.trust.age_crypto import x25519_public
from tests.cli.command import Airgap, settings
from tests.parts.images import OCI_LAYER_PLAIN, Images, Layer
from tests.suites.store_suite import noise

MIB = 1 << 20
ROUNDS = 3


def main(size: int) -> None:
    """Print the seconds of each command and the ratios."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        airgap = Airgap(folder, folder, fresh=True)
        secret = bytes(range(32))
        (folder / "id.txt").write_text(bech32.encode(secret, "age-secret-key-").upper())
        recipient = bech32.encode(x25519_public(secret), "age")
        with contextlib.ExitStack() as stack:
            for port in range(5077, 5078 + 2 * ROUNDS):
                stack.enter_context(served(airgap, port))
            fill(airgap, size)
            measure(airgap, recipient)


@contextlib.contextmanager
def served(airgap: Airgap, port: int) -> Iterator[None]:
    """Run a registry on this port."""
    server = subprocess.Popen(
        airgap.command("serve", f"layout-{port}", "--writable", "--listen", f"127.0.0.1:{port}"),
        cwd=airgap.folder, env=airgap.whole_environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stderr is not None
        server.stderr.readline()
        yield
    finally:
        server.terminate()
        server.wait()


def fill(airgap: Airgap, size: int) -> None:
    """Push the image."""
    from airgap.store import ImageLayout

    images = Images(1)
    layer = images.blob(b"".join(noise(MIB, seed) for seed in range(size)), OCI_LAYER_PLAIN)
    root = images.image(layers=[Layer(layer, layer.digest)])
    images.push_to(ImageLayout.create(airgap.folder / "source"), {"quay.io/a/x:1": root})
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": "http://127.0.0.1:5077"}}))
    airgap.run("export", "--from", "oci:source", "-o", "first.tar")
    airgap.run("import", "first.tar", "--to", "http://127.0.0.1:5077/a", "--output", "out")


def measure(airgap: Airgap, recipient: str) -> None:
    """Run the commands in turns and print the best times."""
    best: dict[str, float] = {}
    for number in range(ROUNDS):
        for what, bundle, seal, opened in (
            ("plain", "b.tar", (), ()),
            ("sealed", "b.tar.age", ("--encrypt-to", recipient), ("--identity", "id.txt")),
        ):
            # Another server each time: what a registry has already is not sent.
            target = f"http://127.0.0.1:{5078 + number + ROUNDS * (what == 'sealed')}/p"
            for verb, arguments in (
                ("export", ("--image", "quay.io/a/x:1", "-o", bundle, "--force", *seal)),
                ("verify", (bundle, *opened)),
                ("import", (bundle, "--to", target, "--output", f"out-{what}-{number}", *opened)),
            ):
                start = time.perf_counter()
                airgap.run(verb, *arguments, timeout=600)
                seconds = time.perf_counter() - start
                best[f"{verb} {what}"] = min(best.get(f"{verb} {what}", seconds), seconds)
    for verb in ("export", "verify", "import"):
        plain, sealed = best[f"{verb} plain"], best[f"{verb} sealed"]
        print(f"{verb}: plain {plain:.2f} s, sealed {sealed:.2f} s, throughput {plain / sealed:.2f} of plain")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
