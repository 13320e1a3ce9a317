# SPDX-License-Identifier: Apache-2.0
"""``--from-node``, ``--on-nodes`` and ``--cluster``. kubectl is a program that plays a cluster of two nodes."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Airgap
from tests.doubles.registry.shelf import asks_basic
from tests.parts.images import Images
from tests.parts.waiting import wait_until
from tests.prove.nodes import TARGET, Node, hosts_toml, node, pull_secret, workload

ROOT = Path(__file__).resolve().parents[2]
#: Nodes are folders in KUBECTL_NODES; what is created is kept in memory between calls as files beside them.
KUBECTL = """#!{python}
import gzip, base64, json, os, re, subprocess, sys
from pathlib import Path
words = sys.argv[1:]
home = Path(os.environ["KUBECTL_NODES"])
with open(home / "log", "a") as log:
    log.write(" ".join(words) + "\\n")
state = home / "state.json"
made = json.loads(state.read_text()) if state.exists() else {{}}
nodes = sorted(entry.name for entry in home.iterdir() if entry.is_dir())
options = [word for word in words if word.startswith("--")]
plain = [word for word in words if not word.startswith("--")]
verb = plain[0]


def pod(name, **status):
    return {{"metadata": {{"name": f"check-{{name}}"}}, "spec": {{"nodeName": name}}, "status": status}}


def terminated(name):
    broken = (home / "broken").read_text() if (home / "broken").exists() else ""
    if (home / "slow").exists():
        return pod(name)
    if name == broken:
        waiting = {{"reason": "ImagePullBackOff", "message": "no such image"}}
        return pod(name, initContainerStatuses=[{{"name": "prove", "state": {{"waiting": waiting}}}}])
    return pod(name, initContainerStatuses=[{{"name": "prove", "state": {{"terminated": {{"exitCode": 0}}}}}}])


if verb == "api-resources":
    print("pods\\ndeployments.apps")
elif verb == "debug":
    name = plain[1].partition("/")[2]
    if name not in nodes:
        sys.exit(f'Error from server (NotFound): nodes "{{name}}" not found')
    print(f"Creating debugging pod node-debugger-{{name}}-x1 with container debugger on node {{name}}.")
elif verb == "wait":
    if (home / "stuck").exists():
        sys.exit("error: timed out waiting for the condition")
elif verb == "exec":
    root = home / re.search("node-debugger-(.*)-x1", plain[1])[1]
    inside = words[words.index("--") + 1 :]
    inside[2] = inside[2].replace("/host", str(root))
    sys.exit(subprocess.run(inside).returncode)
elif verb == "create":
    made = json.loads(sys.stdin.read())
    state.write_text(json.dumps(made))
elif verb == "delete":
    state.unlink(missing_ok=True)
elif verb == "logs":
    name = plain[1].removeprefix("check-")
    spec = next(item for item in made["items"] if item["kind"] == "DaemonSet")["spec"]["template"]["spec"]
    for item in made["items"]:
        for key, value in {{**item.get("binaryData", {{}}), **item.get("data", {{}})}}.items():
            (home / key).write_bytes(base64.b64decode(value))
    script = spec["initContainers"][0]["command"][2]
    places = {{f"/tmp/{{file}}": f"{{home}}/tmp-{{file}}" for file in ("proof", "errors")}}
    places |= {{" /needs/": f" {{home}}/", " /secrets/": f" {{home}}/", " /node ": f" {{home / name}} "}}
    places["airgap prove"] = f"{{sys.executable}} -m airgap prove"
    for there, here in places.items():
        script = script.replace(there, here)
    subprocess.run(["sh", "-c", script], env={{**os.environ, "PYTHONPATH": {root!r}}})
elif plain[1].startswith("daemonset/"):
    status = {{"observedGeneration": 1, "desiredNumberScheduled": len(nodes)}}
    print(json.dumps({{"metadata": {{"generation": 1}}, "status": status}}))
elif plain[1].startswith("node/"):
    said = {{"operatingSystem": "linux", "architecture": "amd64", "containerRuntimeVersion": os.environ.get("CRI", "")}}
    print(json.dumps({{"status": {{"nodeInfo": said}}}}))
elif plain[1].startswith("pod/"):
    waiting = {{"reason": "ErrImagePull", "message": "not found"}}
    print(json.dumps(pod("x", containerStatuses=[{{"name": "debugger", "state": {{"waiting": waiting}}}}])))
elif plain[1] == "pods" and "-l" in words:
    print(json.dumps({{"items": [terminated(name) for name in nodes]}}))
