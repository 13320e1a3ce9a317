# SPDX-License-Identifier: Apache-2.0
"""``airgap scan`` with Debian's clamd and with programs: nothing is passed over, and what is not scanned fails."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import ANY

import pytest
import zstandard

from airgap.dossier.scanning.clamd import Clamd
from airgap.dossier.scanning.command import Command
from airgap.dossier.scanning.engine import EICAR
from airgap.dossier.scanning.result import ScanResult
from airgap.dossier.scanning.spool import Spool
from airgap.dossier.scanning.unscannable import Unscannable
from airgap.errors import BundleError, ScanFailure
from tests.cli.command import Airgap
from tests.dossier.scanned import (
    ar_of,
    bundle_of,
    bundle_of_layers,
    cpio_of,
    encrypted,
    rpm_of,
    zip_of,
)
from tests.dossier.test_layers import gnu_tar
from tests.parts.clamd import MAX_FILE_SIZE, SIGNATURE, Daemon, Relay, clamd
from tests.parts.images import Images, tar_of
from tests.parts.waiting import wait_until

pytestmark = pytest.mark.requires("clamd")
EMPTY_LAYER = {"etc/hostname": b"x\n"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with clamd(tmp_path_factory.mktemp("clamd")) as daemon:
        yield daemon


def scan(airgap: Airgap, *arguments: str | Path, code: int = 0, **more: Any) -> dict[str, Any]:
    """Run a scan; return its result."""
    result = airgap.run("scan", *arguments, "--json", "--force", code=code, **more)
    assert result.json == json.loads((airgap.folder / "scan.json").read_bytes())
    document: dict[str, Any] = result.json
    return document


def found(document: dict[str, Any]) -> dict[str, str]:
    return {entry["file"]: entry["signature"] for entry in document["found"]}


def reasons(document: dict[str, Any]) -> dict[str, str]:
    return {entry["file"]: entry["reason"] for entry in document["not_scanned"]}


def test_eicar_is_found_wherever_it_is(airgap: Airgap, engine: Daemon) -> None:
    compressed = {
        "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.compress,
    }  # fmt: skip
    archives = {f"opt/a.tar.{suffix}": compress(tar_of({"e": EICAR})) for suffix, compress in compressed.items()}
    first = {
        "bin/deleted": EICAR,
        "srv/outer.tar": tar_of({"inner.zip": zip_of({"e.com": EICAR, "other": b"harmless"})}),
        "srv/a.deb": ar_of({"debian-binary": b"2.0\n", "data.tar.xz": lzma.compress(tar_of({"usr/bin/e": EICAR}))}),
        "srv/a.rpm": rpm_of(zstandard.compress(cpio_of({"usr/bin/e": EICAR}))),
        "srv/a.jar": zip_of({"META-INF/MANIFEST.MF": b"", "lib/b.whl": zip_of({"e.py": EICAR})}),
        **archives,
    }
    bundle = bundle_of(airgap.folder / "b.tar", first, {"bin/.wh.deleted": b"", **EMPTY_LAYER})
    document = scan(airgap, bundle, "--clamd", engine.socket, code=44)
    places = found(document)
    assert set(places.values()) == {SIGNATURE}
    assert places.keys() >= {
        "bin/deleted", "srv/outer.tar!inner.zip!e.com", "srv/a.deb!data.tar.xz!data.tar!usr/bin/e",
        "srv/a.rpm!usr/bin/e", "srv/a.jar!lib/b.whl!e.py",
        *(f"opt/a.tar.{suffix}!a.tar!e" for suffix in compressed),
    }  # fmt: skip
    assert document["not_scanned"] == []
    assert document["complete"] is False
    assert document["engine"]["name"].startswith("ClamAV ")
    deleted = next(entry for entry in document["found"] if entry["file"] == "bin/deleted")
    assert deleted["of"] == ["quay.io/a/x:v1"]
    assert deleted["digest"] == "sha256:275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
    said = airgap.run("scan", bundle, "--clamd", engine.socket, code=44)
    assert f"found {SIGNATURE}: bin/deleted (sha256:" in said.text
    assert "with a finding, 0 files not scanned" in said.errors[0]


def test_a_clean_bundle(airgap: Airgap, engine: Daemon) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {"srv/a.zip": zip_of({"x": b"1", "y": b"2"})})
    document = scan(airgap, bundle, "--clamd", engine.socket, "--files", "files.jsonl")
    assert document["complete"] is True
    assert document["bundle"] == airgap.run("inspect", bundle).text.partition("ID ")[2].split()[0]
    lines = [json.loads(line) for line in (airgap.folder / "files.jsonl").read_text().splitlines()]
    assert document["files"] == len(lines)
    assert {line["file"] for line in lines} == {"", "srv/a.zip", "srv/a.zip!x", "srv/a.zip!y"}
    assert {line["place"] for line in lines} >= {"airgap/resources/0001.yaml", "airgap/bundle.json", "index.json"}
    assert {line["verdict"] for line in lines} == {"clean"}
    assert ScanResult.from_bytes((airgap.folder / "scan.json").read_bytes(), where="x").clean


def test_a_file_above_the_limit_of_clamd_fails(airgap: Airgap, engine: Daemon, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "sparse").open("wb") as file:
        file.truncate(3 * 2**30)
    large = os.urandom(MAX_FILE_SIZE)
    (tree / "at-the-limit").write_bytes(large)
    (tree / "above").write_bytes(large + b"x")
    # Its content is scanned, and nothing else is in it.
    (tree / "large.tar").write_bytes(tar_of({"a": large, "b": b"x"}))
    (tree / "large.zip").write_bytes(zip_of({"a": large, "b": b"x"}, 0))
    images = Images(1)
    layer = images.layer_of(gnu_tar(tree, "--sparse"))
    bundle = bundle_of_layers(airgap.folder / "b.tar", images, layer)
    document = scan(airgap, bundle, "--clamd", engine.socket, "--files", "files.jsonl", code=44)
    assert reasons(document) == {"sparse": "too-large", "above": "too-large", "large.zip": "too-large"}
    sizes = {entry["file"]: entry["size"] for entry in document["not_scanned"]}
    assert sizes["sparse"] == 3 * 2**30
    files = [json.loads(line) for line in (airgap.folder / "files.jsonl").read_text().splitlines()]
    clean = {line["file"] for line in files if line["verdict"] == "clean" and line["place"] == layer.descriptor.digest}
    assert clean == {"at-the-limit", "large.tar!a", "large.tar!b"}
    assert document["complete"] is False
    said = airgap.run("scan", bundle, "--clamd", engine.socket, code=44)
    assert "not scanned: sparse (sha256:" in said.text
    assert "0 files with a finding, 3 files not scanned" in said.errors[0]


def test_a_large_file_in_a_compressed_file(airgap: Airgap, engine: Daemon) -> None:
    """Its size is known only when it is unpacked."""
    bundle = bundle_of(airgap.folder / "b.tar", {"a.gz": gzip.compress(bytes(MAX_FILE_SIZE + 1))})
    assert reasons(scan(airgap, bundle, "--clamd", engine.socket, code=44)) == {"a.gz!a": "too-large"}


def test_what_cannot_be_unpacked_fails(airgap: Airgap, engine: Daemon) -> None:
    harmless = zip_of({"x": b"harmless" * 100})
    nested = {"x": b"harmless"}
    for number in range(9):
        nested = {f"{number}.tar.gz": gzip.compress(tar_of(nested))}
    hidden = zip_of({"seen": b"1"})
    start = hidden.index(b"PK\1\2")
    local = harmless[: harmless.index(b"PK\1\2")]
    bundle = bundle_of(
        airgap.folder / "b.tar",
        {
            "secret.zip": encrypted(harmless),
            "cut.zip": harmless[:-30],
            "cut.tar.gz": gzip.compress(tar_of({"a": b"b" * 3000}))[:-60],
            "bomb.zst": zstandard.compress(zstandard.compress(bytes(MAX_FILE_SIZE + 1))),
            "payload.rpm": rpm_of(b"something else"),
            "method.zip": harmless.replace(b"\x08\0", b"\x61\0", 2),
            "hidden.zip": shifted(hidden, start, local),
            **nested,
        },
    )
    document = scan(airgap, bundle, "--clamd", engine.socket, code=44)
    deep = "8.tar.gz!8.tar" + "".join(f"!{n}.tar.gz!{n}.tar" for n in range(7, 0, -1)) + "!0.tar.gz"
    assert reasons(document) == {
        "secret.zip!x": "encrypted", "cut.zip": "damaged", "cut.tar.gz!cut.tar": "damaged",
        "bomb.zst!bomb!bomb": "too-large", "payload.rpm": "damaged", "method.zip!x": "damaged",
        f"hidden.zip!(bytes {start:,} to {start + len(local):,}, of no file)": "damaged", deep: "too-deep",
    }  # fmt: skip


def test_bombs_end_the_scan_of_what_has_them(airgap: Airgap, engine: Daemon) -> None:
    bomb = zstandard.compress(zstandard.compress(bytes(MAX_FILE_SIZE - 1)))
    bundle = bundle_of(airgap.folder / "b.tar", {"a": EICAR, "b.zst": bomb, "c": b"1"}, {"d": EICAR})
    limit = {"AIRGAP_LIMITS": "archive-bytes=1MiB"}
    document = scan(airgap, bundle, "--clamd", engine.socket, code=44, environment=limit)
    assert reasons(document) == {"b.zst!b!b": "limit"}
    assert found(document).keys() == {"a", "d"}


def shifted(archive: bytes, start: int, inserted: bytes) -> bytes:
    """A zip with something between its files and its directory, whose offset is corrected."""
    made = bytearray(archive[:start] + inserted + archive[start:])
    end = made.rindex(b"PK\5\6")
    made[end + 16 : end + 20] = (start + len(inserted)).to_bytes(4, "little")
    return bytes(made)


def test_verdicts_are_kept_for_the_same_database(airgap: Airgap, engine: Daemon, tmp_path: Path) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {"a": b"1", "b": b"2", "c.zip": zip_of({"d": b"3"})}, EMPTY_LAYER)
    again = bundle_of(airgap.folder / "c.tar", {"a": b"1", "other": b"4"})
    with Relay(tmp_path / "relayed", engine.socket) as relay:
        to_clamd = ("--clamd", relay.path)
        relay.version = b"ClamAV 1.4.3/27500/Thu Nov 26 09:00:00 2026"
        first = scan(airgap, bundle, *to_clamd)
        assert first["engine"] == {"name": "ClamAV 1.4.3", "database": "27500", "date": "2026-11-26 09:00:00"}
        assert first["reused"] == 0
        assert scan(airgap, bundle, *to_clamd) == {**first, "reused": first["files"], "bytes": ANY}
        # Some of its content was in the first bundle.
        partly = scan(airgap, again, *to_clamd)
        assert 0 < partly["reused"] < partly["files"]
        assert scan(airgap, bundle, *to_clamd, "--files", "f")["reused"] == first["files"]
        assert scan(airgap, bundle, *to_clamd, "--state", "elsewhere")["reused"] == 0
        # Where archives are read to another depth, layers are read again, and each file is known.
        deeper = scan(airgap, bundle, *to_clamd, environment={"AIRGAP_LIMITS": "scan-depth=3"})
        assert (deeper["reused"], deeper["bytes"]) == (first["files"], first["bytes"])
        for other in (b"27501/Thu Nov 26 09:00:00 2026", b"27501/Thu Nov 26 10:00:00 2026"):
            relay.version = b"ClamAV 1.4.3/" + other
            assert scan(airgap, bundle, *to_clamd)["reused"] == 0


def test_verdicts_without_a_known_database_are_not_kept(airgap: Airgap, engine: Daemon) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", EMPTY_LAYER)
    to_clamd = ("--clamd", engine.socket)
    assert "no verdict is kept" in airgap.run("scan", bundle, *to_clamd).stderr
    assert scan(airgap, bundle, *to_clamd)["reused"] == 0
    assert scan(airgap, bundle, *to_clamd, "--database", "monday")["reused"] == 0
    again = scan(airgap, bundle, *to_clamd, "--database", "monday")
    kept = airgap.home / ".local/state/airgap/scan-verdicts.sqlite"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert again["reused"] == again["files"]
    assert scan(airgap, bundle, *to_clamd, "--database", "tuesday")["reused"] == 0


def test_findings_are_never_kept(airgap: Airgap, engine: Daemon) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {"e": EICAR, "other": b"1"})
    for _ in range(2):
        document = scan(airgap, bundle, "--clamd", engine.socket, "--database", "monday", code=44)
        assert found(document) == {"e": SIGNATURE}


def test_clamd_over_tcp(airgap: Airgap, engine: Daemon) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {"e": EICAR, "large": os.urandom(MAX_FILE_SIZE + 1)})
    document = scan(airgap, bundle, "--clamd", engine.tcp, code=44)
    assert (found(document), reasons(document)) == ({"e": SIGNATURE}, {"large": "too-large"})


def test_clamd_without_descriptors(airgap: Airgap, engine: Daemon, tmp_path: Path) -> None:
    """Behind a relay no descriptor arrives: the bytes are sent."""
    bundle = bundle_of(airgap.folder / "b.tar", {"e": EICAR})
    path = tmp_path / "relayed"
    with Relay(path, engine.socket):
        assert found(scan(airgap, bundle, "--clamd", path, code=44)) == {"e": SIGNATURE}


def test_an_engine_that_stops_midway_fails(airgap: Airgap, engine: Daemon, tmp_path: Path) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {f"f{number}": b"%d" % number for number in range(30)})
    path = tmp_path / "relayed"
    with Relay(path, engine.socket, most=12):
        result = airgap.run("scan", bundle, "--clamd", path, "--database", "monday", code=44)
    assert "clamd does not answer" in result.errors[0]
    assert "start it, then run the same command again" in result.stderr
    assert not (airgap.folder / "scan.json").exists()
    assert scan(airgap, bundle, "--clamd", engine.socket, "--database", "monday")["reused"] > 0


def test_an_engine_without_signatures_is_refused(airgap: Airgap, tmp_path: Path) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", EMPTY_LAYER)
    path = tmp_path / "deaf"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                received = b""
                while len(received) < len(b"zFILDES\0x"):
                    received += client.recv(100)
                client.sendall(b"fd[1]: OK\0")

        thread = threading.Thread(target=answer)
        thread.start()
        result = airgap.run("scan", bundle, "--clamd", path, code=51)
        thread.join()
    assert "does not find the EICAR test file" in result.errors[0]


SCANNER = """#!/bin/sh
# Finds EICAR; fails for a file that says so.
[ "$1" = - ] && file=/dev/stdin || file=$1
content=$(cat "$file")
case $content in
  *EICAR-STANDARD*) echo "checked"; echo "EICAR!"; exit 1 ;;
  *broken*) echo "cannot read this"; exit 3 ;;
  *slow*) sleep 60 ;;
