# SPDX-License-Identifier: Apache-2.0
"""What pip, npm, Maven and helm print where a Nexus refuses them, and the explanation of it. The clients are real where
a Nexus makes them say it; the others are what their sources print."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.artifacts.formats.maven.client import MavenSettingsFile
from airgap.explain import find_matches
from tests.artifacts.carrying import far_nexus
from tests.artifacts.maven_repository import artifact, pom
from tests.artifacts.npm_packages import file_path, package
from tests.artifacts.test_helm import archive
from tests.artifacts.wheels import wheel
from tests.doubles.nexus import ADMIN, Nexus, Repository
from tests.parts.helm import helm
from tests.parts.need import need
from tests.parts.service import clean_environment

WHEEL, PACKAGE = wheel("demo_lib", "1.0"), package("left", "1.0.0")
PAIR = base64.b64encode(f"{ADMIN.name}:{ADMIN.password}".encode()).decode()
NAMES = {"pypi": "pypi", "npm": "npm", "helm": "helm", "maven": "maven2"}
SAID = [
    ("WARNING: 401 Error, Credentials not correct for http://h/repository/p/simple/x/\nERROR: Could not find a version "
     "that satisfies the requirement x (from versions: none)", "artifact-credentials"),
    ("npm error code E401\nnpm error Incorrect or missing password.", "artifact-credentials"),
    ("npm error 400 Bad Request - PUT http://h/repository/n/left - Repository does not allow updating assets: n",
     "cannot-be-updated"),
    ("npm error code E405\nnpm error 405 Method Not Allowed - PUT http://h/repository/npm-group/left",
     "artifact-upload"),
    ("Failed to deploy artifacts: Could not transfer artifact o:a:jar:1.0 from/to c (http://h/repository/m): status "
     "code: 401, reason phrase: Unauthorized (401)", "artifact-credentials"),
    ("Failed to deploy artifacts: Could not transfer artifact o:a:jar:1.0 from/to c (http://h/repository/m): status "
     "code: 400, reason phrase: Repository does not allow updating assets: m (400)", "cannot-be-updated"),
    ("Failed to deploy artifacts: Could not transfer artifact o:a:jar:1.0 from/to c (http://h/repository/m): status "
     "code: 405, reason phrase: Method Not Allowed (405)", "artifact-upload"),
    ("status code: 400, reason phrase: Repository version policy: RELEASE does not allow metadata in path: x (400)",
     "maven-version-policy"),
    ("Could not transfer artifact o:p:pom:1 from/to maven-default-http-blocker (http://0.0.0.0/): Blocked mirror for "
     "repositories: [c (http://h/repository/m, default, releases)]", "maven-http-blocked"),
    ("HTTPError: 400 Bad Request from http://h/repository/p/", "artifact-published"),
    ("HTTPError: 405 Method Not Allowed from http://h/repository/pypi-group/", "artifact-upload"),
    ("upload to this repository is not supported", "artifact-upload"),
    ("Error: no cached repo found. (try 'helm repo update'): open /home/u/.cache/helm/repository/airgap-index.yaml: no "
     "such file or directory", "helm-index-unread"),
    ("Error: 405: could not properly parse response JSON: <!DOCTYPE html>", "method"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "cause"), SAID)
def test_what_clients_say_is_known(said: str, cause: str) -> None:
    first = find_matches(said)[0]
    assert (first.message.id, first.certainty) == (cause, "exact")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Nexus, Nexus]]:
    """One that lets everybody read, and one that wants a user."""
    repositories = tuple(Repository(name, format=kind, write_policy="ALLOW_ONCE") for name, kind in NAMES.items())
    repositories += (Repository("closed", format="npm", write_policy="DENY"),)
    with (
        far_nexus(repositories=repositories) as open_one,
        far_nexus(repositories=repositories, anonymous=False) as other,
    ):
        open_one.repository("pypi").files[f"packages/demo-lib/1.0/{WHEEL[0]}"] = WHEEL[1]
        open_one.repository("npm").files[file_path("left", "1.0.0")] = PACKAGE[("left", "1.0.0")]
        other.repository("npm").files[file_path("left", "1.0.0")] = PACKAGE[("left", "1.0.0")]
        yield open_one, other


def said(folder: Path, *command: object, home: Path | None = None) -> str:
    """What a program that fails prints; its settings are in ``folder``, or in ``home``."""
    environment = clean_environment(home or folder, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_CONFIG_FILE="/dev/null",
                                    npm_config_update_notifier="false", npm_config_fetch_retries="0")  # fmt: skip
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=folder, env=environment, timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stdout + done.stderr


def explained(text: str) -> str:
    first = find_matches(text)[0]
    assert first.certainty == "exact", text
    return first.message.id


def test_helm(servers: tuple[Nexus, Nexus], tmp_path: Path) -> None:
    open_one, other = (f"{server.url}/repository" for server in servers)
    program = helm()
    assert explained(said(tmp_path, program, "repo", "add", "x", f"{other}/helm")) == "artifact-credentials"
    assert explained(said(tmp_path, program, "repo", "add", "x", f"{open_one}/pypi")) == "chart-repository"
    (tmp_path / "shop-1.10.0.tgz").write_bytes(archive())
    address = open_one.partition("://")[2]
    pushed = said(tmp_path, program, "push", "shop-1.10.0.tgz", f"oci://{address}/helm", "--plain-http")
    assert explained(pushed) == "helm-push-path"


@pytest.mark.long
def test_pip(servers: tuple[Nexus, Nexus], tmp_path: Path) -> None:
    index = f"{servers[0].url}/repository/pypi/simple"
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--no-cache-dir", "--retries", "0", "--target",
               tmp_path / "t", "--index-url", index]  # fmt: skip
    (tmp_path / "requirements.txt").write_text(f"demo-lib==1.0 --hash=sha256:{'0' * 64}\n")
    assert explained(said(tmp_path, *command, "-r", "requirements.txt")) == "pip-hashes"


@pytest.mark.long
def test_pip_without_a_package_and_without_a_user(servers: tuple[Nexus, Nexus], tmp_path: Path) -> None:
    for server, path in ((servers[0], "simple"), (servers[0], ""), (servers[1], "simple")):
        index = f"{server.url}/repository/pypi/{path}"
        command = [sys.executable, "-m", "pip", "install", "--no-input", "--retries", "0", "--index-url", index]
        assert explained(said(tmp_path, *command, "nothing")) == "artifact-missing"


@pytest.mark.long
@pytest.mark.requires("npm")
def test_npm(servers: tuple[Nexus, Nexus], tmp_path: Path) -> None:
    open_one, other = (f"{server.url}/repository" for server in servers)
    npm = need("npm")
    install = [npm, "install", "--no-audit", "--no-fund"]
    assert explained(said(tmp_path, *install, f"--registry={other}/npm/", "left")) == "artifact-credentials"
    assert explained(said(tmp_path, *install, f"--registry={open_one}/npm/", "nothing")) == "artifact-missing"
    assert explained(said(tmp_path, *install, f"--registry={open_one}/npm/", "left@9")) == "artifact-missing"
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"name": "left", "version": "1.0.0"}))
    publish = [npm, "publish"]
    assert explained(said(project, *publish, f"--registry={other}/npm/")) == "artifact-credentials"
    lines = [f"{other.partition(':')[2]}/{name}/:_auth={PAIR}\n" for name in ("npm", "closed")]
    (project / ".npmrc").write_text("".join(lines))
    assert explained(said(project, *publish, f"--registry={other}/npm/")) == "artifact-published"
    assert explained(said(project, *publish, f"--registry={other}/closed/")) == "artifact-published"
    locked = tmp_path / "locked"
    locked.mkdir()
    wrong = {
        "version": "1.0.0",
        "resolved": f"{open_one}/npm/left/-/left-1.0.0.tgz",
        "integrity": f"sha512-{'A' * 86}==",
    }
    own = {"name": "w", "version": "1.0.0", "dependencies": {"left": "1.0.0"}}
    (locked / "package.json").write_text(json.dumps(own))
    packages = {"": own, "node_modules/left": wrong}
    (locked / "package-lock.json").write_text(json.dumps({**own, "lockfileVersion": 3, "packages": packages}))
    refused = said(locked, npm, "ci", "--no-audit", "--no-fund", f"--registry={open_one}/npm/")
    assert explained(refused) == "artifact-digest"


@pytest.mark.long
def test_maven(servers: tuple[Nexus, Nexus], tmp_path: Path) -> None:
    project = pom("org.demo", "mine", "1", parent=("org.demo", "parent", "1"))

    def validated(name: str, server: Nexus, *more: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (settings,) = MavenSettingsFile().setup(f"{server.url}/repository/maven").files
        (folder / "settings.xml").write_bytes(settings.content)
        (folder / "pom.xml").write_text(project)
        command = [
            need("mvn"),
            "--batch-mode",
            "-s",
            "settings.xml",
            f"-Dmaven.repo.local={folder}/r",
            *more,
            "validate",
        ]
        return said(folder, *command)

    open_one, other = servers
    assert explained(validated("user", other)) == "artifact-credentials"
    assert explained(validated("missing", open_one)) == "artifact-missing"
    parent = artifact("org.demo", "parent", "1", "pom")
    open_one.repository("maven").files |= {**parent, **{f"{path}.sha1": b"0" * 40 for path in parent}}
    assert explained(validated("checksum", open_one, "--strict-checksums")) == "artifact-digest"
