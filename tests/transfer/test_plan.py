# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json

import pytest

from airgap.errors import ContentError, ContentMissing, Interrupted, NotFound
from airgap.events import Event, Warned
from airgap.oci import Descriptor, Platform
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.records import replace
from airgap.store import MemoryStore
from airgap.store.readers import bytes_opener
from airgap.transfer import CancelToken, Context, Destination, Plan, Root, plan
from airgap.transfer.plan import NameList
from tests.parts.images import OCI_LAYER_NONDISTRIBUTABLE, Images
from tests.parts.steps import steps
from tests.transfer.tools import Noting, root, source_of

AMD, ARM, S390 = (Platform.parse(f"linux/{name}") for name in ("amd64", "arm64", "s390x"))


@pytest.fixture
def images() -> Images:
    return Images(21)


def one(planned: Plan) -> Descriptor:
    assert planned.failures == []
    return planned.images[0].manifest.descriptor


def error_of(planned: Plan) -> Exception:
    assert planned.images == []
    return planned.failures[0][1]


def test_everything_once_children_first(images: Images) -> None:
    whole, single = images.two_platforms(attested=True), images.image()
    source = source_of(images, v1=whole, again=whole, single=single)
    planned = plan([root("v1"), root("again"), root("single")], {"here": source})
    assert planned.failures == []
    needed = {d.digest: d for d in (*images.needed(whole), *images.needed(single))}
    of_manifests = {d for d, known in needed.items() if manifests.is_manifest_type(known.media_type)}
    assert set(planned.manifests) == of_manifests
    assert set(planned.blobs) == set(needed) - of_manifests
    order = list(planned.manifests)
    for parent in planned.manifests.values():
        assert all(order.index(c.digest) < order.index(parent.descriptor.digest) for c in parent.children)
    assert planned.blob_bytes == sum(needed[d].size for d in planned.blobs)
    assert all(manifest.content == images.content[d] for d, manifest in planned.manifests.items())
    assert all(count <= 3 for count in source.counted("open").values())


def test_where_it_goes(images: Images) -> None:
    base = images.layer()
    first, second = images.image(layers=[base]), images.image(layers=[base, images.layer()])
    sources = {"one": source_of(images, v1=first), "two": source_of(images, v2=second)}
    planned = plan(
        [
            root("v1", Destination("a", "v1"), Destination("b", "v1"), source="one"),
            root("v2", Destination("b", "v2"), source="two"),
        ],
        sources,
    )
    job = planned.blobs[base.descriptor.digest]
    assert (job.sources, job.targets) == (["one", "two"], ["a", "b"])
    part = planned.subset(planned.images[1:])
    assert set(part.manifests) == {second.digest}
    assert part.blobs[base.descriptor.digest].targets == ["b"]


# Platforms


def test_all_platforms_by_default(images: Images) -> None:
    whole = images.two_platforms()
    planned = plan([root("v1")], {"here": source_of(images, v1=whole)})
    assert one(planned).digest == whole.digest
    assert planned.images[0].platforms == (AMD, ARM)
    assert planned.images[0].derived_from == ""


def test_one_platform_is_the_child_itself(images: Images) -> None:
    whole = images.two_platforms(attested=True)
    planned = plan([root("v1")], {"here": source_of(images, v1=whole)}, platforms=[ARM])
    child = next(d for d in images.needed(whole) if d.platform == ARM)
    assert one(planned).digest == child.digest
    assert planned.images[0].derived_from == whole.digest
    assert planned.images[0].platforms == (ARM,)
    assert set(planned.manifests) == {child.digest}


