# SPDX-License-Identifier: Apache-2.0
"""``airgap prune`` at the mock servers of Nexus and Harbor, by their own APIs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airgap.oci import Descriptor
from airgap.oci.manifest import is_manifest_type
from tests.cli.command import Airgap
from tests.doubles.harbor import Harbor, harbor
from tests.doubles.nexus import ADMIN, PUSHER, Nexus, Repository, Settings, User, nexus
from tests.doubles.nexus.content import Content, Manifest
from tests.flows.prune.releases import RELEASES, World, receipt
from tests.parts.images import Images

NEW = {"alias": ["2"], "app": ["1.10"], "db": ["1.10"]}


def put_image(there: Nexus, content: Content, images: Images, image: str, tag: str, root: Descriptor) -> None:
    """What a push leaves."""
    for needed in images.needed(root):
        data = images.content[needed.digest]
        if is_manifest_type(needed.media_type):
            content.manifests[image, needed.digest] = Manifest(data, needed.media_type, 0.0)
        else:
            content.keep(image, needed.digest, data, needed.media_type)
    content.tagged[image, tag] = (root.digest, there.clock())


def fill_nexus(there: Nexus, world: World, *, repository: str = "docker-hosted", inner: str = "p/") -> None:
    """What imports of three releases leave, and something of somebody else."""
    content = there.repository(repository)
    for version in RELEASES:
        for name, root in world.tags[version].items():
            image, _, tag = name.partition(":")
            put_image(there, content, world.images, f"{inner}{image}", tag, root)
    put_image(there, content, world.images, f"{inner}app", world.signature_tag, world.signature)
    put_image(there, content, world.images, f"{inner}app", "theirs", world.tags["1.8"]["app:1.8"])


def write_receipts(airgap: Airgap, world: World, target: str) -> None:
    """The receipts of three imports."""
    for version in RELEASES:
        digests = {name: root.digest for name, root in world.tags[version].items()}
        airgap.write(f"{version}.tar.receipt.json", receipt(digests, target=target))


def sign_in(user: User) -> dict[str, str]:
    return {"AIRGAP_USERNAME": user.name, "AIRGAP_PASSWORD": user.password}


@pytest.mark.parametrize("with_rest", [True, False])
def test_nexus(airgap: Airgap, with_rest: bool) -> None:
    world = World()
    with nexus(Settings(repositories=(Repository("docker-hosted", connector="http"),))) as there:
        fill_nexus(there, world)
        target = f"{there.connector().address}/p"
        write_receipts(airgap, world, target)
        more = ["--nexus", there.url] if with_rest else []
        said = airgap.run(
            "prune", f"http://{target}", "--keep", "1.10.tar.receipt.json", "--yes", *more, environment=sign_in(ADMIN)
        )
        tags = {name.removeprefix("p/"): sorted(found) for name, found in there.repository().tags.items()}
        assert tags == {**NEW, "app": ["1.10", world.signature_tag, "theirs"]}
        rest = [seen for seen in there.seen if seen.method == "DELETE" and "/components/" in seen.target]
        direct = [seen for seen in there.seen if seen.method == "DELETE" and "/manifests/" in seen.target]
        assert (len(rest), len(direct)) == ((5, 0) if with_rest else (0, 5))
        # Nexus removes manifests by a task: none is deleted by its digest.
        assert not [seen for seen in direct if "sha256:" in seen.target]
        assert said.stderr.index("repository.docker.gc") < said.stderr.index("blobstore.compact")


def test_nexus_by_path(airgap: Airgap) -> None:
    """Names at the target begin with the repository's, those in Nexus do not."""
    world = World()
    with nexus(Settings(repositories=(Repository("team", path_enabled=True),))) as there:
        fill_nexus(there, world, repository="team", inner="p/")
        target = f"{there.main.address}/team/p"
        write_receipts(airgap, world, target)
        airgap.run(
            "prune", f"http://{target}", "--keep", "1.10.tar.receipt.json", "--yes", "--nexus", there.url,
            environment=sign_in(ADMIN),
        )  # fmt: skip
        assert sorted(there.repository("team").tags["p/db"]) == ["1.10"]
        assert [seen for seen in there.seen if seen.method == "DELETE" and "/components/" in seen.target]


def test_a_user_of_nexus_who_may_not_delete(airgap: Airgap) -> None:
    world = World()
    with nexus(Settings(repositories=(Repository("docker-hosted", connector="http"),))) as there:
        fill_nexus(there, world)
        target = f"{there.connector().address}/p"
        write_receipts(airgap, world, target)
        said = airgap.run(
            "prune", f"http://{target}", "--keep", "1.10.tar.receipt.json", "--yes", "--nexus", there.url,
            environment=sign_in(PUSHER), code=21,
        )  # fmt: skip
        assert "delete" in said.errors[0] + said.stderr
        assert "p/db" in there.repository().tags


@pytest.fixture
def harbored(airgap: Airgap) -> Iterator[Harbor]:
    world = World()
    with harbor(projects={"p"}) as there:
        for version in RELEASES:
            there.fill(world.images, {f"p/{name}": root for name, root in world.tags[version].items()})
        write_receipts(airgap, world, f"{there.address}/p")
        yield there


def prune_harbor(airgap: Airgap, there: Harbor, *more: str, code: int = 0) -> str:
    """Prune as the administrator; what was said."""
    words = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "admin-word"}
    said = airgap.run(
        "prune", f"{there.address}/p", "--keep", "1.10.tar.receipt.json", *more, environment=words, code=code
    )
    return said.stderr + said.text


def test_harbor_deletes_a_tag_alone_by_its_own_api(airgap: Airgap, harbored: Harbor) -> None:
    said = prune_harbor(airgap, harbored, "--yes")
    assert harbored.names() == ["p/alias:2", "p/app:1.10", "p/db:1.10"]
    assert "Clean Up > Garbage Collection" in said


def test_a_tag_that_harbor_keeps_immutable(airgap: Airgap, harbored: Harbor) -> None:
    harbored.immutable.add("1")
    said = prune_harbor(airgap, harbored, "--yes", code=3)
    assert "Tag Immutability" in said
    assert harbored.names() == ["p/alias:1", "p/alias:2", "p/app:1.10", "p/db:1.10"]
