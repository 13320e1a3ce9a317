# SPDX-License-Identifier: Apache-2.0
"""A password that is missing is asked for on a terminal, in every command that takes one, and nowhere else."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry
from tests.parts.terminal import on_terminal

PASSWORD = b"correct horse\n"


@pytest.fixture
def closed() -> Registry:
    return Registry(credentials=("jane", "correct horse"))


def asked(airgap: Airgap, *arguments: str, answer: bytes = PASSWORD) -> tuple[int, str]:
    code, said = on_terminal(
        airgap.command(*arguments),
        100,
        24,
        environment=airgap.whole_environment(),
        folder=airgap.folder,
        answer=answer,
    )
    assert "correct horse" not in said
    return code, said


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "BUNDLE", "--to", "AT/p", "--username", "jane"),
        ("inventory", "AT", "-o", "held.json", "--username", "jane"),
        ("doctor", "AT/p", "--username", "jane"),
        ("login", "AT", "--username", "jane"),
        ("migrate", "AT/source", "127.0.0.1:1/b", "--source-username", "jane"),
        ("hosts", "AT/p", "--for", "podman", "-o", "n", "--pull-secret", "s", "--username", "jane"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_it_is_asked_for(airgap: Airgap, closed: Registry, bundle: Path, arguments: tuple[str, ...]) -> None:
    with closed:
        words = [word.replace("AT", closed.address).replace("BUNDLE", str(bundle)) for word in arguments]
        code, said = asked(airgap, *words)
        assert said.startswith(f"Password for jane at {closed.address}: ")
        if arguments[0] != "migrate":  # whose target is nowhere
            assert code == 0, said
        assert "Unauthorized" not in said
        assert "refused" not in said or arguments[0] == "migrate"


def test_the_user_of_the_environment(airgap: Airgap, closed: Registry) -> None:
    airgap.environment["AIRGAP_USERNAME"] = "jane"
    with closed:
        code, said = asked(airgap, "inventory", closed.address, "-o", "held.json")
    assert code == 0
    assert said.startswith(f"Password for jane at {closed.address}: ")


def test_serve_asks(airgap: Airgap) -> None:
    sent = []

    def end(said: str, process: subprocess.Popen[bytes]) -> None:
        if "is served at" in said and not sent:
            sent.append(process.send_signal(signal.SIGINT))

    code, said = on_terminal(
        airgap.command("serve", "layout", "--writable", "--listen", "127.0.0.1:0", "--user", "jane"),
        100,
        24,
        environment=airgap.whole_environment(),
        folder=airgap.folder,
        answer=PASSWORD,
        look=end,
    )
    assert code == 0
    assert said.startswith("Password for jane at 127.0.0.1:0: ")


def test_nobody_is_asked_in_a_script(airgap: Airgap, bundle: Path) -> None:
    said = airgap.fails(2, "import", bundle, "--to", "127.0.0.1:1/p", "--username", "jane")
    assert "a user without a password" in said.errors[0]
    assert "--password-stdin" in airgap.fails(2, "serve", "layout", "--writable", "--user", "jane").errors[0]
    assert "no terminal" in airgap.fails(2, "login", "127.0.0.1:1", "-u", "jane").errors[0]


def test_json_never_asks(airgap: Airgap, bundle: Path) -> None:
    code, said = asked(
        airgap, "import", str(bundle), "--to", "127.0.0.1:1/p", "--username", "jane", "--progress", "json"
    )
    assert code == 2
    assert "Password" not in said
    assert "a user without a password" in json.loads(said.splitlines()[-1])["what"]
