# SPDX-License-Identifier: Apache-2.0
"""What every source and every store must do, whatever it keeps its content in.

``class TestMemory(StoreSuite)`` with a fixture ``store`` passes all of it; something that is only read (a bundle)
subclasses :class:`SourceSuite` and gives ``fill``. Names are plain tags, which every store can hold.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from airgap.errors import AirgapError, ContentError, ContentMissing, DigestMismatch, NotFound
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store import Reader, Source, Store, SupportsDelete, SupportsNames, fetch
from airgap.store.readers import BUFFER_SIZE, BytesReader, bytes_opener
from tests.parts.images import Images

Fill = Callable[[Images, Mapping[str, Descriptor]], Source]
BLOB = "application/octet-stream"
#: More than one buffer of every loop that moves bytes, and no multiple of it.
LARGE = 2 * BUFFER_SIZE + 12345


def noise(size: int, seed: int = 0) -> bytes:
    """``size`` bytes that look like nothing, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def described(content: bytes, algorithm: str = "sha256") -> Descriptor:
    return Descriptor(BLOB, digests.of(content, algorithm), len(content))


def read_all(reader: Reader, step: int = 65536) -> bytes:
    """All that a reader gives, ``step`` bytes at most each time; closes it."""
    buffer, whole = memoryview(bytearray(step)), bytearray()
    try:
        while count := reader.readinto(buffer):
            whole += buffer[:count]
    finally:
        reader.close()
    return bytes(whole)


class Breaking:
    """A reader that gives ``content`` up to ``after`` bytes and then fails as a lost connection does."""

    def __init__(self, content: bytes, after: int) -> None:
        self._inner = BytesReader(content[:after])
        self.closed = False

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._inner.readinto(buffer)
        if count == 0:
            raise ContentError("the connection was lost")
        return count

    def close(self) -> None:
        self.closed = True


class SourceSuite:
    """Reading. ``fill(images, names)`` gives a source that holds the named images and all that they lead to."""

    @pytest.fixture
    def fill(self) -> Fill:
        raise NotImplementedError("give a fixture of this name")

    @pytest.fixture
    def images(self) -> Images:
        return Images(7)

    def test_a_name_leads_to_its_descriptor(self, fill: Fill, images: Images) -> None:
        root, single = images.two_platforms(attested=True), images.image()
        source = fill(images, {"v1": root, "single": single})
        for name, expected in (("v1", root), ("single", single)):
            descriptor = source.resolve(name)
            assert (descriptor.media_type, descriptor.digest, descriptor.size) == (
                expected.media_type,
                expected.digest,
                expected.size,
            )

    def test_a_digest_is_a_name(self, fill: Fill, images: Images) -> None:
        root = images.two_platforms()
        source = fill(images, {"v1": root})
        child = next(d for d in images.needed(root) if d.platform is not None)
        for expected in (root, child):
            descriptor = source.resolve(expected.digest)
            assert (descriptor.digest, descriptor.size) == (expected.digest, expected.size)

    def test_unknown_names_are_not_found(self, fill: Fill, images: Images) -> None:
        source = fill(images, {"v1": images.image()})
        for name in ("v2", digests.of(b"absent")):
            with pytest.raises(NotFound):
                source.resolve(name)

    def test_everything_needed_is_there_byte_for_byte(self, fill: Fill, images: Images) -> None:
        roots = {"oci": images.two_platforms(attested=True), "docker": images.two_platforms(docker=True)}
        roots["artifact"] = images.artifact(subject=roots["oci"])
        source = fill(images, roots)
        for root in roots.values():
            for descriptor in images.needed(root):
                assert source.exists(descriptor), descriptor
                assert fetch(source, descriptor, limit=BUFFER_SIZE) == images.content[descriptor.digest]

    def test_sha512_content(self, fill: Fill) -> None:
        images = Images(8, algorithm="sha512")
        root = images.image()
        source = fill(images, {"v1": root})
        # Behind a tag a registry may name the same bytes by the algorithm of its choice.
        digests.verify(images.content[root.digest], source.resolve("v1").digest)
        for descriptor in images.needed(root):
            assert read_all(source.open(descriptor)) == images.content[descriptor.digest]

    def test_reading_from_an_offset(self, fill: Fill, images: Images) -> None:
        root = images.image(layers=1, size=LARGE)
        source = fill(images, {"v1": root})
        layer = max(images.needed(root), key=lambda descriptor: descriptor.size)
        content = images.content[layer.digest]
        for offset in (0, 1, BUFFER_SIZE - 1, BUFFER_SIZE, layer.size - 1, layer.size):
            assert read_all(source.open(layer, offset)) == content[offset:], offset

    def test_reading_in_steps_of_any_size(self, fill: Fill, images: Images) -> None:
        root = images.image(layers=1, size=10_000)
        source = fill(images, {"v1": root})
        layer = max(images.needed(root), key=lambda descriptor: descriptor.size)
        for step in (1, 511, 512, layer.size, layer.size + 1):
            assert read_all(source.open(layer), step) == images.content[layer.digest]

    def test_several_readers_of_one_blob(self, fill: Fill, images: Images) -> None:
        root = images.image(layers=1, size=LARGE)
        source = fill(images, {"v1": root})
        layer = max(images.needed(root), key=lambda descriptor: descriptor.size)
        with ThreadPoolExecutor(4) as pool:
            contents = list(pool.map(lambda offset: read_all(source.open(layer, offset)), (0, 1000, 0, BUFFER_SIZE)))
        assert contents == [images.content[layer.digest][offset:] for offset in (0, 1000, 0, BUFFER_SIZE)]

    def test_missing_content(self, fill: Fill, images: Images) -> None:
        source = fill(images, {"v1": images.image()})
        absent = described(b"absent")
        assert not source.exists(absent)
        with pytest.raises(ContentMissing) as caught:
            read_all(source.open(absent))
        assert absent.digest in str(caught.value)

    def test_fetch_keeps_to_its_limit(self, fill: Fill, images: Images) -> None:
        root = images.image()
        source = fill(images, {"v1": root})
        with pytest.raises(ContentError, match="at most"):
            fetch(source, root, limit=root.size - 1)

    def test_a_reader_may_be_closed_early_and_twice(self, fill: Fill, images: Images) -> None:
        root = images.image(layers=1, size=LARGE)
        source = fill(images, {"v1": root})
        layer = max(images.needed(root), key=lambda descriptor: descriptor.size)
        reader = source.open(layer)
        assert reader.readinto(memoryview(bytearray(10))) > 0
        reader.close()
        reader.close()
        assert read_all(source.open(layer)) == images.content[layer.digest]


