# SPDX-License-Identifier: Apache-2.0
"""Resource files that are made to take long: 80 kB of what a pattern once read again from every place."""

from __future__ import annotations

import resource
import subprocess

import pytest

from tests.cli.command import Airgap


@pytest.mark.parametrize(
    "content",
    [
        "a: |\n  " + "/" * 80_000 + "\n",
        "a: [\n{{" + "\t" * 80_000 + "x\n",
        "[1" + " " * 80_000 + "x\n",
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    image:\n" + ("    [" + " " * 1_900 + "y\n") * 40,
    ],
    ids=["slashes", "template", "json", "sections"],
)
def test_a_file_that_is_made_to_be_slow_is_read_at_once(airgap: Airgap, content: str) -> None:
    airgap.write("a.yaml", content)
    done = subprocess.run(
        airgap.command("images", "a.yaml"),
        cwd=airgap.folder,
        env=airgap.whole_environment(),
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (5, 5)),
    )
    assert done.returncode in (0, 10), done.stderr.decode()
