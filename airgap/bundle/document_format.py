# SPDX-License-Identifier: Apache-2.0
"""What the inventory and the lockfile have in common: how JSON is written, and the check of their format version.

Both ignore keys that they do not know. ``format`` and ``features`` tell when that is not safe.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from airgap.bundle.required_layers import DIFFERENTIAL
from airgap.errors import UnsupportedBundle
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.oci.signature_tags import is_signature_tag

#: The format version that airgap writes, and the only one that it reads.
FORMAT = 1
#: The first version that reads this format.
_FORMAT_SINCE = "0.1.0"
#: The entry in an inventory's ``features`` that makes versions that would leave artifacts out refuse the bundle.
ARTIFACTS = "artifacts"
#: The entry in ``features`` that makes versions refuse the bundle that would miss the images that an index lacks.
SPARSE = "sparse"
#: The entry in ``features`` that makes versions refuse the bundle that could not restore its layers.
RECODE = "recode/1"
#: The ``features`` that this version can read, each with the first version that reads it. A bundle with any other is
#: refused.
FEATURES: Mapping[str, str] = {DIFFERENTIAL: "0.1.0", ARTIFACTS: "0.3.0", SPARSE: "0.3.0", RECODE: "0.4.0"}
#: The values of a blob's ``form`` that this version can read: the bytes themselves, and ``airgap.bundle.recoded``.
PLAIN, RECODED = "plain", "recoded"


def dump_json(document: Any) -> bytes:
    """Return JSON as UTF-8 without blanks, keys in the given order: equal documents have equal bytes."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def oldest_reader(features: Iterable[str]) -> str:
    """Return the oldest airgap that reads a bundle with ``features``, such as ``airgap 0.1.0``.

    Bundles carry this instead of the version that wrote them, so that later versions write the same bytes.
    """
    versions = [_FORMAT_SINCE, *(FEATURES[feature] for feature in features)]
    return tr("airgap {versions}", versions=max(versions, key=lambda version: tuple(map(int, version.split(".")))))


def check_supported(document: Mapping[str, Any], where: str, forms: Iterable[str] = ()) -> None:
    """Raise :class:`UnsupportedBundle` for a document that needs a newer airgap.

    ``document`` has the keys ``format``, ``features`` and ``tool``; ``forms`` are those of its blobs.
    """
    is_other_format = document["format"] != FORMAT
    features = sorted(set(map(str, document.get("features") or ())) - FEATURES.keys())
    unknown_forms = sorted(set(forms) - {PLAIN, RECODED})
    if is_other_format or features or unknown_forms:
        needs = ", ".join(
            [tr("format {document}", document=document["format"])] if is_other_format else [*features, *unknown_forms]
        )
        readers = (
            tr("{document} and newer read", document=document["tool"])
            if document.get("tool")
            else tr("a newer airgap reads")
        )
        raise UnsupportedBundle(
            tr("this version cannot read it: it needs {needs}, which {readers}", needs=needs, readers=readers),
            where=where,
            hint=tr("use that version or a newer one; export --with-self puts the program into the bundle"),
        )


def parse_referrer_tag(digest: str, tag: Any) -> tuple[str, str]:
    """Return an entry of ``referrerTags``: a referrer's digest and its tag. Raises :class:`ValueError`."""
    if not is_signature_tag(str(tag)):
        raise ValueError(tr("{tag!r} is no tag of a signature", tag=tag))
    return digests.check(digest), str(tag)


def optional_list(value: Any) -> list[Any]:
    """Return a list, empty for ``null`` or a missing key. Raises :class:`ValueError` for anything else."""
    if value is not None and not isinstance(value, list):
        raise ValueError(tr("{value!r} is no list", value=value))
    return value or []


def optional_text(value: Any) -> str | None:
    """Return a string that UTF-8 can encode, or ``None``. Raises :class:`ValueError` for anything else."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(tr("{value!r} is no text", value=value))
    value.encode()
    return value
