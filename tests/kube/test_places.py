# SPDX-License-Identifier: Apache-2.0
"""What the table of places in docs/discovery.md says is so: each is found, and rewritten, and no other byte is."""

from __future__ import annotations

import re

import pytest

from airgap.kube import revert_content, rewrite_content, scan
from airgap.kube.detect.rule import BUT_SCHEMAS, EVERYWHERE
from airgap.kube.model import ORGANISATION, POSSIBLE
from tests.kube.places import IMAGE, NEVER, PLACES, Other, Place
from tools.discovery import every_rule

NEW = "t.example/p/x:1"


@pytest.mark.parametrize("place", PLACES, ids=[place.what for place in PLACES])
def test_each_kind_of_place(place: Place) -> None:
    content = place.content.encode()
    sites = scan(content, "x").sites
    assert sites
    assert {str(site.reference) for site in sites} == {IMAGE}
    done = rewrite_content(content, [(site, NEW) for site in sites])
    assert revert_content(done.content, done.edits) == content
    if any(part.role == ORGANISATION for site in sites for part in site.parts):  # each key gets a part of the path
        assert {str(site.reference) for site in scan(done.content, "x").sites} == {NEW}
        return
    old = re.compile(rb"q\.example/a/b:1|q\.example/a/b|q\.example|\ba/b\b")
    spans = {part.span for site in sites for part in site.parts}
    assert {found.span() for found in old.finditer(content)} <= spans
    written = {b"q.example/a/b:1": NEW.encode(), b"q.example/a/b": b"t.example/p/x", b"q.example": b"t.example"}
    assert done.content == old.sub(lambda found: written.get(found[0], b"p/x"), content)


@pytest.mark.parametrize("other", NEVER, ids=[other.what for other in NEVER])
def test_what_is_never_rewritten_is_listed(other: Other) -> None:
    found = scan(other.content.encode(), "x")
    assert found.sites == ()
    assert found.misses
    assert all(miss.reason and miss.path for miss in found.misses)


#: Places whose rule needs a registry's address, or whose commands take any word.
WITH_ADDRESS = {
    "variables by value", "commands of scripts that pull or run", "annotations", "options whose names do not say image",
    "units of systemd", "literal defaults of Go templates", "anything with the shape of a whole reference",
    "what kubectl applied last", "bundles of tasks", "literal defaults in a value of one line",
    "annotations with image among other words",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=[place.what for place in PLACES])
def test_only_two_kinds_of_places_are_unsure_and_most_need_no_address(place: Place) -> None:
    sure = {site.confidence != POSSIBLE for site in scan(place.content.encode(), "x").sites}
    unsure = ("what kubectl applied last", "anything with the shape of a whole reference")
    assert sure == {place.what not in unsure}
    if place.what in WITH_ADDRESS or IMAGE not in place.content:
        return
    sites = scan(place.content.replace(IMAGE, "a/b:1").encode(), "x").sites
    assert {(str(site.reference), site.confidence == POSSIBLE) for site in sites} == {("docker.io/a/b:1", False)}
    assert len(sites) == place.content.count(IMAGE)


def test_every_rule_has_a_place() -> None:
    """But those that say nothing of a place: they are variants of others, proven in the tests of scanning."""
    shown = {site.rule for place in PLACES for site in scan(place.content.encode(), "x").sites}
    variants = {"template-image-volume", "loose-image-field", "data-repository", "from-image", "list-variable",
                "setting-reference", "script-option", "arg-images", "arg-pair"}  # fmt: skip
    assert {rule.id for rule in every_rule()} - shown == variants


SAMPLES = {
    "arg-image": "args: [--x-image=q.example/a/b:1]",
    "env-image": "env: [{name: X_IMAGE, value: 'q.example/a/b:1'}]",
    "setting-image": 'x: "[a]\\n\\nX_IMAGE=q.example/a/b:1\\n"',
    "reference-shape": "x: q.example/a/b:1",
    "parameter-image": "params: [{name: x-image, value: 'q.example/a/b:1'}]",
    "list-images": "images: ['q.example/a/b:1']",
    "list-variable": "x: ['X_IMAGE=q.example/a/b:1']",
    "kustomize-images": "images: [{name: x, newName: q.example/a/b, newTag: '1'}]",
    "from-image": "from: {kind: DockerImage, name: 'q.example/a/b:1'}",
}


@pytest.mark.parametrize("rule", SAMPLES)
def test_where_the_rules_of_code_hold(rule: str) -> None:
    """The column "in" of the table of rules."""
    (one,) = [one for one in every_rule() if one.id == rule]
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    for head in ("", "apiVersion: x/v1\nkind: T\n", "apiVersion: v1\nkind: ConfigMap\n", crd):
        found = {site.rule for site in scan(f"{head}spec: {{{SAMPLES[rule]}}}\n".encode(), "x").sites}
        assert (rule in found) == (head != crd or one.objects != BUT_SCHEMAS), head
    assert one.objects in (EVERYWHERE, BUT_SCHEMAS)
