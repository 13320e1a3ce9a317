# SPDX-License-Identifier: Apache-2.0
"""Ed25519 in pure Python and by the library: the vectors of RFC 8032, and the same verdict on everything else."""

from __future__ import annotations

import random
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from airgap.trust.ed25519 import verify, verify_in_python

#: RFC 8032, 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        "655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        "b00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
        "c027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
        "2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17a"
        "d9bef1177331a704",
    ),
]
BOTH = pytest.mark.parametrize("verdict", [verify, verify_in_python], ids=["library", "python"])
ORDER = 2**252 + 27742317777372353535851937790883648493


@BOTH
@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_specification(verdict: object, key: str, message: str, signature: str) -> None:
    assert callable(verdict)
    arguments = [bytes.fromhex(text) for text in (key, message, signature)]
    assert verdict(*arguments) is True
    for number in range(3):
        wrong = [bytes(part) for part in arguments]
        wrong[number] = bytes([wrong[number][0] ^ 1]) + wrong[number][1:] if wrong[number] else b"x"
        assert verdict(*wrong) is False


def test_both_give_the_same_verdict_on_changed_signatures() -> None:
    chance = random.Random(8032)
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, message = key.public_key().public_bytes_raw(), b"what is signed"
    good = key.sign(message)
    verdicts = {verify_in_python(public, message, good)}
    for _ in range(20):
        changed = bytearray(good)
        changed[chance.randrange(64)] ^= 1 << chance.randrange(8)
        verdict = verify_in_python(public, message, bytes(changed))
        assert verdict == verify(public, message, bytes(changed))
        verdicts.add(verdict)
    assert verdicts == {True, False}


@BOTH
def test_a_scalar_has_one_form(verdict: object) -> None:
    """S + L verifies too if its range is not checked (RFC 8032, 8.4)."""
    assert callable(verdict)
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    good = key.sign(b"m")
    other = (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    assert verdict(key.public_key().public_bytes_raw(), b"m", good)
    assert not verdict(key.public_key().public_bytes_raw(), b"m", good[:32] + other)


@BOTH
def test_what_is_no_point_verifies_nothing(verdict: object) -> None:
    assert callable(verdict)
    for key in (b"", b"\x02" + bytes(31), b"\xff" * 32):
        assert verdict(key, b"m", bytes(64)) is False
    assert verdict(bytes(32), b"m", bytes(63)) is False


def test_without_the_library_python_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[1])
    assert verify(key, message, signature)
    assert not verify(key, message + b"x", signature)