def test_several_platforms_are_a_new_index_of_fixed_bytes(images: Images) -> None:
    children = [images.image(f"linux/{name}") for name in ("s390x", "amd64", "arm64")]
    attested = [images.attestation(child) for child in children]
    whole = images.index([*children, *attested], annotations={"b": "ü", "a": "1"})
    planned = plan([root("v1")], {"here": source_of(images, v1=whole)}, platforms=[ARM, AMD])
    made = planned.images[0].manifest
    expected = {
        "annotations": {"a": "1", "b": "ü"},
        "manifests": [c.to_json() for c in (children[1], children[2], attested[1], attested[2])],
        "mediaType": manifests.OCI_INDEX,
        "schemaVersion": 2,
    }
    assert made.content == json.dumps(expected, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert made.descriptor == Descriptor(manifests.OCI_INDEX, digests.of(made.content), len(made.content))
    assert planned.images[0].derived_from == whole.digest
    assert planned.images[0].platforms == (AMD, ARM)
    again = plan([root("v1")], {"here": source_of(images, v1=whole)}, platforms=[AMD, ARM])
    assert one(again) == made.descriptor


def test_all_that_there_is_stays_as_it_was(images: Images) -> None:
    whole = images.two_platforms(attested=True)
    planned = plan([root("v1")], {"here": source_of(images, v1=whole)}, platforms=[ARM, AMD])
    assert one(planned).digest == whole.digest
    assert planned.images[0].derived_from == ""


def test_docker_lists_stay_docker_lists(images: Images) -> None:
    whole = images.index([images.image(f"linux/{n}", docker=True) for n in ("amd64", "arm64", "s390x")], docker=True)
    planned = plan([root("v1")], {"here": source_of(images, v1=whole)}, platforms=[AMD, ARM])
    assert one(planned).media_type == manifests.DOCKER_LIST


@pytest.mark.parametrize("platforms", [[S390], [AMD, S390]])
def test_a_platform_that_is_not_there(images: Images, platforms: list[Platform]) -> None:
    source = source_of(images, v1=images.two_platforms(attested=True))
    error = error_of(plan([root("v1")], {"here": source}, platforms=platforms))
    assert isinstance(error, NotFound)
    assert "linux/s390x" in str(error)
    assert "r.test/app:v1" in str(error)
    assert "linux/amd64, linux/arm64;" in (error.hint or "")
    assert "unknown" not in (error.hint or "")


def test_an_image_for_one_platform_alone(images: Images) -> None:
    source = source_of(images, v1=images.image("linux/arm64"))
    assert one(plan([root("v1")], {"here": source}, platforms=[AMD, ARM]))
    error = error_of(plan([root("v1")], {"here": source}, platforms=[AMD]))
    assert isinstance(error, NotFound)
    assert "is for linux/arm64 alone" in str(error)


def test_what_has_no_platform_passes(images: Images) -> None:
    source = source_of(images, v1=images.artifact("application/vnd.cncf.helm.config.v1+json"))
    assert one(plan([root("v1")], {"here": source}, platforms=[AMD]))


# Indexes in indexes


def nested(images: Images, depth: int) -> Descriptor:
    inner = images.image()
    for _ in range(depth):
        inner = images.index([replace(inner, platform=None)])
    return inner


def test_nested(images: Images) -> None:
    whole = nested(images, 8)
    planned = plan([root("v1")], {"here": source_of(images, v1=whole)})
    assert one(planned).digest == whole.digest
    assert len(planned.manifests) == 9


def test_nested_too_deep(images: Images) -> None:
    error = error_of(plan([root("v1")], {"here": source_of(images, v1=nested(images, 9))}))
    assert isinstance(error, ContentError)
    assert "nested" in str(error)


def test_an_index_made_to_explode(images: Images) -> None:
    """Nine levels that each list the next one ten times are ten manifests, not a thousand million."""
    source = Noting()
    levels = [images.image()]
    images.push_to(source, {"v0": levels[0]})
    for _ in range(9):
        levels.append(images.index([replace(levels[-1], platform=None)] * 10))
        source.push(levels[-1], bytes_opener(images.content[levels[-1].digest]))
    source.tag(levels[8], "v1")
    source.tag(levels[9], "v2")
    made = []

    def planned(tag: str) -> None:
        made.append(plan([root(tag)], {"here": source}))

    assert steps(lambda: planned("v1"), limit=100_000)
    assert len(made[-1].manifests) == 9
    assert steps(lambda: planned("v2"), limit=100_000)
    assert isinstance(error_of(made[-1]), ContentError)
    source.delete(levels[0].digest)
    assert steps(lambda: planned("v1"), limit=100_000)
    assert isinstance(error_of(made[-1]), NotFound)


def test_a_missing_child(images: Images) -> None:
    whole, good = images.two_platforms(), images.image()
    source = source_of(images, v1=whole, v2=good)
    child = next(d for d in images.needed(whole) if d.platform == ARM)
    source.delete(child.digest)
    planned = plan([root("v1"), root("v2")], {"here": source})
    assert [i.root.name for i in planned.images] == ["v2"]
    ((failed, error),) = planned.failures
    assert failed.name == "v1"
    assert child.digest in str(error)
    assert isinstance(error, NotFound | ContentMissing)
    assert set(planned.manifests) == {good.digest}


def test_sizes_that_lie(images: Images) -> None:
    child = images.image()
    whole = images.index([replace(child, size=child.size + 1)])
    source = source_of(images, v0=child)
    source.push(whole, bytes_opener(images.content[whole.digest]))
    source.tag(whole, "v1")
    error = error_of(plan([root("v1")], {"here": source}))
    assert isinstance(error, ContentError)
    assert f"{child.digest} has {child.size} bytes, its index says {child.size + 1}" in str(error)


def test_manifests_that_contradict_each_other(images: Images) -> None:
    """One digest with two sizes: one of the images is wrong, and it alone is refused."""
    layer = images.layer()
    first = images.image(layers=[layer])
    lying = dataclasses.replace(layer, descriptor=replace(layer.descriptor, size=layer.descriptor.size + 7))
    second = images.image(layers=[lying])
    source = source_of(images, v1=first)
    for needed in images.needed(second):
        if needed.digest != layer.descriptor.digest:
            source.push(needed, bytes_opener(images.content[needed.digest]))
    source.tag(second, "v2")
    planned = plan([root("v1"), root("v2")], {"here": source})
    assert [i.root.name for i in planned.images] == ["v1"]
    assert [r.name for r, _ in planned.failures] == ["v2"]
    assert "bytes in one manifest" in str(planned.failures[0][1])
    assert set(planned.manifests) == {first.digest}


def test_unknown_types_in_an_index(images: Images) -> None:
    """What an index lists that is no manifest is carried as content (image-spec image-index.md)."""
    extra = images.blob(b"{}", "application/vnd.example+json")
    whole = images.index([images.image(), extra])
    planned = plan([root("v1")], {"here": source_of(images, v1=whole)})
    assert not planned.failures
    assert extra.digest in planned.blobs


def test_every_failure_is_listed(images: Images) -> None:
    source = source_of(images, v1=images.image())
    planned = plan([root("x"), root("v1"), root("y")], {"here": source})
    assert [r.name for r, _ in planned.failures] == ["x", "y"]
    assert all(r.label in str(error) for r, error in planned.failures)


# Foreign layers


def test_foreign_layers_stay_behind(images: Images) -> None:
    foreign = images.layer(media_type=OCI_LAYER_NONDISTRIBUTABLE)
    here = images.layer(media_type=OCI_LAYER_NONDISTRIBUTABLE)
    whole = images.image(layers=[foreign, here, images.layer()])
    source = source_of(images, v1=whole)
    source.delete(foreign.descriptor.digest)
    events: list[Event] = []
    planned = plan([root("v1")], {"here": source}, Context(emit=events.append))
    assert one(planned).digest == whole.digest
    assert foreign.descriptor.digest not in planned.blobs
    assert here.descriptor.digest in planned.blobs
    (warning,) = [e.text for e in events if isinstance(e, Warned)]
    assert foreign.descriptor.digest in warning
    assert foreign.descriptor.digest not in planned.subset(planned.images).blobs


# Referrers


class Referring(Noting):
    def __init__(self, known: dict[str, list[Descriptor]]) -> None:
        super().__init__()
        self.known = known

    def referrers(self, digest: str) -> list[Descriptor]:
        return self.known.get(digest, [])


def test_referrers_come_along(images: Images) -> None:
    whole = images.image()
    signature = images.artifact("application/vnd.example.signature", subject=whole)
    of_signature = images.artifact("application/vnd.example.note", subject=signature)
    source = Referring({whole.digest: [signature], signature.digest: [of_signature]})
    images.push_to(source, {"v1": whole, "s": signature, "n": of_signature})
    planned = plan([root("v1", Destination("there", "v1"))], {"here": source}, referrers=True)
    assert [(i.digest, i.referrer_of) for i in planned.images] == [
        (whole.digest, ""),
        (signature.digest, whole.digest),
        (of_signature.digest, signature.digest),
    ]
    assert planned.images[1].root.destinations == (Destination("there"),)
    assert len(plan([root("v1")], {"here": source}).images) == 1


def test_stopped(images: Images) -> None:
    stop = CancelToken()
    stop.set()
    with pytest.raises(Interrupted):
        plan([Root("x", "here", "v1")], {"here": MemoryStore()}, Context(cancel=stop))


def test_a_name_is_in_a_list_once() -> None:
    """Also in a long one, which remembers its names in a set."""
    names = NameList()
    many = [f"repository-{number}" for number in range(40)]
    for name in many:
        names.add([name, name])
    names.add(many)
    assert names == many


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, "r.test/app:v1"),
        ("https://mirror.test/v2/", "r.test/app:v1 at https://mirror.test/v2/"),
        ("r.test/app:v1 at https://mirror.test/v2/", "r.test/app:v1 at https://mirror.test/v2/"),
    ],
)
def test_a_failure_names_the_image_once(images: Images, where: str | None, expected: str) -> None:
    source = source_of(images, v1=images.image())
    source.fail[source.resolve("v1").digest] = NotFound("it is gone", where=where)
    assert str(error_of(plan([root("v1")], {"here": source}))) == f"{expected}: it is gone"
