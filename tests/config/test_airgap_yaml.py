# SPDX-License-Identifier: Apache-2.0
"""``airgap.yaml``: every key has its effect, every mistake its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.config.airgap_yaml import ProjectSettings, load_project
from airgap.errors import UsageError
from airgap.kube import CustomRules, IgnoreRule, TakeRule
from airgap.oci import Platform, Reference
from airgap.registry import RegistrySettings
from tests.cli.command import Airgap, Registry, pod

WHOLE = """\
name: my-platform
version: 1.10
notes: CHANGES.md
resources: [cert-manager.yaml, deploy/, "https://example.com/x.yaml"]
images: [docker.io/library/busybox:1.36]
platforms: [linux/amd64]
target: http://10.100.0.102:32415/my-docker-image
mapping:
  policy: path
  overrides: {"quay.io/jetstack/*": "certs/*", "b/*": x, "a/*": y}
registries:
  quay.io: {mirror: "http://127.0.0.1:5000"}
  10.100.0.102:32415: {plain_http: true, endpoint: "http://nexus.svc:8082"}
  nexus.corp:8443: {ca_file: corp-ca.pem, insecure: false, timeout: 30}
rules:
  take: [{kind: ConfigMap, name: "my-*", path: "data.worker", why: "our operator's worker"}]
  ignore: [{image: "example.com/*", why: "never deployed"}]
