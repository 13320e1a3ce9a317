# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts`` as users run it: what is written where, what was there, what stays unsaid."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.command import ROOT, Airgap, settings
from tests.parts.certificates import Authority
from tests.parts.need import need

ADDRESS = "172.25.0.84:30018"
TARGET = f"http://{ADDRESS}"
HOSTS = f"etc/containerd/certs.d/{ADDRESS}/hosts.toml"
PASSWORD = "s3cret-of-the-tests"


def receipt(airgap: Airgap, *images: tuple[str, str], target: str = ADDRESS) -> str:
    listed = [
        {"source": source, "target": f"{target}/{name}", "digest": "sha256:" + "0" * 64} for source, name in images
    ]
    document = {"format": 1, "target": target, "bundle": None, "images": listed, "blobs": {}}
    airgap.write("r.json", json.dumps(document))
    return "r.json"


def test_without_an_output_the_files_are_printed(airgap: Airgap) -> None:
    said = airgap.run("hosts", TARGET, "--for", "containerd")
    assert f'# /{HOSTS}\nserver = "{TARGET}"\n[host."{TARGET}"]\n' in said.text
    assert 'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n' in said.text
    assert 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n' in said.text
    assert "restart: hosts.toml counts from the next pull on" in said.stderr
    assert airgap.files() == {}


def test_output_holds_the_files_under_their_paths_and_no_config_to_copy_over_a_nodes_own(airgap: Airgap) -> None:
    airgap.run("hosts", TARGET, "--for", "containerd", "-o", "n")
    assert set(airgap.files()) == {f"n/{HOSTS}", "n/containerd-1.x.toml", "n/containerd-2.x.toml"}
    again = airgap.run("hosts", TARGET, "--for", "containerd", "-o", "n")
    assert "everything is there already" in again.stderr
    assert len(airgap.files()) == 3


def test_a_node_itself_is_changed_by_merging_with_a_copy_of_what_was_there(airgap: Airgap) -> None:
    config = airgap.write("node/etc/containerd/config.toml", "version = 2\n# ours\n")
    config.chmod(0o640)
    hosts = airgap.write(f"node/{HOSTS}", '# theirs\nserver = "https://old"\n')
    before = airgap.files()
    dry = airgap.run("hosts", TARGET, "--for", "containerd", "--root", "node", "--dry-run")
    diff = airgap.run("hosts", TARGET, "--for", "containerd", "--root", "node", "--diff")
    assert airgap.files() == before
    assert f"would change node/{HOSTS}" in dry.stderr
    assert '-server = "https://old"\n+server = "http://172.25.0.84:30018"\n' in diff.text
    airgap.run("hosts", TARGET, "--for", "containerd", "--root", "node")
    after = airgap.files()
    assert after[f"node/{HOSTS}.before-airgap"] == before[f"node/{HOSTS}"]
    assert after["node/etc/containerd/config.toml.before-airgap"] == before["node/etc/containerd/config.toml"]
    assert config.read_text().startswith("version = 2\n# ours\n\n[plugins.")
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert hosts.read_text().startswith('# theirs\nserver = "http://')
    assert len(after) == 4
    airgap.run("hosts", f"https://{ADDRESS}", "--insecure", "--for", "containerd", "--root", "node")
    assert f"node/{HOSTS}.before-airgap.2" in airgap.files()
    patch = subprocess.run(
        [need("patch"), "-p1", "--dry-run"], input=diff.stdout, capture_output=True, cwd="/", check=False
    )
    assert patch.returncode in (0, 1)  # it is a diff that patch can read


def test_one_file_that_cannot_be_merged_stops_all(airgap: Airgap) -> None:
    airgap.write("node/etc/containerd/config.toml", "version = [\n")
    said = airgap.fails(42, "hosts", TARGET, "--for", "containerd", "--root", "node")
    assert said.errors == ["node/etc/containerd/config.toml: line 1 is no TOML that airgap understands"]
    assert len(airgap.files()) == 1


def test_a_link_that_leads_out_is_not_followed(airgap: Airgap, tmp_path: Path) -> None:
    (airgap.folder / "n/etc").mkdir(parents=True)
    (airgap.folder / "n/etc/containerd").symlink_to(tmp_path)
    airgap.fails(42, "hosts", TARGET, "--for", "containerd", "-o", "n")
    assert not (tmp_path / "certs.d").exists()


def test_a_receipt_says_what_images_are_called(airgap: Airgap) -> None:
    file = receipt(airgap, ("quay.io/a/b:1", "k/a/b:1"), ("docker.io/library/nginx:1", "k/library/nginx:1"))
    airgap.run("hosts", TARGET, "--for", "containerd", "--from", file, "-o", "n")
    made = airgap.files()
    assert f'server = "{TARGET}/v2/k"\n'.encode() in made["n/etc/containerd/certs.d/quay.io/hosts.toml"]
    assert b"override_path = true" in made["n/etc/containerd/certs.d/docker.io/hosts.toml"]
    airgap.fails(2, "hosts", TARGET, "--for", "containerd", "--from", file, "--mapping", "path")
    said = airgap.fails(50, "hosts", "http://other:1", "--for", "containerd", "--from", file)
    assert "not of other:1" in said.errors[0]


