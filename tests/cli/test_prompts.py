# SPDX-License-Identifier: Apache-2.0
"""A user or a password that is missing is asked for on a terminal, in every command, and nowhere else."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry
from tests.doubles import nexus as doubles
from tests.parts.images import Images
from tests.parts.terminal import on_terminal

PASSWORD = b"correct horse\n"


@pytest.fixture
def closed() -> Registry:
    return Registry(credentials=("jane", "correct horse"))


def asked(airgap: Airgap, *arguments: str, answers: Sequence[bytes] = (PASSWORD,)) -> tuple[int, str]:
    code, said = on_terminal(
        airgap.command(*arguments),
        100,
        24,
        environment=airgap.whole_environment(),
        folder=airgap.folder,
        answers=answers,
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


SIGN_IN = (b"jane\n", PASSWORD)
NOBODY = [
    ("import", "BUNDLE", "--to", "AT/p"),
    ("inventory", "AT", "-o", "held.json"),
    ("verify", "BUNDLE", "--against", "AT/p"),
    ("doctor", "AT/p"),
    ("migrate", "AT/source", "OPEN/b"),
    ("migrate", "OPEN/b", "AT/source"),
    ("export", "--image", "AT/a/b:1", "--image", "AT/c:1", "-o", "two.tar"),
    ("images", "list.txt", "--sizes"),
]


@pytest.mark.parametrize("arguments", NOBODY, ids=lambda arguments: f"{arguments[0]} {arguments[1][:2]}")
def test_user_and_password_are_asked_for_where_none_is_known(
    airgap: Airgap, closed: Registry, nexus: Registry, bundle: Path, arguments: tuple[str, ...]
) -> None:
    images = Images(3)
    with closed:
        for registry, names in ((closed, ("a/b:1", "c:1", "p/app:1", "source/x:1")), (nexus, ("b/y:1",))):
            registry.fill(images, {name: images.image() for name in names})
        airgap.write("list.txt", f"{closed.address}/c:1\n")
        places = {"AT": closed.address, "OPEN": nexus.address, "BUNDLE": str(bundle)}
        words = [re.sub("AT|OPEN|BUNDLE", lambda match: places[match[0]], word) for word in arguments]
        code, said = asked(airgap, *words, answers=SIGN_IN)
        assert f"{closed.address} wants a user and password" in said
        assert f"airgap login {closed.address}" in said
        assert (said.count("Username: "), said.count("Password for jane at ")) == (1, 1), said
        assert code == (32 if arguments[0] == "verify" else 0), said
        assert not (airgap.home / ".docker").exists()  # for this run only


def test_a_wrong_answer_is_tried_once(airgap: Airgap, bundle: Path) -> None:
    with doubles.nexus(doubles.Settings()) as far:
        address = far.connector().address
        answers = [b"carrier\n", b"wrong\n", b"carrier\n", b"again\n"]
        code, said = asked(airgap, "import", str(bundle), "--to", f"http://{address}/p", answers=answers)
        assert (code, said.count("Username: ")) == (21, 1), said
        assert "refused" in said
        assert far.tries == {"carrier": (0, 1, 0)}


def test_whoever_gives_up_is_told_that_it_stopped(airgap: Airgap, closed: Registry, bundle: Path) -> None:
    with closed:
        code, said = asked(airgap, "import", str(bundle), "--to", f"{closed.address}/p", answers=[b"\x03"])
    assert (code, "Traceback" in said) == (130, False), said


def test_a_script_is_told_the_command_that_signs_in(airgap: Airgap, closed: Registry, bundle: Path) -> None:
    with closed:
        for words in (("import", bundle, "--to", f"{closed.address}/p"), ("inventory", closed.address, "-o", "h.json")):
            said = airgap.fails(21, *words)
            assert "wants a user and password" in said.errors[0]
            assert f"airgap login {closed.address}" in said.stderr
        code, text = asked(airgap, "inventory", closed.address, "-o", "h.json", "--progress", "json", answers=SIGN_IN)
    assert (code, "Username" in text) == (21, False)


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
        answers=[PASSWORD],
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
