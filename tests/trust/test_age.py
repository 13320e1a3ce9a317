# SPDX-License-Identifier: Apache-2.0
"""age's format: our files are opened by Debian's age with every kind of key, and its files by us."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from airgap.errors import AirgapError, SignatureFailure, UsageError
from airgap.trust import bech32
from airgap.trust.age_header import MAX_HEADER, Header, Wrap
from airgap.trust.age_keys import (
    Identity,
    find_file_key,
    parse_identities,
    parse_recipient,
    passphrase_identity,
    passphrase_recipient,
)
from airgap.trust.age_stream import CHUNK, NONCE, SEALED_CHUNK, Chunks, Sealer, chunk_count, content_size

#: Sizes about the ends of chunks.
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]
#: An identity.
SECRET = bech32.encode(bytes(range(32)), "age-secret-key-").upper()


def sealed(content: bytes, recipients: Sequence[Wrap]) -> bytes:
    sealer, count = Sealer(recipients), chunk_count(len(content))
    chunks = [
        sealer.chunks.seal(number, content[number * CHUNK : (number + 1) * CHUNK], last=number == count - 1)
        for number in range(count)
    ]
    whole = sealer.start + b"".join(chunks)
    assert len(whole) == sealer.size(len(content))
    return whole


def opened(whole: bytes, identities: Sequence[Identity]) -> bytes | None:
    header = Header.parse(whole[:MAX_HEADER], where="x")
    file_key = find_file_key(header.stanzas, identities)
    if file_key is None:
        return None
    header.check(file_key, where="x")
    chunks, body = Chunks(file_key, whole[header.size : header.size + NONCE]), whole[header.size + NONCE :]
    size = content_size(len(body))
    if size is None:
        raise SignatureFailure("no such size")
    count = chunk_count(size)
    pieces = [body[number * SEALED_CHUNK : (number + 1) * SEALED_CHUNK] for number in range(count)]
    return b"".join(
        chunks.open(number, piece, last=number == count - 1, where="x") for number, piece in enumerate(pieces)
    )


def identities(content: bytes) -> list[Identity]:
    return parse_identities(content, where="x", ask=None)


def recipient_of(secret: str) -> Wrap:
    from airgap.trust.age_crypto import x25519_public

    public = bech32.decode(secret, "AGE-SECRET-KEY-")
    assert public is not None
    return parse_recipient(bech32.encode(x25519_public(public), "age"), where="x")


def test_bech32() -> None:
    """The valid and invalid strings of BIP 173, and keys of any length."""
    assert bech32.decode("A12UEL5L", "A") == b""
    assert bech32.decode("a12uel5l", "a") == b""
    for wrong in ("a12UEL5L", "a12uel5k", "b12uel5l", "a1", "a12uel5", "a12ubl5l"):
        assert bech32.decode(wrong, "a") is None
    for length in range(40):
        content = bytes(range(length))
        assert bech32.decode(bech32.encode(content, "age"), "age") == content


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens(size: int) -> None:
    content = random.Random(size).randbytes(size)
    whole = sealed(content, [recipient_of(SECRET), recipient_of(bech32.encode(bytes(32), "age-secret-key-").upper())])
    assert opened(whole, identities(SECRET.encode())) == content
    assert opened(whole, identities(bech32.encode(b"x" * 32, "age-secret-key-").upper().encode())) is None
    assert opened(whole, []) is None


def test_every_changed_bit_is_found() -> None:
    """Of the header each, of the chunks a sample; and a file that is cut or has more at its end."""
    content = random.Random(1).randbytes(CHUNK + 10)
    good = sealed(content, [recipient_of(SECRET)])
    known = identities(SECRET.encode())
    header = Header.parse(good, where="x").size
    places = [*range(header * 8), *range(header * 8, len(good) * 8, 9973)]
    unnoticed = []
    for bit in places:
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            if opened(bytes(changed), known) is not None:
                unnoticed.append(bit)
        except (AirgapError, ValueError):
            pass
    assert unnoticed == []
    for wrong in (good[:-1], good + b"x", good[:-26], good[: header + NONCE + SEALED_CHUNK], good[: header + NONCE]):
        with pytest.raises(SignatureFailure):
            opened(wrong, known)


def test_a_passphrase() -> None:
    whole = sealed(b"content", [passphrase_recipient("비밀 번호", work=10)])
    assert opened(whole, [passphrase_identity("비밀 번호")]) == b"content"
    assert opened(whole, [passphrase_identity("other")]) is None
    # A file that costs too much to try is refused before anything is computed.
    assert opened(whole.replace(b" 10\n", b" 30\n"), [passphrase_identity("비밀 번호")]) is None


@pytest.mark.parametrize("line", ["", "age1qqqq", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAA", "x" * 5000])
def test_what_is_no_recipient(line: str) -> None:
    with pytest.raises(UsageError, match="no recipient"):
        parse_recipient(line, where="x")


@pytest.mark.parametrize(
    "content", [b"", b"# only\n", b"AGE-SECRET-KEY-1QQ\n", b"\xff", b"-----BEGIN PRIVATE KEY-----\n"]
)
def test_what_is_no_identity(content: bytes) -> None:
    with pytest.raises(UsageError):
        identities(content)


def test_without_the_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(AirgapError, match="cryptography, which is not installed"):
        identities(SECRET.encode())


@pytest.mark.interop
@pytest.mark.requires("age", "ssh-keygen")
def test_age_opens_ours_and_we_open_its(tmp_path: Path) -> None:
    run(tmp_path, "age-keygen", "-o", "age.key")
    for kind, options in (("ed25519", ()), ("rsa", ("-b", "2048"))):
        run(tmp_path, "ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-C", "", "-f", kind)
    lines = [run(tmp_path, "age-keygen", "-y", "age.key").decode().strip()]
    lines += [(tmp_path / f"{kind}.pub").read_text().strip() for kind in ("ed25519", "rsa")]
    content = os.urandom(CHUNK + 5)
    (tmp_path / "ours").write_bytes(sealed(content, [parse_recipient(line, where="x") for line in lines]))
    (tmp_path / "plain").write_bytes(content)
    theirs = run(tmp_path, "age", "-e", *(part for line in lines for part in ("-r", line)), "plain")
    for name in ("age.key", "ed25519", "rsa"):
        assert run(tmp_path, "age", "-d", "-i", name, "ours") == content
        assert opened(theirs, identities((tmp_path / name).read_bytes())) == content


@pytest.mark.requires("ssh-keygen")
def test_an_ssh_key_with_a_passphrase(tmp_path: Path) -> None:
    run(tmp_path, "ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-C", "", "-f", "key")
    whole = sealed(b"content", [parse_recipient((tmp_path / "key.pub").read_text(), where="x")])
    key = (tmp_path / "key").read_bytes()
    assert opened(whole, parse_identities(key, where="key", ask=lambda path: "secret")) == b"content"
    with pytest.raises(UsageError, match="cannot be read"):
        parse_identities(key, where="key", ask=lambda path: "wrong")
    with pytest.raises(UsageError, match="no terminal"):
        parse_identities(key, where="key", ask=None)


def run(folder: Path, *command: str) -> bytes:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60).stdout
