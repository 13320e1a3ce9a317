# SPDX-License-Identifier: Apache-2.0
"""``airgap trust``: decides which keys this machine trusts, and ``airgap keygen``: makes a key."""

from __future__ import annotations

import os
from pathlib import Path

from airgap.durable import output
from airgap.errors import SignatureFailure
from airgap.i18n import tr
from airgap.trust import minisign
from airgap.trust.files import read_small_file
from airgap.trust.minisign import PublicKey, Signature
from airgap.trust.secret_key import SecretKey
from airgap.trust.trust_file import TrustedKey, TrustFile, check_name


def read_public_key(text: str) -> PublicKey:
    """Return the key in the file that ``text`` names, or that ``text`` is in base64. Raises :class:`UsageError`."""
    if minisign.is_key_text(text) and not os.path.exists(text):
        return PublicKey.from_text(text, where=text)
    return PublicKey.from_bytes(read_small_file(text, minisign.MAX_FILE), where=text)


def add_trusted_key(trust: TrustFile, file: str, name: str) -> TrustedKey:
    """Trust the key in ``file``, and return it.

    If ``FILE.minisig`` exists, a key that is trusted already must have signed it: the key is then its successor.
    Raises :class:`SignatureFailure` where that is not so, and :class:`UsageError`.
    """
    key = TrustedKey(check_name(name), read_public_key(file), _predecessor(trust, file))
    trust.add(key)
    return key


def make_key(name: Path, passphrase: str, *, force: bool) -> PublicKey:
    """Write ``NAME.key``, which only its owner can read, and ``NAME.pub``. Raises :class:`OutputError`."""
    secret, public = (name.with_name(f"{name.name}{suffix}") for suffix in (".key", ".pub"))
    for path in (secret, public):
        output.check_place(path, force=force)
    key = SecretKey.generate()
    output.write_files(public.parent, [(public.name, key.public_key.to_bytes())])
    output.write_secret(secret, key.to_bytes(passphrase))
    return key.public_key


def _predecessor(trust: TrustFile, file: str) -> str:
    """Return the name of the trusted key that signed ``file``; empty if there is no signature beside it."""
    path = f"{file}{minisign.SUFFIX}"
    if not os.path.exists(path):
        return ""
    signature = Signature.from_bytes(read_small_file(path, minisign.MAX_FILE), where=path)
    for trusted in trust.trusted_keys():
        if trusted.key.key_id == signature.key_id:
            signature.check(trusted.key, read_small_file(file, minisign.MAX_FILE), where=path)
            return trusted.name
    raise SignatureFailure(
        tr("no trusted key has signed this key; it is signed by {id}", id=signature.id),
        where=path,
        hint=tr("compare the ID with its owner by another way; without that file, the key is trusted as it is"),
    )
