# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM in the middle: a clean end that says what is kept, and the same command goes on."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import TRACEBACK, Airgap, Registry, settings
from tests.parts.faulty_line import STALL, FaultyLine, faulty_line
from tests.parts.images import Images
from tests.parts.need import need
from tests.parts.waiting import at_rest, wait_until

SIGNALS = pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture
def full() -> Iterator[Registry]:
    images = Images(41)
    with Registry() as registry:
        registry.fill(images, {"a/x:1": images.image(size=2_000_000), "a/y:1": images.image(size=1_500_000)})
        yield registry


IMAGES = ("--image", "quay.io/a/x:1", "--image", "quay.io/a/y:1")


def interrupted(airgap: Airgap, line: FaultyLine, how: signal.Signals, *arguments: str | Path) -> str:
    process = airgap.started(*arguments)
    try:
        assert line.stalled.wait(60), "it never came so far"
        wait_until(at_rest(process.pid))
        process.send_signal(how)
        stdout, stderr = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    said = stderr.decode()
    assert process.returncode == 130, said
    assert not TRACEBACK.search(said), said
    (error,) = [text for text in said.splitlines() if text.startswith("error:")]
    assert error.startswith("error: stopped")
    assert stdout == b""
    return said


@SIGNALS
def test_export(airgap: Airgap, full: Registry, how: signal.Signals) -> None:
    with faulty_line(full.address, limit=600_000, ending=STALL) as line:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": line.url}}))
        said = interrupted(airgap, line, how, "export", *IMAGES, "-o", "b.tar", "--lock", "airgap.lock")
    command = " ".join(["airgap", "export", *IMAGES, "-o", "b.tar", "--lock", "airgap.lock"])
    assert said.endswith(f"error: stopped; nothing is left behind\n  to continue: {command}\n")
    kept = {path.name for path in airgap.folder.iterdir()}
    assert kept == {"airgap.yaml"}
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": full.url}}))
    airgap.run("export", *IMAGES, "-o", "b.tar")
    airgap.run("verify", "b.tar")


@SIGNALS
def test_export_while_it_is_planning(airgap: Airgap, full: Registry, how: signal.Signals) -> None:
    with faulty_line(full.address, limit=1, ending=STALL) as line:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": line.url}}))
        interrupted(airgap, line, how, "export", *IMAGES, "-o", "b.tar")
    assert {path.name for path in airgap.folder.iterdir()} == {"airgap.yaml"}


@SIGNALS
def test_import(airgap: Airgap, full: Registry, nexus: Registry, how: signal.Signals) -> None:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": full.url}}))
    airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'quay.io/a/x:1'}]}\n")
    airgap.run("export", "pod.yaml", *IMAGES[2:], "-o", "b.tar")
    to = ("import", "b.tar", "--to", "nexus.corp:32415/p")
    with faulty_line(nexus.address, limit=600_000, ending=STALL) as line:
        said = interrupted(airgap, line, how, *to, "--via", line.url)
    assert "what the registry has taken is kept" in said
    command = ["airgap", *to, "--via", line.url]
    assert said.endswith(f"\n  to continue: {' '.join(command)}\n")
    assert nexus.names() == []
    assert {path.name for path in airgap.folder.iterdir()} == {"airgap.yaml", "b.tar", "pod.yaml"}
    airgap.run(*to, "--via", nexus.url)
    assert nexus.names() == ["p/x:1", "p/y:1"]


@SIGNALS
def test_import_while_it_looks(airgap: Airgap, bundle: Path, nexus: Registry, how: signal.Signals) -> None:
    with faulty_line(nexus.address, limit=1, ending=STALL) as line:
        interrupted(airgap, line, how, "import", bundle, "--to", "nexus.corp:32415/p", "--via", line.url)
    assert airgap.files() == {}
    assert nexus.names() == []


def test_a_second_signal_ends_it_at_once_and_the_same_command_goes_on(airgap: Airgap, full: Registry) -> None:
    with faulty_line(full.address, limit=600_000, ending=STALL) as line:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": line.url}}))
        process = airgap.started("export", *IMAGES, "-o", "b.tar")
        assert line.stalled.wait(60)
        wait_until(at_rest(process.pid))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130, stderr
    assert not TRACEBACK.search(stderr.decode()), stderr.decode()
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": full.url}}))
    airgap.run("export", *IMAGES, "-o", "b.tar")
    airgap.run("verify", "b.tar")
    assert {path.name for path in airgap.folder.iterdir()} == {"airgap.yaml", "b.tar"}


def test_nohup_keeps_it_running_when_the_terminal_is_gone(airgap: Airgap, full: Registry) -> None:
    with faulty_line(full.address, limit=600_000, ending=STALL) as line:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": line.url}}))
        command = [need("nohup"), *airgap.command("export", *IMAGES, "-o", "b.tar")]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=airgap.folder,
            env=airgap.whole_environment(),
        )
        assert line.stalled.wait(60)
        process.send_signal(signal.SIGHUP)
        wait_until(at_rest(process.pid))
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130, stderr
    assert b"stopped; " in stderr


def test_what_ends_a_process_and_its_group_sends_one_signal_twice(airgap: Airgap, full: Registry) -> None:
    """As ``timeout`` does, and Ctrl-C where whoever started airgap passes it on: the end is a clean one."""
    with faulty_line(full.address, limit=600_000, ending=STALL) as line:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": line.url}}))
        command = [need("timeout"), "60", *airgap.command("export", *IMAGES, "-o", "b.tar")]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, cwd=airgap.folder, env=airgap.whole_environment(), start_new_session=True
        )
        assert line.stalled.wait(30)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=20)
    said = stderr.decode()
    assert "nothing is left behind" in said
    assert "at once" not in said
    assert {path.name for path in airgap.folder.iterdir()} == {"airgap.yaml"}