else:
    objects = json.loads((home / "objects.json").read_text())
    kinds = {{"pods": "Pod", "deployments.apps": "Deployment", "secrets": "Secret"}}
    kinds["serviceaccounts"] = "ServiceAccount"
    wanted = {{kinds.get(name) for name in plain[1].split(",")}}
    types = [option.partition("type=")[2] for option in options if "field-selector" in option]
    items = [o for o in objects if o["kind"] in wanted and (not types or o.get("type") in types)]
    print(json.dumps({{"kind": "List", "items": items}}))
"""


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Node]:
    """A node of a registry with plain HTTP, which holds one image; the cluster's nodes are below ``cluster``."""
    for name in ("work", "user", "bin", "cluster"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin" / "kubectl"
    program.write_text(KUBECTL.format(python=sys.executable, root=str(ROOT)))
    program.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    airgap = Airgap(tmp_path / "work", tmp_path / "user", {"PATH": path, "KUBECTL_NODES": str(tmp_path / "cluster")})
    with node(airgap, tmp_path / "cluster" / "good") as started:
        started.containerd({TARGET: hosts_toml(started.url)})
        images = Images(3)
        started.shelf.put("shop/web", images, v1=images.two_platforms())
        yield started


def cluster(far: Node) -> Path:
    return far.root.parent


def words(far: Node) -> list[str]:
    return [line for line in (cluster(far) / "log").read_text().splitlines() if line]


def prove(far: Node, *more: str, code: int, yaml: str = "", json_: bool = True) -> Any:
    far.airgap.write("all.yaml", yaml or workload(f"{TARGET}/shop/web:v1"))
    arguments = ["all.yaml", "--against", TARGET, "--via", far.url, *more, *(["--json"] if json_ else [])]
    return far.airgap.run("prove", *arguments, code=code)


def test_the_files_of_a_node_are_read_through_a_debug_pod_that_is_deleted(far: Node) -> None:
    answer = prove(far, "--from-node", "good", "--image", "busybox", code=0).json
    assert (answer["node"], answer["platform"], answer["ready"]) == ("good", "linux/amd64", True)
    assert words(far)[-1].startswith("--namespace=kube-system delete pod node-debugger-good-x1")


@pytest.mark.parametrize(
    ("said", "runtime", "ready"),
    [
        ("containerd://1.7.24", "containerd", False),
        ("containerd://2.2.0", "containerd", True),
        ("cri-o://1.33.0", "crio", False),
        ("containerd://2.1.0-k3s1", "k3s", False),
        ("", "containerd", False),
    ],
)
def test_the_node_says_which_runtime_it_has(far: Node, said: str, runtime: str, ready: bool) -> None:
    """containerd 2 takes a hosts.toml without a host, and 1.7 does not."""
    far.containerd({TARGET: f'server = "{far.url}"\n'})
    far.airgap.environment["CRI"] = said
    answer = prove(far, "--from-node", "good", "--image", "busybox", code=0 if ready else 51).json
    assert (answer["runtime"], answer["ready"]) == (runtime, ready)


def test_a_file_outside_of_the_usual_folders_is_fetched_when_it_is_named(far: Node) -> None:
    far.lay("/opt/corp/certs.d/other.test/hosts.toml", hosts_toml(far.url))
    far.lay("/etc/containerd/config.toml", 'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n'
            'config_path = "/opt/link"\n')  # fmt: skip
    os.symlink("/opt/corp/certs.d", far.root / "opt/link")
    answer = prove(
        far, "--from-node", "good", "--image", "busybox", code=0, yaml=workload("other.test/shop/web:v1")
    ).json
    assert answer["images"][0]["from"] == [f"127.0.0.1:{far.registry.port}"]


def test_a_debug_pod_that_does_not_start_is_said_and_deleted(far: Node) -> None:
    (cluster(far) / "stuck").touch()
    result = far.airgap.fails(10, "prove", far.airgap.write("a.yaml", workload(f"{TARGET}/shop/web:v1")),
                              "--against", TARGET, "--from-node", "good", "--image", "busybox")  # fmt: skip
    assert "debugger: ErrImagePull: not found" in result.errors[0]
    assert "delete pod node-debugger-good-x1" in words(far)[-1]


def test_every_node_is_checked_and_what_was_made_is_deleted(far: Node) -> None:
    other = cluster(far) / "plain"
    other.mkdir()  # a node that nobody has told of plain HTTP
    (other / "etc").mkdir()
    yaml = workload(f"{TARGET}/shop/web:v1") + pull_secret("nexus", "shop", TARGET, "puller", "pw")
    result = prove(far, "--on-nodes", f"{TARGET}/airgap:1", code=51, yaml=yaml)
    nodes = {item["node"]: item["proof"] for item in result.json["nodes"]}
    assert (nodes["good"]["ready"], nodes["plain"]["ready"], result.json["ready"]) == (True, False, False)
    assert not (cluster(far) / "state.json").exists()
    text = prove(far, "--on-nodes", f"{TARGET}/airgap:1", code=51, yaml=yaml, json_=False).text
    lines = text.splitlines()
    assert lines[0].split() == ["good", "1/1", "ready"]
    assert lines[1].split()[:2] == ["plain", "0/1"]
    assert lines[2].split() == ["good", "plain"]
    assert lines[3].split() == [f"{TARGET}/shop/web:v1", "ok", "no"]


def test_a_node_on_which_the_check_does_not_run_is_not_ready(far: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    (cluster(far) / "broken").write_text("good")
    far.airgap.environment["AIRGAP_LIMITS"] = "nodes-time=1"
    answer = prove(far, "--on-nodes", f"{TARGET}/airgap:1", code=51).json
    assert answer["nodes"] == [{"node": "good", "error": "prove: ImagePullBackOff: no such image", "proof": None}]


def test_what_was_made_is_deleted_after_ctrl_c(far: Node) -> None:
    (cluster(far) / "slow").touch()
    path = far.airgap.write("a.yaml", workload(f"{TARGET}/shop/web:v1"))
    process = far.airgap.started("prove", path, "--against", TARGET, "--on-nodes", f"{TARGET}/airgap:1")
    log = cluster(far) / "log"
    wait_until(lambda: log.exists() and "get pods" in log.read_text())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "delete daemonset,configmap,secret" in words(far)[-1]
    assert not (cluster(far) / "state.json").exists()


def test_a_dry_run_prints_the_objects_and_no_password(far: Node) -> None:
    yaml = workload(f"{TARGET}/shop/web:v1") + pull_secret("nexus", "shop", TARGET, "puller", "pw")
    made = prove(far, "--on-nodes", f"{TARGET}/airgap:1", "--dry-run", code=0, yaml=yaml).json
    assert [item["kind"] for item in made] == ["ConfigMap", "Secret", "DaemonSet"]
    assert made[1]["data"] == {}
    mount = made[2]["spec"]["template"]["spec"]["initContainers"][0]["volumeMounts"][1]
    assert mount == {"name": "node", "mountPath": "/node", "readOnly": True}
    assert not (cluster(far) / "log").exists()


def test_pull_secrets_of_the_cluster_count(far: Node) -> None:
    far.shelf.guard = asks_basic("puller", "pw")
    template = {"spec": {"containers": [{"name": "a", "image": f"{TARGET}/shop/web:v1"}]}}
    deployment = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "namespace": "shop"},
                  "spec": {"template": template}}  # fmt: skip
    auths = json.dumps({"auths": {TARGET: {"username": "puller", "password": "pw"}}})
    secret = {"kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": auths},
              "metadata": {"name": "nexus", "namespace": "shop"}}  # fmt: skip
    account = {"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "shop"},
               "imagePullSecrets": [{"name": "nexus"}]}  # fmt: skip
    arguments = [
        "prove",
        "--cluster",
        "-n",
        "shop",
        "--against",
        TARGET,
        "--via",
        far.url,
        "--root",
        far.root,
        "--json",
    ]
    for objects, code in (([deployment, secret, account], 0), ([deployment, secret], 51)):
        (cluster(far) / "objects.json").write_text(json.dumps(objects))
        answer = far.airgap.run(*arguments, "--platform", "linux/amd64", code=code).json
    assert [cause["kind"] for cause in answer["causes"]] == ["no-pull-secret"]


@pytest.mark.parametrize("limit", ["kubectl-bytes=10", "needs-bytes=10", "needs-values=1"])
def test_what_kubectl_and_the_list_for_nodes_may_hold_is_limited(far: Node, limit: str) -> None:
    far.airgap.environment["AIRGAP_LIMITS"] = limit
    name = limit.partition("=")[0]
    if name == "kubectl-bytes":
        path = far.airgap.write("a.yaml", workload(f"{TARGET}/shop/web:v1"))
        node = ("--from-node", "good", "--image", "busybox")
        result = far.airgap.fails(10, "prove", path, "--against", TARGET, *node)
    else:
        packed = gzip.compress(b'[{"image": "a.test/b:1", "text": "a.test/b:1", "places": [], "pods": []}]')
        path = far.airgap.write("list.gz", packed)
        result = far.airgap.fails(10, "prove", "--needs", path, "--against", TARGET)
    assert name in result.stderr


def test_a_list_for_nodes_that_is_none_is_refused(far: Node) -> None:
    for content in (b"no gzip", gzip.compress(b"{"), gzip.compress(b'[{"image": 1}]')):
        path = far.airgap.write("list.gz", content)
        far.airgap.fails(10, "prove", "--needs", path, "--against", TARGET)
