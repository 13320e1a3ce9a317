# SPDX-License-Identifier: Apache-2.0
"""What ``airgap hosts`` writes, by the programs that it is written for: a pull fails without it, with the message that
``airgap doctor --explain`` knows, and succeeds with it.

The address is the one of the guides, 172.25.0.84:30018, inside a network namespace where it is nobody's loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airgap.explain import Match, find_matches
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.certificates import Authority
from tests.parts.clients import Command, podman
from tests.parts.containerd import Containerd, containerd
from tests.parts.dockerd import dockerd
from tests.parts.dockerregistry import docker_registry
from tests.parts.images import Images
from tests.parts.need import need
from tests.parts.network import ClosedNetwork, closed_network
from tests.parts.waiting import wait_until

pytestmark = [pytest.mark.interop, pytest.mark.requires("docker-registry")]

ADDRESS, NAME = "172.25.0.84", "nexus.test"
HTTP, HTTPS, NAMED = f"{ADDRESS}:30018", f"{ADDRESS}:30443", f"{NAME}:30443"
WEBHOOK, NGINX = "jetstack/cert-manager-webhook:v1.14.4", "library/nginx:1.27"


@dataclass(frozen=True)
class Far:
    """The far side: ``path``, ``full`` and ``short`` are receipts of one bundle, imported under ``/``, ``/k8s`` and
    ``/flat`` by the policies path, full and basename."""

    airgap: Airgap
    network: ClosedNetwork
    ca: Path

    def hosts(self, *arguments: str | Path, to: str = "nodes") -> Path:
        """What ``airgap hosts … --output`` writes."""
        self.airgap.run("hosts", *arguments, "--output", to)
        return self.airgap.folder / to

    def certs(self, *arguments: str | Path, to: str = "nodes") -> Path:
        return self.hosts(*arguments, "--for", "containerd", to=to) / "etc/containerd/certs.d"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Far]:
    folder = tmp_path_factory.mktemp("far")
    for name in ("work", "home"):
        (folder / name).mkdir()
    airgap = Airgap(folder / "work", folder / "home")
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(closed_network(folder / "network", ADDRESS, names={NAME: ADDRESS}))
        internet = stack.enter_context(Registry())
        images = Images(61)
        internet.fill(images, {WEBHOOK: images.two_platforms(), NGINX: images.two_platforms(docker=True)})
        mirror = {"mirror": internet.url}
        airgap.write("airgap.yaml", settings({"quay.io": mirror, "docker.io": mirror}))
        airgap.write("pod.yaml", pod(f"quay.io/{WEBHOOK}", "nginx:1.27"))
        airgap.run("export", "pod.yaml", "-o", "bundle.tar")
        (airgap.folder / "airgap.yaml").unlink()
        with docker_registry(folder / "registry") as outside:
            for prefix, policy in (("", "path"), ("/k8s", "full"), ("/flat", "basename")):
                more = ("--via", outside.url, "--mapping", policy, "--output", policy, "--receipt", f"{policy}.json")
                airgap.run("import", "bundle.tar", "--to", f"http://{HTTP}{prefix}", *more)
        stack.enter_context(docker_registry(folder / "registry", within=network, listen=HTTP))
        tls = authority.good(f"IP:{ADDRESS}", f"DNS:{NAME}")
        shutil.copytree(folder / "registry/data", folder / "secure/data")
        stack.enter_context(docker_registry(folder / "secure", within=network, listen=HTTPS, tls=tls))
        yield Far(airgap, network, authority.ca)


@pytest.fixture(scope="module")
def node(far: Far, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """containerd whose ``config_path`` is the folder that a test writes to."""
    folder = tmp_path_factory.mktemp("node")
    with containerd(folder, certs=folder / "certs.d", within=far.network) as started:
        yield started


@pytest.fixture(autouse=True)
def _emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "node" in request.fixturenames:
        started: Containerd = request.getfixturevalue("node")
        for folder in started.certs.iterdir():
            shutil.rmtree(folder)
        images = started.ctr.run("images", "ls", "-q").decode().split()
        if images:
            started.ctr.run("images", "rm", "--sync", *images)


def lay(certs: Path, node: Containerd) -> None:
    shutil.copytree(certs, node.certs, dirs_exist_ok=True)


def refused(done: subprocess.CompletedProcess[bytes], entry: str) -> Match:
    """The pull failed, and the explanation that comes first is the right one."""
    said = (done.stderr + done.stdout).decode()
    assert done.returncode != 0, said
    return known(said, entry)


def known(said: str, entry: str) -> Match:
    found = find_matches(said)
    assert found, said
    assert found[0].message.id == entry, said
    assert found[0].certainty == "exact"
    return found[0]


def pull(node: Containerd, certs: Path, image: str) -> subprocess.CompletedProcess[bytes]:
    return node.ctr.try_run("images", "pull", "--hosts-dir", certs, "--snapshotter", "native", image)


def test_ctr_pulls_from_plain_http_with_the_files_and_not_without(far: Far, node: Containerd, tmp_path: Path) -> None:
    image = f"{HTTP}/{WEBHOOK}"
    match = refused(pull(node, tmp_path, image), "http-to-https")
    assert f"airgap hosts http://{HTTP} --for containerd --output nodes/" in match.steps[0].run
    done = pull(node, far.certs(f"http://{HTTP}"), image)
    assert done.returncode == 0, done.stderr


def test_the_lines_that_doctor_gives_to_write_by_hand_are_enough(far: Far, node: Containerd, tmp_path: Path) -> None:
    image = f"{HTTP}/{WEBHOOK}"
    match = refused(pull(node, tmp_path, image), "http-to-https")
    (tmp_path / HTTP).mkdir()
    (tmp_path / HTTP / "hosts.toml").write_text("\n".join(match.steps[1].run))
    assert pull(node, tmp_path, image).returncode == 0


def test_the_kubelet_pulls_as_soon_as_the_files_are_there(far: Far, node: Containerd) -> None:
    """By CRI, through ``config_path``, in a containerd that was started before the files were laid."""
    image = f"{HTTP}/{WEBHOOK}"
    start = len(node.log.read_text())
    with pytest.raises(RuntimeError):
        node.pull(image)
    known(node.log.read_text()[start:], "http-to-https")
    lay(far.certs(f"http://{HTTP}"), node)
    node.pull(image)
    assert node.image_status(image) is not None


@pytest.mark.parametrize("receipt", ["path", "full"])
def test_yaml_that_was_not_rewritten_pulls_through_mirrors(far: Far, node: Containerd, receipt: str) -> None:
    lay(far.certs(f"http://{HTTP}", "--from", f"{receipt}.json", to=f"mirrors-{receipt}"), node)
    for image in (f"quay.io/{WEBHOOK}", "nginx:1.27"):
        node.pull(image)
        assert node.image_status(image) is not None, image


def test_what_a_mirror_lacks_is_said_of_the_target_and_not_of_the_internet(far: Far, node: Containerd) -> None:
    lay(far.certs(f"http://{HTTP}", "--from", "path.json", to="lacking"), node)
    start = len(node.log.read_text())
    with pytest.raises(RuntimeError):
        node.pull("quay.io/jetstack/nothing:v1")
    known(node.log.read_text()[start:], "manifest-unknown")


@pytest.mark.parametrize("address", [HTTPS, NAMED])
def test_https_with_the_authority(far: Far, node: Containerd, tmp_path: Path, address: str) -> None:
    image = f"{address}/{WEBHOOK}"
    match = refused(pull(node, tmp_path, image), "x509-unknown-authority")
    assert f"airgap hosts https://{address} --for containerd --ca-file ca.pem --output nodes/" in match.steps[0].run
    certs = far.certs(
        f"https://{address}", "--ca-file", far.ca, "--from", "bundle.tar", "--mapping", "path", to=address
    )
    assert pull(node, certs, image).returncode == 0
    lay(certs, node)
    node.pull(f"quay.io/{WEBHOOK}")  # the mirror needs the authority too
    missing = refused(pull(node, certs, f"{address}/jetstack/none:1"), "manifest-unknown")
    assert "x509" not in missing.text


def test_https_that_nobody_verifies(far: Far, node: Containerd) -> None:
    certs = far.certs(f"https://{HTTPS}", "--insecure", to="insecure")
    assert pull(node, certs, f"{HTTPS}/{WEBHOOK}").returncode == 0


def test_https_asked_by_http_is_known(far: Far, node: Containerd) -> None:
    """containerd itself tries HTTPS too where skip_verify stands beside http://, so it is taken out here."""
    need("containerd", at_least=(1, 7))  # older ones do not repeat what the server says
    certs = far.certs(f"http://{HTTPS}", to="wrong-scheme")
    file = certs / HTTPS / "hosts.toml"
    file.write_text(file.read_text().replace("  skip_verify = true\n", ""))
    refused(pull(node, certs, f"{HTTPS}/{WEBHOOK}"), "https-to-http")


