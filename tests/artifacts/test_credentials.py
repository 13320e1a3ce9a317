# SPDX-License-Identifier: Apache-2.0
"""Passwords of sources are found where each ecosystem keeps them, and stand in no bundle, lock, message or argument of
a program that is run."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap.server import Server
from airgap.store import ImageLayout
from tests.artifacts.carrying import bundle_json, export, write_project
from tests.artifacts.maven_repository import artifact
from tests.artifacts.npm_packages import package, registry
from tests.artifacts.test_helm import archive, repository, run_helm
from tests.artifacts.wheels import index, wheel
from tests.cli.command import Airgap
from tests.doubles.registry import Answer, Double, Request

#: No other process of the machine has it.
SECRET = f"word-{os.getpid()}-of-reader"
PAIR = base64.b64encode(f"reader:{SECRET}".encode()).decode()

#: Starts a source, writes the client's settings, and gives the entry of airgap.yaml with the source.
Prepared = contextlib.AbstractContextManager[tuple[str, dict[str, object], Double]]


@contextlib.contextmanager
def pip(home: Path) -> Iterator[tuple[str, dict[str, object], Double]]:
    with index(dict([wheel("demo_lib", "1.5")]), user=f"reader:{SECRET}") as server:
        (home / ".config/pip").mkdir(parents=True)
        url = f"{server.url}/simple".replace("//", f"//reader:{SECRET}@")
        (home / ".config/pip/pip.conf").write_text(f"[global]\nindex-url = {url}\n")
        yield "pypi", {"package": "demo-lib"}, server


@contextlib.contextmanager
def npm(home: Path) -> Iterator[tuple[str, dict[str, object], Double]]:
    with registry(package("left", "1.0.0"), authorization=f"Basic {PAIR}") as server:
        place = f"{server.url.partition(':')[2]}/npm/"
        (home / ".npmrc").write_text(f"registry={server.url}/npm/\n{place}:_auth={PAIR}\n")
        yield "npm", {"package": "left"}, server


@contextlib.contextmanager
def helm(home: Path) -> Iterator[tuple[str, dict[str, object], Double]]:
    with guarded(repository("1.10.0")) as server:
        entry = {"name": "corp", "url": server.url, "username": "reader", "password": SECRET}
        (home / ".config/helm").mkdir(parents=True)
        (home / ".config/helm/repositories.yaml").write_text(json.dumps({"repositories": [entry]}))
        yield "helm", {"repository": server.url, "chart": "shop", "version": "1.10.0"}, server


@contextlib.contextmanager
def maven(home: Path) -> Iterator[tuple[str, dict[str, object], Double]]:
    with guarded(artifact("org.demo", "lib", "1.5")) as server:
        (home / ".m2").mkdir()
        (home / ".m2/settings.xml").write_text(
            f"<settings><servers><server><id>corp</id><username>reader</username><password>{SECRET}</password></server>"
            f"</servers><mirrors><mirror><id>corp</id><mirrorOf>*</mirrorOf><url>{server.url}</url></mirror></mirrors>"
            "</settings>"
        )
        yield "maven", {"coordinates": "org.demo:lib:1.5"}, server


@contextlib.contextmanager
def guarded(files: dict[str, bytes]) -> Iterator[Double]:
    """A web server that wants the user."""

    def answer(request: Request) -> Answer:
        if request.authorization != f"Basic {PAIR}":
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="source"'})
        content = files.get(request.path.lstrip("/"))
        return Answer(404) if content is None else Answer(200, content)

    server = Double(answer)
    try:
        yield server
    finally:
        server.stop()


def arguments_with_the_secret() -> list[str]:
    """The command lines of all processes in which it stands."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [text] if SECRET in text or PAIR in text else []
    return found


def check_nowhere(airgap: Airgap, *said: str) -> None:
    texts = [*said, *((airgap.folder / name).read_bytes().decode("latin-1") for name in ("demo.tar", "airgap.lock"))]
    for text in texts:
        for secret in (SECRET, PAIR, hashlib.sha256(SECRET.encode()).hexdigest()):
            assert secret not in text


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(pip, marks=pytest.mark.long),
        pytest.param(npm, marks=[pytest.mark.long, pytest.mark.requires("npm")]),
        helm,
        maven,
    ],
)
def test_each_client_s_own_place(airgap: Airgap, prepare: Callable[[Path], Prepared]) -> None:
    with prepare(airgap.home) as (name, entry, server):
        seen: list[str] = []
        answered = server.default

        def watched(request: Request) -> Answer | None:
            seen.extend(arguments_with_the_secret())
            return answered(request)

        server.default = watched
        write_project(airgap, {name: [entry]})
        first = export(airgap, "--lock", "airgap.lock")
        again = export(airgap, "--lock", "airgap.lock")
        assert bundle_json(airgap)["artifacts"][0]["source"].startswith(server.url)
        check_nowhere(airgap, first.stderr, first.text, again.stderr)
        assert seen == []
        # A refusal does not show it either.
        server.always("", "", Answer(403, b"no"))
        airgap.environment |= {"PIP_RETRIES": "0", "npm_config_fetch_retries": "0"}
        said = airgap.run("export", "--only-artifacts", "-o", "other.tar", code=None)
        assert said.code != 0
        assert said.errors
        assert SECRET not in said.stderr
        assert PAIR not in said.stderr


def test_helm_registry_login(airgap: Airgap, tmp_path: Path) -> None:
    layout = ImageLayout.create(tmp_path / "layout")
    with Server(layout, writable=True, uploads=tmp_path, credentials=("reader", SECRET)) as server:
        (airgap.home / "shop.tgz").write_bytes(archive())
        login = ("registry", "login", server.address, "--insecure", "--username", "reader", "--password", SECRET)
        run_helm(airgap.home, *login)
        run_helm(airgap.home, "push", "shop.tgz", f"oci://{server.address}/charts", "--plain-http")
        assert (airgap.home / ".config/helm/registry/config.json").exists()
        write_project(airgap, {"helm": [{"oci": f"oci://{server.address}/charts/shop", "version": "1.10.0"}]})
        said = export(airgap, "--lock", "airgap.lock")
        check_nowhere(airgap, said.stderr, said.text)
        (airgap.home / ".config/helm/registry/config.json").unlink()
        assert export(airgap, "-o", "other.tar", code=21).errors
