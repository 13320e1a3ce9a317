# SPDX-License-Identifier: Apache-2.0
"""The commands of the explanations are complete: a shell can parse them, and airgap's own have options that it has."""

from __future__ import annotations

import shlex
import subprocess

import click
import pytest

from airgap.cli.app import cli
from airgap.explain import find_matches, known_messages

#: What begins a command; the other lines are for files.
PROGRAMS = {
    "airgap",
    "cat",
    "(cd",
    "conda",
    "containerd",
    "crictl",
    "crio",
    "ctr",
    "curl",
    "date",
    "df",
    "docker",
    "echo",
}
PROGRAMS |= {"env", "getent", "grep", "helm", "ip", "journalctl", "k3s", "kubectl", "mkdir", "mv", "nerdctl", "openssl"}
PROGRAMS |= {"apt-get", "dotnet", "dpkg-deb", "gpg", "install", "npm"}
PROGRAMS |= {"ping", "time", "podman", "printf", "python3", "skopeo", "sudo", "systemctl"}
#: What begins a line of a file: nginx, TOML, YAML, JSON, annotations of an Ingress.
FILES = ("proxy_", "client_max", "location ", "ssl_protocols ", "}", "[", "server = ", "client = ", "pause_image = ")
FILES += ("  ", "docker:", "nginx.ingress.kubernetes.io/", '"')
TEXT = "http://172.25.0.84:30018/v2/a/manifests/1 172.25.0.84:30018/a/b:1 {}"
LINES = sorted(
    {
        line
        for message in known_messages()
        for match in find_matches(TEXT.format(message.phrases[0].replace("…", "x")))
        for step in match.steps
        for line in step.run
    }
)


def is_command(line: str) -> bool:
    return line.split()[0] in PROGRAMS


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_a_command_or_one_of_a_file(line: str) -> None:
    assert is_command(line) != line.startswith(FILES)


def test_a_shell_can_parse_every_command() -> None:
    commands = [line for line in LINES if is_command(line)]
    assert len(commands) > 80
    for line in commands:
        done = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.parametrize("line", [line for line in LINES if "airgap " in line and is_command(line)])
def test_the_commands_of_airgap_have_options_that_it_has(line: str) -> None:
    for part in line.split("|"):
        words = shlex.split(part)
        if words[0] == "airgap":
            command = cli.get_command(click.Context(cli), words[1])
            assert command is not None
            command.make_context(words[1], words[2:])
