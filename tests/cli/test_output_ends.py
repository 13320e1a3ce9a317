# SPDX-License-Identifier: Apache-2.0
"""Standard output that ends early, is full or is closed, for each kind of command: what was lost decides, not when
Python notices it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, pod

#: One command of each way to print: click's own, tables, JSON, the bytes of a file, a diff.
COMMANDS = [
    ["--version"],
    ["export", "--help"],
    ["images", "a.yaml", "--why"],
    ["images", "a.yaml", "--json"],
    ["rewrite", "a.yaml", "--to", "reg.example/k"],
    ["rewrite", "a.yaml", "--to", "reg.example/k", "--diff"],
    ["completion", "bash"],
    ["doctor", "--explain", "x509: certificate signed by unknown authority"],
    ["hosts", "http://reg.example/k", "--for", "docker"],
    ["inspect", "{bundle}"],
    ["inspect", "{bundle}", "--json"],
    ["diff", "{bundle}", "{bundle}"],
]


def run(airgap: Airgap, arguments: list[str], bundle: Path, stdout: int | None) -> subprocess.CompletedProcess[bytes]:
    airgap.write("a.yaml", pod("busybox"))
    command = airgap.command(*(word.format(bundle=bundle) for word in arguments))
    if stdout is None:
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    return subprocess.run(
        command,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=airgap.folder,
        env=airgap.whole_environment(),
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_is_an_output_error(airgap: Airgap, bundle: Path, arguments: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = run(airgap, arguments, bundle, full)
    os.close(full)
    assert done.returncode == 42, done.stderr
    assert b"No space left on device" in done.stderr
    assert done.stderr.count(b"error: ") == 1


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_that_has_ended_is_no_error(airgap: Airgap, bundle: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(airgap, arguments, bundle, writing)
    os.close(writing)
    assert done.returncode == 0, done.stderr
    assert b"error" not in done.stderr


def test_a_closed_output_is_an_error_only_of_what_prints(airgap: Airgap, bundle: Path) -> None:
    done = run(airgap, ["inspect", "{bundle}"], bundle, None)
    assert (done.returncode, b"it is closed" in done.stderr) == (42, True)
    done = run(airgap, ["rewrite", "a.yaml", "--to", "reg.example/k", "--output", "out"], bundle, None)
    assert (done.returncode, (airgap.folder / "out/a.yaml").is_file()) == (0, True)


def test_an_import_goes_on_where_nobody_reads_what_it_says(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        airgap.command("import", bundle, "--to", f"{nexus.address}/k"),
        stdout=writing,
        stderr=writing,
        cwd=airgap.folder,
        env=airgap.whole_environment(),
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert done.returncode == 0
    assert len(nexus.names()) == 4
    assert (airgap.folder / "airgap-out/cert-manager.yaml").is_file()
