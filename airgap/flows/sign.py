# SPDX-License-Identifier: Apache-2.0
"""``airgap sign``: signs a bundle, or the successor of a key, with a key or a certificate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airgap.bundle import BundleReader
from airgap.bundle.media.checksums import refresh_csv
from airgap.bundle.signing import add_signature
from airgap.durable import replace_file, writing
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.trust import cms, minisign
from airgap.trust.files import read_small_file
from airgap.trust.secret_key import SecretKey

Sign = Callable[[bytes], "MadeSignature"]
"""Signs the inventory of a bundle."""


class MadeSignature(Record):
    """A new signature: ``name`` is its file name in a bundle, ``signer`` who made it, for messages."""

    name: str
    content: bytes
    signer: str


def key_signer(key: SecretKey, comment: str | None = None) -> Sign:
    """Return a function that signs with a key. Without a ``comment``, it is the ID of the bundle: never a time."""

    def sign(inventory: bytes) -> MadeSignature:
        text = comment if comment is not None else f"airgap bundle {digests.of(inventory)}"
        signature = key.sign(inventory, text)
        return MadeSignature(f"{signature.id}{minisign.SUFFIX}", signature.to_bytes(), signature.id)

    return sign


def certificate_signer(certificates: bytes, key: str, passphrase: str) -> Sign:
    """Return a function that signs with a certificate, as :func:`airgap.trust.cms.sign` does."""

    def sign(inventory: bytes) -> MadeSignature:
        signature, signer = cms.sign(inventory, certificates, key, passphrase)
        return MadeSignature(f"{signer.fingerprint[:16]}{cms.SUFFIX}", signature, signer.subject)

    return sign


def sign_bundle(bundle: BundleReader, sign: Sign, *, detached: bool = False) -> tuple[Path, MadeSignature]:
    """Sign a bundle and return the file that has the signature now, and the signature.

    Verifies the head of the bundle first, but not its blobs: it is their digests that are signed. Parity volumes of a
    bundle whose last volume now has the signature are made again.
    """
    bundle.check_head()
    made = sign(bundle.inventory_content())
    path = add_signature(bundle, made.name, made.content, detached=detached)
    if bundle.is_split and not detached:
        from airgap.bundle.parity import listed_volumes, make_parity

        listed = listed_volumes(Path(bundle.files[0]))
        if listed is not None:
            name, data, parity = listed
            make_parity(name, data, len(parity), lambda _: None)
            refresh_csv(name)
    return path, made


def sign_key(path: Path, key: SecretKey, comment: str | None) -> Path:
    """Sign the public key in the file ``path`` as a successor of ``key``, and return the file of the signature."""
    content = read_small_file(path, minisign.MAX_FILE)
    successor = minisign.PublicKey.from_bytes(content, where=str(path))
    text = (
        comment
        if comment is not None
        else tr("successor of {id} is {successor}", id=key.public_key.id, successor=successor.id)
    )
    signature_path = path.with_name(f"{path.name}{minisign.SUFFIX}")
    with writing(signature_path):
        replace_file(signature_path, key.sign(content, text).to_bytes())
    return signature_path
