# SPDX-License-Identifier: Apache-2.0
"""``airgap login`` and ``logout``: docker's own file, written only for a password that was right."""

from __future__ import annotations

import base64
import http.server
import json
import stat
import threading
from collections.abc import Iterator

import pytest

from tests.cli.command import Airgap, Registry


@pytest.fixture
def guarded() -> Iterator[Registry]:
    with Registry(credentials=("admin", "s3cret")) as registry:
        yield registry


def login(airgap: Airgap, registry: Registry, password: bytes, code: int = 0, **more: object) -> str:
    arguments = ("login", registry.address, "-u", "admin", "--password-stdin")
    return airgap.run(*arguments, stdin=password, code=code, **more).stderr  # type: ignore[arg-type] # as given


def test_login_keeps_the_credential_where_docker_does(airgap: Airgap, guarded: Registry) -> None:
    said = login(airgap, guarded, b"s3cret\n")
    path = airgap.home / ".docker/config.json"
    assert str(path) in said
    assert "s3cret" not in said
    kept = json.loads(path.read_bytes())
    assert base64.b64decode(kept["auths"][guarded.address]["auth"]) == b"admin:s3cret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert guarded.requests() == ["GET /v2/ 401", "GET /v2/ 200"]


def test_it_is_used_afterwards_and_logout_forgets_it(airgap: Airgap, guarded: Registry, bundle: object) -> None:
    login(airgap, guarded, b"s3cret\n")
    airgap.run("import", str(bundle), "--to", f"{guarded.address}/p", "--dry-run")
    assert "removed from" in airgap.run("logout", guarded.address).stderr
    assert guarded.address not in json.loads((airgap.home / ".docker/config.json").read_bytes())["auths"]
    airgap.fails(21, "import", str(bundle), "--to", f"{guarded.address}/p", "--dry-run")
    assert "nothing to do" in airgap.run("logout", guarded.address).stderr


def test_a_wrong_password_is_tried_once_and_writes_nothing(airgap: Airgap, guarded: Registry) -> None:
    said = login(airgap, guarded, b"wr0ng\n", code=21)
    assert "wr0ng" not in said
    assert said.count("error:") == 1
    assert guarded.requests() == ["GET /v2/ 401", "GET /v2/ 401"]
    assert list(airgap.home.iterdir()) == []


def test_the_rest_of_dockers_file_stays(airgap: Airgap, guarded: Registry) -> None:
    path = airgap.home / ".docker/config.json"
    path.parent.mkdir()
    path.write_text('{"auths": {"other.example": {"auth": "eDp5"}}, "HttpHeaders": {"a": "b"}}')
    login(airgap, guarded, b"s3cret\n")
    kept = json.loads(path.read_bytes())
    assert kept["auths"]["other.example"] == {"auth": "eDp5"}
    assert kept["HttpHeaders"] == {"a": "b"}
    airgap.run("logout", guarded.address)
    assert json.loads(path.read_bytes()) == {
        "auths": {"other.example": {"auth": "eDp5"}},
        "HttpHeaders": {"a": "b"},
    }


def test_docker_config_names_the_folder(airgap: Airgap, guarded: Registry) -> None:
    folder = airgap.home / "elsewhere"
    login(airgap, guarded, b"s3cret\n", environment={"DOCKER_CONFIG": str(folder)})
    assert (folder / "config.json").exists()
    assert not (airgap.home / ".docker").exists()


def test_a_folder_that_cannot_be_made(airgap: Airgap, guarded: Registry) -> None:
    (airgap.home / ".docker").write_text("a file")
    said = login(airgap, guarded, b"s3cret\n", code=1)
    assert ".docker/config.json: cannot write" in said
    assert said.count("error:") == 1


def test_a_registry_without_passwords_needs_none(airgap: Airgap, nexus: Registry) -> None:
    """There is nothing to try the password at; what is kept is what was given."""
    said = login(airgap, nexus, b"any\n")
    assert "signed in" in said or "asks for no" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("login", "127.0.0.1:1/path", "-u", "a", "--password-stdin"), "127.0.0.1:1"),
        (("login", "127.0.0.1:1", "--password-stdin"), "--username"),
        (("login", "http://a:b@127.0.0.1:1"), "no user or password"),
        (("login", "nexus"), "Docker Hub"),
    ],
)
def test_contradictions(airgap: Airgap, arguments: tuple[str, ...], says: str) -> None:
    assert says in airgap.fails(2, *arguments, stdin=b"x\n").stderr


def test_nobody_there_to_ask(airgap: Airgap) -> None:
    """No terminal and no --password-stdin: an end, not a hang."""
    said = airgap.run("login", "127.0.0.1:1", "-u", "a", code=None)
    assert said.code in (2, 130)
    assert "error:" in said.stderr.lower()


def test_the_targets_credential_goes_to_the_target_alone(airgap: Airgap, guarded: Registry) -> None:
    """AIRGAP_USERNAME and AIRGAP_PASSWORD must never reach a registry that images are pulled from."""
    mine = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "s3cret"}
    airgap.write("airgap.yaml", json.dumps({"registries": {"quay.io": {"mirror": guarded.url}}}))
    airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar", environment=mine, code=21)
    assert all(line.endswith(" 401") for line in guarded.requests())


def test_something_that_is_no_registry(airgap: Airgap) -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        said = airgap.fails(24, "login", address, "-u", "a", "--password-stdin", stdin=b"x\n")
        server.shutdown()
    assert "no registry" in said.errors[0]
    assert "connector port" in said.stderr
    assert not (airgap.home / ".docker").exists()


def test_without_a_terminal_there_is_nobody_to_ask(airgap: Airgap) -> None:
    assert "--password-stdin" in airgap.fails(2, "login", "127.0.0.1:1", "-u", "a", stdin=b"").stderr


def test_credentials_that_cannot_be_written(airgap: Airgap, guarded: Registry) -> None:
    airgap.write("file", "")
    airgap.environment["DOCKER_CONFIG"] = str(airgap.folder / "file")
    said = login(airgap, guarded, b"s3cret\n", code=1)
    assert "cannot write credentials" in said
    assert "export DOCKER_CONFIG=FOLDER" in said
