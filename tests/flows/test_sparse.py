# SPDX-License-Identifier: Apache-2.0
"""``export --sparse``: an index keeps its digest and signatures, though the bundle has only some of its images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airgap.bundle import open_bundle
from airgap.errors import AirgapError, RegistryError, TargetError
from airgap.flows.steps.sparse_indexes import check_sparse_indexes
from airgap.oci import Descriptor
from airgap.oci.manifest import parse
from airgap.transfer import Destination, Image, Plan, Root
from tests.bundle.bundles import changed
from tests.cli.command import Airgap, Registry, pod, settings
from tests.doubles.nexus import PUSHER, Repository, Settings, nexus
from tests.parts.images import Images

NAME = "quay.io/a/x:1"
EXPORT = ("export", "pod.yaml", "-o", "b.tar", "--platform", "linux/amd64", "--sparse")


class Sparse:
    """``quay.io/a/x:1``, an attested index for two platforms, signed as a whole and each image for itself."""

    def __init__(self, airgap: Airgap, quay: Registry) -> None:
        self.images = images = Images(18)
        self.index = images.two_platforms(attested=True)
        self.amd64, self.arm64, *_ = self.children = parse(images.content[self.index.digest]).children
        quay.fill(images, {"a/x:1": self.index, "a/x:2": self.index})
        self.signatures = {}
        for subject in (self.index, self.amd64, self.arm64):
            made = images.artifact(subject=subject, content=f"signature of {subject.digest}".encode())
            images.push_to(quay.store, {f"a/x@{made.digest}": made})
            self.signatures[subject.digest] = made
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
        airgap.write("pod.yaml", pod(NAME))

    def layers(self, image: Descriptor) -> tuple[Descriptor, ...]:
        return parse(self.images.content[image.digest]).blobs


@pytest.fixture
def sparse(airgap: Airgap, quay: Registry) -> Sparse:
    return Sparse(airgap, quay)


@pytest.fixture
def taker() -> Iterator[Registry]:
    """A registry that takes such indexes."""
    with Registry(sparse=True) as registry:
        yield registry


def test_the_bundle_says_what_it_lacks(airgap: Airgap, sparse: Sparse) -> None:
    said = airgap.run(*EXPORT, "--lock", "l")
    assert "1 image with the whole index, but not all of its images" in said.stderr
    assert "arm64" not in said.stderr
    lacking = {sparse.arm64.digest, sparse.children[3].digest}
    with open_bundle(airgap.folder / "b.tar") as bundle:
        inventory = bundle.inventory
        (image,) = inventory.images
        assert (image.descriptor.digest, image.derived_from) == (sparse.index.digest, "")
        assert list(map(str, image.platforms)) == ["linux/amd64"]
        assert inventory.absent == lacking
        document = inventory.to_json()
        signed = {sparse.signatures[digest].digest for digest in (sparse.index.digest, sparse.amd64.digest)}
        assert set(inventory.referrers) == signed
    assert (document["features"], document["absent"]) == (["sparse"], sorted(lacking))
    assert "0.3.0" in document["tool"]
    assert "all as they should be" in airgap.run("verify", "b.tar").stderr
    assert "without linux/arm64" in airgap.run("inspect", "b.tar").text
    # The lock gives the same bytes, and is not taken for a bundle of another kind.
    first = (airgap.folder / "b.tar").read_bytes()
    airgap.run(*EXPORT, "--lock", "l", "--force")
    assert (airgap.folder / "b.tar").read_bytes() == first
    assert "--sparse" in airgap.fails(2, *EXPORT[:-1], "--lock", "l", "--force").stderr


def test_a_target_that_takes_it(airgap: Airgap, sparse: Sparse, taker: Registry) -> None:
    airgap.run(*EXPORT)
    airgap.run("import", "b.tar", "--to", f"{taker.url}/p")
    assert taker.digest("p/x:1") == sparse.index.digest
    for digest in (sparse.index.digest, sparse.amd64.digest):
        assert taker.store.exists(sparse.signatures[digest])
    assert not taker.store.exists(sparse.arm64)
    assert "all with the bundle's digests" in airgap.run("verify", "b.tar", "--against", f"{taker.url}/p").stderr
    taker.requests()
    airgap.run("import", "b.tar", "--to", f"{taker.url}/p")
    assert not [line for line in taker.requests() if line.startswith("PUT")]


def test_what_a_sparse_import_left_out_comes_with_the_next(airgap: Airgap, sparse: Sparse, taker: Registry) -> None:
    """The tag and the index are there already: that does not tell that the images are."""
    to = ("--to", f"{taker.url}/p")
    airgap.run(*EXPORT)
    airgap.run("import", "b.tar", *to)
    airgap.run("export", "pod.yaml", "-o", "arm.tar", "--platform", "linux/arm64", "--sparse")
    said = airgap.run("import", "arm.tar", *to, "--output", "out-arm").stderr
    assert "1 image pushed" in said
    needed = [*sparse.children[:2], *(layer for child in sparse.children[:2] for layer in sparse.layers(child))]
    assert [one.digest for one in needed if not taker.store.exists(one)] == []
    assert taker.digest("p/x:1") == sparse.index.digest
    taker.store.delete(sparse.arm64.digest)
    airgap.run("export", "pod.yaml", "-o", "all.tar")
    # A whole bundle asks only for the tag, unless it is told to look.
    again = ("import", "all.tar", *to, "--output", "out-all")
    assert "0 images pushed, 1 already there" in airgap.run(*again).stderr
    assert "1 image pushed" in airgap.run(*again, "--overwrite").stderr
    assert taker.store.exists(sparse.arm64)
    assert "0 images pushed, 1 already there" in airgap.run(*again, "--overwrite").stderr


def test_an_index_alone_is_no_image(airgap: Airgap, sparse: Sparse, taker: Registry) -> None:
    """As an import leaves it that was killed after the trial."""
    from airgap.store.readers import bytes_opener

    taker.store.push(sparse.index, bytes_opener(sparse.images.content[sparse.index.digest]))
    taker.store.tag(sparse.index, f"p/x@{sparse.index.digest}")
    airgap.run(*EXPORT)
    airgap.run("import", "b.tar", "--to", f"{taker.url}/p")
    assert taker.digest("p/x:1") == sparse.index.digest
    for needed in (sparse.amd64, *sparse.layers(sparse.amd64)):
        assert taker.store.exists(needed)


def test_a_target_that_does_not(airgap: Airgap, sparse: Sparse, nexus: Registry) -> None:
    """It is found out before a layer is pushed."""
    airgap.run(*EXPORT)
    said = airgap.fails(50, "import", "b.tar", "--to", f"{nexus.url}/p").stderr
    assert "refuses this index without all of its images: linux/arm64" in said
    assert NAME in said
    assert nexus.names() == []
    assert not [line for line in nexus.requests() if "/blobs/uploads" in line]
    airgap.run("import", "b.tar", "--to", f"{nexus.url}/p", "--dry-run")


def test_a_target_that_has_the_rest(airgap: Airgap, sparse: Sparse, nexus: Registry) -> None:
    """Then nothing is missing there."""
    airgap.run("export", "pod.yaml", "-o", "all.tar")
    airgap.run("import", "all.tar", "--to", f"{nexus.url}/p", "--mapping", "basename")
    nexus.store.untag("p/x:1")
    airgap.run(*EXPORT)
    airgap.run("import", "b.tar", "--to", f"{nexus.url}/p", "--force")
    assert nexus.digest("p/x:1") == sparse.index.digest


class Checking:
    """A store of a registry that answers the trial with this error."""

    def __init__(self, error: RegistryError) -> None:
        self.error, self.tried = error, False

    def exists(self, descriptor: Descriptor) -> bool:
        return False

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str) -> None:
        self.tried = True
        raise self.error


@pytest.mark.parametrize(
    ("status", "code", "names", "outcome"),
    [
        (404, "MANIFEST_BLOB_UNKNOWN", "all", TargetError),
        (400, "", "none", TargetError),
        (422, "MANIFEST_INVALID", "none", TargetError),
        (400, "MANIFEST_BLOB_UNKNOWN", "kept", None),
        (413, "", "none", RegistryError),
        (403, "DENIED", "all", RegistryError),
    ],
)
def test_what_the_answer_to_the_trial_means(
    status: int, code: str, names: str, outcome: type[AirgapError] | None
) -> None:
    """A registry that checks some platforms only names none of those that are missing: it takes the index later."""
    images = Images(1)
    index = images.two_platforms()
    manifest = parse(images.content[index.digest])
    kept, missing = manifest.children
    root = Root("quay.io/a/x:1", "bundle", index.digest, (Destination("p/x", "1"),))
    image = Image(root, manifest, (), manifest.descriptor)
    plan = Plan([image], {kept.digest: parse(images.content[kept.digest]), index.digest: manifest})
    error = RegistryError("refused")
    error.status, error.code = status, code
    named = {"all": {kept.digest, missing.digest}, "kept": {kept.digest}, "none": set[str]()}
    error.digests = frozenset(named[names])
    store: Any = Checking(error)
    target: Any = object()
    with contextlib.nullcontext() if outcome is None else pytest.raises(outcome):
        check_sparse_indexes(plan, [image], {"p/x": store}, target, dry_run=False)
    assert store.tried


def test_nexus_is_known_to_refuse_it(airgap: Airgap, sparse: Sparse, services: ExitStack) -> None:
    """Unless it has the rest already."""
    airgap.run(*EXPORT)
    made = services.enter_context(nexus(Settings(repositories=(Repository("hosted", connector="http"),))))
    credentials = {"AIRGAP_USERNAME": PUSHER.name, "AIRGAP_PASSWORD": PUSHER.password}
    to = ("--to", f"http://{made.connector('hosted').address}/p")
    for dry_run in ((), ("--dry-run",)):
        said = airgap.fails(50, "import", "b.tar", *to, *dry_run, environment=credentials).stderr
        assert "Nexus refuses an index without all of its images: linux/arm64" in said
        assert "export without --sparse" in said
    airgap.run("export", "pod.yaml", "-o", "all.tar")
    airgap.run("import", "all.tar", *to, "--output", "out-all", environment=credentials)
    # The same tag is there already; under another name the index is new, and its images are not.
    airgap.write("again.yaml", pod("quay.io/a/x:2"))
    airgap.run("export", "again.yaml", "-o", "again.tar", *EXPORT[4:])
    airgap.run("import", "again.tar", *to, "--output", "out-again", environment=credentials)


def test_the_default_says_what_is_left_behind(airgap: Airgap, sparse: Sparse) -> None:
    said = airgap.run(*EXPORT[:-1]).stderr
    assert "signatures of the whole index are left out" in said
    assert "--sparse keeps the index" in said
    with open_bundle(airgap.folder / "b.tar") as bundle:
        assert bundle.inventory.features == []
        assert bundle.inventory.images[0].descriptor.digest == sparse.amd64.digest


def test_it_goes_with_platforms(airgap: Airgap, sparse: Sparse) -> None:
    assert "--sparse goes with --platform" in airgap.fails(2, "export", "pod.yaml", "-o", "b.tar", "--sparse").stderr
    airgap.run(*EXPORT, "--platform", "linux/arm64")
    with open_bundle(airgap.folder / "b.tar") as bundle:
        assert bundle.inventory.features == []


def test_a_served_bundle_offers_what_it_has(airgap: Airgap, sparse: Sparse) -> None:
    from airgap.errors import NotFound
    from airgap.registry import Registries
    from airgap.server import MirrorNaming, Server

    airgap.run(*EXPORT)
    with (
        open_bundle(airgap.folder / "b.tar") as bundle,
        Server(bundle, naming=MirrorNaming(bundle.names())) as server,
        Registries() as registries,
    ):
        repository = registries.repository(server.address, "a/x")
        assert repository.resolve("1").digest == sparse.index.digest
        assert repository.manifest(sparse.amd64.digest).descriptor.digest == sparse.amd64.digest
        assert not repository.exists(sparse.arm64)
        with pytest.raises(NotFound):
            repository.manifest(sparse.arm64.digest)


def test_a_contradiction_is_refused(airgap: Airgap, sparse: Sparse) -> None:
    airgap.run(*EXPORT)
    content = (airgap.folder / "b.tar").read_bytes()

    def call_absent(document: dict[str, object]) -> None:
        document["absent"] = [sparse.amd64.digest]

    def call_whole(document: dict[str, object]) -> None:
        document["absent"] = []

    airgap.write("bad.tar", changed(content, call_absent))
    assert "as absent, and as a blob" in airgap.fails(40, "verify", "bad.tar").stderr
    airgap.write("bad.tar", changed(content, call_whole))
    assert sparse.arm64.digest in airgap.fails(22, "verify", "bad.tar").stderr