esac
"""


@pytest.mark.parametrize("arguments", ["{}", "-"])
def test_a_command(airgap: Airgap, arguments: str) -> None:
    program = airgap.write("scanner", SCANNER)
    program.chmod(0o755)
    bundle = bundle_of(airgap.folder / "b.tar", {"e.zip": zip_of({"e": EICAR}), "bad": b"broken", "good": b"1"})
    document = scan(airgap, bundle, "--command", f"{program} {arguments}", code=44)
    assert found(document) == {"e.zip!e": "EICAR!"}
    assert reasons(document) == {"bad": "engine"}
    assert "exit code 3: cannot read this" in document["not_scanned"][0]["detail"]
    assert document["engine"] == {"name": f"{program} {arguments}", "database": None, "date": None}


def test_a_command_that_does_not_end(airgap: Airgap) -> None:
    program = airgap.write("scanner", SCANNER)
    program.chmod(0o755)
    bundle = bundle_of(airgap.folder / "b.tar", {"bad": b"slow"})
    limit = {"AIRGAP_LIMITS": "scan-time=1"}
    document = scan(airgap, bundle, "--command", f"{program} {{}}", code=44, environment=limit)
    assert reasons(document) == {"bad": "engine"}


def test_large_files_are_not_given_to_a_command(airgap: Airgap) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {"large": bytes(2000), "small": b"1"})
    document = scan(
        airgap, bundle, "--command", "true {}", code=44, environment={"AIRGAP_LIMITS": "scan-file-bytes=1999"}
    )
    assert "large" in reasons(document)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "which engine"),
        (("--clamd", "x", "--command", "y {}"), "which engine"),
        (("--clamd", "nonsense"), "neither the path of a socket nor HOST:PORT"),
        (("--command", "cat"), "no place for the file"),
        (("--command", "cat '{}"), "cannot be read"),
        (("--command", "not-there {}"), "not-there is not on the PATH"),
        (("--command", "true {}", "--state", ""), "--state names no folder"),
    ],
)
def test_mistakes(airgap: Airgap, arguments: tuple[str, ...], says: str) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", EMPTY_LAYER)
    assert says in airgap.run("scan", bundle, *arguments, code=2).errors[0]
    assert not (airgap.folder / "scan.json").exists()


def test_nobody_listens(airgap: Airgap) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", EMPTY_LAYER)
    result = airgap.run("scan", bundle, "--clamd", "./nobody.ctl", code=44)
    assert "clamd does not answer: No such file" in result.errors[0]


def test_every_form_of_a_bundle(airgap: Airgap) -> None:
    plain = bundle_of(airgap.folder / "b.tar", {"e": EICAR}, EMPTY_LAYER)
    content = plain.read_bytes()
    half = len(content) // 2
    (airgap.folder / "v.tar.001").write_bytes(content[:half])
    (airgap.folder / "v.tar.002").write_bytes(content[half:])
    bundle_of(airgap.folder / "z.tar.zst", {"e": EICAR}, EMPTY_LAYER)
    engine = ("--command", "grep -q EICAR-STANDARD {}")
    command = airgap.write("engine", '#!/bin/sh\n! grep -q EICAR-STANDARD "$1"\n')
    command.chmod(0o755)
    engine = ("--command", f"{command} {{}}")
    whole = scan(airgap, "b.tar", *engine, code=44)
    assert found(whole).keys() == {"e"}
    for name in ("v.tar.002", "z.tar.zst"):
        assert scan(airgap, name, *engine, code=44) == whole
    assert scan(airgap, "-", *engine, code=44, stdin=content) == whole


def test_a_damaged_bundle_has_no_result(airgap: Airgap) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {"e": os.urandom(5000)})
    content = bytearray(bundle.read_bytes())
    content[-2000] ^= 1
    bundle.write_bytes(content)
    airgap.run("scan", bundle, "--command", "true {}", code=31)
    assert not (airgap.folder / "scan.json").exists()


def test_what_is_written(airgap: Airgap) -> None:
    one, other = bundle_of(airgap.folder / "b.tar", EMPTY_LAYER), bundle_of(airgap.folder / "c.tar", {"x": b"y"})
    dry = airgap.run("scan", one, "--command", "true {}", "--dry-run")
    assert "3 blobs" in dry.text
    assert not (airgap.folder / "scan.json").exists()
    airgap.run("scan", one, "--command", "true {}")
    first = (airgap.folder / "scan.json").read_bytes()
    # The result of the same bundle is replaced, another one is not.
    airgap.run("scan", one, "--command", "true {}")
    assert (airgap.folder / "scan.json").read_bytes() == first
    assert "already there" in airgap.run("scan", other, "--command", "true {}", code=42).errors[0]
    airgap.run("scan", other, "--command", "true {}", "--force")
    assert (airgap.folder / "scan.json").read_bytes() != first
    airgap.run("scan", other, "--command", "true {}", "-o", "other.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("bundle"),
        lambda document: document.update(format=2),
        lambda document: document.update(bundle="../x"),
        lambda document: document.update(findings=7),
        lambda document: document.update(found=[{}]),
        lambda document: document.update(not_scanned=3),
    ],
)
def test_results_that_are_none(change: Any) -> None:
    document: dict[str, Any] = {
        "format": 1, "bundle": "a" * 64, "engine": {"name": "x", "database": None, "date": None}, "complete": True,
        "files": 1, "bytes": 1, "reused": 0, "findings": 0, "omissions": 0, "found": [], "not_scanned": [],
    }  # fmt: skip
    assert ScanResult.from_bytes(json.dumps(document).encode(), where="x").clean
    change(document)
    with pytest.raises(BundleError):
        ScanResult.from_bytes(json.dumps(document).encode(), where="x")


def test_attached_documents_are_scanned(prepared: Airgap, engine: Daemon) -> None:
    prepared.write("report.zip", zip_of({"e": EICAR}))
    prepared.run("export", "cert-manager.yaml", "--attach", "report.zip", "-o", "b.tar")
    document = scan(prepared, "b.tar", "--clamd", engine.socket, code=44)
    places = {(entry["place"], entry["file"]) for entry in document["found"]}
    assert places == {("airgap/attached/0001.zip", ""), ("airgap/attached/0001.zip", "e")}


def test_a_program_that_is_being_started_during_an_interrupt_is_ended() -> None:
    engine = Command("sleep {}")
    engine.abort()
    with pytest.raises(Unscannable, match="ended with exit code -9"):
        engine.scan(cast(Spool, SimpleNamespace(name="600")))


def test_a_connection_that_is_being_opened_during_an_interrupt_is_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = Clamd(f"127.0.0.1:{silent.getsockname()[1]}")
        engine.abort()
        with pytest.raises(ScanFailure, match="clamd does not answer"):
            engine.identify()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_engine_too(airgap: Airgap, how: signal.Signals) -> None:
    program = airgap.write("scanner", '#!/bin/sh\ngrep -q slow "$1" && { echo $$ > pid; sleep 600; }\nexit 0\n')
    program.chmod(0o755)
    bundle = bundle_of(airgap.folder / "b.tar", {"a": b"fast", "b": b"slow"})
    process = airgap.started("scan", bundle, "--command", f"{program} {{}}", "--database", "monday")
    try:
        pid = int(wait_until(lambda: (airgap.folder / "pid").exists() and (airgap.folder / "pid").read_text()))
        process.send_signal(how)
        _, stderr = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 130, stderr.decode()
    assert "error: stopped" in stderr.decode()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert not (airgap.folder / "scan.json").exists()
    # What was scanned before is not scanned again.
    program.write_text("#!/bin/sh\nexit 0\n")
    assert scan(airgap, bundle, "--command", f"{program} {{}}", "--database", "monday")["reused"] > 0


def test_an_interrupt_does_not_wait_for_clamd(airgap: Airgap, tmp_path: Path) -> None:
    bundle = bundle_of(airgap.folder / "b.tar", {"a": b"1"})
    asked = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "slow"))
        listener.listen()

        def answer() -> None:
            """EICAR is found, the version told, and then nothing more is answered."""
            held = []
            for reply in (b"fd[1]: Eicar FOUND\0", b"ClamAV 1.4.3\0", b""):
                client, _ = listener.accept()
                held.append(client)
                client.recv(100)
                client.sendall(reply)
            asked.set()
            for client in held:
                while client.recv(1000):
                    pass
                client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        process = airgap.started("scan", bundle, "--clamd", tmp_path / "slow")
        try:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=20)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
            thread.join()
    assert process.returncode == 130, stderr.decode()


@pytest.mark.requires("dpkg-deb", "ar")
def test_packages_of_debian(airgap: Airgap, engine: Daemon, tmp_path: Path) -> None:
    """What dpkg-deb writes, with each compression that it knows."""
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    )
    (root / "usr").mkdir()
    (root / "usr" / "e").write_bytes(EICAR)
    packages = {}
    for kind in ("gzip", "xz", "zstd", "none"):
        command = ["dpkg-deb", f"-Z{kind}", "--root-owner-group", "--build", str(root), str(tmp_path / f"{kind}.deb")]
        subprocess.run(command, check=True, capture_output=True)
        packages[f"{kind}.deb"] = (tmp_path / f"{kind}.deb").read_bytes()
    document = scan(airgap, bundle_of(airgap.folder / "b.tar", packages), "--clamd", engine.socket, code=44)
    assert document["not_scanned"] == []
    assert found(document).keys() >= {
        "gzip.deb!data.tar.gz!data.tar!usr/e", "xz.deb!data.tar.xz!data.tar!usr/e", "none.deb!data.tar!usr/e",
        "zstd.deb!data.tar.zst!data.tar!usr/e",
    }  # fmt: skip
