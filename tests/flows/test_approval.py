# SPDX-License-Identifier: Apache-2.0
"""What the office approves, and only that, is imported; and the history tells it afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from airgap.trust.minisign import PublicKey
from tests.cli.command import Airgap, Registry, settings
from tests.parts.certificates import Authority
from tests.parts.need import need

CLEAN = {"sha256": "0" * 64, "complete": True, "findings": 0, "omissions": 0}


@pytest.fixture
def office(airgap: Airgap, bundle: Path) -> PublicKey:
    """``b.tar``, its dossier in ``d`` as if it was scanned, and the office's key."""
    airgap.write("b.tar", bundle.read_bytes())
    airgap.run("dossier", "b.tar", "-o", "d")
    say_scan(airgap, CLEAN)
    return key(airgap, "office")


def key(airgap: Airgap, name: str) -> PublicKey:
    airgap.run("keygen", "-o", name, "--no-passphrase")
    return PublicKey.from_bytes((airgap.folder / f"{name}.pub").read_bytes(), where=name)


def say_scan(airgap: Airgap, scan: dict[str, Any] | None) -> None:
    """Let the dossier say this of a scan."""
    document = json.loads((airgap.folder / "d/b.json").read_text())
    airgap.write("d/b.json", json.dumps({**document, "scan": scan}))


def importing(nexus: Registry, *more: str) -> tuple[str, ...]:
    return ("import", "b.tar", "--to", f"{nexus.url}/p", "--require", "approval=office.pub", *more)


def refused(airgap: Airgap, nexus: Registry, *more: str, code: int = 43) -> str:
    """An import that ends before anything is asked of the registry or written."""
    before = airgap.files()
    said = airgap.fails(code, *importing(nexus, *more))
    assert nexus.requests() == []
    assert airgap.files() == before
    return said.stderr


