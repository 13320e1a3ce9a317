# SPDX-License-Identifier: Apache-2.0
"""Entries of a kustomization's ``images`` (kustomize, ``ImageTagTransformer``): ``newName``, or ``name`` where there is
none, is pulled with ``newTag`` and ``digest``; a ``name`` beside ``newName`` only selects.
"""

from __future__ import annotations

from airgap.kube import model
from airgap.kube.detect.split_references import SplitPart, SplitReference
from airgap.kube.detect.walker import Candidate, ScalarToken

_NOTHING = SplitReference("", (), False)


def entry(
    candidate: Candidate, token: ScalarToken, names: tuple[str, str], embedded: bool
) -> SplitReference | str | None:
    """What the entry whose ``name`` is ``leaf`` makes the image; a reason why nothing is taken; a reference without
    pieces where nothing is said at all; ``None`` where this is no such entry. ``names`` is the object's type."""
    tokens = candidate.node.tokens or {}
    owner = candidate.node.parent
    if candidate.key != "name" or owner is None or owner.parent_key != "images" or owner.mapping or "tag" in tokens:
        return None
    api, kind = names
    new, tag, digest = tokens.get("newName"), tokens.get("newTag"), tokens.get("digest")
    if new is None and tag is None and digest is None:
        alone = "image" not in tokens and (not kind or api.startswith("kustomize."))
        return _NOTHING if alone else None
    if tag is None and digest is None:
        return "the tag stays that of the image it replaces, which another file names"
    if new is not None:
        parts = [SplitPart(model.NAME, new)]
    elif embedded:
        return "a kustomization inside a value gets no newName; write it into the entry"
    else:
        parts = [SplitPart(model.SELECTOR, token), SplitPart(model.INSERT, token)]
    text = (new or token).value
    for role, mark, part in ((model.TAG, ":", tag), (model.DIGEST, "@", digest)):
        if part is not None:
            parts.append(SplitPart(role, part))
            text += mark + part.value
    return SplitReference(text, tuple(parts), True)
