# SPDX-License-Identifier: Apache-2.0
"""The file of trusted keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap.errors import UsageError
from airgap.trust.minisign import PublicKey
from airgap.trust.trust_file import TrustedKey, TrustFile, default_path

FIRST, SECOND = (PublicKey(bytes([number]) * 8, bytes([number]) * 32) for number in (1, 2))


def test_keys_are_added_listed_and_removed(tmp_path: Path) -> None:
    trust = TrustFile(tmp_path / "new/folder/trust.json")
    assert trust.trusted_keys() == ()
    trust.add(TrustedKey("maker 한글", FIRST))
    trust.add(TrustedKey("next", SECOND, "maker 한글"))
    assert TrustFile(trust.path).trusted_keys() == (
        TrustedKey("maker 한글", FIRST),
        TrustedKey("next", SECOND, "maker 한글"),
    )
    assert trust.path.stat().st_mode & 0o022 == 0
    assert trust.remove("maker 한글").key == FIRST
    assert trust.remove(SECOND.id).name == "next"
    assert trust.trusted_keys() == ()


def test_a_name_and_a_key_are_there_once(tmp_path: Path) -> None:
    trust = TrustFile(tmp_path / "trust.json")
    trust.add(TrustedKey("maker", FIRST))
    with pytest.raises(UsageError, match="trusted already"):
        trust.add(TrustedKey("other", FIRST))
    with pytest.raises(UsageError, match="another trusted key"):
        trust.add(TrustedKey("maker", SECOND))
    with pytest.raises(UsageError, match="another trusted key"):
        trust.add(TrustedKey("other", PublicKey(FIRST.key_id, SECOND.key)))
    with pytest.raises(UsageError, match="no trusted key is called nobody"):
        trust.remove("nobody")
    assert len(trust.trusted_keys()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b'{"format":2,"keys":[]}', b'{"format":1}', b'{"format":1,"keys":[{"name":"x","key":"RW"}]}',
        b'{"format":1,"keys":[{"name":"\\n","key":"RW"}]}', b"[" * 100, b"\xff",
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_trusts_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trust.json").write_bytes(content)
    trust = TrustFile(tmp_path / "trust.json")
    with pytest.raises(UsageError):
        trust.trusted_keys()
    with pytest.raises(UsageError):
        trust.add(TrustedKey("maker", FIRST))
    assert (tmp_path / "trust.json").read_bytes() == content


def test_its_shape(tmp_path: Path) -> None:
    trust = TrustFile(tmp_path / "trust.json")
    trust.add(TrustedKey("maker", FIRST))
    assert json.loads(trust.path.read_bytes()) == {
        "format": 1,
        "keys": [{"name": "maker", "key": FIRST.text, "signedBy": None}],
    }


def test_where_it_is() -> None:
    assert default_path({"XDG_CONFIG_HOME": "/c", "HOME": "/h"}) == Path("/c/airgap/trust.json")
    assert default_path({"XDG_CONFIG_HOME": "c", "HOME": "/h"}) == Path("/h/.config/airgap/trust.json")
