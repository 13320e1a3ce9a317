# SPDX-License-Identifier: Apache-2.0
"""What people read before they run anything."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from airgap import __version__
from airgap.cli.app import COMMANDS, cli
from airgap.targets import DEFAULT_POLICY, POLICIES
from tests.cli.command import Airgap

#: The verbs that there are.
VERBS = [
    "images",
    "export",
    "inspect",
    "verify",
    "import",
    "rewrite",
    "inventory",
    "prune",
    "diff",
    "serve",
    "migrate",
    "hosts",
    "doctor",
]
VERBS += ["release", "repair", "expand", "login", "logout", "state", "completion", "demo", "init"]


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def test_every_verb_is_there() -> None:
    assert set(VERBS) <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_says_what_every_option_is(name: str) -> None:
    loaded = command(name)
    assert loaded.name == name
    text = loaded.get_help(click.Context(loaded, info_name=f"airgap {name}", max_content_width=100))
    assert re.search(rf"^  (.* \| )?airgap {name}\b", text, re.MULTILINE), "no example"
    for parameter in loaded.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} is not explained"
            assert parameter.help.endswith((".", "]")), f"{name} {parameter.opts[0]}: {parameter.help!r}"


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_can_be_parsed(name: str) -> None:
    """An example with an option that is gone teaches nothing."""
    loaded = command(name)
    for line in (loaded.help or "").splitlines():
        match = re.match(rf"\s*(?:.* \| )?airgap {name}\b(.*?)(?: [|>].*)?$", line)
        if match and not line.strip().startswith("`"):
            loaded.make_context(name, shlex.split(match[1]), resilient_parsing=False)


@pytest.mark.parametrize("name", ["export", "import", "migrate"])
def test_what_writes_has_a_dry_run(name: str) -> None:
    assert any("--dry-run" in parameter.opts for parameter in command(name).params)


def test_the_list_of_commands(airgap: Airgap) -> None:
    said = airgap.run("--help")
    for name, short in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(short)}$", said.text, re.MULTILINE), name
    assert airgap.run("-h").text == said.text
    assert said.stderr == ""


def test_without_a_command_the_list_is_shown(airgap: Airgap) -> None:
    said = airgap.run(code=2)
    assert re.search(r"export +Pull the images", said.text + said.stderr)


def test_help_of_one_command_by_the_real_program(airgap: Airgap) -> None:
    said = airgap.run("import", "--help")
    assert said.stderr == ""
    assert "airgap import bundle.tar --to http://10.100.0.102:32415/my-docker-image" in said.text
    assert max(map(len, said.text.splitlines())) <= 100


def test_version(airgap: Airgap) -> None:
    assert airgap.run("--version").text == f"airgap {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("exprot", "x.yaml"), "Did you mean 'export'?"),
        (("zzz",), "airgap --help"),
        (("export", "--platfrom", "linux/amd64", "x.yaml"), "--platform"),
        (("import",), "BUNDLE"),
        (("import", "b.tar", "--mapping", "flat"), "'flat' is not one of 'basename', 'path', 'full'"),
        (("export", "x.yaml", "--jobs", "0"), "1<=x<=64"),
        (("images", "x.yaml", "--json", "--refs"), "choose one of"),
        (("rewrite", "x.yaml", "--to", "t.example", "--diff", "--check"), "choose one of"),
        (("rewrite", "x.yaml", "--to", "t.example", "--keep-unknown"), "--keep-unknown goes with --from"),
    ],
)
def test_a_wrong_command_line_is_2_and_helps(airgap: Airgap, arguments: tuple[str, ...], says: str) -> None:
    said = airgap.run(*arguments, code=2)
    assert says in said.stderr
    assert said.stdout == b""
    assert len(said.errors) == 1
    assert " --help lists commands and options\n" in said.stderr
    assert airgap.files() == {}


@pytest.mark.parametrize("name", ["import", "rewrite", "verify", "hosts"])
def test_the_mapping_option_offers_the_policies_that_there_are_and_names_the_default(name: str) -> None:
    (option,) = [parameter for parameter in command(name).params if "--mapping" in parameter.opts]
    assert isinstance(option, click.Option)
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(POLICIES)
    assert f"[default: {DEFAULT_POLICY}]" in (option.help or "")
