# SPDX-License-Identifier: Apache-2.0
"""The real thing: Debian's docker-registry on both sides, images put in and looked at by skopeo.

skopeo knows nothing of airgap, so what it reads on the far side is what a node would pull.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.store import ImageLayout
from tests.cli.command import SAMPLES, Airgap, pod, settings
from tests.cli.fixtures import CERT_MANAGER
from tests.parts.certificates import Authority
from tests.parts.clients import Command, skopeo
from tests.parts.dockerregistry import DockerRegistry, docker_registry
from tests.parts.images import Images
from tests.parts.need import need
from tests.parts.proxy import http_proxy

pytestmark = [pytest.mark.requires("docker-registry", "skopeo"), pytest.mark.interop]

TARGET = "10.100.0.102:32415/my-docker-image"


@dataclass(frozen=True)
class Internet:
    """A docker-registry that plays every public one; ``roots`` are its images by ``repository:tag``."""

    registry: DockerRegistry
    roots: Mapping[str, Descriptor]
    images: Images

    @property
    def mirrors(self) -> dict[str, dict[str, object]]:
        return {name: {"mirror": self.registry.url} for name in ("quay.io", "docker.io", "ghcr.io")}


def build(images: Images) -> dict[str, Descriptor]:
    """OCI indexes, single images, an attested one, Docker schema 2 alone and in a manifest list."""
    roots = {f"jetstack/cert-manager-{name}:v1.14.4": images.two_platforms() for name in CERT_MANAGER}
    return {
        **roots,
        "falcosecurity/falco:0.41.3": images.two_platforms(attested=True),
        "falcosecurity/falcoctl:0.11.2": images.image(),
        "library/nginx:latest": images.two_platforms(docker=True),
        "old/schema2:1": images.image(docker=True),
    }


def as_dir(images: Images, root: Descriptor, folder: Path) -> None:
    """skopeo's ``dir:`` form, which takes Docker's media types too."""
    folder.mkdir(parents=True)
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    for descriptor in images.needed(root):
        name = digests.encoded(descriptor.digest)
        if manifests.is_manifest_type(descriptor.media_type):
            name += ".manifest.json"
        if descriptor.digest == root.digest:
            name = "manifest.json"
        (folder / name).write_bytes(images.content[descriptor.digest])


def put(
    images: Images, roots: Mapping[str, Descriptor], registry: DockerRegistry, client: Command, folder: Path
) -> None:
    """Every image into the registry by skopeo, OCI ones out of a layout, Docker's out of a folder."""
    layout = ImageLayout.create(folder / "layout")
    for number, (name, root) in enumerate(roots.items()):
        if "docker" in root.media_type:
            as_dir(images, root, folder / f"dir{number}")
            source = f"dir:{folder / f'dir{number}'}"
        else:
            images.push_to(layout, {f"n{number}": root})
            source = f"oci:{folder / 'layout'}:n{number}"
        to = f"docker://{registry.address}/{name}"
        client.run("copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false", source, to)


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    folder = tmp_path_factory.mktemp("internet")
    images = Images(77)
    with docker_registry(folder / "registry") as registry:
        roots = build(images)
        put(images, roots, registry, skopeo(folder / "skopeo"), folder)
        yield Internet(registry, roots, images)


@pytest.fixture
def client(tmp_path: Path) -> Command:
    return skopeo(tmp_path / "skopeo")


def raw(client: Command, registry: DockerRegistry, name: str, *more: str) -> bytes:
    return client.run("inspect", "--raw", "--tls-verify=false", *more, f"docker://{registry.address}/{name}")


def assert_same(client: Command, internet: Internet, source: str, target: DockerRegistry, name: str) -> None:
    """Tag and every platform have the bytes that left, and skopeo can pull all of it."""
    root = internet.roots[source]
    content = raw(client, target, name)
    assert content == raw(client, internet.registry, source)
    assert digests.of(content) == root.digest
    repository = name.rpartition(":")[0]
    for child in json.loads(content).get("manifests", ()):
        assert digests.of(raw(client, target, f"{repository}@{child['digest']}")) == child["digest"]
    pulled = client.folder / f"pulled-{name.replace('/', '-').replace(':', '-')}"
    where = f"docker://{target.address}/{name}"
    client.run("copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false", where, f"dir:{pulled}")


