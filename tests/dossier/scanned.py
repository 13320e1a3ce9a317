# SPDX-License-Identifier: Apache-2.0
"""Bundles to scan: what layers are made of, archives of all kinds, and where EICAR is in them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from airgap.bundle import Extras, Resource
from tests.bundle.bundles import Content
from tests.parts.images import Images, Layer


def zip_of(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return made.getvalue()


def encrypted(archive: bytes) -> bytes:
    """A zip that says of all its files that they are encrypted."""
    made = bytearray(archive)
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = made.find(magic)
        while start >= 0:
            made[start + offset] |= 1
            start = made.find(magic, start + 4)
    return bytes(made)


def ar_of(files: Mapping[str, bytes]) -> bytes:
    """An ``ar`` archive, as in Debian's packages."""
    made = b"!<arch>\n"
    for name, content in files.items():
        made += f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        made += content + b"\n" * (len(content) % 2)
    return made


def cpio_of(files: Mapping[str, bytes]) -> bytes:
    """A ``cpio`` archive of the form newc, as in rpms."""
    made = b""
    for name, content in [*files.items(), ("TRAILER!!!", b"")]:
        raw = name.encode() + b"\0"
        numbers = (1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0)
        entry = b"070701" + b"".join(b"%08x" % number for number in numbers) + raw
        made += entry + bytes(-len(entry) % 4) + content + bytes(-len(content) % 4)
    return made


def rpm_of(payload: bytes) -> bytes:
    """An rpm with this payload and headers that say nothing: a lead, a signature header padded to 8 bytes, a header."""
    index = bytes(4) + (7).to_bytes(4, "big") + bytes(8)
    head = b"\x8e\xad\xe8\x01" + bytes(4) + (1).to_bytes(4, "big") + (5).to_bytes(4, "big") + index + b"hello"
    return b"\xed\xab\xee\xdb".ljust(96, b"\0") + head + bytes(3) + head + payload


def bundle_of(path: Path, *layers: Mapping[str, bytes], images: Images | None = None) -> Path:
    """A bundle of one image, ``quay.io/a/x:v1``, with these files in its layers, and one resource file."""
    images = images or Images(1)
    return bundle_of_layers(path, images, *[images.layer(files) for files in layers])


def bundle_of_layers(path: Path, images: Images, *layers: Layer) -> Path:
    image = images.image(layers=list(layers))
    Content(images, {"quay.io/a/x:v1": image}).write(path, Extras([Resource("a.yaml", b"kind: Pod\n")]))
    return path
