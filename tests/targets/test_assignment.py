# SPDX-License-Identifier: Apache-2.0
"""Every image's place on the target: collisions refused while planning, shared names told."""

from __future__ import annotations

import pytest

from airgap.errors import AirgapError, Failures, TargetError
from airgap.events import Event, Warned
from airgap.oci import Reference
from airgap.targets import Assignment, Mapping, TargetAddress, assign

ONE, OTHER, OLD = (f"sha256:{letter * 64}" for letter in "abc")


def placed(*images: tuple[str, str], policy: str = "basename", **more: str) -> tuple[list[Assignment], list[str]]:
    told: list[Event] = []
    mapping = Mapping(TargetAddress.parse("t.example/p"), policy, more)
    found = assign([(Reference.parse(text), digest, "") for text, digest in images], mapping, emit=told.append)
    return found, [event.text for event in told if isinstance(event, Warned)]


def test_a_tag_goes_under_its_tag() -> None:
    (only,), told = placed(("quay.io/a/x:1", ONE))
    assert (str(only.target), only.repository, only.tag, only.digest) == ("t.example/p/x:1", "p/x", "1", ONE)
    assert told == []


def test_two_digests_at_one_name_and_tag_are_refused_with_the_policy_that_helps() -> None:
    with pytest.raises(TargetError) as caught:
        placed(("quay.io/a/x:1", ONE), ("quay.io/b/x:1", OTHER))
    said = str(caught.value)
    for part in ("quay.io/a/x:1", "quay.io/b/x:1", ONE, OTHER, "t.example/p/x:1"):
        assert part in said
    assert "--mapping path" in (caught.value.hint or "")
    # … and it does help.
    assert len(placed(("quay.io/a/x:1", ONE), ("quay.io/b/x:1", OTHER), policy="path")[0]) == 2


def test_the_policy_that_is_named_keeps_them_apart() -> None:
    images = (("quay.io/a/x:1", ONE), ("ghcr.io/a/x:1", OTHER))
    with pytest.raises(TargetError) as caught:
        placed(*images)
    assert "--mapping full" in (caught.value.hint or "")
    with pytest.raises(TargetError) as caught:
        placed(*images, policy="path")
    assert "--mapping full" in (caught.value.hint or "")
    assert len(placed(*images, policy="full")[0]) == 2


def test_where_an_override_makes_them_collide_an_override_is_the_advice() -> None:
    with pytest.raises(TargetError) as caught:
        placed(("quay.io/a/x:1", ONE), ("quay.io/b/y:1", OTHER), **{"quay.io/*": "same"})
    assert "override" in (caught.value.hint or "")
    assert "--mapping" not in (caught.value.hint or "")


def test_all_collisions_are_listed() -> None:
    with pytest.raises(Failures) as caught:
        placed(("a.io/1/x:1", ONE), ("a.io/2/x:1", OTHER), ("a.io/1/y:1", ONE), ("a.io/2/y:1", OTHER))
    error: AirgapError = caught.value
    assert error.exit_code == 50
    assert len(caught.value.errors) == 2


def test_the_same_digest_is_one_image() -> None:
    found, _told = placed(("quay.io/a/x:1", ONE), ("docker.io/b/x:1", ONE))
    assert {(item.repository, item.tag, item.digest) for item in found} == {("p/x", "1", ONE)}
    assert [str(item.target) for item in found] == ["t.example/p/x:1"] * 2


def test_different_tags_of_one_name_are_allowed_and_told() -> None:
    found, told = placed(("quay.io/a/x:1", ONE), ("quay.io/b/x:2", OTHER))
    assert [item.tag for item in found] == ["1", "2"]
    assert len(told) == 1
    for part in ("quay.io/a/x", "quay.io/b/x", "t.example/p/x"):
        assert part in told[0]


def test_two_tags_of_one_source_are_no_news() -> None:
    assert placed(("quay.io/a/x:1", ONE), ("quay.io/a/x:2", OTHER))[1] == []


def test_a_digest_alone_gets_the_tag_of_its_first_twelve_digits() -> None:
    (only,), _ = placed((f"quay.io/a/x@{ONE}", ONE))
    assert only.tag == f"digest-{'a' * 12}"
    assert str(only.target) == f"t.example/p/x@{ONE}"


def test_tag_and_digest_is_pushed_by_the_tag_and_written_with_both() -> None:
    (only,), _ = placed((f"quay.io/a/x:1@{ONE}", ONE))
    assert (only.tag, str(only.target)) == ("1", f"t.example/p/x:1@{ONE}")


def test_the_plain_reference_owns_the_tag_and_the_pinned_one_goes_by_its_digest() -> None:
    found, told = placed(("quay.io/a/x:1", ONE), (f"quay.io/a/x:1@{OLD}", OLD))
    assert [(item.tag, item.digest) for item in found] == [("1", ONE), (f"digest-{'c' * 12}", OLD)]
    assert str(found[1].target) == f"t.example/p/x:1@{OLD}"
    assert told == []


def test_two_pinned_digests_of_one_tag_are_kept_apart() -> None:
    """Without a plain one neither owns the tag more than the other: both must still arrive."""
    found, _ = placed((f"quay.io/a/x:1@{ONE}", ONE), (f"quay.io/a/x:1@{OLD}", OLD))
    assert len({(item.repository, item.tag) for item in found}) == 2
    assert {item.digest for item in found} == {ONE, OLD}


def test_a_derived_digest_replaces_the_one_that_was_written() -> None:
    mapping = Mapping(TargetAddress.parse("t.example/p"))
    pinned, tagged, alone = assign(
        [
            (Reference.parse(f"quay.io/a/x:1@{OLD}"), ONE, OLD),
            (Reference.parse("quay.io/a/y:1"), OTHER, OLD),
            (Reference.parse(f"quay.io/a/z@{OLD}"), ONE, OLD),
        ],
        mapping,
    )
    assert str(pinned.target) == f"t.example/p/x:1@{ONE}"
    assert str(tagged.target) == "t.example/p/y:1"
    assert str(alone.target) == f"t.example/p/z@{ONE}"
    assert alone.tag == f"digest-{'a' * 12}"
