# SPDX-License-Identifier: Apache-2.0
"""What an image has, layer upon layer: later ones replace and remove what the ones below have."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from airgap import limits
from airgap.bundle import open_bundle
from airgap.dossier.contents import LayerReader
from airgap.dossier.facts import Contents
from airgap.dossier.images import ImageReader
from airgap.dossier.packages import read_databases
from airgap.events import Event, Warned
from airgap.oci import Descriptor
from airgap.transfer import Context
from tests.bundle.bundles import Content
from tests.dossier.samples import APK, DPKG, archive
from tests.parts.images import Images, Layer
from tests.parts.need import need

SUDO = ("usr/bin/sudo", "s", 0o4755)


def described(folder: Path, images: Images, root: Descriptor, events: list[Event] | None = None) -> Contents:
    """What the layers of an image say, out of a bundle of it."""
    Content(images, {"quay.io/a/b:1": root}).write(folder / "b.tar")
    with open_bundle(folder / "b.tar") as bundle:
        reader = LayerReader(bundle, Context(emit=(events if events is not None else []).append))
        found = list(ImageReader(bundle.inventory, bundle).platforms(root.digest))
        reader.read(found)
        return reader.contents(found[0])


def contents(folder: Path, *layers: bytes) -> Contents:
    """What an image of these tars has."""
    images = Images(1)
    return described(folder, images, images.image(layers=[images.layer_of(layer) for layer in layers]))


def privileged(folder: Path, *layers: bytes) -> dict[str, str]:
    return {file.path: file.mode for file in contents(folder, *layers).privileged}


def test_modes_are_those_of_the_files(tmp_path: Path) -> None:
    files = (SUDO, ("bin/wall", "w", 0o2755), ("bin/ls", "l", 0o755), ("tmp/sticky", "t", 0o1777))
    assert privileged(tmp_path, archive(*files)) == {"usr/bin/sudo": "4755", "bin/wall": "2755"}


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        (archive(("usr/bin/sudo", "", 0o755)), {}),
        (archive(("./usr/bin/sudo", "", 0o4711)), {"usr/bin/sudo": "4711"}),
        (archive(("usr/bin/.wh.sudo", "", 0o600)), {}),
        (archive(("usr/.wh.bin", "", 0o600)), {}),
        (archive((".wh.usr", "", 0o600)), {}),
        (archive(("usr/bin/.wh..wh..opq", "", 0o600)), {}),
        (archive((".wh..wh..opq", "", 0o600)), {}),
        (archive(("usr/bin/.wh..wh..opq", "", 0o600), ("usr/bin/su", "", 0o4755)), {"usr/bin/su": "4755"}),
        (archive(links=[("usr/bin", "/bin", tarfile.SYMTYPE)]), {}),  # the folder is a link now
        (archive(links=[("usr/bin/", "", tarfile.DIRTYPE)]), {"usr/bin/sudo": "4755"}),
        (archive(("usr/bin/sudoers", "", 0o755), ("usr/bin/.wh.sud", "", 0o600)), {"usr/bin/sudo": "4755"}),
    ],
)
def test_a_later_layer(tmp_path: Path, upper: bytes, left: dict[str, str]) -> None:
    assert privileged(tmp_path, archive(SUDO), upper) == left


def test_the_last_entry_of_an_archive_counts(tmp_path: Path) -> None:
    assert privileged(tmp_path, archive(SUDO, ("usr/bin/sudo", "", 0o755))) == {}


def test_a_hard_link_runs_as_its_target_does(tmp_path: Path) -> None:
    linked = archive(SUDO, links=[("usr/bin/sudoedit", "./usr/bin/sudo", tarfile.LNKTYPE)])
    assert privileged(tmp_path, linked) == {"usr/bin/sudo": "4755", "usr/bin/sudoedit": "4755"}


def names(found: Contents) -> list[tuple[str, str]]:
    return [(package.name, package.version) for package in found.packages]


def test_the_database_is_that_of_the_last_layer_that_has_it(tmp_path: Path) -> None:
    old = archive(("var/lib/dpkg/status", "Package: a\nVersion: 1\n", 0o644))
    new = archive(("var/lib/dpkg/status", "Package: a\nVersion: 2\n\nPackage: b\nVersion: 1\n", 0o644))
    assert names(contents(tmp_path, old, new)) == [("a", "2"), ("b", "1")]
    assert names(contents(tmp_path, new, old)) == [("a", "1")]
    assert names(contents(tmp_path, new, archive(("var/lib/dpkg/.wh.status", "", 0o600)))) == []


def test_a_distroless_image_has_a_file_for_each_package(tmp_path: Path) -> None:
    base = archive(
        ("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4\n", 0o644),
        ("var/lib/dpkg/status.d/base.md5sums", "0 usr/lib/os-release\n", 0o644),
        ("usr/lib/os-release", 'ID="debian"\n', 0o644),
    )
    found = contents(tmp_path, base, archive(("var/lib/dpkg/status.d/tz", "Package: tzdata\nVersion: 2026a\n", 0o644)))
    assert names(found) == [("base-files", "12.4"), ("tzdata", "2026a")]
    assert found.system == "debian"


def test_what_databases_say() -> None:
    found = read_databases({"var/lib/dpkg/status": DPKG.encode(), "lib/apk/db/installed": APK.encode()})
    assert {path: [package.name for package in packages or ()] for path, packages in found.items()} == {
        "var/lib/dpkg/status": ["libc6", "zlib1g"],
        "lib/apk/db/installed": ["musl", "busybox"],
    }
    noise = bytes(range(256)) * 40
    assert read_databases({"var/lib/dpkg/status": noise, "lib/apk/db/installed": noise}) == {
        "var/lib/dpkg/status": [],
        "lib/apk/db/installed": [],
    }


def test_a_layer_that_is_no_archive_is_said_and_its_bytes_are_right(tmp_path: Path) -> None:
    images = Images(5)
    strange = Layer(images.blob(b"no archive" * 100, "application/vnd.oci.image.layer.v1.tar"), "sha256:" + "0" * 64)
    events: list[Event] = []
    found = described(tmp_path, images, images.image(layers=[strange]), events)
    assert found.unread == f"a layer cannot be read: {strange.descriptor.digest}"
    assert [event for event in events if isinstance(event, Warned) and "not in the dossier" in event.text]


def test_a_database_beyond_its_limit_is_not_read(tmp_path: Path) -> None:
    layer = archive(("var/lib/dpkg/status", "Package: a\nVersion: 1\n", 0o644))
    with limits.changed({"package-database-bytes": 10}):
        assert "cannot be read" in contents(tmp_path, layer).unread
    with limits.changed({"package-entries": 1}):
        assert len(contents(tmp_path, archive(("var/lib/dpkg/status", DPKG, 0o644))).packages) == 1


def rpm_database(folder: Path) -> dict[str, bytes]:
    """The database of a system with one package, as rpm writes it."""
    need("rpmbuild", package="rpm")
    spec = "Name: small\nVersion: 1.2\nRelease: 3\nEpoch: 4\nSummary: s\nLicense: MIT\nBuildArch: noarch\n"
    (folder / "small.spec").write_text(f"{spec}%description\ns\n%files\n")
    run: dict[str, Any] = {"check": True, "capture_output": True, "cwd": folder}
    subprocess.run(["rpmbuild", "-bb", "--define", f"_topdir {folder}", "small.spec"], **run)
    (package,) = (folder / "RPMS").rglob("*.rpm")
    database = folder / "database"
    subprocess.run(["rpm", "--dbpath", database, "--justdb", "--nodeps", "--install", package], **run)
    return {path.name: path.read_bytes() for path in database.iterdir() if path.is_file()}


def test_a_database_of_rpm_is_read_by_rpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = rpm_database(tmp_path)
    layer = archive(*((f"var/lib/rpm/{name}", content, 0o644) for name, content in files.items()))
    found = contents(tmp_path, layer)
    (package,) = found.packages
    assert package == ("rpm", "small", "4:1.2-3", "noarch", "MIT")
    assert found.packages_complete
    monkeypatch.setenv("PATH", str(tmp_path))
    without = contents(tmp_path, layer)
    assert (without.packages, without.packages_complete, without.unread) == ([], False, "")