class StoreSuite(SourceSuite):
    """Writing. ``store`` gives an empty one, new for each test."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError("give a fixture of this name")

    @pytest.fixture
    def fill(self, store: Store) -> Fill:
        def filled(images: Images, names: Mapping[str, Descriptor]) -> Source:
            images.push_to(store, names)
            return store

        return filled

    def test_is_a_store(self, store: Store) -> None:
        assert isinstance(store, Store)

    @pytest.mark.parametrize("size", [0, 1, BUFFER_SIZE, LARGE])
    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_push_and_read_back(self, store: Store, size: int, algorithm: str) -> None:
        content = noise(size)
        descriptor = described(content, algorithm)
        assert not store.exists(descriptor)
        store.push(descriptor, bytes_opener(content))
        assert store.exists(descriptor)
        assert read_all(store.open(descriptor)) == content

    def test_pushing_again_changes_nothing(self, store: Store) -> None:
        content = noise(1000)
        for _ in range(2):
            store.push(described(content), bytes_opener(content))
        assert read_all(store.open(described(content))) == content

    def test_wrong_content_leaves_nothing(self, store: Store) -> None:
        descriptor, other = described(noise(LARGE, 1)), noise(LARGE, 2)
        with pytest.raises(DigestMismatch) as caught:
            store.push(descriptor, bytes_opener(other))
        assert descriptor.digest in str(caught.value)
        self._assert_absent(store, descriptor)
        self._assert_absent(store, described(other))

    @pytest.mark.parametrize("length", [0, BUFFER_SIZE, LARGE - 1])
    def test_content_that_is_too_short_leaves_nothing(self, store: Store, length: int) -> None:
        descriptor = described(noise(LARGE))
        with pytest.raises(ContentError):
            store.push(descriptor, bytes_opener(noise(LARGE)[:length]))
        self._assert_absent(store, descriptor)

    @pytest.mark.parametrize("more", [1, BUFFER_SIZE])
    def test_of_content_that_is_too_long_no_byte_too_many_is_kept(self, store: Store, more: int) -> None:
        """Refused, or taken as far as it was announced: a store need not read on to learn that there is more."""
        content = noise(LARGE)
        descriptor = described(content)
        try:
            store.push(descriptor, bytes_opener(content + noise(more, 9)))
        except ContentError:
            self._assert_absent(store, descriptor)
        else:
            assert read_all(store.open(descriptor)) == content

    def test_content_that_breaks_off_can_be_pushed_again(self, store: Store) -> None:
        content = noise(LARGE)
        descriptor = described(content)
        broken: list[Breaking] = []

        def opener(offset: int) -> Reader:
            broken.append(Breaking(content[offset:], BUFFER_SIZE + 77))
            return broken[-1]

        with pytest.raises(ContentError):
            store.push(descriptor, opener)
        assert broken
        assert all(reader.closed for reader in broken)
        self._assert_absent(store, descriptor)
        store.push(descriptor, bytes_opener(content))
        assert read_all(store.open(descriptor)) == content

    def test_a_push_opens_the_content_afresh(self, store: Store) -> None:
        """Each try asks the opener for an offset: a reader that an earlier try has used up is not asked again."""
        content, opened = noise(LARGE), list[int]()

        def opener(offset: int) -> Reader:
            opened.append(offset)
            return BytesReader(content, offset)

        store.push(described(content), opener)
        assert opened[0] == 0
        assert all(0 <= offset <= len(content) for offset in opened)
        again = len(opened)
        store.push(described(content), opener)
        assert len(opened) == again or opened[again] == 0

    def test_readers_are_closed(self, store: Store) -> None:
        content, readers = noise(1000), list[_Counted]()

        def opener(offset: int) -> Reader:
            readers.append(_Counted(content, offset))
            return readers[-1]

        store.push(described(content), opener)
        assert readers
        assert all(reader.closed for reader in readers)

    def test_many_threads_push_one_digest(self, store: Store) -> None:
        content = noise(LARGE)
        together = threading.Barrier(4)

        def push(_: int) -> None:
            together.wait(10)
            store.push(described(content), bytes_opener(content))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(push, range(4)))
        assert read_all(store.open(described(content))) == content

    def test_many_threads_push_many_digests(self, store: Store) -> None:
        contents = [noise(5000 + number, number) for number in range(24)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda content: store.push(described(content), bytes_opener(content)), contents))
        for content in contents:
            assert read_all(store.open(described(content))) == content

    def test_a_failed_push_beside_a_good_one(self, store: Store) -> None:
        content, wrong = noise(LARGE), noise(LARGE, 5)
        together = threading.Barrier(2)

        def push(given: bytes) -> str:
            together.wait(10)
            try:
                store.push(described(content), bytes_opener(given))
            except AirgapError as error:
                return type(error).__name__
            return "done"

        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(push, (content, wrong)))
        # A store that has the content already need not look at what it is given once more.
        assert outcomes[0] == "done"
        assert outcomes[1] in ("DigestMismatch", "done")
        assert read_all(store.open(described(content))) == content

    def test_a_tag_moves(self, store: Store, images: Images) -> None:
        first, second = images.image(), images.two_platforms()
        images.push_to(store, {"latest": first})
        images.push_to(store, {"latest": second})
        assert store.resolve("latest").digest == second.digest
        assert store.resolve(first.digest).size == first.size

    def test_two_names_for_one_image(self, store: Store, images: Images) -> None:
        root = images.image()
        images.push_to(store, {"v1": root, "v1.0": root})
        assert store.resolve("v1").digest == store.resolve("v1.0").digest == root.digest

    def test_tagging_what_is_not_there(self, store: Store) -> None:
        absent = Images(9).image()
        with pytest.raises((ContentMissing, NotFound)):
            store.tag(absent, "v1")
        with pytest.raises(NotFound):
            store.resolve("v1")

    def test_names_are_listed(self, store: Store, images: Images) -> None:
        if not isinstance(store, SupportsNames):
            pytest.skip("lists no names")
        assert dict(store.names()) == {}
        root, other = images.image(), images.image()
        images.push_to(store, {"v1": root, "v2": other, "v3": root})
        assert {name: descriptor.digest for name, descriptor in store.names().items()} == {
            "v1": root.digest,
            "v2": other.digest,
            "v3": root.digest,
        }

    def test_forgetting(self, store: Store, images: Images) -> None:
        if not isinstance(store, SupportsDelete):
            pytest.skip("forgets nothing")
        root, other = images.image(), images.image()
        images.push_to(store, {"v1": root, "v2": root, "kept": other})
        store.untag("v1")
        with pytest.raises(NotFound):
            store.resolve("v1")
        assert store.resolve("v2").digest == root.digest
        assert store.delete(root.digest)
        assert not store.delete(root.digest)
        assert not store.exists(root)
        for name in ("v2", root.digest):
            with pytest.raises(NotFound):
                store.resolve(name)
        assert store.resolve("kept").digest == other.digest

    def _assert_absent(self, store: Store, descriptor: Descriptor) -> None:
        assert not store.exists(descriptor)
        with pytest.raises(ContentMissing):
            read_all(store.open(descriptor))


class _Counted(BytesReader):
    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()