@pytest.mark.parametrize(
    ("sample", "to", "policy", "twin", "names"),
    [
        (
            "cert-manager/cert-manager.yaml",
            f"http://{TARGET}",
            "basename",
            "cert-manager/rewritten/cert-manager.yaml",
            {f"jetstack/cert-manager-{n}:v1.14.4": f"my-docker-image/cert-manager-{n}:v1.14.4" for n in CERT_MANAGER},
        ),
        (
            "falco/falco.yaml",
            "http://172.25.0.84:30018",
            "path",
            "falco/rewritten/falco.yaml",
            {name: name for name in ("falcosecurity/falco:0.41.3", "falcosecurity/falcoctl:0.11.2")},
        ),
        (
            "nginx/nginx.yaml",
            "https://172.25.0.84:30443/myimage",
            "basename",
            "nginx/rewritten/nodeport/nginx.yaml",
            {"library/nginx:latest": "myimage/nginx:latest"},
        ),
        (
            "nginx/nginx.yaml",
            "https://repository.dev.eris.go.kr/my-repo",
            "basename",
            "nginx/rewritten/ingress/nginx.yaml",
            {"library/nginx:latest": "my-repo/nginx:latest"},
        ),
    ],
    ids=["cert-manager", "falco", "nginx-nodeport", "nginx-ingress"],
)
def test_a_sample_from_registry_to_registry(
    airgap: Airgap,
    internet: Internet,
    registry: DockerRegistry,
    client: Command,
    sample: str,
    to: str,
    policy: str,
    twin: str,
    names: dict[str, str],
) -> None:
    airgap.write("airgap.yaml", settings(internet.mirrors))
    airgap.run("export", SAMPLES / sample, "-o", "bundle.tar")
    airgap.run("verify", "bundle.tar")
    airgap.run("import", "bundle.tar", "--to", to, "--mapping", policy, "--via", registry.url)
    name = Path(sample).name
    assert (airgap.folder / "airgap-out" / name).read_bytes() == (SAMPLES / twin).read_bytes()
    for source, target in names.items():
        assert_same(client, internet, source, registry, target)
    airgap.run("verify", "bundle.tar", "--against", to, "--mapping", policy, "--via", registry.url)


def test_dockers_formats_and_digest_references_keep_their_bytes(
    airgap: Airgap, internet: Internet, registry: DockerRegistry, client: Command
) -> None:
    pinned = internet.roots["falcosecurity/falcoctl:0.11.2"].digest
    airgap.write("airgap.yaml", settings(internet.mirrors))
    airgap.write("pod.yaml", pod("quay.io/old/schema2:1", f"falcosecurity/falcoctl@{pinned}"))
    airgap.run("export", "pod.yaml", "-o", "bundle.tar")
    airgap.run("import", "bundle.tar", "--to", f"{registry.address}/p")
    assert_same(client, internet, "old/schema2:1", registry, "p/schema2:1")
    tag = f"digest-{pinned.removeprefix('sha256:')[:12]}"
    assert digests.of(raw(client, registry, f"p/falcoctl:{tag}")) == pinned
    written = (airgap.folder / "airgap-out/pod.yaml").read_text()
    assert written == pod(f"{registry.address}/p/schema2:1", f"{registry.address}/p/falcoctl@{pinned}")
    # What the file names can be pulled as it stands.
    assert digests.of(raw(client, registry, f"p/falcoctl@{pinned}")) == pinned


def test_a_second_import_changes_nothing(airgap: Airgap, internet: Internet, registry: DockerRegistry) -> None:
    airgap.write("airgap.yaml", settings(internet.mirrors))
    airgap.run("export", SAMPLES / "falco/falco.yaml", "-o", "bundle.tar")
    airgap.run("import", "bundle.tar", "--to", f"{registry.address}/p")
    before = len(registry.requests())
    airgap.run("import", "bundle.tar", "--to", f"{registry.address}/p")
    asked = registry.requests()[before:]
    assert sorted(asked) == [
        "GET /v2/",
        "HEAD /v2/p/falco/manifests/0.41.3",
        "HEAD /v2/p/falcoctl/manifests/0.11.2",
    ]


