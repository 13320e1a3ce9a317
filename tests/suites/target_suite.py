# SPDX-License-Identifier: Apache-2.0
"""What every target must do, whatever the product behind it.

A subclass gives a fixture ``make``: from an address's prefix and a policy to a :class:`Placed` target over a registry
that is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airgap.oci import Reference
from airgap.store import MemoryStore
from airgap.targets import Mapping, Target
from airgap.transfer import Destination, Root, copy, plan, resolve_tags, verify_tags
from tests.parts.images import Images


@dataclass(frozen=True)
class Placed:
    """A target, and the mapping that it was made with."""

    target: Target
    mapping: Mapping


Make = Callable[[str, str], Placed]


class TargetSuite:
    def test_preflight_of_a_fit_target_has_no_problem(self, make: Make) -> None:
        findings = make("some/prefix", "basename").target.preflight()
        assert findings
        assert [finding for finding in findings if finding.level == "problem"] == []
        assert all(finding.what for finding in findings)

    def test_locates_what_the_mapping_says(self, make: Make) -> None:
        placed = make("some/prefix", "path")
        for text in ("nginx", "quay.io/jetstack/x:v1", f"ghcr.io/a/b/c@sha256:{'0' * 64}"):
            reference = Reference.parse(text)
            assert placed.target.locate(reference) == placed.mapping.locate(reference)

    def test_a_repository_takes_an_image_and_gives_it_back(self, make: Make) -> None:
        target = make("some/prefix", "basename").target
        images, source = Images(3), MemoryStore()
        index = images.two_platforms()
        images.push_to(source, {"x:1": index})
        repository = target.locate(Reference.parse("quay.io/a/x:1")).repository
        assert repository == "some/prefix/x"
        destination = Destination(repository, "1")
        store = target.open(repository)
        planned = plan([Root("x", "here", "x:1", (destination,))], {"here": source})
        assert resolve_tags(planned, {repository: store}) == {}
        report = copy(planned, {"here": source}, {repository: store})
        assert report.failures == []
        assert resolve_tags(planned, {repository: store}) == {destination: index.digest}
        verify_tags(planned.images, {repository: store})
        for descriptor in images.needed(index):
            assert store.exists(descriptor), descriptor.digest

    def test_repositories_are_apart_in_their_tags(self, make: Make) -> None:
        target = make("", "basename").target
        images, source = Images(4), MemoryStore()
        root = images.image()
        images.push_to(source, {"x:1": root})
        stores = {name: target.open(name) for name in ("one", "other")}
        planned = plan([Root("x", "here", "x:1", (Destination("one", "1"),))], {"here": source})
        copy(planned, {"here": source}, stores)
        both = plan([Root("x", "here", "x:1", (Destination("one", "1"), Destination("other", "1")))], {"here": source})
        assert resolve_tags(both, stores) == {Destination("one", "1"): root.digest}
