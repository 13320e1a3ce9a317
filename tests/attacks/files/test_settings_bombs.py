# SPDX-License-Identifier: Apache-2.0
"""Settings that are made to take memory: ``airgap.yaml``, and files of a node that ``hosts`` changes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.attacks.files.peak import measured
from tests.cli.command import Airgap, pod

KIB, MIB = 1024, 1024 * 1024

PROJECTS: dict[str, Callable[[], str]] = {
    "bytes": lambda: "name: " + "a" * 9 * MIB,
    "values": lambda: "images:\n" + "- a\n" * (MIB // 5),
    "keys": lambda: "registries:\n" + "".join(f"  a{number}: {{}}\n" for number in range(60_000)),
    "depth": lambda: "images: " + "[" * 100_000,
    "aliases": lambda: "images: &a [x]\n" + "".join(f"k{n}: [*a, *a, *a, *a, *a, *a, *a]\n" for n in range(20_000)),
    "at the limit": lambda: "rules:\n  ignore:\n" + "".join(
        f"  - {{image: 'a{number}/*', why: {'x' * 60}}}\n" for number in range(6_500)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_file_is_bounded(airgap: Airgap, name: str) -> None:
    airgap.write("airgap.yaml", PROJECTS[name]())
    airgap.write("a.yaml", pod("q.io/a/b:1"))
    done = measured(airgap, "images", "a.yaml", "--refs")
    assert (done.code, done.stdout) == ((0, "q.io/a/b:1\n") if name == "at the limit" else (2, "")), done.stderr
    assert name in ("at the limit", "depth") or "AIRGAP_LIMITS=project-" in done.stderr


SETTINGS = {
    "docker": ("etc/docker/daemon.json", json.dumps({"insecure-registries": ["r.test:1"] * 5_000})),
    "containerd": ("etc/containerd/config.toml", "version = 2\n" + "[plugins]\n" * 6_000),
    "k3s": ("etc/rancher/k3s/registries.yaml", "mirrors: {a: [" + "a, " * 21_000 + "]}"),
}


@pytest.mark.parametrize("large", [False, True], ids=["at the limit", "past it"])
@pytest.mark.parametrize("runtime", SETTINGS)
def test_settings_of_a_node_are_bounded(airgap: Airgap, runtime: str, large: bool) -> None:
    name, content = SETTINGS[runtime]
    size = 64 * KIB
    padding = "\n" * (size + large - len(content))
    before = airgap.write(f"root/{name}", content + padding).read_bytes()
    done = measured(airgap, "hosts", "http://r.test:1/p", "--for", runtime, "--root", "root")
    assert done.code == 42 or not large, done.stderr
    if large:
        assert "AIRGAP_LIMITS=node-settings-bytes" in done.stderr
        assert (airgap.folder / "root" / name).read_bytes() == before