def test_a_bundle_goes_by_the_mapping(airgap: Airgap, bundle: Path) -> None:
    said = airgap.run("hosts", f"{TARGET}/k", "--for", "containerd", "--from", bundle)
    assert f"# /etc/containerd/certs.d/{ADDRESS}/hosts.toml" in said.text
    assert "certs.d/quay.io" not in said.text
    assert "warning: containerd cannot pull quay.io/jetstack/cert-manager-" in said.stderr
    assert "need --mapping path, at airgap import and here: quay.io/jetstack/cert-manager-acmesolver, " in said.stderr
    done = airgap.run("hosts", f"{TARGET}/k", "--for", "containerd", "--from", bundle, "--mapping", "full")
    assert f'server = "{TARGET}/v2/k/quay.io"' in done.text
    done = airgap.run("hosts", f"{TARGET}/k", "--for", "k3s", "--from", bundle)
    assert "^jetstack/cert\\-manager\\-webhook$: k/cert-manager-webhook" in done.text
    for wrong in (b"{", b'{"format": 1}', b"not a bundle"):
        airgap.write("wrong", wrong)
        airgap.fails(40, "hosts", TARGET, "--for", "podman", "--from", "wrong")


def test_what_airgap_yaml_says_of_the_target_holds(airgap: Airgap, authority: Authority) -> None:
    registries: dict[str, dict[str, object]] = {ADDRESS: {"plain_http": True}, "b.test": {"ca_file": str(authority.ca)}}
    airgap.write("airgap.yaml", settings(registries))
    assert f'server = "{TARGET}"' in airgap.run("hosts", ADDRESS, "--for", "containerd").text
    assert 'ca = "ca.crt"' in airgap.run("hosts", "b.test", "--for", "containerd").text
    assert "skip_verify" in airgap.run("hosts", "b.test", "--insecure", "--for", "containerd").text


def test_no_private_key_reaches_a_node(airgap: Airgap, authority: Authority) -> None:
    pair = authority.good()
    airgap.write("both.pem", authority.ca.read_bytes() + pair.key.read_bytes())
    for file, says in (("both.pem", "private key"), ("nothing.pem", "no such file"), ("/dev/null", "no certificate")):
        said = airgap.fails(2, "hosts", "https://b.test", "--for", "podman", "--ca-file", file)
        assert says in said.errors[0]
    said = airgap.fails(2, "hosts", TARGET, "--for", "podman", "--ca-file", authority.ca)
    assert "plain HTTP shows no certificate" in said.errors[0]


@pytest.mark.parametrize("way", ["stdin", "environment", "login"])
def test_a_pull_secret_is_written_for_its_owner_alone_and_shown_nowhere(airgap: Airgap, way: str) -> None:
    arguments = ["hosts", TARGET, "--for", "containerd", "-o", "n", "--pull-secret", "nexus", "--namespace", "apps"]
    more: dict[str, object] = {}
    if way == "stdin":
        arguments += ["--username", "u", "--password-stdin"]
        more = {"stdin": f"{PASSWORD}\n".encode()}
    elif way == "environment":
        more = {"environment": {"AIRGAP_USERNAME": "u", "AIRGAP_PASSWORD": PASSWORD}}
    else:
        auth = base64.b64encode(f"u:{PASSWORD}".encode()).decode()
        (airgap.home / ".docker").mkdir()
        (airgap.home / ".docker/config.json").write_text(json.dumps({"auths": {ADDRESS: {"auth": auth}}}))
    for last in ("--diff", "--dry-run", None):
        said = airgap.run(*arguments, *([last] if last else []), **more)  # type: ignore[arg-type] # run's own keywords
        shown = said.stdout + said.stderr.encode()
        assert PASSWORD.encode() not in shown
        assert base64.b64encode(f"u:{PASSWORD}".encode()) not in shown
        # The Secret's own base64 hides the password from a search; no part of its content is shown at all.
        assert b"dockerconfigjson" not in shown
    file = airgap.folder / "n/pull-secret.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = yaml.safe_load(file.read_text())
    assert secret["metadata"] == {"name": "nexus", "namespace": "apps"}
    document = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert document["auths"][ADDRESS]["password"] == PASSWORD
    others = [content for name, content in airgap.files().items() if name != "n/pull-secret.yaml"]
    assert not any(PASSWORD.encode() in content for content in others)


def test_without_a_credential_the_secret_is_a_template(airgap: Airgap) -> None:
    airgap.run("hosts", TARGET, "--for", "containerd", "-o", "n", "--pull-secret", "nexus")
    text = (airgap.folder / "n/pull-secret.yaml").read_text()
    assert "airgap login http://172.25.0.84:30018" in text
    assert "BASE64 OF USER:PASSWORD" in text