"""


def written(folder: Path, text: str) -> str:
    path = folder / "airgap.yaml"
    path.write_text(text)
    return str(path)


def test_every_key(tmp_path: Path) -> None:
    project = load_project(written(tmp_path, WHOLE))
    assert project == ProjectSettings(
        name="my-platform",
        version="1.10",
        notes=str(tmp_path / "CHANGES.md"),
        resources=[str(tmp_path / "cert-manager.yaml"), str(tmp_path / "deploy"), "https://example.com/x.yaml"],
        images=[Reference.parse("busybox:1.36")],
        platforms=[Platform("linux", "amd64")],
        target="http://10.100.0.102:32415/my-docker-image",
        policy="path",
        overrides={"quay.io/jetstack/*": "certs/*", "b/*": "x", "a/*": "y"},
        registries={
            "quay.io": RegistrySettings(mirror="http://127.0.0.1:5000"),
            "10.100.0.102:32415": RegistrySettings(endpoint="http://nexus.svc:8082", plain_http=True),
            "nexus.corp:8443": RegistrySettings(ca_file=str(tmp_path / "corp-ca.pem"), insecure=False, timeout=30.0),
        },
        rules=CustomRules(
            (TakeRule("data.worker", "our operator's worker", "ConfigMap", "my-*"),),
            (IgnoreRule("example.com/*", "never deployed"),),
        ),
    )
    assert list(project.overrides) == ["quay.io/jetstack/*", "b/*", "a/*"]
    assert project.bundle_name == "my-platform-1.10.tar"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}"])
def test_an_empty_file_says_nothing(tmp_path: Path, text: str) -> None:
    assert load_project(written(tmp_path, text)) == ProjectSettings()


@pytest.mark.parametrize(
    ("text", "line", "says", "hint"),
    [
        ("name: x\nplatfroms: []\n", 2, "unknown key 'platfroms'", "platforms"),
        ("zzz: 1\n", 1, "unknown key 'zzz'", "known are name"),
        ("mapping:\n  polcy: path\n", 2, "unknown key 'polcy'", "policy"),
        ("registries:\n  q.io:\n    mirorr: x\n", 3, "unknown key 'mirorr'", "mirror"),
        ("name: [a]\n", 1, "text", ""),
        ("name:\n", 1, "text", ""),
        ("resources: a.yaml\n", 1, "list", ""),
        ("resources:\n- a.yaml\n- {b: c}\n", 3, "text", ""),
        ("mapping: path\n", 1, "mapping of keys", ""),
        ("registries: []\n", 1, "mapping of keys", ""),
        ("registries:\n  q.io: {plain_http: yes}\n", 2, "true or false", ""),
        ("registries:\n  q.io: {insecure: 1}\n", 2, "true or false", ""),
        ("registries:\n  q.io: {timeout: soon}\n", 2, "'soon' is no number of seconds", "120"),
        ("registries:\n  q.io: {timeout: 0}\n", 2, "no number of seconds", ""),
        ("registries:\n  q.io: {timeout: nan}\n", 2, "no number of seconds", ""),
        ("registries:\n  q.io: {timeout: inf}\n", 2, "no number of seconds", ""),
        ("images:\n- ok:1\n- Not/OK\n", 3, "invalid image reference", ""),
        ("platforms: [amd64]\n", 1, "amd64", ""),
        ("name: a\nname: b\n", 2, "twice", ""),
        ("- a\n", 1, "mapping of keys", ""),
        ("a: {\n", 2, "no YAML", ""),
        ("a: b: c\n", 1, "no YAML", ""),
        ("mapping: {policy: flat}\n", 1, "'flat'", "basename"),
        ("mapping:\n  overrides:\n    'quay.io/*': 'Upper/*'\n", 3, "Upper", ""),
        ("name: x\ntarget: nexus/repo\n", 2, "Docker Hub", ""),
        ("registries:\n  'not a registry': {plain_http: true}\n", 2, "not a registry", ""),
        ("name: a/b\n", 1, "a/b", ""),
        ("x: &a [*a]\n", 1, "unknown key", ""),
    ],
)
def test_mistakes_have_their_file_and_line(tmp_path: Path, text: str, line: int, says: str, hint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_project(path)
    assert caught.value.where == f"{path}:{line}"
    assert says in caught.value.what
    assert hint in f"{caught.value.hint} {caught.value.what}"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "airgap.yaml"
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(UsageError):
        load_project(str(path))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_project(written(tmp_path, "a: " + "[" * 20000))


def test_the_file_that_config_names_must_be_there(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("a:1"))
    said = airgap.fails(2, "images", "a.yaml", "--config", "other.yaml")
    assert said.errors == ["other.yaml: there is no such file or folder"]
    airgap.run("images", "a.yaml")


def test_paths_are_relative_to_the_file_and_flags_win(airgap: Airgap, quay: Registry) -> None:
    airgap.write("project/k/a.yaml", pod("quay.io/jetstack/cert-manager-webhook:v1.14.4"))
    airgap.write("project/NOTES", "for the other side")
    airgap.write(
        "project/airgap.yaml",
        f"name: p\nversion: 2.0\nnotes: NOTES\nresources: [k]\nplatforms: [linux/arm64]\n"
        f"registries: {{quay.io: {{mirror: '{quay.url}'}}}}\n",
    )
    airgap.run("export", "--config", "project/airgap.yaml")
    with open_bundle(airgap.folder / "p-2.0.tar") as opened:
        assert (opened.inventory.name, opened.inventory.version) == ("p", "2.0")
        assert [str(platform) for platform in opened.inventory.images[0].platforms] == ["linux/arm64"]
        assert [resource.name for resource in opened.inventory.resources] == ["a.yaml"]
    airgap.run("export", "--config", "project/airgap.yaml", "-o", "b.tar", "--platform", "linux/amd64")
    with open_bundle(airgap.folder / "b.tar") as opened:
        assert [str(platform) for platform in opened.inventory.images[0].platforms] == ["linux/amd64"]


def test_a_mistake_is_told_by_every_command_that_reads_it(airgap: Airgap, bundle: Path) -> None:
    airgap.write("airgap.yaml", "targte: x\n")
    airgap.write("a.yaml", pod("a:1"))
    for command in (
        ("images", "a.yaml"),
        ("export", "a.yaml", "-o", "b.tar"),
        ("import", bundle, "--to", "t.example"),
        ("rewrite", "a.yaml", "--to", "t.example"),
    ):
        said = airgap.fails(2, *command)
        assert said.errors == ["airgap.yaml:1: unknown key 'targte'"]
        assert "target" in said.stderr.splitlines()[1]


def test_missing_notes(airgap: Airgap, quay: Registry) -> None:
    airgap.write("airgap.yaml", "notes: gone.md\n")
    said = airgap.fails(2, "export", "--image", "quay.io/a/x:1", "-o", "b.tar")
    assert "gone.md" in said.errors[0]


RULES = [
    ("take: [{path: a}]", "lacks 'why'"),
    ("take: [{why: a}]", "lacks 'path'"),
    ("take: [{path: 'a b', why: c}]", "no path"),
    ("take: [{path: a, why: b, knid: c}]", "unknown key 'knid'"),
    ("ignore: [{image: a}]", "lacks 'why'"),
    ("ignore: {image: a}", "a list belongs here"),
    ("taek: []", "unknown key 'taek'"),
]


@pytest.mark.parametrize(("rules", "what"), RULES)
def test_a_wrong_rule_is_refused_with_its_line(tmp_path: Path, rules: str, what: str) -> None:
    file = written(tmp_path, f"name: x\nrules:\n  {rules}\n")
    with pytest.raises(UsageError) as caught:
        load_project(file)
    assert str(caught.value).startswith(f"{file}:3: ")
    assert what in str(caught.value)


def test_rules_take_and_ignore(airgap: Airgap) -> None:
    airgap.write(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: my-x}\ndata: {worker: busybox, other: redis}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: your-x}\ndata: {worker: busybox}\n---\n"
        + pod("nginx:1", "example.com/x/y:1"),
    )
    assert airgap.run("images", "a.yaml", "--refs").text.split() == [
        "docker.io/library/nginx:1",
        "example.com/x/y:1",
    ]
    airgap.write("airgap.yaml", "rules:" + WHOLE.partition("rules:")[2])
    assert airgap.run("images", "a.yaml", "--refs").text.split() == [
        "docker.io/library/busybox:latest",
        "docker.io/library/nginx:1",
    ]
    said = airgap.run("images", "a.yaml", "--why").text
    assert "a.yaml:4   airgap.yaml, likely: data.worker" in said
    assert "ignored by airgap.yaml: never deployed" in said
