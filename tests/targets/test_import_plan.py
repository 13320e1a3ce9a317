# SPDX-License-Identifier: Apache-2.0
"""How many components an import adds to a Nexus: one for each tag, lists of referrers among them."""

from __future__ import annotations

from airgap.store import MemoryStore
from airgap.targets.import_plan import count_new_tags
from airgap.transfer import Destination, Root, plan
from tests.parts.images import Images


def test_a_list_of_referrers_is_a_tag_too() -> None:
    made, store = Images(3), MemoryStore()
    first, second = made.image(), made.image()
    signatures = [made.artifact(subject=first), made.artifact(subject=first), made.artifact(subject=second)]
    names = {"x:1": first, "y:1": second, **{one.digest: one for one in signatures}}
    made.push_to(store, names)
    roots = [Root("x", "here", "x:1", (Destination("x", "1"),)), Root("y", "here", "y:1", (Destination("y", "1"),))]
    roots += [
        Root("s", "here", one.digest, (Destination("x" if one is not signatures[2] else "y"),)) for one in signatures
    ]
    assert count_new_tags(plan(roots, {"here": store}).images) == 4
