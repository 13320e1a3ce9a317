# SPDX-License-Identifier: Apache-2.0
"""The tags under which cosign keeps what it makes for an image: ``sha256-HEX.sig``, ``.att`` and ``.sbom``.

They are found by their name alone, without the referrers API (cosign's specifications, "Signature Storage").
"""

from __future__ import annotations

import re

from airgap.oci import digest as digests

_SUFFIXES = ("sig", "att", "sbom")
_REFERRER_TAG = re.compile(r"(sha256)-([0-9a-f]{64})(\..+)?")
_TAG = re.compile(r"sha256-[0-9a-f]{64}\.(sig|att|sbom)")


def signature_tags(digest: str) -> tuple[str, ...]:
    """Return the tags for the signatures, attestations and SBOMs of an image; none for other digests than sha256."""
    if digests.algorithm(digest) != "sha256":
        return ()
    return tuple(f"sha256-{digests.encoded(digest)}.{suffix}" for suffix in _SUFFIXES)


def is_signature_tag(tag: str) -> bool:
    """Whether ``tag`` is one of :func:`signature_tags`."""
    return _TAG.fullmatch(tag) is not None


def subject_digest(tag: str) -> str:
    """Return the digest of the image that a referrer's tag such as ``sha256-HEX.sig`` belongs to; empty for other tags.

    ``sha256-HEX`` alone lists the image's referrers (distribution-spec "Referrers Tag Schema").
    """
    match = _REFERRER_TAG.fullmatch(tag)
    return f"{match[1]}:{match[2]}" if match else ""