@pytest.mark.parametrize("stated", [1, 2])
def test_containerd_takes_its_own_configuration_with_config_path_set(far: Far, tmp_path: Path, stated: int) -> None:
    """Every key of what ``containerd config default`` prints stays, and ``config dump`` shows ours."""
    binary, file = need("containerd"), tmp_path / "etc/containerd/config.toml"
    file.parent.mkdir(parents=True)
    before = subprocess.run([binary, "config", "default"], capture_output=True, check=True).stdout.decode()
    if stated == 1:
        before = "[plugins.cri]\n  sandbox_image = 'pause:3' # ours\n"
    file.write_text(before)
    far.airgap.run("hosts", f"http://{HTTP}", "--for", "containerd", "--root", tmp_path)
    after = file.read_text()
    lines = [line for line in after.splitlines() if line not in before.splitlines()]
    assert any(line.strip() == 'config_path = "/etc/containerd/certs.d"' for line in lines)
    assert len(lines) == (1 if stated == 2 else 3)  # a blank, a table's name and the key
    dumped = subprocess.run(
        [binary, "--config", file, "config", "dump"], capture_output=True, check=True
    ).stdout.decode()
    registry = dumped.partition('[plugins."io.containerd.grpc.v1.cri".registry]')[2].partition("[plugins")[0]
    assert 'config_path = "/etc/containerd/certs.d"' in registry