@pytest.mark.requires("htpasswd")
def test_a_target_that_asks_for_a_password(
    airgap: Airgap, internet: Internet, tmp_path: Path, services: contextlib.ExitStack
) -> None:
    registry = services.enter_context(docker_registry(tmp_path / "guarded", users={"admin": "s3cret"}))
    airgap.write("airgap.yaml", settings(internet.mirrors))
    airgap.run("export", SAMPLES / "falco/falco.yaml", "-o", "bundle.tar")
    to = ("import", "bundle.tar", "--to", f"{registry.address}/p", "--username", "admin", "--password-stdin")
    before = airgap.files()
    said = airgap.fails(21, *to, stdin=b"wr0ng\n")
    assert "wr0ng" not in said.stderr
    # One request that learns how to sign in, one that tries.
    assert registry.requests() == ["GET /v2/", "GET /v2/"]
    assert airgap.files() == before
    airgap.run(*to, stdin=b"s3cret\n")
    client = skopeo(tmp_path / "other", auth={"auths": {registry.address: {"auth": "YWRtaW46czNjcmV0"}}})
    assert_same(client, internet, "falcosecurity/falco:0.41.3", registry, "p/falco:0.41.3")
    # A source is never offered the target's credential.
    wrong = settings({"quay.io": {"mirror": registry.url}})
    airgap.write("other.yaml", wrong)
    mine = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "s3cret"}
    image = ("--image", "quay.io/p/falco:0.41.3", "--config", "other.yaml", "-o", "b.tar")
    airgap.fails(21, "export", *image, environment=mine)


def test_tls_with_a_private_authority_through_a_proxy(
    airgap: Airgap, internet: Internet, authority: Authority, tmp_path: Path, services: contextlib.ExitStack
) -> None:
    """CONNECT for source and target, bodies too; NO_PROXY kept."""
    pair = authority.good("DNS:registry.far.example", "DNS:quay.io")
    far = services.enter_context(docker_registry(tmp_path / "far", tls=pair))
    near = services.enter_context(docker_registry(tmp_path / "near", tls=pair))
    put(internet.images, {"a/x:1": internet.roots["falcosecurity/falco:0.41.3"]}, near, _trusting(tmp_path), tmp_path)
    routes = {"registry.far.example:443": far.address, "quay.io:443": near.address}
    proxy = services.enter_context(http_proxy(user="u", password="pr0xy", routes=routes))
    through = {"HTTPS_PROXY": proxy.url_with_password}
    airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar", "--ca-file", authority.ca, environment=through)
    assert set(proxy.connects) == {"quay.io:443"}
    said = airgap.fails(24, "export", "--image", "quay.io/a/x:1", "-o", "c.tar", environment=through)
    assert "--ca-file" in said.stderr
    proxy.connects.clear()
    to = ("import", "b.tar", "--to", "registry.far.example/p", "--ca-file", authority.ca)
    airgap.run(*to, environment=through)
    assert set(proxy.connects) == {"registry.far.example:443"}
    assert any(line.startswith("PUT /v2/p/x/manifests/1") for line in far.requests())
    heads = "\n".join(proxy.heads)
    assert "/v2/" not in heads
    # Kept away from the proxy, the name cannot be found here: proof that it was not asked.
    proxy.connects.clear()
    airgap.fails(24, *to, environment={**through, "NO_PROXY": ".far.example"})
    assert proxy.connects == []
    said = airgap.fails(24, *to, environment={"HTTPS_PROXY": proxy.url})
    assert "407" in said.stderr
    assert "pr0xy" not in said.stderr


def _trusting(folder: Path) -> Command:
    """skopeo that checks no certificate: what it puts in is not what is tested here."""
    return skopeo(folder / "trusting")


def test_signatures_cross(airgap: Airgap, internet: Internet, registry: DockerRegistry, client: Command) -> None:
    """A manifest with a subject, listed under the fallback tag, as a registry without the referrers API has it."""
    need("skopeo", at_least=(1, 18))  # 1.9 wants to convert an index that lists an artifact
    image = internet.images.two_platforms()
    signature = internet.images.artifact("application/vnd.dev.sigstore.bundle.v0.3+json", subject=image)
    fallback = f"sha256-{digests.encoded(image.digest)}"
    listed = internet.images.index([signature])
    folder = client.folder / "signed"
    put(
        internet.images,
        {"signed/x:1": image, f"signed/x:{fallback}": listed},
        internet.registry,
        client,
        folder,
    )
    airgap.write("airgap.yaml", settings(internet.mirrors))
    airgap.run("export", "--image", "quay.io/signed/x:1", "-o", "b.tar")
    airgap.run("import", "b.tar", "--to", f"{registry.address}/p")
    assert digests.of(raw(client, registry, "p/x:1")) == image.digest
    found = json.loads(raw(client, registry, f"p/x:{fallback}"))
    assert [entry["digest"] for entry in found["manifests"]] == [signature.digest]
    assert found["manifests"][0]["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert raw(client, registry, f"p/x@{signature.digest}") == internet.images.content[signature.digest]
    # And not when it is not wanted.
    airgap.run("export", "--image", "quay.io/signed/x:1", "-o", "c.tar", "--no-referrers")
    assert signature.digest not in {blob["digest"] for blob in airgap.run("inspect", "c.tar", "--json").json["blobs"]}
