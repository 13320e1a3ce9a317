# SPDX-License-Identifier: Apache-2.0
"""Keys and signatures in minisign's format: one form only, and Debian's minisign reads and writes the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airgap.errors import SignatureFailure, UsageError
from airgap.trust.minisign import PublicKey, Signature, check_comment
from airgap.trust.secret_key import SecretKey

CONTENT = b'{"format":1}'


@pytest.fixture(scope="module")
def key() -> SecretKey:
    return SecretKey.generate()


def refused(signature: bytes, key: PublicKey, content: bytes = CONTENT) -> bool:
    try:
        Signature.from_bytes(signature, where="x").check(key, content, where="x")
    except SignatureFailure:
        return True
    return False


def test_equal_content_gives_equal_signatures(key: SecretKey) -> None:
    first, second = (key.sign(CONTENT, "version 1.10 한글").to_bytes() for _ in "12")
    assert first == second
    assert not refused(first, key.public_key)
    assert first.decode().splitlines()[2] == "trusted comment: version 1.10 한글"
    assert refused(first, key.public_key, CONTENT + b" ")
    assert refused(first, SecretKey.generate().public_key)


def test_every_changed_bit_of_a_signature_is_found(key: SecretKey) -> None:
    good = key.sign(CONTENT, "a comment").to_bytes()
    unnoticed = []
    # The whole file in steps that meet each bit of a byte and each part of the file.
    for bit in range(0, len(good) * 8, 7):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        if not refused(bytes(changed), key.public_key):
            unnoticed.append(bit)
    assert unnoticed == []
    for changed_file in (good[:-1], good + b"\n", good.replace(b"\n", b"\r\n"), good + good, b"", b"\n\n\n\n"):
        assert refused(changed_file, key.public_key)


def test_public_keys_are_read_in_both_forms(key: SecretKey) -> None:
    public = key.public_key
    assert PublicKey.from_bytes(public.to_bytes(), where="x") == public
    assert PublicKey.from_bytes(public.text.encode(), where="x") == public
    assert f"minisign public key {public.id}" in public.to_bytes().decode()
    for wrong in (b"", b"untrusted comment: x\n", b"RWQ=", b"\xff\x00", key.sign(CONTENT, "x").to_bytes()):
        with pytest.raises(UsageError, match="no public key"):
            PublicKey.from_bytes(wrong, where="x")
    with pytest.raises(UsageError, match="secret key"):
        PublicKey.from_bytes(key.to_bytes(""), where="x")


@pytest.mark.parametrize("comment", ["two\nlines", "\x1b[31m", "x" * 1025])
def test_comments_are_one_printable_line(comment: str) -> None:
    with pytest.raises(UsageError, match="one line"):
        check_comment(comment)


def test_a_key_with_a_passphrase() -> None:
    made = SecretKey.generate()
    signature = made.sign(CONTENT, "x")
    content = made.to_bytes("비밀 번호")
    with pytest.raises(UsageError, match="no terminal"):
        SecretKey.from_bytes(content, where="k", ask=None)
    with pytest.raises(UsageError, match="wrong passphrase"):
        SecretKey.from_bytes(content, where="k", ask=lambda path: f"{path} wrong")
    opened = SecretKey.from_bytes(content, where="k", ask=lambda path: "비밀 번호")
    assert opened.sign(CONTENT, "x") == signature
    with pytest.raises(UsageError, match="no secret key"):
        SecretKey.from_bytes(b"untrusted comment: x\nabc\n", where="k", ask=None)


@pytest.mark.interop
@pytest.mark.requires("minisign")
def test_minisign_verifies_what_we_sign(tmp_path: Path) -> None:
    made = SecretKey.generate()
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "k.pub").write_bytes(made.public_key.to_bytes())
    (tmp_path / "s").write_bytes(made.sign(CONTENT, "version 1.10 한글").to_bytes())
    said = run(tmp_path, "-V", "-p", "k.pub", "-x", "s", "-m", "content")
    assert "Signature and comment signature verified" in said
    assert "version 1.10 한글" in said


@pytest.mark.interop
@pytest.mark.requires("minisign")
def test_we_verify_what_minisign_signs_and_use_its_keys(tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(CONTENT)
    run(tmp_path, "-G", "-W", "-p", "k.pub", "-s", "k.key")
    key = PublicKey.from_bytes((tmp_path / "k.pub").read_bytes(), where="k.pub")
    for options in ((), ("-l",), ("-t", "한글")):
        run(tmp_path, "-S", "-s", "k.key", "-x", "s", "-m", "content", *options)
        assert not refused((tmp_path / "s").read_bytes(), key)
    ours = SecretKey.from_bytes((tmp_path / "k.key").read_bytes(), where="k.key", ask=None)
    assert ours.public_key == key
    # Its answer to the key that we make, with our passphrase.
    made = SecretKey.generate()
    (tmp_path / "ours.key").write_bytes(made.to_bytes("pass"))
    run(tmp_path, "-S", "-s", "ours.key", "-x", "s", "-m", "content", stdin="pass\n")
    assert not refused((tmp_path / "s").read_bytes(), made.public_key)


def run(folder: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["minisign", *arguments], cwd=folder, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
