# SPDX-License-Identifier: Apache-2.0
"""Entries of a kustomization's ``images`` (kustomize, ``ImageTagTransformer``): ``newName``, or ``name`` where there is
none, is pulled with ``newTag`` and ``digest``; a ``name`` beside ``newName`` only selects.
"""

from __future__ import annotations

from airgap.kube import model
from airgap.kube.detect.split_references import Joined, Piece
from airgap.kube.detect.walker import Leaf, Spot

_NOTHING = Joined("", (), False)


def entry(spot: Spot, leaf: Leaf, names: tuple[str, str], embedded: bool) -> Joined | str | None:
    """What the entry whose ``name`` is ``leaf`` makes the image; a reason why nothing is taken; a reference without
    pieces where nothing is said at all; ``None`` where this is no such entry. ``names`` is the object's type."""
    leaves = spot.frame.leaves or {}
    owner = spot.frame.parent
    if spot.key != "name" or owner is None or owner.at != "images" or owner.mapping or "tag" in leaves:
        return None
    api, kind = names
    new, tag, digest = leaves.get("newName"), leaves.get("newTag"), leaves.get("digest")
    if new is None and tag is None and digest is None:
        alone = "image" not in leaves and (not kind or api.startswith("kustomize."))
        return _NOTHING if alone else None
    if tag is None and digest is None:
        return "the tag stays that of the image it replaces, which another file names"
    if new is not None:
        pieces = [Piece(model.NAME, new)]
    elif embedded:
        return "a kustomization inside a value gets no newName; write it into the entry"
    else:
        pieces = [Piece(model.SELECTOR, leaf), Piece(model.INSERT, leaf)]
    text = (new or leaf).value
    for role, mark, part in ((model.TAG, ":", tag), (model.DIGEST, "@", digest)):
        if part is not None:
            pieces.append(Piece(role, part))
            text += mark + part.value
    return Joined(text, tuple(pieces), True)
