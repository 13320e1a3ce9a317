# SPDX-License-Identifier: Apache-2.0
"""What clients are told: ``airgap hosts URL --for CLIENT`` merges it into their settings, an import prints it as the
next step, and the real clients read it."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from airgap.artifacts.formats.helm.client import HelmSettings
from airgap.artifacts.formats.npm.client import NpmSettingsFile
from airgap.errors import ContentError
from tests.artifacts.carrying import carry, export, far_nexus, files_over_http, write_project
from tests.artifacts.npm_packages import lock, package, registry
from tests.artifacts.test_helm import CHART, repository, run_helm
from tests.cli.command import Airgap
from tests.parts.need import need
from tests.parts.service import clean_environment

URL = "http://nexus.corp:8081/repository/hosted"
NPMRC = "; ours\n  registry = https://old.corp/\nfund=false\n@corp:registry=https://corp/\n//corp/:_authToken=t\nregistry=x\n"
HELM = "apiVersion: ''\nrepositories:\n- name: other  # ours\n  url: https://other.corp\n"
PIP = "# ours\n[global]\ntimeout = 60\nindex-url = https://old.example/simple\n  https://second\n[install]\nuser = no\n"
MAVEN = "<settings>\n  <!-- ours -->\n  <mirrors>\n    <mirror><id>x</id></mirror>\n  </mirrors>\n</settings>\n"
#: By client: the file below the root of a machine, what is in it, and what it is then.
MERGED = {
    "npm": (
        "usr/etc/npmrc", NPMRC,
        f"; ours\nregistry={URL}/\nfund=false\n@corp:registry=https://corp/\n//corp/:_authToken=t\n"
        "replace-registry-host=always\n",
    ),
    "pip": (
        "etc/pip.conf", PIP,
        f"# ours\n[global]\ntrusted-host = nexus.corp:8081\ntimeout = 60\nindex-url = {URL}/simple\n"
        "[install]\nuser = no\n",
    ),
    "maven": (
        "etc/maven/settings.xml", MAVEN,
        MAVEN.replace("    <mirror>", f"    <mirror><id>airgap</id><mirrorOf>*</mirrorOf><url>{URL}</url></mirror>\n"
                      "    <mirror>"),
    ),
    "helm": (
        "root/.config/helm/repositories.yaml", HELM,
        HELM.replace("- name: other", f"- name: airgap\n  url: {URL}\n- name: other"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("client", MERGED)
def test_settings_are_merged_with_a_diff_and_a_backup(airgap: Airgap, client: str) -> None:
    name, before, after = MERGED[client]
    path = airgap.folder / "machine" / name
    words = ("hosts", URL, "--for", client, "--root", "machine")
    airgap.write(f"machine/{name}", before)
    shown = airgap.run(*words, "--diff").text
    assert f"{name}\n" in shown
    assert {line[1:] for line in shown.splitlines() if line[:1] == "+"} >= set(after.splitlines()) - set(
        before.splitlines()
    )
    assert path.read_text() == before
    assert "would change" in airgap.run(*words, "--dry-run").stderr
    airgap.run(*words)
    assert path.read_text() == after
    assert path.with_name(f"{path.name}.before-airgap").read_text() == before
    assert "everything is there already" in airgap.run(*words).stderr
    assert len(list(path.parent.iterdir())) == 2
    # A machine without any.
    assert "wrote" in airgap.run("hosts", URL, "--for", client, "--root", "empty").stderr
    assert (airgap.folder / "empty" / name).exists()


@pytest.mark.parametrize(
    "old",
    ["", "repositories: []\n", "repositories: null\n", "repositories:\n", HELM, "repositories: [{name: a, url: b}]\n",
     "repositories:\n  - name: a\n    url: b\n", f"repositories:\n- name: airgap\n  url: '{URL}/old'\n  caFile: x\n"],
)  # fmt: skip
def test_helms_list_keeps_its_other_repositories(old: str) -> None:
    (file,) = HelmSettings().setup(URL).files
    merged = file.merge(old.encode())
    assert file.merge(merged) == merged
    before = {item["name"]: item for item in (yaml.safe_load(old) or {}).get("repositories") or ()}
    after = {item["name"]: item for item in yaml.safe_load(merged)["repositories"]}
    assert after == {**before, "airgap": {**before.get("airgap", {}), "name": "airgap", "url": URL}}


@pytest.mark.parametrize("old", [b"[1]", b"x: 1", b"a: [", b"\xff", b"repositories:\n- name: airgap\n"])
def test_what_is_no_list_of_repositories(old: bytes) -> None:
    (file,) = HelmSettings().setup(URL).files
    with pytest.raises(ContentError, match="no list of helm's repositories"):
        file.merge(old)


def test_keys_of_a_section_are_not_npms_own() -> None:
    file = NpmSettingsFile().setup(URL).files[0]
    merged = file.merge(b"a=1\n[registry]\nregistry=mine").decode()
    assert merged == f"a=1\nregistry={URL}/\nreplace-registry-host=always\n[registry]\nregistry=mine"


@pytest.mark.requires("npm")
def test_npm_and_helm_read_what_was_merged(airgap: Airgap, tmp_path: Path) -> None:
    with files_over_http(repository("1.10.0")) as charts:
        airgap.run("hosts", charts.url, "--for", "helm", "--root", "machine")
        home = tmp_path / "helm"
        (list_of_root,) = (airgap.folder / "machine").rglob("helm/repositories.yaml")
        run_helm(home, "repo", "update", "--repository-config", list_of_root)
        run_helm(home, "pull", "airgap/shop", "--repository-config", list_of_root)
        assert (home / "shop-1.10.0.tgz").exists()
    airgap.run("hosts", URL, "--for", "npm", "--root", "machine")
    environment = clean_environment(tmp_path, npm_config_globalconfig=str(airgap.folder / "machine/usr/etc/npmrc"))
    command = [need("npm"), "config", "get", "registry", "replace-registry-host"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    assert done.stdout.split() == [f"registry={URL}/", "replace-registry-host=always"]


def test_an_import_prints_the_next_step_of_each_client(airgap: Airgap) -> None:
    airgap.write("shop/Chart.yaml", CHART)
    airgap.write("notes.txt", "notes")
    packages = package("left", "1.0.0")
    with registry(packages) as source:
        airgap.write("package-lock.json", json.dumps(lock(packages, f"{source.url}/npm")))
        entries = {
            "helm": [{"path": "shop"}],
            "npm": [{"lockfile": "package-lock.json"}],
            "raw": [{"path": "notes.txt"}],
        }
        write_project(airgap, entries)
        export(airgap)
    with far_nexus("helm", "npm", "raw") as far:
        assert "airgap hosts" not in carry(airgap, "--nexus", far.url, "--dry-run").stderr
        said = carry(airgap, "--nexus", far.url)
    lines = [line for line in said.stderr.splitlines() if "airgap hosts" in line]
    assert [line.partition(": ")[0] for line in lines] == ["next, the settings of helm", "next, the settings of npm"]
    for line, client in zip(lines, ("helm", "npm"), strict=True):
        command = shlex.split(line.partition(": ")[2])
        assert command == ["airgap", "hosts", f"{far.url}/repository/{client}-hosted", "--for", client]
        assert f"{client}-hosted" in airgap.run(*command[1:]).text
    # A folder that nobody knows the address of, and what needs no settings.
    said = carry(airgap, "--artifacts-to", "helm=file:out", "--artifacts-to", "npm=file:npm#http://h/npm",
                 "--artifacts-to", "raw=file:raw")  # fmt: skip
    assert [line for line in said.stderr.splitlines() if "airgap hosts" in line] == [
        "next, the settings of npm: airgap hosts http://h/npm --for npm"
    ]
