# SPDX-License-Identifier: Apache-2.0
"""Folders of releases, made of what ``airgap export`` wrote, and sites that they go to."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.bundle import open_bundle
from airgap.release import DOCUMENT_NAME, Release, ReleaseBundle, ReleaseFile, SiteRelease
from tests.cli.command import pod, settings
from tests.flows.releases import Platform


def make_release(
    platform: Platform,
    version: str,
    names: Sequence[str],
    *,
    since: Sequence[str] = (),
    more: Sequence[str] = (),
    resources: Mapping[str, str] | None = None,
    inventories: bool = True,
) -> Path:
    """Make ``platform-VERSION`` of the images ``NAME:VERSION``: the full bundle, and one for each release in ``since``.

    ``more`` are options of the export, ``resources`` further files besides ``app.yaml``. ``inventories`` puts the
    ``bundle.json`` of each bundle beside it.
    """
    airgap = platform.airgap
    shutil.rmtree(airgap.folder / "deploy", ignore_errors=True)
    airgap.write("deploy/app.yaml", pod(*(f"quay.io/{name}:{version}" for name in names)))
    for name, text in (resources or {}).items():
        airgap.write(f"deploy/{name}", text)
    config = settings({"quay.io": {"mirror": platform.registry.url}}, name="platform", version=version)
    airgap.write("airgap.yaml", config)
    folder = airgap.folder / f"platform-{version}"
    folder.mkdir()
    bundles: list[ReleaseBundle] = []
    files: list[ReleaseFile] = []
    for old in ("", *since):
        stem = f"platform-{version}{f'-since-{old}' if old else ''}"
        base = ["--base", str(airgap.folder / f"{old}.json")] if old else []
        airgap.run("export", "deploy", "-o", folder / f"{stem}.tar", "--lock", f"{version}.lock", *base, *more)
        (airgap.folder / f"{version}.lock").unlink()
        made = sorted(path for path in folder.glob(f"{stem}.tar*") if path.suffix != ".sha256")
        parity = [path for path in made if path.suffix.startswith(".p")]
        data = [path for path in made if path not in parity]
        content = member(data, "airgap/bundle.json")
        identity = hashlib.sha256(content).hexdigest()
        if not old:
            airgap.write(f"{version}.json", content)
        bundle = ReleaseBundle(
            identity,
            sum(path.stat().st_size for path in data),
            tuple(path.name for path in data),
            tuple(path.name for path in parity),
            (),
            SiteRelease(old, hashlib.sha256((airgap.folder / f"{old}.json").read_bytes()).hexdigest()) if old else None,
        )
        bundles.append(bundle)
        files += [entry(path, "bundle", identity) for path in data]
        files += [entry(path, "parity", identity) for path in parity]
        if inventories:
            document = folder / f"{stem}.bundle.json"
            document.write_bytes(content)
            files.append(entry(document, "inventory", identity))
        for checksums in folder.glob(f"{stem}.tar.sha256"):
            files.append(entry(checksums, "checksums", identity))
    release = Release("platform", version, tuple(bundles), tuple(sorted(files, key=lambda file: file.name)))
    (folder / DOCUMENT_NAME).write_bytes(release.to_bytes())
    return folder


def entry(path: Path, role: str, bundle: str | None) -> ReleaseFile:
    content = path.read_bytes()
    return ReleaseFile(path.name, len(content), hashlib.sha256(content).hexdigest(), role, bundle)


def member(files: Sequence[Path], name: str) -> bytes:
    """A member of the tar in these volumes, read by the standard library."""
    with (files[0].parent / "joined.tmp").open("w+b") as joined:
        for path in files:
            joined.write(path.read_bytes())
        joined.seek(0)
        with tarfile.open(fileobj=joined) as tar:
            found = tar.extractfile(name)
            assert found is not None
            content = found.read()
    (files[0].parent / "joined.tmp").unlink()
    return content


def volumes_of(folder: Path, version: str) -> dict[str, set[str]]:
    """The blobs that lie in each volume of the full bundle, also in part."""
    with open_bundle(folder / f"platform-{version}.tar.001") as bundle:
        found: dict[str, set[str]] = {}
        for blob in bundle.inventory.blobs:
            for path in bundle.files_of(blob):
                found.setdefault(Path(path).name, set()).add(blob.digest)
    return found
