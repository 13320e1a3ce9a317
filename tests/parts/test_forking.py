# SPDX-License-Identifier: Apache-2.0
"""A forked run cannot be told from one by an interpreter of its own."""

from __future__ import annotations

import itertools
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Result, pod


def both(airgap: Airgap, *arguments: str, stdin: bytes | None = None, **environment: str) -> Result:
    """Run it either way: the same exit code and the same words."""
    results = []
    for airgap.fresh in (True, False):
        results.append(airgap.run(*arguments, code=None, stdin=stdin, environment=environment))
    assert results[0] == results[1]
    return results[0]


@pytest.fixture
def airgap(tmp_path: Path) -> Airgap:
    return Airgap(tmp_path, tmp_path)


def test_it_says_and_ends_as_a_fresh_one(airgap: Airgap) -> None:
    airgap.write("pod.yaml", pod("quay.io/a/x:1", "nginx"))
    assert "quay.io/a/x:1" in both(airgap, "images", "pod.yaml").text
    assert both(airgap, "images", "absent.yaml").code == 2
    assert both(airgap, "images", "--no-such").code == 2
    assert both(airgap, "images", "--help").text.startswith("Usage: airgap images")
    assert both(airgap).code == 2
    assert both(airgap, "--version").text.startswith("airgap ")  # written when the process ends


def test_standard_input_is_its_own_or_empty(airgap: Airgap) -> None:
    assert "busybox" in both(airgap, "images", "-", stdin=pod("busybox").encode()).text
    large = "\n---\n".join(pod(f"quay.io/a/x{number}:1") for number in range(3000))
    assert len(large) > 200_000  # more than a pipe holds, both ways
    assert both(airgap, "images", "-", "--refs", stdin=large.encode()).text.count("\n") == 3000
    assert both(airgap, "images", "-").text == ""


def test_environment_and_folder_are_its_own(airgap: Airgap) -> None:
    airgap.write("in/pod.yaml", pod("nginx"))
    airgap.run("images", "in/pod.yaml", environment={"HOME": "/nowhere"})
    airgap.folder = airgap.folder / "in"
    both(airgap, "images", "pod.yaml")
    airgap.write("kustomization.yaml", "resources: [pod.yaml]\n")
    assert "PATH" in both(airgap, "images", ".", PATH="/nowhere").stderr


def test_each_of_many_at_once_gets_its_own_end(airgap: Airgap) -> None:
    airgap.write("pod.yaml", pod("nginx"))
    with ThreadPoolExecutor(6) as pool:
        wanted = list(itertools.islice(itertools.cycle([("pod.yaml", 0), ("absent.yaml", 2)]), 12))
        results = pool.map(lambda one: airgap.run("images", one[0], code=one[1]), wanted)
        assert [result.code for result in results] == [code for _, code in wanted]


def test_what_takes_too_long_is_killed(airgap: Airgap) -> None:
    layout = airgap.folder / "layout"
    with pytest.raises(subprocess.TimeoutExpired) as raised:
        airgap.run("serve", layout, "--writable", "--listen", "127.0.0.1:0", timeout=1)
    assert b"is served at" in (raised.value.stderr or b"")
    airgap.run("serve", layout, "--listen", "nonsense", code=2)  # the next is as good as the first
