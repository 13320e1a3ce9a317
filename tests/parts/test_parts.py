# SPDX-License-Identifier: Apache-2.0
"""The parts themselves: each real program starts, does one thing, and leaves nothing behind."""

from __future__ import annotations

import ast
import contextlib
import http.client
import json
import shutil
import ssl
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.store import ImageLayout, MemoryStore
from tests.parts import need as needs
from tests.parts.certificates import Authority, Pair
from tests.parts.clients import CommandFailed, open_folder, oras, podman, skopeo
from tests.parts.containerd import containerd
from tests.parts.dockerd import dockerd
from tests.parts.dockerregistry import DockerRegistry, docker_registry
from tests.parts.images import Images
from tests.parts.proxy import http_proxy
from tests.parts.service import accepts

pytestmark = pytest.mark.interop

NAME = "docker.io/library/part:1"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def images() -> Images:
    return Images(1)


@pytest.fixture
def layout(tmp_path: Path, images: Images) -> ImageLayout:
    """One attested image for two platforms, under the name ``docker.io/library/part:1``."""
    made = ImageLayout.create(tmp_path / "layout")
    images.push_to(made, {NAME: images.two_platforms(attested=True)})
    return made


def archive(layout: ImageLayout, target: Path) -> Path:
    """The layout as a plain tar."""
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("oci-layout", "index.json", "blobs"):
            tar.add(layout.path / name, name)
    return target


def test_skopeo_puts_an_image_into_a_registry(tmp_path: Path, registry: DockerRegistry, layout: ImageLayout) -> None:
    tool = skopeo(tmp_path / "skopeo")
    there = f"docker://{registry.address}/a/part:1"
    tool.run("copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout.path}:{NAME}", there)
    raw = tool.run("inspect", "--raw", "--tls-verify=false", there)
    assert digests.of(raw) == layout.resolve(NAME).digest
    assert "GET /v2/a/part/manifests/1" in registry.requests()


def test_skopeo_as_a_normal_user(registry: DockerRegistry, layout: ImageLayout) -> None:
    needs.need_privilege("become another user")
    with open_folder() as folder:
        shutil.copytree(layout.path, folder / "layout")
        tool = skopeo(folder / "home", as_nobody=True)
        found = json.loads(tool.run("inspect", "--raw", f"oci:{folder / 'layout'}:{NAME}"))
        assert len(found["manifests"]) == 4
        kept = tool.folder / "tmp" / "copy"
        tool.run("copy", "-q", "--all", f"oci:{folder / 'layout'}:{NAME}", f"oci-archive:{kept}:{NAME}")
        assert kept.owner() == "nobody"


def test_registry_asks_for_a_password_and_speaks_tls(tmp_path: Path, authority: Authority) -> None:
    with docker_registry(tmp_path / "r", tls=authority.good(), users={"ada": "sesame"}) as made:
        context = ssl.create_default_context(cafile=str(authority.ca))
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{made.url}/v2/", context=context)
        refused.value.close()
        assert (refused.value.code, refused.value.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        request = urllib.request.Request(f"{made.url}/v2/", headers={"Authorization": "Basic YWRhOnNlc2FtZQ=="})
        with urllib.request.urlopen(request, context=context) as answer:
            assert answer.status == 200
        port = int(made.address.rpartition(":")[2])
    assert not accepts(port)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("good", ""),
        ("expired", "certificate has expired"),
        ("not_yet", "not yet valid"),
        ("wrong_host", "IP address mismatch"),
        ("self_signed", "self-signed certificate"),
        ("common_name_only", "IP address mismatch"),
        ("no_ip", "IP address mismatch"),
    ],
)
def test_certificates_are_what_they_are_called(authority: Authority, kind: str, reason: str) -> None:
    pair: Pair = getattr(authority, kind)()
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if reason:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            handshake(pair.context(), context)
    else:
        assert handshake(pair.context(), context) == "TLSv1.3"


