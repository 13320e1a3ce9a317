# SPDX-License-Identifier: Apache-2.0
"""Releases of a platform, made by ``airgap release`` as tests of their import need them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.bundle import open_bundle
from tests.cli.command import pod, settings
from tests.flows.releases import Platform


def make_release(
    platform: Platform,
    version: str,
    names: Sequence[str],
    *,
    more: Sequence[str] = (),
    resources: Mapping[str, str] | None = None,
) -> Path:
    """Make ``platform-VERSION`` of the images ``NAME:VERSION``, with a bundle for each of the last three releases.

    ``more`` are options, ``resources`` further files besides ``app.yaml``. ``VERSION.json`` is the full bundle's
    ``bundle.json``.
    """
    airgap = platform.airgap
    shutil.rmtree(airgap.folder / "deploy", ignore_errors=True)
    airgap.write("deploy/app.yaml", pod(*(f"quay.io/{name}:{version}" for name in names)))
    for name, text in (resources or {}).items():
        airgap.write(f"deploy/{name}", text)
    known = {"name": "platform", "version": version, "resources": ["deploy"]}
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": platform.registry.url}}, **known))
    airgap.run("release", *more)
    shutil.copy(airgap.folder / f"releases/platform-{version}.json", airgap.folder / f"{version}.json")
    return airgap.folder / f"platform-{version}"


def volumes_of(folder: Path, version: str) -> dict[str, set[str]]:
    """The blobs that lie in each volume of the full bundle, also in part."""
    with open_bundle(folder / f"platform-{version}.tar.001") as bundle:
        found: dict[str, set[str]] = {}
        for blob in bundle.inventory.blobs:
            for path in bundle.files_of(blob):
                found.setdefault(Path(path).name, set()).add(blob.digest)
    return found
