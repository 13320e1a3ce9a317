# SPDX-License-Identifier: Apache-2.0
"""Which addresses each runtime asks, by the node's files. What the real ones do is in test_agreement.py; here is what
those cannot show: CRI-O and k3s, headers, client certificates, several files, and files that are damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airgap import limits
from airgap.oci import Reference
from airgap.prove.model import Endpoint, PullPlan
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.prove.runtimes import runtime_for
from tests.parts.certificates import Authority

CERTS = "/etc/containerd/certs.d"
CONTAINERD = f'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "{CERTS}"\n'
Plan = Callable[..., PullPlan]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """The plan of a runtime for an image, with these files on the node."""

    def planned(runtime: str, image: str, files: Mapping[str, str]) -> PullPlan:
        for path, content in files.items():
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        return runtime_for(runtime, NodeFiles.below(str(tmp_path))).plan(Reference.parse(image), image)

    return planned


def urls(found: PullPlan) -> list[str]:
    return [f"{e.url}{e.path}/{e.repository}{e.query}" for e in found.endpoints]


def only(found: PullPlan) -> Endpoint:
    assert not found.faults, found.faults
    return found.endpoints[0]


def test_containerd_sends_headers_and_shows_a_certificate_to_that_host_alone(plan: Plan, authority: Authority) -> None:
    pair = authority.good()
    text = (
        '[host."https://m.test"]\n  client = [["c.pem", "k.pem"]]\n  [host."https://m.test".header]\n    X-Site = "7"\n'
    )
    found = plan("containerd", "quay.io/a/b:1", {
        "/etc/containerd/config.toml": CONTAINERD, f"{CERTS}/quay.io/hosts.toml": text,
        f"{CERTS}/quay.io/c.pem": pair.certificate.read_text(), f"{CERTS}/quay.io/k.pem": pair.key.read_text(),
    })  # fmt: skip
    mirror, own = found.endpoints
    assert dict(mirror.headers) == {"X-Site": "7"}
    assert "PRIVATE KEY" in mirror.trust.client
    assert (own.headers, own.trust.client, own.url) == ((), "", "https://quay.io")
    assert "PRIVATE KEY" not in repr(mirror)
    assert urls(found) == ["https://m.test/v2/a/b?ns=quay.io", "https://quay.io/v2/a/b"]


def test_containerd_reads_imports_and_mirrors_without_config_path(plan: Plan) -> None:
    table = '[plugins."io.containerd.grpc.v1.cri".registry'
    found = plan("containerd", "quay.io/a/b:1", {
        "/etc/containerd/config.toml": 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n',
        "/etc/containerd/conf.d/a.toml": f'version = 2\n{table}.mirrors."quay.io"]\nendpoint = ["https://m.test/v2/k8s"]\n'
        f'{table}.configs."m.test".tls]\ninsecure_skip_verify = true\n'
        f'{table}.configs."m.test".auth]\nusername = "u"\npassword = "pw"\n',
    })  # fmt: skip
    mirror = only(found)
    assert urls(found) == ["https://m.test/v2/k8s/a/b?ns=quay.io", "https://quay.io/v2/a/b"]
    assert mirror.trust.insecure
    assert mirror.login is not None
    assert mirror.login.credential.username == "u"


@pytest.mark.parametrize(("version", "read"), [(2, False), (3, True)])
def test_containerd_2_reads_the_usual_folders_if_nothing_is_set(plan: Plan, version: int, read: bool) -> None:
    found = plan("containerd", "q.test/a:1", {
        "/etc/containerd/config.toml": f"version = {version}\n",
        f"{CERTS}/q.test/hosts.toml": 'server = "http://m.test"\n',
    })  # fmt: skip
    assert urls(found) == (["http://m.test/v2/a?ns=q.test"] if read else ["https://q.test/v2/a"])


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("localhost:5000", ("https", "plain", True)),
        ("127.0.0.1", ("https", "", True)),
        ("127.0.0.1:80", ("http", "", False)),
        ("q.test:5000", ("https", "", False)),
    ],
)
def test_containerd_does_not_verify_loopback(plan: Plan, registry: str, expected: tuple[str, str, bool]) -> None:
    endpoint = only(plan("containerd", f"{registry}/a:1", {"/etc/containerd/config.toml": CONTAINERD}))
    assert (endpoint.scheme, endpoint.fallback, endpoint.trust.insecure) == expected


def test_k3s_rewrites_for_mirrors_alone(plan: Plan) -> None:
    text = """\
mirrors:
  docker.io:
    endpoint: ["https://m.test:5000", "https://n.test/v2/hub"]
    rewrite: {"^library/(.*)": "base/$1"}
  "*":
    endpoint: ["http://all.test"]
configs:
  "m.test:5000":
    auth: {username: u, password: pw}
    tls: {insecure_skip_verify: true}
