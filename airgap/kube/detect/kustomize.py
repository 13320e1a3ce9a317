# SPDX-License-Identifier: Apache-2.0
"""Entries of a kustomization's ``images`` (kustomize, ``ImageTagTransformer``).

The image is ``newName``, or ``name`` if there is none, with ``newTag`` and ``digest``. Next to ``newName``, ``name``
only selects the images to replace.
"""

from __future__ import annotations

from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect.nodes import ScalarToken
from airgap.kube.detect.shapes import has_tag
from airgap.kube.detect.split_references import SplitPart, SplitReference
from airgap.kube.detect.walker import Candidate

_NOTHING = SplitReference("", (), False)


def images_entry(
    candidate: Candidate, token: ScalarToken, object_type: tuple[str, str], embedded: bool
) -> SplitReference | str | None:
    """Return the image of the entry whose ``name`` is ``token``, or the reason why there is none.

    Returns a reference without parts for an entry that changes nothing, and ``None`` if this is not such an entry.
    ``object_type`` is the object's apiVersion and kind.
    """
    tokens = candidate.node.tokens or {}
    images_node = candidate.node.parent
    if (
        candidate.key != "name"
        or images_node is None
        or images_node.parent_key != "images"
        or images_node.mapping
        or "tag" in tokens
    ):
        return None
    api, kind = object_type
    new_name, tag, digest = tokens.get("newName"), tokens.get("newTag"), tokens.get("digest")
    if new_name is None and tag is None and digest is None:
        selects_only = "image" not in tokens and (not kind or api.startswith("kustomize.")) and not has_tag(token.value)
        return _NOTHING if selects_only else None
    if tag is None and digest is None:
        if new_name is not None and has_tag(new_name.value):
            return SplitReference(new_name.value, (SplitPart(model.WHOLE, new_name),), True)
        return tr("the tag stays that of the image it replaces, which another file names")
    if new_name is not None:
        parts = [SplitPart(model.NAME, new_name)]
    elif embedded:
        return tr("a kustomization inside a value gets no newName; write it into the entry")
    else:
        parts = [SplitPart(model.SELECTOR, token), SplitPart(model.INSERT, token)]
    text = (new_name or token).value
    for role, separator, part_token in ((model.TAG, ":", tag), (model.DIGEST, "@", digest)):
        if part_token is not None:
            parts.append(SplitPart(role, part_token))
            text += separator + part_token.value
    return SplitReference(text, tuple(parts), True)
