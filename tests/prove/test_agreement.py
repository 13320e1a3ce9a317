# SPDX-License-Identifier: Apache-2.0
"""What ``airgap prove`` says and what the runtime then does agree: containerd (by CRI), podman and dockerd, over
generated set-ups, most of which are not ready."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.cli.command import ROOT
from tests.doubles.registry import Double
from tests.parts.certificates import Authority
from tests.parts.clients import podman
from tests.parts.containerd import containerd
from tests.parts.dockerd import Dockerd, dockerd
from tests.parts.network import ClosedNetwork, closed_network, inside
from tests.parts.service import clean_environment
from tests.parts.waiting import wait_until
from tests.prove import setups
from tests.prove.nodes import pull_secret, workload
from tests.prove.setups import ADDRESS, PLAIN, SECURE, Setup, Way

pytestmark = pytest.mark.interop
#: So many of each runtime make 90.
COUNT = 30
SEEDS = [int(seed) for seed in os.environ.get("AIRGAP_PROVE_SEEDS", "1").split()]


@dataclass
class Place:
    """A closed network with the two doubles in it, a node's root, and what runs there."""

    folder: Path
    network: ClosedNetwork
    doubles: tuple[Double, Double]
    ca: str

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def lay(self, setup: Setup, more: dict[str, str] | None = None) -> None:
        """The node's files and the registry's content of a set-up, and nothing of the last one."""
        for folder in ("etc/containerd", "etc/containers", "etc/docker", "run", "root"):
            place = self.root / folder
            place.mkdir(parents=True, exist_ok=True)
            for entry in place.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for path, content in {**setup.files, **(more or {})}.items():
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        for double in self.doubles:
            double.default = setup.shelf

    def says_ready(self, setup: Setup, runtime: str, yaml: str) -> bool:
        """What ``airgap prove`` says, in the network, and that its exit code says the same."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        (home / "all.yaml").write_text(yaml)
        command = [*self.network.prefix, sys.executable, "-m", "airgap", "prove", str(home / "all.yaml")]
        command += ["--against", f"http://{PLAIN}", "--as", runtime, "--root", str(self.root)]
        command += ["--platform", setups.HERE, "--json"]
        environment = clean_environment(home, PYTHONPATH=str(ROOT))
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert done.returncode in (0, 51), done.stderr.decode()
        answer = json.loads(done.stdout)
        assert answer["ready"] == (done.returncode == 0)
        assert answer["ready"] or answer["causes"], setup
        return bool(answer["ready"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("agreement")
    authority = Authority(folder / "authority")
    (folder / "root").mkdir()
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(closed_network(folder / "network", ADDRESS, names={}))
        tls = authority.good(f"IP:{ADDRESS}").context()
        doubles = inside(
            network,
            lambda: (Double(host=ADDRESS, port=30018), Double(host=ADDRESS, port=30443, tls=tls)),
        )
        for double in doubles:
            stack.callback(double.stop)
        yield Place(folder, network, doubles, authority.ca.read_text())


@pytest.fixture(scope="module")
def by_containerd(place: Place) -> Iterator[Callable[[Setup], tuple[bool, bool]]]:
    """Returns what prove says and whether the kubelet's pull succeeds."""
    config = f'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "{setups.CERTS}"\n'
    certs = place.root / setups.CERTS.lstrip("/")
    with containerd(place.folder / "containerd", certs=certs, within=place.network) as node:

        def compare(setup: Setup) -> tuple[bool, bool]:
            place.lay(setup, {"/etc/containerd/config.toml": config})
            yaml = workload(setup.image, secrets=("login",))
            if setup.login:
                yaml += pull_secret("login", "shop", setup.image.partition("/")[0], *setup.login)
            said = place.says_ready(setup, "containerd", yaml)
            images = node.ctr.run("images", "ls", "-q").decode().split()
            if images:
                node.ctr.run("images", "rm", "--sync", *images)
            try:
                node.pull(setup.image, setup.login)
            except RuntimeError:
                return said, False
            return said, True

        yield compare


