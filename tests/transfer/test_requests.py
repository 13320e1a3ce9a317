# SPDX-License-Identifier: Apache-2.0
"""How often a registry is asked: counted at a double that holds what the registry would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from airgap.oci import Descriptor
from airgap.registry import Credentials, Registries
from airgap.registry.http.retry import RetryPolicy
from airgap.transfer import CopyOptions, Destination, Root, copy, find_existing_content, plan, resolve_tags
from tests.doubles.registry import Double, Shelf, double
from tests.doubles.registry.shelf import error
from tests.parts.images import Images
from tests.transfer.tools import root, source_of


@pytest.fixture
def images() -> Images:
    return Images(51)


class Far:
    """A registry, and imports into it as ``airgap import`` makes them."""

    def __init__(self, peer: Double, shelf: Shelf, net: Registries) -> None:
        self.peer, self.shelf, self._net = peer, shelf, net

    def take(self, images: Images, roots: list[Root], tags: dict[str, Descriptor]) -> Counter[str]:
        """Import; what was asked, as ``METHOD kind``."""
        source = source_of(images, **tags)
        planned = plan(roots, {"here": source})
        names = {d.repository for r in roots for d in r.destinations}
        stores = {name: self._net.repository(self.peer.address, name, push=True) for name in names}
        self.peer.requests.clear()
        there = resolve_tags(planned, stores)
        todo = [image for image in planned.images if there.get(image.root.destinations[0]) != image.digest]
        known = find_existing_content(planned, todo, there, stores)
        copy(planned.subset(todo), {"here": source}, stores, options=CopyOptions(existing=known))
        return self.asked()

    def asked(self) -> Counter[str]:
        kinds = {"manifests": "manifest", "uploads": "upload", "blobs": "blob"}
        made: Counter[str] = Counter()
        for request in self.peer.requests:
            kind = next(word for part, word in kinds.items() if f"/{part}/" in request.path)
            made[f"{request.method} {'mount' if 'mount' in request.query else kind}"] += 1
        return made


@pytest.fixture
def far() -> Iterator[Far]:
    shelf, environment = Shelf(), {"HOME": "/nonexistent"}
    with (
        double(shelf) as peer,
        Registries(credentials=Credentials(environment), environment=environment, retry=RetryPolicy(attempts=1)) as net,
    ):
        yield Far(peer, shelf, net)


def to(name: str, *repositories: str) -> Root:
    return root(name, *(Destination(repository, name) for repository in repositories), label=f"r.test/{name}")


def test_a_fresh_import(far: Far, images: Images) -> None:
    one = images.image(layers=3)
    asked = far.take(images, [to("v1", "a")], {"v1": one})
    assert asked == {
        "HEAD manifest": 2,  # the tag, and its digest
        "HEAD blob": 4,
        "POST upload": 4,
        "PUT upload": 4,
        "PUT manifest": 1,
    }


def test_one_question_a_tag_where_all_is_there(far: Far, images: Images) -> None:
    tags = {f"v{n}": images.two_platforms() for n in range(3)}
    roots = [to(tag, f"r{n}") for n, tag in enumerate(tags)]
    far.take(images, roots, tags)
    assert far.take(images, roots, tags) == {"HEAD manifest": 3}


def test_a_fresh_repository_is_not_asked_for_what_is_mounted_there(far: Far, images: Images) -> None:
    """Three repositories, one blob: one question, one body, and two mounts that answer for the others."""
    layer = images.layer()
    tags = {f"v{n}": images.image(layers=[layer, images.layer()]) for n in range(3)}
    asked = far.take(images, [to(tag, f"r{n}") for n, tag in enumerate(tags)], tags)
    own = 2 * 3  # each image's config and second layer
    assert asked["HEAD blob"] == 1 + own
    assert asked["POST mount"] == 2
    assert asked["PUT upload"] == 1 + own
    assert all(set(held) > {layer.descriptor.digest} for held in far.shelf.blobs.values())


def test_a_new_tag_of_an_image_that_is_there_asks_for_no_blob(far: Far, images: Images) -> None:
    """Both where the other tag is in the same bundle, and where this bundle knows nothing of it."""
    whole = images.two_platforms()
    far.take(images, [to("v1", "a")], {"v1": whole})
    again = far.take(images, [to("v1", "a"), to("v2", "a")], {"v1": whole, "v2": whole})
    assert again == {"HEAD manifest": 2, "PUT manifest": 1}
    alone = far.take(images, [to("v3", "a")], {"v3": whole})
    assert alone == {"HEAD manifest": 2, "PUT manifest": 1}
    assert far.shelf.manifests["a", "v3"][1] == images.content[whole.digest]


def test_the_next_release_asks_for_what_is_new_alone(far: Far, images: Images) -> None:
    """v1 is there and in the bundle: what it shares with v2 is known to be there."""
    base = [images.layer() for _ in range(4)]
    old, new = images.image(layers=base), images.image(layers=[*base, images.layer()])
    far.take(images, [to("v1", "a")], {"v1": old})
    asked = far.take(images, [to("v1", "a"), to("v2", "a")], {"v1": old, "v2": new})
    assert asked == {
        "HEAD manifest": 3,
        "HEAD blob": 2,  # the new layer and the new config
        "POST upload": 2,
        "PUT upload": 2,
        "PUT manifest": 1,
    }


def test_another_repository_mounts_what_a_release_there_has(far: Far, images: Images) -> None:
    """The layer lies in ``a`` under a tag of the bundle; ``b`` gets it from there without a question."""
    layer = images.layer()
    one, other = images.image(layers=[layer]), images.image(layers=[layer, images.layer()])
    far.take(images, [to("v1", "a")], {"v1": one})
    asked = far.take(images, [to("v1", "a"), to("w1", "b")], {"v1": one, "w1": other})
    assert asked["POST mount"] == 1
    assert asked["HEAD blob"] == asked["PUT upload"] == 2  # the config and the other layer


def test_a_sibling_that_lives_is_asked_before_a_body_is_sent(far: Far, images: Images) -> None:
    """``b`` has the layer under a tag that this bundle moves, ``a`` is new: a HEAD there saves the body."""
    layer = images.layer(size=50_000)
    far.take(images, [to("v1", "b")], {"v1": images.image(layers=[layer])})
    moved = images.image(layers=[layer, images.layer()])
    far.take(images, [to("v1", "a", "b")], {"v1": moved})
    put = [r for r in far.peer.seen("PUT", "/uploads/") if layer.descriptor.digest in r.target]
    assert put == []
    assert layer.descriptor.digest in far.shelf.blobs["a"]


def test_no_body_twice_where_nothing_is_mounted(far: Far, images: Images) -> None:
    """A registry without mounts, after an import that was stopped when the blob was in both repositories."""
    whole = images.image()
    far.shelf.mounts = False
    far.take(images, [to("v1", "a", "b")], {"v1": whole})
    for key in [key for key in far.shelf.manifests if key[0] in "ab"]:
        del far.shelf.manifests[key]
    asked = far.take(images, [to("v1", "a", "b")], {"v1": whole})
    assert asked["PUT upload"] == 0
    assert far.shelf.uploads == {}, "what mounting began is cancelled"


def test_a_registry_whose_manifests_have_lost_their_parts_is_healed(far: Far, images: Images) -> None:
    """It has the index, says so, and lacks a child and its blobs: all of it is sent once more."""
    whole = images.two_platforms()
    far.take(images, [to("v1", "a")], {"v1": whole})
    child = next(d for d in images.needed(whole) if d.platform)
    del far.shelf.manifests["a", child.digest]
    far.shelf.blobs["a"].clear()
    asked = far.take(images, [to("v2", "a")], {"v2": whole})
    assert asked["HEAD blob"] == 0
    assert asked["PUT manifest"] == 1 + 2 + 1
    assert far.shelf.manifests["a", "v2"][1] == images.content[whole.digest]
    assert far.shelf.manifests["a", child.digest][1] == images.content[child.digest]


def test_what_cannot_be_healed_is_said(far: Far, images: Images) -> None:
    whole = images.image()
    far.take(images, [to("v1", "a")], {"v1": whole})
    far.peer.always("PUT", "/manifests/v2", error(404, "MANIFEST_UNKNOWN"))
    with pytest.raises(Exception, match="MANIFEST_UNKNOWN"):
        far.take(images, [to("v2", "a")], {"v2": whole})