@pytest.mark.long
def test_old_mirrors_beside_config_path_keep_containerd_from_serving(far: Far, tmp_path: Path) -> None:
    """Why ``airgap hosts`` refuses such a file: the node would be lost, with words that doctor knows."""
    old = '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."quay.io"]\n  endpoint = ["http://a.test"]\n'
    file = far.airgap.write("old/etc/containerd/config.toml", f"version = 2\n{old}")
    said = far.airgap.fails(42, "hosts", f"http://{HTTP}", "--for", "containerd", "--root", "old")
    assert "registry.mirrors.'quay.io'" in said.errors[0]
    assert file.read_text() == f"version = 2\n{old}"
    assert not (far.airgap.folder / "old/etc/containerd/certs.d").exists()
    with pytest.raises(RuntimeError) as raised, containerd(tmp_path / "n", within=far.network, more=old, seconds=5):
        pass
    known(str(raised.value), "config-path-conflict")


def in_network(far: Far, client: Command, etc: Path) -> Command:
    """The client inside, with what was generated for /etc/containers laid there, and no settings of its own."""
    environment = {name: value for name, value in client.environment.items() if name != "CONTAINERS_REGISTRIES_CONF"}
    binds = "".join(f'mkdir -p /etc/containers/{name}; mount --bind "{etc / name}" /etc/containers/{name}; '
                    for name in ("registries.conf.d", "certs.d") if (etc / name).is_dir())  # fmt: skip
    script = f'mount -t tmpfs none /etc/containers; {binds} exec "$@"'
    inside = (*far.network.prefix, "unshare", "--mount", "sh", "-euc", script, "sh", *client.prefix)
    return replace(client, prefix=inside, environment=environment)


