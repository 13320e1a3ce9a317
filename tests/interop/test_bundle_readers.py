# SPDX-License-Identifier: Apache-2.0
"""The bundle alone, without this program: what the real programs read in it, and what they pull where it is served.

One bundle for all: an attested OCI index, a single OCI image, a Docker manifest list, an image known by its digest
alone, one named by tag and digest, all on shared base layers that are really unpacked.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap.bundle import Extras
from airgap.bundle.program import PYZ_MEMBER, Program
from airgap.flows.serve import create_server
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.server import Server
from tests.bundle.bundles import Content
from tests.parts.clients import Command, open_folder, oras, podman, skopeo
from tests.parts.containerd import Containerd, containerd
from tests.parts.dockerd import dockerd
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images
from tests.parts.need import need, need_privilege, version

pytestmark = pytest.mark.interop

EXTRAS = Extras(program=Program(PYZ_MEMBER, b"#!/usr/bin/env python3\n"))
INDEX, SINGLE, DOCKER, BOTH = "quay.io/a/x:v1", "quay.io/a/single:1.0", "docker.io/library/redis:7", "ghcr.io/b/both:2"


@dataclass(frozen=True)
class Bundle:
    """``names`` are those of index.json, with what each stands for."""

    path: Path
    images: Images
    content: Content
    names: dict[str, Descriptor]
    known: str
    sha256: str

    def config(self, name: str) -> str:
        """The digest of the config for linux/amd64, which is a docker image's ID."""
        manifest = manifests.parse(self.images.content[self.names[name].digest])
        if manifest.is_index:
            child = next(one for one in manifest.children if str(one.platform) == "linux/amd64")
            manifest = manifests.parse(self.images.content[child.digest])
        assert manifest.config is not None
        return manifest.config.digest

    def tag(self, name: str) -> str:
        """The name with a tag, which manifest.json has."""
        repository, at, digest = name.partition("@")
        return f"{repository}:digest-{digests.encoded(digest)[:12]}" if at else name


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    images = Images(40)
    base = images.layer({"etc/os-release": b"NAME=part\n"}, size=200_000)
    single = images.image(layers=[base, images.layer(size=1000)])
    known = images.image(layers=[base, images.layer()])
    children = [images.image(f"linux/{cpu}", layers=[base, images.layer()]) for cpu in ("amd64", "arm64")]
    index = images.index([*children, images.attestation(children[0])])
    listed = images.two_platforms(docker=True, size=3000)
    by_digest = f"quay.io/a/known@{known.digest}"
    content = Content(
        images,
        {INDEX: index, SINGLE: single, DOCKER: listed, by_digest: known, f"{BOTH}@{single.digest}": single},
    )
    path = tmp_path_factory.mktemp("readers") / "bundle.tar"
    content.write(path, EXTRAS)
    names = {INDEX: index, SINGLE: single, DOCKER: listed, by_digest: known, BOTH: single}
    names[f"ghcr.io/b/both@{single.digest}"] = single
    return Bundle(path, images, content, names, by_digest, hashlib.sha256(path.read_bytes()).hexdigest())


def oci_names(bundle: Bundle) -> list[str]:
    return [name for name in bundle.names if name != DOCKER]


def copied(tool: Command, source: str, folder: Path, *more: str) -> str:
    """Copy all of an image into a folder, digests kept; the digest of its root there."""
    tool.run("copy", "-q", "--all", "--preserve-digests", *more, source, f"dir:{folder}")
    return digests.of((folder / "manifest.json").read_bytes())


def test_skopeo_copies_every_oci_image_by_name(bundle: Bundle, tmp_path: Path) -> None:
    tool = skopeo(tmp_path / "skopeo")
    for number, name in enumerate(oci_names(bundle)):
        root = bundle.names[name]
        folder = tmp_path / str(number)
        assert copied(tool, f"oci-archive:{bundle.path}:{name}", folder) == root.digest, name
        files = {f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in folder.iterdir()}
        assert {one.digest for one in bundle.images.needed(root)} <= files


