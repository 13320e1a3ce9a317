# SPDX-License-Identifier: Apache-2.0
"""A file that is missing is exit 2 with a hint, in every command and for every argument that names a file to read."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import click
import pytest

from airgap.cli.app import COMMANDS, cli
from airgap.durable import read_hint
from airgap.release import DOCUMENT_NAME
from airgap.trust.secret_key import SecretKey
from tests.cli.command import Airgap, Registry, pod
from tests.release.test_document import RELEASE

TO = "127.0.0.1:1/p"
#: What each command is given, by the argument or option that names the missing file FILE.
READS: dict[tuple[str, str], tuple[str, ...]] = {
    ("images", "PATHS"): ("images", "FILE"),
    ("images", "--values"): ("images", "chart", "-f", "FILE"),
    ("images", "--ca-file"): ("images", "pod.yaml", "--sizes", "--ca-file", "FILE"),
    ("images", "--config"): ("images", "pod.yaml", "--config", "FILE"),
    ("export", "PATHS"): ("export", "FILE", "-o", "new.tar"),
    ("export", "--base"): ("export", "pod.yaml", "-o", "new.tar", "--base", "FILE"),
    ("export", "--values"): ("export", "chart", "-o", "new.tar", "-f", "FILE"),
    ("export", "--lock"): (
        "export",
        "pod.yaml",
        "-o",
        "n.tar",
        "--volume-size",
        "2MB",
        "--volume",
        "1",
        "--lock",
        "FILE",
    ),
    ("export", "--ca-file"): ("export", "pod.yaml", "-o", "new.tar", "--ca-file", "FILE"),
    ("export", "--config"): ("export", "pod.yaml", "-o", "new.tar", "--config", "FILE"),
    ("export", "--sign"): ("export", "pod.yaml", "-o", "new.tar", "--sign", "FILE"),
    ("export", "--encrypt-to"): ("export", "pod.yaml", "-o", "new.tar", "--encrypt-to", "FILE"),
    ("release", "--since"): ("release", "1", "--config", "project.yaml", "--since", "FILE"),
    ("release", "--sign"): ("release", "1", "--config", "project.yaml", "--sign", "FILE"),
    ("release", "--ca-file"): ("release", "1", "--config", "project.yaml", "--ca-file", "FILE"),
    ("release", "--config"): ("release", "1", "--config", "FILE"),
    ("inspect", "BUNDLE"): ("inspect", "FILE"),
    ("inspect", "--identity"): ("inspect", "BUNDLE", "--identity", "FILE"),
    ("export", "--attach"): ("export", "pod.yaml", "-o", "new.tar", "--attach", "FILE"),
    ("inspect", "--ca-file"): ("inspect", "127.0.0.1:1/a/x:1", "--ca-file", "FILE"),
    ("inspect", "--config"): ("inspect", "127.0.0.1:1/a/x:1", "--config", "FILE"),
    ("prove", "PATHS"): ("prove", "FILE", "--against", TO),
    ("prove", "--values"): ("prove", "chart", "--against", TO, "-f", "FILE"),
    ("prove", "--ca-file"): ("prove", "pod.yaml", "--against", TO, "--ca-file", "FILE"),
    ("prove", "--config"): ("prove", "pod.yaml", "--against", TO, "--config", "FILE"),
    ("scan", "BUNDLES"): ("scan", "FILE", "--command", "true {}"),
    ("scan", "--identity"): ("scan", "BUNDLE", "--command", "true {}", "--identity", "FILE"),
    ("dossier", "BUNDLES"): ("dossier", "FILE"),
    ("dossier", "--since"): ("dossier", "BUNDLE", "--since", "FILE"),
    ("dossier", "--scan"): ("dossier", "BUNDLE", "--scan", "FILE"),
    ("dossier", "--config"): ("dossier", "BUNDLE", "--config", "FILE"),
    ("dossier", "--identity"): ("dossier", "BUNDLE", "--identity", "FILE"),
    ("verify", "BUNDLES"): ("verify", "FILE"),
    ("verify", "--base"): ("verify", "BUNDLE", "--base", "FILE"),
    ("import", "--base"): ("import", "BUNDLE", "--to", TO, "--base", "FILE"),
    ("expand", "BUNDLES"): ("expand", "FILE", "-o", "new.tar"),
    ("expand", "--base"): ("expand", "BUNDLE", "-o", "new.tar", "--base", "FILE"),
    ("expand", "--identity"): ("expand", "BUNDLE", "-o", "new.tar", "--identity", "FILE"),
    ("verify", "--ca-file"): ("verify", "BUNDLE", "--against", TO, "--ca-file", "FILE"),
    ("verify", "--config"): ("verify", "BUNDLE", "--config", "FILE"),
    ("verify", "--identity"): ("verify", "BUNDLE", "--identity", "FILE"),
    ("verify", "--key"): ("verify", "BUNDLE", "--key", "FILE"),
    ("verify", "--ca"): ("verify", "BUNDLE", "--ca", "FILE"),
    ("verify", "--crl"): ("verify", "BUNDLE", "--ca", "ca.pem", "--crl", "FILE"),
    ("verify", "--signature"): ("verify", "BUNDLE", "--signature", "FILE"),
    ("verify", "--trust-file"): ("verify", "BUNDLE", "--trust-file", "FILE"),
    ("sign", "BUNDLE"): ("sign", "FILE", "--key", "maker.key"),
    ("sign", "--key"): ("sign", "BUNDLE", "--key", "FILE"),
    ("sign", "--cms"): ("sign", "BUNDLE", "--key", "maker.key", "--cms", "FILE"),
    ("trust", "KEY"): ("trust", "add", "FILE", "--name", "maker"),
    ("trust", "--trust-file"): ("trust", "list", "--trust-file", "FILE"),
    ("import", "BUNDLES"): ("import", "FILE", "--to", TO),
    ("import", "--holds"): ("import", "platform-1", "--holds", "FILE", "--dry-run"),
    ("import", "--ca-file"): ("import", "BUNDLE", "--to", TO, "--ca-file", "FILE"),
    ("import", "--config"): ("import", "BUNDLE", "--to", TO, "--config", "FILE"),
    ("import", "--identity"): ("import", "BUNDLE", "--to", TO, "--identity", "FILE"),
    ("import", "--key"): ("import", "BUNDLE", "--to", TO, "--key", "FILE"),
    ("import", "--ca"): ("import", "BUNDLE", "--to", TO, "--ca", "FILE"),
    ("import", "--crl"): ("import", "BUNDLE", "--to", TO, "--ca", "ca.pem", "--crl", "FILE"),
    ("import", "--signature"): ("import", "BUNDLE", "--to", TO, "--signature", "FILE"),
    ("import", "--approval"): ("import", "BUNDLE", "--to", TO, "--approval", "FILE"),
    ("approve", "FOLDER"): ("approve", "FILE", "--key", "maker.key"),
    ("approve", "--key"): ("approve", "dossier.json", "--without-scan", "--key", "FILE"),
    ("approve", "--cms"): ("approve", "dossier.json", "--without-scan", "--key", "maker.key", "--cms", "FILE"),
    ("import", "--trust-file"): ("import", "BUNDLE", "--to", TO, "--trust-file", "FILE"),
    ("rewrite", "PATHS"): ("rewrite", "FILE", "--to", TO),
    ("rewrite", "--revert"): ("rewrite", "FILE", "--revert"),
    ("rewrite", "--from"): ("rewrite", "pod.yaml", "--to", TO, "--from", "FILE"),
    ("rewrite", "--values"): ("rewrite", "chart", "--to", TO, "-f", "FILE"),
    ("rewrite", "--config"): ("rewrite", "pod.yaml", "--to", TO, "--config", "FILE"),
    ("inventory", "--ca-file"): ("inventory", TO, "-o", "held.json", "--ca-file", "FILE"),
    ("inventory", "--config"): ("inventory", TO, "-o", "held.json", "--config", "FILE"),
    ("prune", "--keep"): ("prune", TO, "--keep", "FILE", "--dry-run"),
    ("prune", "--receipt"): ("prune", TO, "--keep", "BUNDLE", "--receipt", "FILE", "--dry-run"),
    ("prune", "--resources"): ("prune", TO, "--keep", "BUNDLE", "--resources", "FILE", "--dry-run"),
    ("prune", "--identity"): ("prune", TO, "--keep", "BUNDLE", "--identity", "FILE", "--dry-run"),
    ("prune", "--ca-file"): ("prune", TO, "--keep", "BUNDLE", "--dry-run", "--ca-file", "FILE"),
    ("prune", "--config"): ("prune", TO, "--keep", "BUNDLE", "--dry-run", "--config", "FILE"),
    ("diff", "OLD"): ("diff", "FILE", "BUNDLE"),
    ("diff", "NEW"): ("diff", "BUNDLE", "FILE"),
    ("serve", "PATH"): ("serve", "FILE", "--listen", "127.0.0.1:0"),
    ("serve", "--tls-cert"): ("serve", "BUNDLE", "--tls-cert", "FILE", "--tls-key", "pod.yaml"),
    ("serve", "--tls-key"): ("serve", "BUNDLE", "--tls-cert", "pod.yaml", "--tls-key", "FILE"),
    ("migrate", "--ca-file"): ("migrate", "127.0.0.1:1/a", "127.0.0.1:2/b", "--ca-file", "FILE"),
    ("migrate", "--config"): ("migrate", "127.0.0.1:1/a", "127.0.0.1:2/b", "--config", "FILE"),
    ("hosts", "--from"): ("hosts", TO, "--for", "podman", "--from", "FILE"),
    ("hosts", "--ca-file"): ("hosts", "nexus.corp:1/p", "--for", "podman", "--ca-file", "FILE"),
    ("hosts", "--config"): ("hosts", TO, "--for", "podman", "--config", "FILE"),
    ("doctor", "--ca-file"): ("doctor", TO, "--ca-file", "FILE"),
    ("doctor", "--config"): ("doctor", TO, "--config", "FILE"),
    ("login", "--ca-file"): ("login", "127.0.0.1:1", "-u", "u", "--password-stdin", "--ca-file", "FILE"),
    ("login", "--config"): ("login", "127.0.0.1:1", "-u", "u", "--password-stdin", "--config", "FILE"),
}
#: The least that can be approved.
DOSSIER = {"format": 1, "kind": "dossier", "bundle": {"root": f"sha256:{'0' * 64}"}, "scan": None}
#: Options whose value is a file that the command writes, or no file of this machine at all.
NO_READING = {"--output", "--receipt", "--csv", "--html", "--report", "--state", "--root", "--post-renderer"}
#: The same of one command; others read the file of this option.
WRITES = {("export", "--signature"), ("release", "--lock"), ("scan", "--files")}
#: Names of values that are files.
METAVARS = {"FILE", "PEM", "PATH", "BUNDLE", "OLD", "NEW", "BUNDLE|RECEIPT"}
METAVARS |= {"BUNDLE|RELEASE", "BUNDLE|RELEASE|LAYOUT"}
METAVARS |= {"RELEASE", "KEY", "PUB", "PUB|NAME", "RECIPIENT"}


def options_with_files() -> set[tuple[str, str]]:
    """Every argument and option of every command whose value is called a file, by its metavar."""
    found = set()
    for name in COMMANDS:
        loaded = cli.get_command(click.Context(cli), name)
        assert loaded is not None
        for parameter in loaded.params:
            metavar = (parameter.metavar or "").strip("[].")
            option = max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.name.upper()
            if isinstance(parameter, click.Option) and parameter.hidden:
                continue  # between airgap and itself
            if metavar in METAVARS and option not in NO_READING and (name, option) not in WRITES:
                found.add((name, option))
    return found


def test_every_argument_that_names_a_file_is_here() -> None:
    assert options_with_files() <= READS.keys()


@pytest.mark.parametrize("which", READS, ids=" ".join)
def test_a_missing_file(airgap: Airgap, bundle: Path, which: tuple[str, str]) -> None:
    airgap.write("pod.yaml", pod("127.0.0.1:1/a/x:1"))
    airgap.write("project.yaml", "name: p\nresources: [pod.yaml]\n")
    airgap.write("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    airgap.write("maker.key", SecretKey.generate().to_bytes(""))
    airgap.write("dossier.json", json.dumps(DOSSIER))
    airgap.write("ca.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    airgap.write(f"platform-1/{DOCUMENT_NAME}", RELEASE.to_bytes())
    file = "없는 폴더/absent.yaml"
    words = [{"FILE": file, "BUNDLE": str(bundle)}.get(word, word) for word in READS[which]]
    before = airgap.files()
    said = airgap.fails(2, *words, stdin=b"secret\n")
    assert said.errors == [f"{file}: there is no such file or folder"]
    assert said.stderr.splitlines()[-1].startswith("  ")
    assert airgap.files() == before


@pytest.mark.parametrize("command", [("verify",), ("inspect",), ("import", "--to", TO)])
def test_a_volume_that_is_named_and_missing(airgap: Airgap, command: tuple[str, ...]) -> None:
    assert "there is no such file" in airgap.fails(2, *command, "absent.tar.001").errors[0]


def test_a_name_that_is_nearly_right(airgap: Airgap, bundle: Path) -> None:
    airgap.write("my bundle.tar", bundle.read_bytes())
    assert "did you mean 'my bundle.tar'?" in airgap.fails(2, "verify", "my bundel.tar").stderr


def test_a_layout_that_serve_could_make(airgap: Airgap) -> None:
    said = airgap.fails(2, "serve", "new layout")
    assert "airgap serve 'new layout' --writable" in said.stderr


@pytest.mark.parametrize("name", ["missing.tar", "missing.tar.zst", "missing.tar.age", "missing.tar.001"])
@pytest.mark.parametrize("options", [(), ("--writable",)], ids=str)
def test_serve_makes_no_layout_called_like_a_bundle(airgap: Airgap, name: str, options: tuple[str, ...]) -> None:
    said = airgap.fails(2, "serve", name, "--listen", "127.0.0.1:0", *options)
    assert said.errors == [f"{name}: there is no such file or folder"]
    assert "--writable" not in said.stderr
    assert not (airgap.folder / name).exists()


def test_notes_that_are_missing(airgap: Airgap, quay: Registry) -> None:
    airgap.write("airgap.yaml", f'{{"notes": "CHANGES.md", "registries": {{"quay.io": {{"mirror": "{quay.url}"}}}}}}')
    said = airgap.fails(2, "export", "--image", "quay.io/jetstack/cert-manager-webhook:v1.14.4", "-o", "b.tar")
    assert said.errors == ["CHANGES.md: there is no such file or folder"]
    assert "notes: in airgap.yaml" in said.stderr


def test_permission_denied_has_a_hint(tmp_path: Path) -> None:
    """Tests run as root, whom no mode stops: the hint for the error itself."""
    path = tmp_path / "my file"
    hint = read_hint(PermissionError(errno.EACCES, "Permission denied"), path)
    assert hint == f"run airgap as a user who may read it; ls -ld '{path}' shows who may"
    assert read_hint(OSError(errno.ENXIO, "x"), path) is None