"""
    files = {"/etc/rancher/k3s/registries.yaml": text}
    found = plan("k3s", "nginx:1", files)
    assert urls(found) == [
        "https://m.test:5000/v2/base/nginx?ns=docker.io",
        "https://n.test/v2/hub/base/nginx?ns=docker.io",
        "https://registry-1.docker.io/v2/library/nginx",
    ]
    assert (found.endpoints[0].trust.insecure, found.endpoints[1].trust.insecure) == (True, False)
    assert [bool(endpoint.login) for endpoint in found.endpoints] == [True, False, False]
    assert urls(plan("k3s", "ghcr.io/a/b:1", files))[0] == "http://all.test/v2/a/b?ns=ghcr.io"


@pytest.mark.parametrize("expression", ["(a+)+$", "(?:.*/)*x", ".*.*.*.*x", "(a|b){1,9}"])
def test_k3s_expressions_that_could_take_for_ever_are_refused(plan: Plan, expression: str) -> None:
    text = f"mirrors:\n  docker.io:\n    endpoint: [https://m.test]\n    rewrite: {{'{expression}': x}}\n"
    found = plan("k3s", f"{'a' * 200}:1", {"/etc/rancher/k3s/registries.yaml": text})
    assert "repeats too much to be followed" in found.faults[0].what


def test_crio_sends_the_pull_secret_to_the_registry_itself_alone(plan: Plan) -> None:
    text = '[[registry]]\nlocation = "quay.io"\n[[registry.mirror]]\nlocation = "m.test/k8s"\n'
    found = plan("crio", "quay.io/a/b:1", {"/etc/containers/registries.conf": text})
    assert urls(found) == ["https://m.test/v2/k8s/a/b", "https://quay.io/v2/a/b"]
    assert [endpoint.sends_credentials for endpoint in found.endpoints] == [False, True]
    assert [endpoint.login for endpoint in found.endpoints] == [None, None]
    login = '{"auths": {"m.test": {"username": "u", "password": "pw"}}}'
    own = {
        "/etc/crio/crio.conf.d/10.conf": '[crio.image]\nglobal_auth_file = "/etc/crio/auth"\n',
        "/etc/crio/auth": login,
    }
    mirror, registry = plan("crio", "quay.io/a/b:1", {"/etc/containers/registries.conf": text, **own}).endpoints
    assert mirror.login is not None
    assert registry.login is None
    assert plan("podman", "quay.io/a/b:1", {}).endpoints[0].login is None


def test_short_names_need_a_choice_where_that_is_enforced(plan: Plan) -> None:
    text = 'unqualified-search-registries = ["a.test", "b.test"]\nshort-name-mode = "enforcing"\n'
    assert [fault.kind for fault in plan("crio", "web:1", {"/etc/containers/registries.conf": text}).faults] == [
        "short-name"
    ]
    alias = '[aliases]\n"web" = "c.test/team/web"\n'
    found = plan("crio", "web:1", {"/etc/containers/registries.conf.d/1.conf": alias})
    assert urls(found) == ["https://c.test/v2/team/web"]


@pytest.mark.parametrize(
    ("runtime", "path", "text"),
    [
        ("docker", "/etc/docker/daemon.json", "{"),
        ("docker", "/etc/docker/daemon.json", '{"registry-mirrors": ["m.test"]}'),
        ("docker", "/etc/docker/daemon.json", '{"insecure-registries": "m.test"}'),
        ("podman", "/etc/containers/registries.conf", "[[registry]]\n"),
        ("podman", "/etc/containers/registries.conf", '[[registry]]\nlocation = "https://m.test"\n'),
        ("podman", "/etc/containers/registries.conf", 'short-name-mode = "often"\n'),
        ("k3s", "/etc/rancher/k3s/registries.yaml", "mirrors: [\n"),
        ("containerd", "/etc/containerd/config.toml", "version = \n"),
        ("containerd", f"{CERTS}/q.test/ca.crt", "no certificate"),
    ],
)
def test_a_damaged_file_is_a_cause_that_names_it(plan: Plan, runtime: str, path: str, text: str) -> None:
    files = {"/etc/containerd/config.toml": CONTAINERD, path: text}
    (fault,) = plan(runtime, "q.test/a:1", files).faults
    assert fault.kind == "node-file"
    assert path in fault.subject


def test_no_link_leads_out_of_the_root(tmp_path: Path) -> None:
    secret, root = tmp_path / "secret", tmp_path / "root"
    secret.write_text("secret")
    (root / "etc").mkdir(parents=True)
    os.symlink(secret, root / "etc/absolute")
    os.symlink("../../secret", root / "etc/relative")
    os.symlink("..", root / "etc/up")
    os.symlink("/etc/inside", root / "etc/fine")
    (root / "etc/inside").write_text("fine")
    files = NodeFiles.below(str(root))
    assert [files.read(f"/etc/{name}") for name in ("absolute", "relative", "up/secret", "fine")] == [
        None, None, None, b"fine",
    ]  # fmt: skip
    os.symlink("loop", root / "etc/loop")
    with pytest.raises(NodeFileError):
        files.read("/etc/loop")


def test_what_is_read_of_a_node_has_limits(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(3):
        (tmp_path / "many" / str(number)).touch()
    (tmp_path / "large").write_bytes(b"x" * 10)
    os.mkfifo(tmp_path / "pipe")
    with limits.changed({"node-file-bytes": 10, "node-folder-entries": 3}):
        files = NodeFiles.below(str(tmp_path))
        assert files.read("/large") == b"x" * 10
        assert files.names("/many") == ["0", "1", "2"]
        assert files.read("/pipe") is None
    with limits.changed({"node-file-bytes": 9, "node-folder-entries": 2}):
        files = NodeFiles.below(str(tmp_path))
        with pytest.raises(NodeFileError, match="more than 9 bytes"):
            files.read("/large")
        with pytest.raises(NodeFileError, match="more than 2 entries"):
            files.names("/many")