def test_a_registries_yaml_keeps_its_bytes_and_gets_what_is_needed(airgap: Airgap) -> None:
    there = (
        b"# ours\r\nconfigs:\r\n    'r.corp':   # by hand\r\n        auth:\r\n"
        b"            username: on\r\n            password: 012345\r\n"
    )
    file = airgap.write("node/etc/rancher/k3s/registries.yaml", there)
    said = airgap.run("hosts", TARGET, "--for", "k3s", "--root", "node")
    assert "comments" not in said.stderr
    after = file.read_bytes()
    assert after == there + (f"mirrors:\r\n  {ADDRESS}:\r\n    endpoint:\r\n    - {TARGET}\r\n").encode()
    assert airgap.files()["node/etc/rancher/k3s/registries.yaml.before-airgap"] == there
    again = airgap.run("hosts", TARGET, "--for", "k3s", "--root", "node")
    assert "everything is there already" in again.stderr
    assert file.read_bytes() == after


def test_a_registries_yaml_that_cannot_be_edited_is_refused_with_its_line(airgap: Airgap) -> None:
    file = airgap.write(
        "node/etc/rancher/rke2/registries.yaml", "mirrors:\n  x: &x\n    endpoint: [http://x]\nconfigs: *x\n"
    )
    before = airgap.files()
    said = airgap.fails(42, "hosts", "https://b.test", "--insecure", "--for", "rke2", "--root", "node")
    assert said.errors == ["node/etc/rancher/rke2/registries.yaml:4: airgap cannot add to what the alias *x stands for"]
    file.write_text("a: b\n\tc: d\n")
    said = airgap.fails(42, "hosts", TARGET, "--for", "rke2", "--root", "node")
    assert said.errors[0].startswith("node/etc/rancher/rke2/registries.yaml:2: ")
    assert airgap.files().keys() == before.keys()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--for", "docker", "--output", "a", "--root", "b"), "choose one of"),
        (("--for", "docker", "--pull-secret", "x"), "go with --output"),
        (("--for", "docker", "--username", "x"), "go with --pull-secret"),
        (("--for", "docker", "--mapping", "path"), "--mapping goes with --from"),
        (("--for", "docker", "--diff"), "nothing to compare with"),
        (("--for", "k3s", "-o", "a", "--daemonset", "x"), "must be restarted"),
    ],
)
def test_a_wrong_command_line_is_2_and_writes_nothing(airgap: Airgap, arguments: tuple[str, ...], says: str) -> None:
    said = airgap.run("hosts", TARGET, *arguments, code=2)
    assert says in said.stderr
    assert airgap.files() == {}


def made_daemonset(airgap: Airgap) -> str:
    image = f"{ADDRESS}/library/busybox:1.36"
    airgap.run("hosts", TARGET, "--for", "containerd", "-o", "n", "--daemonset", image)
    return (airgap.folder / "n/daemonset.yaml").read_text()


def test_the_daemonset_in_manifests_is_what_the_command_writes(airgap: Airgap) -> None:
    assert (ROOT / "manifests/nodes/containerd.yaml").read_text() == made_daemonset(airgap)


@pytest.mark.parametrize("version", ["1.27", "1.32"])
def test_the_kubernetes_schemas_take_what_is_made(airgap: Airgap, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    airgap.run("hosts", TARGET, "--for", "containerd", "-o", "s", "--pull-secret", "nexus")
    for item in (
        *yaml.safe_load_all(made_daemonset(airgap)),
        yaml.safe_load((airgap.folder / "s/pull-secret.yaml").read_text()),
    ):
        kubernetes_validate.validate(item, version, strict=True)


def test_the_daemonsets_script_lays_the_files_whole_and_keeps_what_was_there(airgap: Airgap, tmp_path: Path) -> None:
    """The script itself, run by sh with the ConfigMap's keys as the kubelet would mount them."""
    config_map, daemonset = yaml.safe_load_all(made_daemonset(airgap))
    container = daemonset["spec"]["template"]["spec"]["initContainers"][0]
    mounted, node = tmp_path / "files", tmp_path / "node"
    for folder in (mounted, node / ADDRESS):
        folder.mkdir(parents=True)
    for key, text in config_map["data"].items():
        (mounted / key).write_text(text)
    (node / ADDRESS / "hosts.toml").write_text("theirs")
    script = container["command"][2].replace("/files/", f"{mounted}/")
    for _ in range(2):
        subprocess.run(
            ["sh", "-c", script], check=True, env={"PATH": os.defpath, "ROOT": str(node)}, capture_output=True
        )
    assert (node / ADDRESS / "hosts.toml").read_text() == next(iter(config_map["data"].values()))
    assert (node / ADDRESS / "hosts.toml.before-airgap").read_text() == "theirs"
    assert len(list(node.rglob("*"))) == 3
    security = container["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    assert "privileged" not in security


def test_config_path_is_asked_for_only_where_it_is_not_set(airgap: Airgap) -> None:
    for runtime in ("containerd", "nerdctl"):
        for more in ((), ("-o", f"nodes-{runtime}")):
            assert "containerd must look there" in airgap.run("hosts", TARGET, "--for", runtime, *more).stderr
        said = airgap.run("hosts", TARGET, "--for", runtime, "--root", f"node-{runtime}").stderr
        assert "must look there" not in said
        config = airgap.files()[f"node-{runtime}/etc/containerd/config.toml"]
        assert b'config_path = "/etc/containerd/certs.d"' in config