def test_skopeo_as_a_normal_user(bundle: Bundle) -> None:
    need_privilege("become another user")
    with open_folder() as folder:
        shutil.copy(bundle.path, folder / "b.tar")
        (folder / "b.tar").chmod(0o644)
        tool = skopeo(folder / "home", as_nobody=True)
        for number, name in enumerate((INDEX, bundle.known)):
            kept = tool.folder / "tmp" / str(number)
            assert copied(tool, f"oci-archive:{folder / 'b.tar'}:{name}", kept) == bundle.names[name].digest
            assert kept.owner() == "nobody"


def test_a_normal_user_unpacks_and_tags(bundle: Bundle) -> None:
    """Modes let an unpacked bundle be worked with: a layout to which skopeo adds a name."""
    need_privilege("become another user")
    with open_folder() as folder:
        shutil.copy(bundle.path, folder / "b.tar")
        (folder / "b.tar").chmod(0o644)
        tool = skopeo(folder / "home", as_nobody=True)
        layout = tool.folder / "tmp" / "d"
        layout.mkdir()
        shutil.chown(layout, "nobody", "nogroup")
        tar = [*tool.prefix[: tool.prefix.index(need("skopeo"))], need("tar"), "-C", str(layout), "-xf"]
        subprocess.run([*tar, str(folder / "b.tar")], check=True)
        tool.run("copy", "-q", f"oci:{layout}:{SINGLE}", f"oci:{layout}:mine")
        assert digests.of(tool.run("inspect", "--raw", f"oci:{layout}:mine")) == bundle.names[SINGLE].digest


def test_skopeo_and_docker_types(bundle: Bundle, tmp_path: Path) -> None:
    """Older skopeo refuses Docker's types in an archive by any name; the unpacked folder and a position always work."""
    need("skopeo", at_least=(1, 17))  # the first that takes a position
    tool, root = skopeo(tmp_path / "skopeo"), bundle.names[DOCKER]
    source = f"oci-archive:{bundle.path}:{DOCKER}"
    if version("skopeo") >= (1, 19):
        assert copied(tool, source, tmp_path / "archive") == root.digest
    else:
        refused = tool.try_run("inspect", "--raw", source)
        assert b"unsupported manifest MIME types" in refused.stderr
    layout = tmp_path / "d"
    layout.mkdir()
    subprocess.run([need("tar"), "-C", layout, "-xf", bundle.path], check=True)
    entries = json.loads((layout / "index.json").read_bytes())["manifests"]
    position = next(number for number, entry in enumerate(entries) if entry["digest"] == root.digest)
    assert copied(tool, f"oci:{layout}:@{position}", tmp_path / "there") == root.digest


def test_skopeo_by_tag_for_docker(bundle: Bundle, tmp_path: Path) -> None:
    """docker-archive: every image, Docker's types too, for one platform; the config, an image's ID, is the same."""
    tool = skopeo(tmp_path / "skopeo")
    for name in (INDEX, SINGLE, DOCKER, bundle.known, BOTH):
        source = f"docker-archive:{bundle.path}:{bundle.tag(name)}"
        assert digests.of(tool.run("inspect", "--raw", "--config", source)) == bundle.config(name), name
    tool.run("copy", "-q", f"docker-archive:{bundle.path}:{DOCKER}", f"dir:{tmp_path / 'there'}")


def test_podman_pulls_and_loads(bundle: Bundle, tmp_path: Path) -> None:
    tool = podman(tmp_path / "podman")
    tool.run("pull", "-q", f"oci-archive:{bundle.path}:{INDEX}")
    assert tool.json("image", "inspect", INDEX)[0]["Id"] == digests.encoded(bundle.config(INDEX))
    tool.run("pull", "-q", f"oci-archive:{bundle.path}:{bundle.known}")
    assert tool.try_run("image", "exists", bundle.known).returncode == 0
    tool.run("rmi", "-a", "-f")
    # With more than one image it reads manifest.json, and gets all of them.
    tool.run("load", "-i", bundle.path)
    for name in (INDEX, SINGLE, DOCKER, bundle.known, BOTH):
        found = tool.json("image", "inspect", bundle.tag(name))[0]
        assert found["Id"] == digests.encoded(bundle.config(name))


@pytest.fixture(scope="module")
def folder(bundle: Bundle) -> Path:
    """The same bundle as ``export --layout folder`` makes it."""
    path = bundle.path.with_name("folder")
    bundle.content.write(path, EXTRAS, folder=True)
    return path


