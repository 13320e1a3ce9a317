# SPDX-License-Identifier: Apache-2.0
"""Decides whether the signatures of some content satisfy whoever receives it."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import SignatureFailure
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust import cms
from airgap.trust.der import certificate_fingerprints
from airgap.trust.minisign import SUFFIX, PublicKey, Signature
from airgap.trust.trust_file import TrustedKey

_MINISIGN_START = b"untrusted comment:"


class SignatureFile(Record):
    """A signature as it was found. ``name`` is its file name if that must tell the signer, otherwise empty."""

    where: str
    content: bytes
    name: str = ""


class Policy(Record):
    """What the signatures must satisfy.

    Each of ``keys`` must have signed. ``trusted`` are the keys of the trust file. ``authorities`` and ``revocations``
    are PEM; with authorities there must be a CMS signature. With ``required`` at least one trusted signature is needed.
    """

    keys: Sequence[PublicKey] = ()
    trusted: Sequence[TrustedKey] = ()
    authorities: bytes = b""
    revocations: bytes = b""
    required: bool = False

    @property
    def demands(self) -> bool:
        """Whether there is any content that does not satisfy this policy without a signature."""
        return self.required or bool(self.keys or self.authorities)


class Checked(Record):
    """A signature that was checked as far as that is possible.

    ``signer`` is the ID of a key or the subject of a certificate, ``name`` the name of a trusted key, ``comment`` the
    trusted comment. ``verified`` is false where the key is unknown or no authority was given.
    """

    signer: str
    name: str = ""
    comment: str = ""
    verified: bool = False

    @property
    def shown_signer(self) -> str:
        """The signer for messages."""
        return f"{self.name} ({self.signer})" if self.name else self.signer


def check(content: bytes, files: Sequence[SignatureFile], policy: Policy, *, where: str) -> list[Checked]:
    """Check every signature of ``content``, and that they satisfy the policy.

    Raises :class:`SignatureFailure` for a signature that is malformed or wrong, even if another one would be enough,
    and where a signature is missing.
    """
    found: list[Checked] = []
    by_certificate = False
    for file in files:
        is_cms = file.name.endswith(cms.SUFFIX) if file.name else not file.content.startswith(_MINISIGN_START)
        signatures = _check_cms(content, file, policy) if is_cms else [_check_minisign(content, file, policy)]
        by_certificate |= is_cms and bool(policy.authorities)
        found += signatures
    verified = {signature.signer for signature in found if signature.verified}
    missing = [key.id for key in policy.keys if key.id not in verified]
    what = ""
    if missing:
        what = tr("it is not signed with key {missing}", missing=", ".join(missing))
    elif policy.authorities and not by_certificate:
        what = tr("it is not signed with a certificate of these authorities")
    elif policy.required and not verified:
        what = tr("no trusted key has signed it")
    if what:
        raise SignatureFailure(what, where=where, hint=_signers_hint(found))
    return found


def _check_minisign(content: bytes, file: SignatureFile, policy: Policy) -> Checked:
    signature = Signature.from_bytes(file.content, where=file.where)
    if file.name and file.name != f"{signature.id}{SUFFIX}":
        raise SignatureFailure(tr("its name does not tell its key, {id}", id=signature.id), where=file.where)
    candidates = [TrustedKey("", key) for key in policy.keys] + list(policy.trusted)
    known = next((trusted for trusted in reversed(candidates) if trusted.key.key_id == signature.key_id), None)
    if known is None:
        return Checked(signature.id, "", signature.comment)
    for trusted in candidates:
        if trusted.key.key_id == signature.key_id:
            signature.check(trusted.key, content, where=file.where)
    return Checked(signature.id, known.name, signature.comment, True)


def _check_cms(content: bytes, file: SignatureFile, policy: Policy) -> list[Checked]:
    signature = cms.to_der(file.content, where=file.where)
    fingerprints = [fingerprint[:16] for fingerprint in certificate_fingerprints(signature)]
    if file.name and file.name.removesuffix(cms.SUFFIX) not in fingerprints:
        raise SignatureFailure(tr("its name does not tell its certificate"), where=file.where)
    if not policy.authorities:
        return [Checked(tr("certificate {fingerprint}", fingerprint=fingerprints[0]))]
    signers = cms.verify(content, signature, policy.authorities, policy.revocations, where=file.where)
    return [Checked(signer.subject, verified=True) for signer in signers]


def _signers_hint(found: Sequence[Checked]) -> str:
    if not found:
        return tr("it has no signature; ask whoever made it for a signed one")
    signers = ", ".join(dict.fromkeys(signature.shown_signer for signature in found))
    return tr("it is signed by {signers}; airgap trust add trusts a key whose owner you know", signers=signers)