def handshake(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> str | None:
    """Shake hands in memory as a client of 127.0.0.1; the version that was agreed on, or the client's error."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return client.version()


def test_proxy_counts_and_asks(registry: DockerRegistry) -> None:
    wanted = "quay.example:443"
    with http_proxy(user="ada", password="sesame", routes={wanted: registry.address}) as proxy:
        for headers in ({}, {"Proxy-Authorization": "Basic YWRhOnNlc2FtZQ=="}):
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port)
            connection.set_tunnel("quay.example", 443, headers)
            with contextlib.closing(connection):
                if not headers:
                    with pytest.raises(OSError, match="407"):
                        connection.request("GET", "/v2/")
                    continue
                connection.request("GET", "/v2/")
                assert connection.getresponse().read() == b"{}"
        assert (proxy.connects, proxy.refused) == ([wanted], 1)


def test_proxy_passes_plain_requests_and_keeps_to_loopback(registry: DockerRegistry) -> None:
    with http_proxy() as proxy:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy.url}))
        with opener.open(f"{registry.url}/v2/") as answer:
            assert answer.read() == b"{}"
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener.open("http://192.0.2.1/v2/")
        refused.value.close()
        assert refused.value.code == 502
        assert proxy.requests == [registry.address, "192.0.2.1:80"]


def test_oras_reads_a_layout(tmp_path: Path, registry: DockerRegistry, layout: ImageLayout) -> None:
    root = layout.resolve(NAME)
    tool = oras(tmp_path / "oras")
    tool.run(
        "cp", "-r", "--to-plain-http", "--from-oci-layout", f"{layout.path}@{root.digest}", f"{registry.address}/a/b:1"
    )
    found = tool.json("manifest", "fetch", "--plain-http", "--descriptor", f"{registry.address}/a/b:1")
    assert found["digest"] == root.digest


def test_podman_pulls_and_unpacks(tmp_path: Path, layout: ImageLayout) -> None:
    needs.need("podman", at_least=(5, 0))  # 4.3 names what it pulls after the folder
    tool = podman(tmp_path / "podman")
    tool.run("pull", "-q", "--platform", "linux/amd64", f"oci:{layout.path}:{NAME}")
    assert NAME in tool.run("images", "--format", "{{.Repository}}:{{.Tag}}").decode()
    assert tool.try_run("image", "exists", "docker.io/library/other:1").returncode == 1


def test_containerd_finds_what_a_pod_names(tmp_path: Path, images: Images) -> None:
    root = images.image()
    layout = ImageLayout.create(tmp_path / "layout")
    pinned = f"quay.io/a/part@{root.digest}"
    images.push_to(layout, {NAME: root, pinned: root})
    with containerd(tmp_path / "containerd") as node:
        node.ctr.run("images", "import", "--all-platforms", archive(layout, tmp_path / "a.tar"))
        config = manifests.parse(images.content[root.digest]).config
        assert config is not None
        for text in ("part:1", NAME, pinned):
            found = node.image_status(text)
            assert found is not None, text
            assert found.id == config.digest
            assert pinned in found.repo_digests
        assert node.image_status("part:2") is None


def test_containerd_pulls_as_a_kubelet(tmp_path: Path, registry: DockerRegistry, layout: ImageLayout) -> None:
    tool = skopeo(tmp_path / "skopeo")
    there = f"{registry.address}/a/part:1"
    tool.run("copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{layout.path}:{NAME}", f"docker://{there}")
    with containerd(tmp_path / "containerd") as node:
        node.pull(there)
        assert node.image_status(there) is not None
        with pytest.raises(RuntimeError, match="PullImage failed"):
            node.pull(f"{registry.address}/a/none:1")


@pytest.mark.parametrize("containerd_store", [False, True], ids=["classic", "containerd-store"])
def test_dockerd_loads(tmp_path: Path, images: Images, containerd_store: bool) -> None:
    root = images.image()
    layout = ImageLayout.create(tmp_path / "layout")
    images.push_to(layout, {NAME: root})
    parsed = manifests.parse(images.content[root.digest])
    paths = [f"blobs/{blob.digest.replace(':', '/')}" for blob in parsed.blobs]
    listed = [{"Config": paths[0], "RepoTags": ["part:1"], "Layers": paths[1:]}]
    (layout.path / "manifest.json").write_text(json.dumps(listed))
    with tarfile.open(archive(layout, tmp_path / "a.tar"), "a") as tar:
        tar.add(layout.path / "manifest.json", "manifest.json")
    with dockerd(tmp_path / "docker", containerd_store=containerd_store) as daemon:
        daemon.docker.run("load", "-i", tmp_path / "a.tar")
        found = daemon.docker.json("image", "inspect", "part:1")[0]
        assert found["Id"] == (root.digest if containerd_store else parsed.blobs[0].digest)
        assert len(found["RootFS"]["Layers"]) == 2


def test_a_failing_program_says_why(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no such file"):
        skopeo(tmp_path).run("inspect", f"oci:{tmp_path}/none:1")


def test_a_missing_program_is_a_skip_or_in_ci_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRGAP_REQUIRE_PARTS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Debian package none-such"):
        needs.need("none-such")
    monkeypatch.setenv("AIRGAP_REQUIRE_PARTS", "1")
    with pytest.raises(pytest.skip.Exception, match="not installed"):
        needs.need("none-such")
    monkeypatch.setattr(needs, "offered", lambda package: package == "a-package")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(pytest.fail.Exception, match="has the package a-package"):
        needs.need("none-such", package="a-package")


#: What every Debian machine with git and Python has, and what comes with the machine's own Node.js or from npm.
AT_HAND = {
    "apt-get", "bash", "dpkg", "dpkg-deb", "git", "helm", "iconv", "node", "nohup", "npm", "nsenter", "setpriv",
    "sha256sum", "tar", "timeout", "unshare",
}  # fmt: skip
NEEDS = ("need", "requires")


def test_the_package_of_each_program_that_a_test_needs_is_installed_by_make_setup() -> None:
    listed = (REPOSITORY / "tools" / "debian-packages.txt").read_text().splitlines()
    needed: set[str] = set()
    for path in (REPOSITORY / "tests").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) in NEEDS:
                given = [word.value for word in call.keywords if word.arg == "package"] or call.args
                names = [str(value.value) for value in given if isinstance(value, ast.Constant)]
                needed.update(needs.PACKAGES.get(name, name) for name in names)
    assert needed - set(listed) - AT_HAND == {"none-such", "a-package"}  # the tests of need itself


def test_a_program_too_old_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "program", lambda name: "/bin/true")
    monkeypatch.setattr(needs, "version", lambda name: (1, 9, 3))
    assert needs.need("skopeo", at_least=(1, 9)) == "/bin/true"
    with pytest.raises(pytest.skip.Exception, match=r"skopeo is 1\.9\.3, and this test needs 1\.18"):
        needs.need("skopeo", at_least=(1, 18))


def test_a_privilege_is_tried_once_and_a_refusal_is_a_skip_or_in_ci_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried = tmp_path / "tried"
    scripts = {"be here": "true", "be there": f"echo try >> {tried}; echo no such place >&2; exit 1"}
    monkeypatch.setattr(needs, "PRIVILEGES", scripts)
    monkeypatch.delenv("AIRGAP_REQUIRE_PARTS", raising=False)
    needs.need_privilege("be here")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match="cannot be there here: no such place"):
            needs.need_privilege("be there")
    monkeypatch.setenv("AIRGAP_REQUIRE_PARTS", "1")
    needs.need_privilege("be here")
    with pytest.raises(pytest.fail.Exception, match="cannot be there here: no such place"):
        needs.need_privilege("be there")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(pytest.skip.Exception):
        needs.need_privilege("be there")
    assert tried.read_text() == "try\n"


@pytest.mark.parametrize("privilege", needs.PRIVILEGES)
def test_what_is_tried_leaves_nothing_behind(privilege: str) -> None:
    if "podman" in privilege:
        needs.need("podman")
    needs.refused.cache_clear()
    needs.need_privilege(privilege)
    assert "airgap-try-" not in Path("/proc/self/mounts").read_text()


def test_images_are_the_same_for_the_same_seed() -> None:
    one, same, other = Images(1), Images(1), Images(2)
    roots = [images.two_platforms(attested=True, size=100_000) for images in (one, same, other)]
    assert one.content == same.content
    assert roots[0].digest == roots[1].digest != roots[2].digest


def test_images_are_complete_and_what_they_say() -> None:
    images = Images(3, algorithm="sha512")
    root = images.two_platforms(docker=True, size=1000)
    store = MemoryStore()
    images.push_to(store, {"a:1": root})
    order = images.needed(root)
    assert order[-1] == root
    assert len({descriptor.digest for descriptor in order}) == len(order) == 8
    assert all(descriptor.digest.startswith("sha512:") and store.exists(descriptor) for descriptor in order)
