# SPDX-License-Identifier: Apache-2.0
"""An export that is killed after its bundle got its name: the next one finds it whole. Any other file stays refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from airgap.oci.digest import of
from tests.cli.command import Airgap, Registry, settings
from tests.parts.images import Images

#: ``airgap``, killed when the journal is gone: the bundle has its name, and nothing has been said.
KILLED = """
import os, signal
from airgap.bundle.journal import ExportJournal
from airgap.__main__ import main
remove = ExportJournal.remove
def remove_and_die(journal):
    remove(journal)
    os.kill(os.getpid(), signal.SIGKILL)
ExportJournal.remove = remove_and_die
main()
"""
IMAGES = ("--image", "quay.io/a/x:1", "--image", "quay.io/a/y:1")
FORMS = {"tar": ("b.tar",), "volumes": ("b.tar", "--volume-size", "2MB"), "zstd": ("b.tar.zst",)}


@pytest.fixture(scope="module")
def source() -> Iterator[Registry]:
    with Registry() as registry:
        images = Images(11)
        names = {name: images.image(layers=2, size=800_000) for name in ("a/x:1", "a/y:1", "a/z:1")}
        registry.fill(images, names)
        yield registry


@pytest.fixture
def exporter(airgap: Airgap, source: Registry) -> Airgap:
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
    source.requests()
    return airgap


def killed_at_the_end(airgap: Airgap, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "export", *arguments],
        cwd=airgap.folder, env=airgap.whole_environment(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not [path for pattern in ("*.journal", "*.partial") for path in airgap.folder.glob(pattern)]


@pytest.mark.parametrize("form", FORMS)
def test_a_finished_bundle_is_found_whole(exporter: Airgap, form: str) -> None:
    command = (*IMAGES, "--lock", "a.lock", "-o", *FORMS[form])
    killed_at_the_end(exporter, *command)
    before = exporter.files()
    assert "a.lock" not in before
    assert (len(before) > 2) == (form == "volumes")
    said = exporter.run("export", *command)
    assert "already whole" in said.stderr
    assert "nothing fetched" in said.stderr
    after = exporter.files()
    assert after.pop("a.lock")
    assert after == before


@pytest.mark.parametrize(
    "other",
    [
        ("--image", "quay.io/a/x:1"),
        (*IMAGES, "--image", "quay.io/a/z:1"),
        (*IMAGES, "--platform", "linux/amd64", "--with-self"),
    ],
)
def test_the_bundle_of_another_export_is_refused(exporter: Airgap, other: tuple[str, ...]) -> None:
    exporter.run("export", *IMAGES, "-o", "b.tar")
    before = exporter.files()
    said = exporter.fails(42, "export", *other, "-o", "b.tar")
    assert said.errors == ["b.tar: a file is already there"]
    assert "--force" in said.stderr
    assert exporter.files() == before


@pytest.mark.parametrize("how", ["damaged", "longer", "shorter", "no bundle"])
def test_what_is_not_whole_is_refused(exporter: Airgap, how: str) -> None:
    exporter.run("export", *IMAGES, "-o", "b.tar")
    path = exporter.folder / "b.tar"
    content = bytearray(path.read_bytes())
    if how == "damaged":
        content[-3000] ^= 1
    elif how == "longer":
        content += bytes(512)
    elif how == "shorter":
        del content[-512:]
    else:
        content[:] = b"precious"
    path.write_bytes(content)
    said = exporter.fails(42, "export", *IMAGES, "-o", "b.tar")
    assert said.errors == ["b.tar: a file is already there"]
    assert path.read_bytes() == content


def test_a_file_that_is_no_bundle_is_refused_before_anything_is_asked(exporter: Airgap, source: Registry) -> None:
    exporter.write("b.tar", "precious")
    exporter.fails(42, "export", *IMAGES, "-o", "b.tar")
    assert source.requests() == []


def test_a_moved_tag_makes_another_bundle(airgap: Airgap) -> None:
    with Registry() as registry:
        images = Images(12)
        registry.fill(images, {"a/x:1": images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar")
        before = of((airgap.folder / "b.tar").read_bytes())
        registry.fill(images, {"a/x:1": images.image()})  # of the same size
        airgap.fails(42, "export", "--image", "quay.io/a/x:1", "-o", "b.tar")
        assert of((airgap.folder / "b.tar").read_bytes()) == before


@pytest.mark.parametrize("form", ["tar", "zstd"])
def test_a_signed_bundle_is_whole_only_with_its_signature(exporter: Airgap, form: str) -> None:
    exporter.run("keygen", "-o", "maker", "--no-passphrase")
    key = next(str(path) for path in exporter.folder.iterdir() if path.name in ("maker", "maker.key"))
    killed_at_the_end(exporter, *IMAGES, "--sign", key, "-o", *FORMS[form])
    before = exporter.files()
    assert "already whole" in exporter.run("export", *IMAGES, "--sign", key, "-o", *FORMS[form]).stderr
    if form == "tar":
        exporter.fails(42, "export", *IMAGES, "-o", *FORMS[form])
    else:
        signature = exporter.folder / "b.tar.zst.minisig"
        signature.write_bytes(signature.read_bytes() + b"\n")
        exporter.fails(42, "export", *IMAGES, "--sign", key, "-o", *FORMS[form])
        signature.write_bytes(before[signature.name])
    assert exporter.files() == before
