# SPDX-License-Identifier: Apache-2.0
"""Rules about who must have signed which images, and whether a signature satisfies one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airgap.errors import SignatureFailure
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust import trusted_root, verification_key
from airgap.trust.files import read_small_file
from airgap.trust.image_signature import ImageSignature
from airgap.trust.keyless import check_certificate
from airgap.trust.trusted_root import TrustedRoot, read_trusted_root
from airgap.trust.verification_key import VerificationKey


class ImageRule(Record):
    """Who must have signed the images that ``image`` matches, where ``*`` is one or more path elements.

    Either the ``key`` in a file, or somebody whom a certificate names: ``identity``, where ``*`` stands for any
    characters, by the word of ``issuer``, according to the file ``trusted_root``. ``where`` is the rule's own place.
    """

    image: str
    where: str = ""
    key: str = ""
    identity: str = ""
    issuer: str = ""
    trusted_root: str = ""

    def matches(self, name: str) -> bool:
        """Whether the rule is for ``registry/repository``."""
        return _matches(self.image, name, "[^/]+(?:/[^/]+)*")

    @property
    def signer(self) -> str:
        """Who must have signed, for messages."""
        return self.key or tr("{identity} by {issuer}", identity=self.identity, issuer=self.issuer)


def rule_for(rules: Sequence[ImageRule], name: str) -> ImageRule | None:
    """Return the first rule for ``registry/repository``."""
    return next((rule for rule in rules if rule.matches(name)), None)


class RuleVerifier(Record):
    """A rule with what its files hold. Made by :meth:`load`."""

    rule: ImageRule
    key: VerificationKey | None
    root: TrustedRoot | None

    @classmethod
    def load(cls, rule: ImageRule) -> RuleVerifier:
        """Read the rule's file. Raises :class:`airgap.errors.UsageError`."""
        verification_key.load_serialization()
        if rule.key:
            content = read_small_file(rule.key, verification_key.MAX_FILE)
            return cls(rule, VerificationKey.from_pem(content, where=rule.key), None)
        content = read_small_file(rule.trusted_root, trusted_root.MAX_FILE)
        return cls(rule, None, read_trusted_root(content, where=rule.trusted_root))

    def check(self, signature: ImageSignature, digest: str) -> None:
        """Raise :class:`SignatureFailure` unless the signature is of the image ``digest`` and satisfies the rule."""
        where = signature.where
        if self.key is not None and not self.key.verifies(signature.signature, signature.message):
            raise SignatureFailure(tr("it is signed by another key than {key}", key=self.rule.key), where=where)
        if self.root is not None:
            signer = check_certificate(signature, self.root)
            named = any(_matches(self.rule.identity, identity, ".*") for identity in signer.identities)
            if not named or signer.issuer != self.rule.issuer:
                who = tr("{identity} by {issuer}", identity=signer.identity, issuer=signer.issuer or "?")
                raise SignatureFailure(tr("it is signed by {who}", who=who), where=where)
        if digest not in signature.digests:
            raise SignatureFailure(
                tr("its signature is of another image, {digest}", digest=", ".join(signature.digests)), where=where
            )


def _matches(pattern: str, text: str, wildcard: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", wildcard), text) is not None