def test_skopeo_reads_the_folder(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    tool = skopeo(tmp_path / "skopeo")
    for number, name in enumerate(oci_names(bundle)):
        assert copied(tool, f"oci:{folder}:{name}", tmp_path / str(number)) == bundle.names[name].digest, name


def test_podman_reads_the_folder(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    tool = podman(tmp_path / "podman")
    for name in (INDEX, bundle.known):
        tool.run("pull", "-q", f"oci:{folder}:{name}")
        assert tool.json("image", "inspect", name)[0]["Id"] == digests.encoded(bundle.config(name))


def test_oras_reads_the_folder(bundle: Bundle, folder: Path, tmp_path: Path, registry: DockerRegistry) -> None:
    tool = oras(tmp_path / "oras")
    for number, root in enumerate(dict.fromkeys(bundle.names.values())):
        there = f"{registry.address}/f/n{number}:1"
        tool.run("cp", "-r", "--to-plain-http", "--from-oci-layout", f"{folder}@{root.digest}", there)
        found = tool.json("manifest", "fetch", "--plain-http", "--descriptor", there)
        assert (found["digest"], found["mediaType"]) == (root.digest, root.media_type)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    with containerd(tmp_path_factory.mktemp("node") / "containerd") as made:
        yield made


def test_containerd_imports_and_a_kubelet_finds(bundle: Bundle, node: Containerd) -> None:
    node.ctr.run("images", "import", bundle.path)
    listed = dict(line.split()[::2][:2] for line in node.ctr.run("images", "ls").decode().splitlines()[1:])
    for name, root in bundle.names.items():
        assert listed[name] == root.digest
        found = node.image_status(name)
        assert found is not None, name
        assert found.id == bundle.config(name)
    # What a pod writes: short, by tag and digest, by digest alone.
    single = bundle.names[SINGLE]
    for text in ("redis:7", bundle.known, f"{BOTH}@{single.digest}", f"ghcr.io/b/both@{single.digest}", BOTH):
        assert node.image_status(text) is not None, text
    assert node.image_status(f"quay.io/a/single@{'sha256:' + '0' * 64}") is None
    checked = node.ctr.run("images", "check").decode()
    for name in bundle.names:
        assert any(line.startswith(f"{name} ") and " complete " in line for line in checked.splitlines()), checked


def test_containerd_from_a_pipe(bundle: Bundle, tmp_path: Path) -> None:
    with containerd(tmp_path / "containerd", cri=False) as node:
        node.ctr.run("images", "import", "--all-platforms", "-", stdin=bundle.path.read_bytes())
        names = node.ctr.run("images", "ls", "-q").decode().split()
        assert sorted(names) == sorted(bundle.names)


def test_containerd_imports_the_folder_through_tar(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    packed = subprocess.run([need("tar"), "-C", folder, "-cf", "-", "."], check=True, capture_output=True).stdout
    with containerd(tmp_path / "containerd", cri=False) as node:
        node.ctr.run("images", "import", "--all-platforms", "-", stdin=packed)
        assert sorted(node.ctr.run("images", "ls", "-q").decode().split()) == sorted(bundle.names)


def test_containerd_without_the_hosts_platform(tmp_path: Path) -> None:
    images = Images(41)
    other = images.index([images.image("linux/s390x"), images.image("linux/riscv64")])
    Content(images, {"quay.io/a/other:1": other}).write(tmp_path / "b.tar")
    with containerd(tmp_path / "containerd", cri=False) as node:
        refused = node.ctr.try_run("images", "import", tmp_path / "b.tar")
        assert b"no match for platform" in refused.stderr
        # Without --all-platforms too, the content that the host cannot run would be collected as garbage.
        node.ctr.run("images", "import", "--no-unpack", "--all-platforms", tmp_path / "b.tar")
        assert node.ctr.run("images", "ls", "-q").decode().split() == ["quay.io/a/other:1"]
        for one in images.needed(other):
            assert node.ctr.run("content", "get", one.digest) == images.content[one.digest]


def test_containerd_and_one_platform(tmp_path: Path) -> None:
    """A bundle for one platform: the child that the tag names is an image like any other."""
    images = Images(42)
    index = images.two_platforms(attested=True)
    content = Content(images, {"quay.io/a/x:v1": index})
    content.write(tmp_path / "b.tar", platforms=["linux/amd64"])
    content.write(tmp_path / "two.tar", platforms=["linux/amd64", "linux/arm64"])
    with containerd(tmp_path / "containerd", cri=False) as node:
        for file in ("b.tar", "two.tar"):
            node.ctr.run("images", "import", "--all-platforms", tmp_path / file)
            assert b" complete " in node.ctr.run("images", "check")


def test_oras_copies_by_digest(bundle: Bundle, tmp_path: Path, registry: DockerRegistry) -> None:
    tool = oras(tmp_path / "oras")
    for number, root in enumerate(dict.fromkeys(bundle.names.values())):
        there = f"{registry.address}/b/n{number}:1"
        tool.run("cp", "-r", "--to-plain-http", "--from-oci-layout", f"{bundle.path}@{root.digest}", there)
        found = tool.json("manifest", "fetch", "--plain-http", "--descriptor", there)
        assert (found["digest"], found["mediaType"]) == (root.digest, root.media_type)


@pytest.mark.parametrize("containerd_store", [False, True], ids=["classic", "containerd-store"])
def test_docker_loads_everything(bundle: Bundle, tmp_path: Path, containerd_store: bool) -> None:
    with dockerd(tmp_path / "docker", containerd_store=containerd_store) as daemon:
        said = daemon.docker.run("load", "-i", bundle.path).decode()
        assert "Loaded image" in said
        for name in (INDEX, SINGLE, DOCKER, bundle.known, BOTH):
            shown = name if containerd_store else bundle.tag(name)
            found = daemon.docker.json("image", "inspect", shown)[0]
            assert found["Id"] == (bundle.names[name].digest if containerd_store else bundle.config(name)), name
            assert len(found["RootFS"]["Layers"]) == 2


def test_tar_takes_one_member(bundle: Bundle, tmp_path: Path) -> None:
    """The whole installation on the far side."""
    subprocess.run([need("tar"), "xf", bundle.path, "airgap/airgap.pyz"], cwd=tmp_path, check=True)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [
        "airgap/airgap.pyz"
    ]
    assert (tmp_path / "airgap/airgap.pyz").read_bytes() == b"#!/usr/bin/env python3\n"


def test_a_member_beyond_eight_gigabytes(tmp_path: Path) -> None:
    """Laid out by us, its 9 GiB a hole in the file: the others find their way around it and read what is behind."""
    images = Images(43)
    huge = Descriptor(
        manifests.OCI_CONFIG.replace("config.v1+json", "layer.v1.tar"), f"sha256:{'0' * 64}", (9 << 30) + 7
    )
    small = images.layer(media_type=huge.media_type)
    config = images.json(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [huge.digest, small.diff_id]},
        },
        manifests.OCI_CONFIG,
    )
    document = {"schemaVersion": 2, "mediaType": manifests.OCI_MANIFEST, "config": config.to_json()}
    layers = [huge.to_json(), small.descriptor.to_json()]
    root = images.json({**document, "layers": layers}, manifests.OCI_MANIFEST)
    images.content[huge.digest], images.descriptors[huge.digest] = b"", huge
    path = tmp_path / "b.tar"
    sparse(images, root, path)
    members = subprocess.run([need("tar"), "-tvf", path], check=True, capture_output=True, text=True).stdout.split("\n")
    assert members[-3].split()[2] == str(huge.size)
    assert members[-2].endswith(digests.encoded(small.descriptor.digest))
    subprocess.run([need("tar"), "-C", tmp_path, "-xf", path, members[-2].split()[-1]], check=True)
    unpacked = tmp_path / "blobs/sha256" / digests.encoded(small.descriptor.digest)
    assert digests.of(unpacked.read_bytes()) == small.descriptor.digest
    tool = skopeo(tmp_path / "skopeo")
    found = tool.run("inspect", "--raw", "--config", f"docker-archive:{path}:quay.io/a/huge:1")
    assert digests.of(found) == config.digest
    reader = oras(tmp_path / "oras")
    assert reader.run("manifest", "fetch", "--oci-layout", f"{path}@{root.digest}") == images.content[root.digest]
    fetched = tmp_path / "behind"
    source = f"{path}@{small.descriptor.digest}"
    reader.run("blob", "fetch", "--oci-layout", "--output", fetched, source)
    assert digests.of(fetched.read_bytes()) == small.descriptor.digest


def sparse(images: Images, root: Descriptor, path: Path) -> None:
    """A bundle whose layout is ours and whose largest blob is a hole."""
    from airgap.bundle import build_layout
    from airgap.store import MemoryStore
    from airgap.store.readers import bytes_opener
    from airgap.transfer import Destination, Root, plan

    store = MemoryStore()
    for one in images.needed(root):
        if images.content[one.digest]:
            store.push(one, bytes_opener(images.content[one.digest]))
    store.tag(root, "x")
    planned = plan([Root("quay.io/a/huge:1", "s", "x", (Destination("b"),))], {"s": store})
    _, layout = build_layout(planned)
    with path.open("wb") as file:
        for member, content in layout.head:
            file.seek(member.header_offset)
            file.write(member.header + content)
        for digest, place in layout.places.items():
            file.seek(place.header_offset)
            file.write(place.header + images.content[digest])
        file.truncate(layout.total)


@pytest.fixture(scope="module")
def served(bundle: Bundle) -> Iterator[Server]:
    """What ``airgap serve bundle.tar`` starts."""
    with create_server(bundle.path, "127.0.0.1", 0) as server:
        yield server


def test_skopeo_pulls_what_is_served(bundle: Bundle, served: Server, tmp_path: Path) -> None:
    tool = skopeo(tmp_path / "skopeo")
    for number, (name, root) in enumerate(bundle.names.items()):
        for place, reference in enumerate((name, name.partition("/")[2])):
            folder = tmp_path / f"{number}-{place}"
            source = f"docker://{served.address}/{reference}"
            assert copied(tool, source, folder, "--src-tls-verify=false") == root.digest, reference
    tags = tool.json("list-tags", "--tls-verify=false", f"docker://{served.address}/quay.io/a/x")
    assert tags["Tags"] == ["v1"]


def test_podman_pulls_what_is_served(bundle: Bundle, served: Server, tmp_path: Path) -> None:
    tool = podman(tmp_path / "podman")
    for name in (INDEX, DOCKER.partition("/")[2], bundle.known):
        reference = f"{served.address}/{name}"
        tool.run("pull", "-q", "--tls-verify=false", reference)
        known = next(full for full in bundle.names if full.endswith(name))
        assert tool.json("image", "inspect", reference)[0]["Id"] == digests.encoded(bundle.config(known))


def test_containerd_pulls_what_is_served(bundle: Bundle, served: Server, node: Containerd) -> None:
    for name, root in ((INDEX, bundle.names[INDEX]), (DOCKER.partition("/")[2], bundle.names[DOCKER])):
        reference = f"{served.address}/{name}"
        node.ctr.run("images", "pull", "--plain-http", "--snapshotter", "native", reference)
        assert node.ctr.run("images", "ls", f"name=={reference}").decode().splitlines()[1].split()[2] == root.digest
    reference = f"{served.address}/{INDEX}"
    node.ctr.run("content", "fetch", "--plain-http", "--all-platforms", reference)
    for one in bundle.images.needed(bundle.names[INDEX]):
        assert node.ctr.run("content", "get", one.digest) == bundle.images.content[one.digest]


def test_a_kubelet_pulls_from_a_bundle_that_plays_a_mirror(bundle: Bundle, served: Server, tmp_path: Path) -> None:
    """``hosts.toml`` for each registry points to the one server; names in pods stay as they are."""
    with containerd(tmp_path / "containerd") as node:
        for host in ("quay.io", "docker.io"):
            (node.certs / host).mkdir()
            text = f'server = "https://{host}"\n[host."{served.url}"]\n  capabilities = ["pull", "resolve"]\n'
            (node.certs / host / "hosts.toml").write_text(text)
        for name in (INDEX, "redis:7", bundle.known, SINGLE):
            node.pull(name)
            found = node.image_status(name)
            assert found is not None
            known = next(full for full in bundle.names if full.endswith(name))
            assert found.id == bundle.config(known)


def test_every_program_was_given_the_same_bytes(bundle: Bundle) -> None:
    """None of them wrote to it, or left anything beside it."""
    assert hashlib.sha256(bundle.path.read_bytes()).hexdigest() == bundle.sha256
    assert not list(bundle.path.parent.glob("bundle.tar?*"))
