# SPDX-License-Identifier: Apache-2.0
"""``install.md``: the commands fit what is in the folder and what the project says about the far side."""

from __future__ import annotations

import re

from airgap.release import ReleaseBundle, SiteRelease
from airgap.release.install import FarSide, install_guides

FULL = ReleaseBundle("a" * 64, 7, ("p 1.tar.001", "p 1.tar.002"), ("p 1.tar.p001",))
SMALL = ReleaseBundle(
    "b" * 64, 3, ("p 1-since-0.tar.001",), ("p 1-since-0.tar.p001",), since=SiteRelease("0|9", "c" * 64)
)


def commands(far: FarSide, *bundles: ReleaseBundle, name: str = "p p") -> list[str]:
    """The commands of the guide; both languages have the same."""
    guides = install_guides(name, "1", bundles, far)
    found = {
        name: re.findall(r"^(?:airgap|kubectl|\(cd) .*", content.decode(), re.MULTILINE)
        for name, content in guides.items()
    }
    assert found["install.md"] == found["install.ko.md"]
    return found["install.md"]


def test_everything() -> None:
    far = FarSide("https://nexus.corp/k8s", "path", True, [("my maker.pub", "0123")], True, True)
    to = "--to https://nexus.corp/k8s --mapping path --nexus http://NEXUS:8081 --key 'my maker.pub'"
    assert commands(far, FULL, SMALL) == [
        "(cd 'p p-1/' && sha256sum --ignore-missing -c SHA256SUMS)",
        "airgap verify 'p p-1/' --key 'my maker.pub'",
        "airgap repair 'p p-1/'",
        f"airgap import 'p p-1/' {to}",
        f"airgap import 'p p-1/p 1-since-0.tar.001' {to}",
        f"airgap import 'p p-1/p 1.tar.001' {to}",
        "kubectl apply -f airgap-out/",
        f"airgap import 'p p-0|9/' {to} --overwrite",
        "kubectl apply -f airgap-out/",
    ]
    text = install_guides("p", "1", [FULL, SMALL], far)["install.md"].decode()
    assert "| 0\\|9 | `p 1-since-0.tar.001` | 3 B |" in text
    assert "airgap.yaml" in text
    assert "설치" in install_guides("p", "1", [FULL], far)["install.ko.md"].decode()


def test_a_first_release_without_keys_target_and_parity() -> None:
    full = ReleaseBundle("a" * 64, 7, ("p-1.tar",))
    assert commands(FarSide(), full, name="p") == [
        "(cd p-1/ && sha256sum --ignore-missing -c SHA256SUMS)",
        "airgap verify p-1/",
        "airgap import p-1/ --to HOST:PORT/PREFIX",
        "kubectl apply -f airgap-out/",
    ]


def test_files_of_other_formats_alone() -> None:
    full = ReleaseBundle("a" * 64, 7, ("p-1.tar",))
    assert commands(FarSide(images=False, artifacts=True), full, name="p")[2:] == [
        "airgap import p-1/p-1.tar --only-artifacts --nexus http://NEXUS:8081"
    ]
