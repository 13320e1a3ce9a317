# SPDX-License-Identifier: Apache-2.0
"""The doors for bytes from outside: what reads them, and seeds that lead far into it.

A door takes bytes and must return, or raise an :class:`AirgapError`. What it returns must hold what the door promises.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import zstandard

from airgap import recode
from airgap.bundle import Inventory, Lockfile, open_bundle, read_document
from airgap.dossier.budget import Budget
from airgap.dossier.scanning.archives import START_BYTES, archive_kind, open_spool
from airgap.dossier.scanning.result import ScanResult
from airgap.dossier.scanning.spool import Spool
from airgap.durable import Journal
from airgap.errors import AirgapError
from airgap.kube import revert_content, rewrite_content, scan
from airgap.nodes import toml, yaml_edit
from airgap.nodes.yaml_changes import Value
from airgap.oci import Descriptor, Reference, manifest
from airgap.registry.auth import challenge
from airgap.registry.download import BlobReader
from airgap.registry.pagination import read_list
from tests.cli.command import pod
from tests.dossier.scanned import ar_of, cpio_of, rpm_of, zip_of
from tests.fuzz import recoded
from tests.parts.images import tar_of

DIGEST = f"sha256:{'a' * 64}"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Door:
    """``read`` takes the bytes; ``seeds`` are valid ones."""

    read: Callable[[bytes], object]
    seeds: Sequence[bytes]


def _reference(content: bytes) -> None:
    reference = Reference.parse(content.decode("utf-8", "surrogateescape"))
    assert Reference.parse(str(reference)) == reference


def _manifest(content: bytes) -> None:
    parsed = manifest.parse(content, INDEX)
    assert parsed.content == content


def _scan(content: bytes) -> None:
    found = scan(content, "a.yaml", strict=False)
    sites = [(site, "reg.example/x/y:1") for site in found.sites if len(site.parts) == 1]
    with suppress(AirgapError):  # sites may overlap
        rewritten = rewrite_content(content, sites)
        assert revert_content(rewritten.content, rewritten.edits) == content


def _toml(content: bytes) -> None:
    settings = {("plugins", "io.containerd.grpc.v1.cri"): {"config_path": "/etc/containerd/certs.d"}}
    once = toml.set_keys(content.decode("utf-8", "replace"), settings)
    assert toml.set_keys(once, settings) == once


def _challenge(content: bytes) -> None:
    for parsed in challenge.parse([content.decode("latin-1")]):
        assert parsed.scheme


def _journal(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        assert all(isinstance(entry, dict) for entry in Journal.read(Path(file.name)))


def _document(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        read_document(file.name)


class _Answer:
    """A registry that gives one answer: to a list, and to a request for the rest of a blob of 9 bytes."""

    base_url = "https://r.example"
    status, body = 206, b"rest"
    transport = SimpleNamespace(aborted=False)

    def __init__(self, name: str, value: bytes) -> None:
        self.headers = Message()
        self.headers[name] = value.decode("latin-1").replace("\r", " ").replace("\n", " ")
        self.retry = SimpleNamespace(run=lambda what, action: action())

    def get(self, path: str, read: Callable[[Any], object], **options: object) -> object:
        return read(self)

    def open(self, path: str, **options: object) -> _Answer:
        return self

    def release(self) -> None:
        pass


def _link(content: bytes) -> None:
    client: Any = _Answer("Link", content)
    entries = iter(range(100))
    assert read_list(client, "/v2/_catalog?n=5", (), lambda _: [str(next(entries))], what="names", key=str)


def _content_range(content: bytes) -> None:
    client: Any = _Answer("Content-Range", content)
    BlobReader.open(client, "/v2/a/blobs/x", (), Descriptor("a/b", DIGEST, 9), 5)
    assert client.headers["Content-Range"].startswith("bytes ")


def _yaml_merge(content: bytes) -> None:
    changes = {"mirrors": {"quay.io": {"endpoint": Value(["https://r.example"]), "rewrite": None}}}
    once = yaml_edit.edit(content, changes, "registries.yaml")
    assert yaml_edit.edit(once, changes, "registries.yaml") == once


def _volumes(content: bytes) -> None:
    """Lines that are names of files in a folder, and the content of a file of checksums there."""
    with tempfile.TemporaryDirectory() as folder:
        names = [os.fsdecode(line) for line in content.split(b"\n") if line and not line.startswith(b"#")]
        for name in names:
            with suppress(OSError, ValueError):  # a name that no file can have
                Path(folder, name.replace("/", "_")).write_bytes(b"x" * 1024)
        Path(folder, "b.tar.sha256").write_bytes(content.replace(b"#", b""))
        with open_bundle(Path(folder, "b.tar")):
            pass


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _bundle(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(content)
        file.flush()
        with open_bundle(file.name) as bundle:
            assert bundle.inventory.members


def _archive(content: bytes) -> None:
    """Unpack what ``airgap scan`` unpacks, up to a megabyte."""
    kind = archive_kind(content[:START_BYTES])
    if not kind:
        return
    spool, left = Spool(), 1_000_000
    try:
        spool.write(content)
        for entry in open_spool(kind, spool, "a.gz", Budget(len(content), "a.gz")):
            assert entry.name.isprintable()
            assert ".." not in entry.path.split("/")
            for piece in entry.pieces():
                left -= len(piece)
                if left < 0:
                    return
    finally:
        spool.release()


def _scan_result(content: bytes) -> None:
    result = ScanResult.from_bytes(content, where="x")
    assert ScanResult.from_bytes(result.to_bytes(), where="x") == result


def doors(bundle: bytes) -> dict[str, Door]:
    """Every door; ``bundle`` is the content of a small bundle."""
    entry = {"digest": DIGEST, "mediaType": "a/b", "size": 1}
    image = {"reference": "q.io/a:1", **entry, "platforms": ["linux/amd64"]}
    document = {
        "format": 1, "features": [], "images": [image], "resources": [], "members": {"index.json": DIGEST},
        "blobs": [{**entry, "form": "plain"}], "requires": [],
    }  # fmt: skip
    lock = {"format": 1, "platforms": None, "images": {"q.io/a:1": entry}}
    pushed = {"source": "q.io/a:1", "target": "r.io/k/a:1", "digest": DIGEST}
    receipt = {"format": 1, "target": "r.io/k", "bundle": None, "images": [pushed], "blobs": {}}
    child = {**entry, "platform": {"os": "linux", "architecture": "arm64"}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}
    container = {"image": "q.io\\/a:1", "args": ["--image=b\u003a1", "--x", "q.io/c/d:2"]}
    configmap = (
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: "image: q.io/a/b:1\\n\\x41"\n'
        "  b: |\n    docker pull q.io/c:2\n"
    )
    scanned = {
        "format": 1, "bundle": "a" * 64, "engine": {"name": "x", "database": "1", "date": None}, "complete": False,
        "files": 1, "bytes": 1, "reused": 0, "findings": 1, "omissions": 0, "not_scanned": [],
        "found": [{"place": DIGEST, "file": "a!b", "digest": DIGEST, "size": 1, "signature": "E", "of": ["q/a:1"]}],
    }  # fmt: skip
    return {
        "reference": Door(_reference, [b"quay.io/a/b:1", f"[::1]:5000/a/b:1@{DIGEST}".encode(), b"nginx"]),
        "manifest": Door(_manifest, [_json(index)]),
        "inventory": Door(lambda content: Inventory.from_bytes(content, where="x"), [_json(document)]),
        "lock": Door(lambda content: Lockfile.from_bytes(content, where="x"), [_json(lock)]),
        "receipt": Door(_document, [_json(receipt)]),
        "challenge": Door(_challenge, [b'Bearer realm="https://a/b",service="c",scope="d:e:pull", Basic realm=x']),
        "yaml": Door(
            _scan,
            [
                pod("q.io/a:1", "&a 'b:2'").encode(),
                configmap.encode(),
                b"a: &x q.io/a:1\nb: *x\nimages: [{name: c, newTag: d}]\n",
            ],
        ),
        "json": Door(_scan, [_json({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}})]),
        "toml": Door(
            _toml,
            [b'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  a = """x\ny"""\n[[b.c]] # d\n  e = [1,\n 2]\n'],
        ),
        "link": Door(
            _link,
            [b'</v2/_catalog?n=5&last=a>; rel="next"', b"<?a=b>; rel=prev, <https://[::1]:5/x?last=%20b>; rel=next"],
        ),
        "content-range": Door(_content_range, [b"bytes 5-8/9", b"bytes 5-8/*"]),
        "yaml merge": Door(
            _yaml_merge,
            [
                b"mirrors:\n  docker.io:\n    endpoint: [a, 'b'] # c\n  quay.io: &x\n    rewrite: {'^a': b}\nc: {}\n",
                b"\xef\xbb\xbf{mirrors: {quay.io: {endpoint: [x]}}}\n",
            ],
        ),
        "volumes": Door(_volumes, [b"b.tar.001\nb.tar.002\n", b"b.tar.00001\n#" + b"a" * 64 + b"  b.tar.00001\n"]),
        "journal": Door(_journal, [b'{"a":1}\n{"b":[2]}\n']),
        "archive": Door(
            _archive,
            [
                tar_of({"a": b"x" * 600, "b": b"y"}),
                zip_of({"a": b"x" * 600, "b": b"y"}),
                gzip.compress(tar_of({"a": b"x"})),
                ar_of({"a": b"x"}),
                cpio_of({"a": b"x", "b": b"y"}),
                rpm_of(zstandard.compress(cpio_of({"a": b"x"}))),
                bz2.compress(b"a" * 900),
                lzma.compress(b"a" * 900),
            ],
        ),
        "scan result": Door(_scan_result, [_json(scanned)]),
        "tar": Door(_bundle, [bundle[:20_000]]),
        "zstd": Door(_bundle, [zstandard.ZstdCompressor(write_content_size=True).compress(bundle[:20_000])]),
        **(_recoded_doors() if recode.library_available() else {}),
    }


def _recoded_doors() -> dict[str, Door]:
    return {
        "recoded inventory": Door(recoded.restore_as_said, [recoded.inventory()]),
        "recoded payload": Door(recoded.restore_payload, recoded.payloads()),
        "older layer": Door(recoded.unpack_older_layer, [recoded.made().gzip]),
    }