@pytest.fixture(scope="module")
def by_podman(place: Place) -> Callable[[Setup], tuple[bool, bool]]:
    client = podman(place.folder / "podman")
    environment = {name: value for name, value in client.environment.items() if not name.startswith("CONTAINERS_REG")}
    auth = place.root / "run/containers/0/auth.json"
    environment["REGISTRY_AUTH_FILE"] = str(auth)
    bind = f'mount --bind "{place.root}/etc/containers" /etc/containers; exec "$@"'
    prefix = (*place.network.prefix, "unshare", "--mount", "sh", "-euc", bind, "sh", *client.prefix)
    client = replace(client, prefix=prefix, environment=environment)

    def compare(setup: Setup) -> tuple[bool, bool]:
        asked = SECURE if SECURE in setup.image else PLAIN
        policy = {"/etc/containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}'}
        place.lay(setup, {"/run/containers/0/auth.json": setups.auth_file(asked, setup.login), **policy})
        said = place.says_ready(setup, "podman", workload(setup.image))
        done = client.try_run("pull", "-q", "--retry", "0", setup.image)
        client.try_run("rmi", "--all", "--force")
        return said, done.returncode == 0

    return compare


@pytest.fixture(scope="module")
def by_docker(place: Place) -> Iterator[Callable[[Setup], tuple[bool, bool]]]:
    (place.root / "etc/docker").mkdir(parents=True, exist_ok=True)
    binding = [*place.network.prefix, "mount", "--bind", str(place.root / "etc/docker"), "/etc/docker"]
    if not Path("/etc/docker").is_dir():
        pytest.skip("there is no /etc/docker to mount over")
    subprocess.run(binding, check=True)
    try:
        with dockerd(place.folder / "docker", within=place.network) as daemon:
            yield lambda setup: _compare_docker(place, daemon, setup)
    finally:
        subprocess.run([*place.network.prefix, "umount", "/etc/docker"], check=True)


def _compare_docker(place: Place, daemon: Dockerd, setup: Setup) -> tuple[bool, bool]:
    registry = setup.image.partition("/")[0]
    key = registry if "." in registry and registry != "docker.io" else "https://index.docker.io/v1/"
    place.lay(setup, {os.path.expanduser("~root/.docker/config.json"): setups.auth_file(key, setup.login)})
    said = place.says_ready(setup, "docker", workload(setup.image))
    configuration = json.loads(setup.files.get("/etc/docker/daemon.json", "{}"))
    settings = {"insecure-registries": [], "registry-mirrors": [], **configuration, "features": {}}
    daemon.file.write_text(json.dumps(settings))
    os.kill(daemon.pid, signal.SIGHUP)
    wanted = [[f"{mirror}/" for mirror in settings["registry-mirrors"]], sorted(settings["insecure-registries"])]

    def is_reloaded() -> bool:
        info = json.loads(daemon.docker.run("info", "--format", "{{json .RegistryConfig}}"))
        names = [name for name, index in info["IndexConfigs"].items() if not index["Secure"]]
        cidrs = [cidr for cidr in info["InsecureRegistryCIDRs"] if cidr not in ("127.0.0.0/8", "::1/128")]
        return [info.get("Mirrors") or [], sorted([*names, *cidrs])] == wanted

    wait_until(is_reloaded, every=0.1)
    environment = {**daemon.docker.environment, "DOCKER_CONFIG": str(place.root / "root/.docker")}
    docker = replace(daemon.docker, environment=environment)
    done = docker.try_run("pull", "-q", setup.image)
    docker.try_run("rmi", "--force", setup.image)
    return said, done.returncode == 0


def agree(compare: Callable[[Setup], tuple[bool, bool]], ways: list[Way], seed: int) -> None:
    """All agree, and at least half are not ready."""
    found = {setup.name: compare(setup) for setup in setups.generated(ways, seed, COUNT)}
    different = {name: f"prove says {said}, the pull {done}" for name, (said, done) in found.items() if said != done}
    assert not different
    assert COUNT // 2 <= sum(not done for _, done in found.values()) < COUNT


@pytest.mark.parametrize("way", ["mirror-no-override", "mirror-override", "secure-ca-missing"])
def test_containerd_agrees(place: Place, by_containerd: Callable[[Setup], tuple[bool, bool]], way: str) -> None:
    """A few for every run of the tests; the marker ``long`` has the rest."""
    setup = next(s for s in setups.generated(setups.containerd_ways(place.ca), 1, COUNT) if way in s.name)
    assert by_containerd(setup) == (way == "mirror-override",) * 2


@pytest.mark.parametrize("way", ["alias", "mirror-digest-only"])
def test_podman_agrees(place: Place, by_podman: Callable[[Setup], tuple[bool, bool]], way: str) -> None:
    setup = next(s for s in setups.generated(setups.podman_ways(place.ca), 1, COUNT) if way in s.name)
    assert by_podman(setup) == (way == "alias",) * 2


@pytest.mark.long
def test_pieces_of_an_image_at_two_mirrors(
    place: Place,
    by_containerd: Callable[[Setup], tuple[bool, bool]],
    by_podman: Callable[[Setup], tuple[bool, bool]],
) -> None:
    """The first mirror lacks a layer: containerd takes it from the second, and podman does not."""
    setup = setups.at_two_mirrors()
    assert by_containerd(setup) == (True, True)
    assert by_podman(setup) == (False, False)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_containerd_does_what_prove_says(
    place: Place, by_containerd: Callable[[Setup], tuple[bool, bool]], seed: int
) -> None:
    agree(by_containerd, setups.containerd_ways(place.ca), seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_podman_does_what_prove_says(place: Place, by_podman: Callable[[Setup], tuple[bool, bool]], seed: int) -> None:
    agree(by_podman, setups.podman_ways(place.ca), seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_docker_does_what_prove_says(place: Place, by_docker: Callable[[Setup], tuple[bool, bool]], seed: int) -> None:
    agree(by_docker, setups.docker_ways(place.ca), seed)