def test_podman_pulls_with_the_files_and_not_without(far: Far, tmp_path: Path) -> None:
    client, nothing = podman(tmp_path / "podman"), tmp_path / "nothing"
    image = f"{HTTP}/{WEBHOOK}"
    refused(in_network(far, client, nothing).try_run("pull", "-q", image), "http-to-https")
    etc = far.hosts(f"http://{HTTP}", "--for", "podman", to="podman") / "etc/containers"
    in_network(far, client, etc).run("pull", "-q", image)


@pytest.mark.parametrize("receipt", ["path", "full", "basename"])
def test_podman_follows_every_mapping(far: Far, tmp_path: Path, receipt: str) -> None:
    etc = far.hosts(f"http://{HTTP}", "--for", "podman", "--from", f"{receipt}.json", to=f"podman-{receipt}")
    client = in_network(far, podman(tmp_path / "podman"), etc / "etc/containers")
    client.run("pull", "-q", f"quay.io/{WEBHOOK}")
    client.run("pull", "-q", "docker.io/library/nginx:1.27")


def test_podman_and_https(far: Far, tmp_path: Path) -> None:
    client, image = podman(tmp_path / "podman"), f"{HTTPS}/{WEBHOOK}"
    refused(in_network(far, client, tmp_path / "nothing").try_run("pull", "-q", image), "x509-unknown-authority")
    etc = far.hosts(f"https://{HTTPS}", "--for", "crio", "--ca-file", far.ca, to="crio") / "etc/containers"
    in_network(far, client, etc).run("pull", "-q", image)


def test_docker_pulls_with_the_files_and_not_without(far: Far, tmp_path: Path) -> None:
    """daemon.json is merged into the one that the daemon has, and read at SIGHUP as the command says."""
    with dockerd(tmp_path / "docker", within=far.network, configuration={"debug": False}) as started:
        image = f"{HTTP}/{WEBHOOK}"
        refused(started.docker.try_run("pull", image), "http-to-https")
        root = tmp_path / "root"
        (root / "etc/docker").mkdir(parents=True)
        shutil.copy(started.file, root / "etc/docker/daemon.json")
        told = far.airgap.run("hosts", f"http://{HTTP}", "--for", "docker", "--root", root, "--from", "path.json")
        assert "docker has no mirrors for quay.io" in told.stderr
        assert "systemctl reload docker" in told.stderr
        made = json.loads((root / "etc/docker/daemon.json").read_text())
        assert made["debug"] is False
        started.file.write_bytes((root / "etc/docker/daemon.json").read_bytes())
        os.kill(started.pid, signal.SIGHUP)
        wait_until(lambda: not started.docker.try_run("pull", "-q", image).returncode, every=0.2)
        started.docker.run("pull", "-q", "nginx:1.27")  # Docker Hub, through the mirror


def test_docker_and_https(far: Far, tmp_path: Path) -> None:
    """certs.d is read at each pull, so nothing is restarted."""
    etc = tmp_path / "etc"
    etc.mkdir()
    with bound(far, etc, Path("/etc/docker")), dockerd(tmp_path / "docker", within=far.network) as started:
        image = f"{HTTPS}/{WEBHOOK}"
        refused(started.docker.try_run("pull", image), "x509-unknown-authority")
        made = far.hosts(f"https://{HTTPS}", "--for", "docker", "--ca-file", far.ca, to="docker-ca")
        shutil.copytree(made / "etc/docker", etc, dirs_exist_ok=True)
        started.docker.run("pull", "-q", image)


@contextlib.contextmanager
def bound(far: Far, folder: Path, place: Path) -> Iterator[None]:
    """``folder`` stands at ``place`` inside the network's namespace."""
    if not place.is_dir():
        pytest.skip(f"there is no {place} to mount over")
    subprocess.run([*far.network.prefix, "mount", "--bind", folder, place], check=True)
    try:
        yield
    finally:
        subprocess.run([*far.network.prefix, "umount", place], check=True)