def test_an_approved_bundle_is_imported_and_recorded(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    said = airgap.run("approve", "d", "--key", "office.key")
    assert f"approved by {office.id}: d/b.json.minisig" in said.stderr
    root = airgap.run("dossier", "b.tar", "--json").json["bundle"]["root"]
    said = airgap.run(*importing(nexus, "--approval", "d"))
    assert f"approved by {office.id}: airgap approval {root}" in said.stderr
    assert len(nexus.names()) == 4
    (entry,) = airgap.run("history", "--json").json
    assert (entry["number"], entry["outcome"], entry["bundle"]["root"]) == (1, "complete", root)
    assert entry["target"] == f"{nexus.address}/p"
    assert entry["user"]
    assert entry["images"][0]["source"] == "quay.io/jetstack/cert-manager-acmesolver:v1.14.4"
    (signer,) = entry["approval"]["signers"]
    assert (signer["signer"], signer["verified"]) == (office.id, True)
    assert entry["approval"]["scan"] == CLEAN["sha256"]
    shown = airgap.run("history").text
    assert root in shown
    assert f"approved by {office.id}" in shown


def test_each_file_of_the_approval_names_it(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    airgap.run("approve", "d/b.json", "--key", "office.key")
    for name in ("d", "d/b.json", "d/b.json.minisig"):
        airgap.run(*importing(nexus, "--approval", name, "--dry-run"))
    nothing = airgap.run("history")  # a dry run imports nothing
    assert (nothing.text, "nothing was imported on this machine yet" in nothing.stderr) == ("", True)


def test_what_is_not_approved_is_refused_before_a_push(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    assert "none is named" in refused(airgap, nexus)
    assert "not approved" in refused(airgap, nexus, "--approval", "d")
    stranger = key(airgap, "stranger")
    airgap.run("approve", "d", "--key", "stranger.key")
    said = refused(airgap, nexus, "--approval", "d")
    assert f"it is not signed with key {office.id}" in said
    assert stranger.id in said
    (airgap.folder / "d/b.json.minisig").unlink()
    airgap.run("approve", "d", "--key", "office.key")
    document = (airgap.folder / "d/b.json").read_text()
    airgap.write("d/b.json", document.replace("linux/amd64", "linux/amd65", 1))
    assert "is not one of this content" in refused(airgap, nexus, "--approval", "d")


def test_the_approval_of_another_bundle_is_refused(
    prepared: Airgap, nexus: Registry, office: PublicKey, bundle: Path
) -> None:
    prepared.run("approve", "d", "--key", "office.key")
    prepared.run("export", "cert-manager.yaml", "--platform", "linux/amd64", "-o", "b.tar", "--force")
    said = refused(prepared, nexus, "--approval", "d")
    assert "another bundle" in said
    root = prepared.run("dossier", "b.tar", "--json").json["bundle"]["root"]
    assert root in said


def damaged(bundle: Path) -> bytes:
    """A bundle with one changed bit in its last layer."""
    content = bytearray(bundle.read_bytes())
    with tarfile.open(bundle) as tar:
        content[tar.getmembers()[-1].offset_data + 20] ^= 1
    return bytes(content)


def test_an_altered_bundle_is_refused_before_a_push(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    airgap.run("approve", "d", "--key", "office.key")
    whole = (airgap.folder / "b.tar").read_bytes()
    content = damaged(airgap.folder / "b.tar")  # the root digest is still the approved one
    airgap.write("b.tar", content)
    refused(airgap, nexus, "--approval", "d", code=31)
    airgap.write("b.tar", whole + b"more" + bytes(508))
    refused(airgap, nexus, "--approval", "d")


def test_a_scan_decides_what_may_be_approved(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    approve = ("approve", "d", "--key", "office.key")
    say_scan(airgap, {**CLEAN, "complete": False, "findings": 1})
    assert "the scan found 1" in airgap.fails(44, *approve).stderr
    airgap.fails(44, *approve, "--without-scan")
    say_scan(airgap, {**CLEAN, "complete": False, "omissions": 2})
    airgap.fails(44, *approve)
    say_scan(airgap, None)
    assert "--without-scan" not in airgap.fails(44, *approve).stdout.decode()
    assert not (airgap.folder / "d/b.json.minisig").exists()
    assert "would write" in airgap.run(*approve, "--without-scan", "--dry-run").stderr
    assert not (airgap.folder / "d/b.json.minisig").exists()
    said = airgap.run(*approve, "--without-scan")
    assert office.id in said.stderr
    assert ", without a scan" in airgap.run(*importing(nexus, "--approval", "d", "--dry-run")).stderr


def test_an_approval_without_the_scan_is_refused(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    """Signed by another program, or by somebody else without a scan: the office has not decided that."""
    say_scan(airgap, None)
    sign_with_airgap(airgap, "office")
    assert "without a scan" in refused(airgap, nexus, "--approval", "d")
    say_scan(airgap, {**CLEAN, "complete": False, "findings": 3})
    sign_with_airgap(airgap, "office")
    assert "the scan found 3" in refused(airgap, nexus, "--approval", "d", code=44)


def sign_with_airgap(airgap: Airgap, name: str) -> None:
    """Sign the document with a key as minisign would, with its comment."""
    from airgap.trust.secret_key import SecretKey

    secret = SecretKey.from_bytes((airgap.folder / f"{name}.key").read_bytes(), where="", ask=None)
    content = (airgap.folder / "d/b.json").read_bytes()
    airgap.write("d/b.json.minisig", secret.sign(content, "timestamp:1 file:b.json hashed").to_bytes())


def test_minisign_and_airgap_agree_in_both_directions(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    minisign = need("minisign")
    airgap.run("approve", "d", "--key", "office.key")
    run: dict[str, Any] = {"cwd": airgap.folder, "check": True, "capture_output": True}
    subprocess.run([minisign, "-V", "-p", "office.pub", "-m", "d/b.json"], **run)
    (airgap.folder / "d/b.json.minisig").unlink()
    subprocess.run([minisign, "-G", "-W", "-p", "office.pub", "-s", "office2.key", "-f"], **run)
    subprocess.run([minisign, "-S", "-s", "office2.key", "-m", "d/b.json"], **run)
    airgap.run(*importing(nexus, "--approval", "d"))


def test_openssl_and_airgap_agree_in_both_directions(
    airgap: Airgap, nexus: Registry, office: PublicKey, authority: Authority, tmp_path: Path
) -> None:
    """The office's own ``openssl cms``, and ``airgap approve --cms``."""
    need("openssl")
    signer = authority.signer("The office")
    certificate, secret = signer.certificate, signer.key
    sign = ["openssl", "cms", "-sign", "-binary", "-in", "d/b.json", "-outform", "DER", "-out", "d/b.json.p7s"]
    run: dict[str, Any] = {"cwd": airgap.folder, "check": True, "capture_output": True}
    subprocess.run([*sign, "-signer", certificate, "-inkey", secret], **run)
    demand = ("import", "b.tar", "--to", f"{nexus.url}/p", "--require", f"approval={authority.ca}")
    airgap.run(*demand, "--approval", "d")
    other = Authority(tmp_path / "other")
    wrong = ("import", "b.tar", "--to", f"{nexus.url}/q", "--require", f"approval={other.ca}")
    nexus.requests()
    airgap.fails(43, *wrong, "--approval", "d")
    assert nexus.requests() == []
    (airgap.folder / "d/b.json.p7s").unlink()
    airgap.run("approve", "d", "--cms", certificate, "--key", secret)
    verify = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "d/b.json.p7s", "-content", "d/b.json"]
    subprocess.run([*verify, "-CAfile", authority.ca, "-purpose", "any", "-out", "out"], **run)
    airgap.run(*demand, "--approval", "d/b.json.p7s")
    say_scan(airgap, None)
    subprocess.run([*sign, "-signer", certificate, "-inkey", secret], **run)
    nexus.requests()
    airgap.fails(43, *demand, "--approval", "d")
    assert nexus.requests() == []


def test_require_in_airgap_yaml_holds_for_artifacts_too(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    second = key(airgap, "second")
    airgap.write("far/airgap.yaml", settings({}, require={"approval": ["../office.pub", "../second.pub"]}))
    options = ("--config", "far/airgap.yaml")
    target = ("import", "b.tar", "--to", f"{nexus.url}/p", *options)
    airgap.run("approve", "d", "--key", "office.key")
    assert second.id in airgap.fails(43, *target, "--approval", "d").stderr
    airgap.fails(43, *target)
    airgap.fails(43, "import", "b.tar", "--only-artifacts", "--nexus", nexus.url, *options)
    assert nexus.requests() == []
    airgap.run("approve", "d", "--key", "second.key")
    assert (airgap.folder / f"d/b.json.{second.id}.minisig").exists()
    airgap.run(*target, "--approval", "d", "--dry-run")


def test_a_signature_is_required_of_artifacts_too(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    words = ("import", "b.tar", "--only-artifacts", "--nexus", nexus.url)
    assert "no signature" in airgap.fails(43, *words, "--key", "office.pub", "--require-signature").stderr
    assert nexus.requests() == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("approve", "d", "--key", "absent.key"), 2),
        (("approve", "absent", "--key", "office.key"), 2),
        (("approve", "empty", "--key", "office.key"), 2),
        (("approve", "b.tar", "--key", "office.key"), 2),
        (("approve", "d/b.cdx.json", "--key", "office.key"), 2),
        (("import", "b.tar", "--to", "127.0.0.1:1/p", "--require", "signature"), 2),
        (("import", "b.tar", "--to", "127.0.0.1:1/p", "--require", "approval=absent.pub"), 2),
        (("import", "b.tar", "--to", "127.0.0.1:1/p", "--approval", "absent"), 2),
        (("history", "--contains", "0"), 2),
    ],
)
def test_mistakes(airgap: Airgap, office: PublicKey, words: tuple[str, ...], code: int) -> None:
    (airgap.folder / "empty").mkdir()
    before = airgap.files()
    airgap.fails(code, *words)
    assert airgap.files() == before


def test_an_approval_that_is_not_required_is_checked(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    airgap.run("approve", "d", "--key", "office.key")
    target = ("import", "b.tar", "--to", f"{nexus.url}/p", "--approval", "d")
    assert "not known here" in airgap.run(*target, "--dry-run").stderr
    content = (airgap.folder / "d/b.json").read_text()
    root = airgap.run("dossier", "b.tar", "--json").json["bundle"]["root"]
    airgap.write("d/b.json", content.replace(root, f"sha256:{'1' * 64}"))
    airgap.fails(43, *target)


def history(airgap: Airgap) -> Path:
    return airgap.home / ".local/state/airgap/history.jsonl"


def test_the_history_notices_each_change(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    hashes = []
    for name in ("one", "two", "three"):
        airgap.run("import", bundle, "--to", f"{nexus.url}/{name}", "--output", f"out-{name}")
        hashes.append(airgap.run("history", "--verify").stderr.split()[-1])
    assert [entry["target"].rpartition("/")[2] for entry in airgap.run("history", "--json").json] == [
        "one",
        "two",
        "three",
    ]
    assert all(entry["approval"] is None for entry in airgap.run("history", "--json").json)
    assert "without an approval" in airgap.run("history").text
    assert airgap.run("history", "--verify", "--json").json == {"entries": 3, "last": hashes[-1]}
    assert history(airgap).stat().st_mode & 0o777 == 0o600
    content = history(airgap).read_bytes()
    lines = content.splitlines(keepends=True)
    body = lines[1].rpartition(b',"hash":"')[0].replace(b"/two", b"/tow")
    forged = body + b',"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'
    changed = [
        (lines[0] + forged + lines[2], 3),  # a line of its own hash, but not the one that the next line follows
        (content.replace(b"/two", b"/tow"), 2),
        (content.replace(b'"number":3', b'"number":4'), 3),
        (lines[0] + lines[2], 2),
        (lines[1] + lines[2], 1),
        (lines[0] + lines[0] + lines[1] + lines[2], 2),
        (lines[0] + lines[2] + lines[1], 2),
        (content + b"{}\n", 4),
        (content[:-20], 3),
        (b"\n" + content, 1),
    ]
    for bad, line in changed:
        history(airgap).write_bytes(bad)
        for words in (("history", "--verify"), ("history",), ("history", "--json")):
            said = airgap.fails(43, *words)
            assert f"history.jsonl:{line}:" in said.errors[0], (bad, said.stderr)
    # What was cut off at its end is noticed by whoever has kept a hash.
    history(airgap).write_bytes(lines[0] + lines[1])
    airgap.run("history", "--verify")
    airgap.run("history", "--verify", "--contains", hashes[1])
    airgap.fails(43, "history", "--verify", "--contains", hashes[2])


def test_an_import_goes_on_after_a_line_that_was_cut_off(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    airgap.run("import", bundle, "--to", f"{nexus.url}/one")
    damaged = history(airgap).read_bytes()[:-30]
    history(airgap).write_bytes(damaged)
    airgap.run("import", bundle, "--to", f"{nexus.url}/two", "--output", "two")
    content = history(airgap).read_bytes()
    assert content.startswith(damaged + b"\n")
    assert json.loads(content.splitlines()[1])["number"] == 2
    assert ":1:" in airgap.fails(43, "history", "--verify").errors[0]


def test_an_import_that_fails_is_recorded_as_stopped(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    airgap.write("airgap-out/cert-manager.yaml", "")  # refused before anything is pushed: no line
    airgap.run("import", bundle, "--to", f"{nexus.url}/p", code=42)
    assert airgap.run("history", "--json").json == []
    bad = airgap.write("bad.tar", damaged(bundle))
    airgap.run("import", bad, "--to", f"{nexus.url}/p", "--output", "o", code=31)
    (entry,) = airgap.run("history", "--json").json
    assert (entry["outcome"], entry["images"]) == ("stopped", [])
    assert "stopped" in airgap.run("history").text


def test_without_a_place_for_the_history(airgap: Airgap, nexus: Registry, office: PublicKey) -> None:
    """An import without an approval goes on with a warning; one that needs an approval needs the record too."""
    airgap.write("file", "")
    nowhere = {"XDG_STATE_HOME": str(airgap.folder / "file")}
    target = ("import", "b.tar", "--to", f"{nexus.url}/p")
    assert "will not be in the history" in airgap.run(*target, environment=nowhere).stderr
    airgap.run("approve", "d", "--key", "office.key")
    before = nexus.names()
    approved = importing(nexus, "--approval", "d", "--state", "state")
    said = airgap.fails(42, *approved, environment=nowhere)
    assert "history.jsonl" in said.errors[0]
    assert nexus.names() == before
