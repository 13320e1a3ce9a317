# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor --explain``."""

from __future__ import annotations

from tests.cli.command import Airgap

SAID = 'Head "https://172.25.0.84:30018/v2/x/manifests/1": http: server gave HTTP response to HTTPS client'


def test_a_message_is_explained_with_the_address_in_it(airgap: Airgap) -> None:
    said = airgap.run("doctor", "--explain", SAID).text
    assert said.startswith("The registry speaks plain HTTP, and it was asked by HTTPS  [http-to-https]\n")
    assert "      airgap hosts http://172.25.0.84:30018 --for containerd --output nodes/\n" in said
    assert "  more:  docs/nodes.md\n" in said
    assert "http://nexus.corp:5 " in airgap.run("doctor", "http://nexus.corp:5", "--explain", SAID).text


def test_the_scheme_of_the_target_stands_in_the_commands(airgap: Airgap) -> None:
    for target, address in (("http://nexus.corp:5", "http://nexus.corp:5"), ("nexus.corp:5", "nexus.corp:5")):
        said = airgap.run("doctor", target, "--explain", "unauthorized: authentication required").text
        assert f"      airgap login {address}\n" in said


def test_all_of_the_output_may_come_from_standard_input(airgap: Airgap) -> None:
    events = f"Events:\n  Warning  Failed  kubelet  {SAID}\n  Warning  Failed  kubelet  Error: ErrImagePull\n"
    found = airgap.run("doctor", "--explain", "-", "--json", stdin=events.encode()).json
    assert [one["id"] for one in found] == ["http-to-https"]
    assert found[0]["certainty"] == "exact"
    assert found[0]["guide"] == "docs/nodes.md"
    assert found[0]["remedy"][0]["run"] == ["airgap hosts http://172.25.0.84:30018 --for containerd --output nodes/"]


def test_an_unknown_text_says_so_and_what_to_give(airgap: Airgap) -> None:
    said = airgap.fails(1, "doctor", "--explain", "the moon is full")
    assert "no message that airgap knows" in said.errors[0]
    assert "kubectl describe pod" in said.stderr
    assert airgap.run("doctor", "--explain", "the moon is full", "--json", code=1).json == []


def test_something_that_resembles_a_message_is_called_that(airgap: Airgap) -> None:
    said = airgap.run("doctor", "--explain", "sever gave HTTP respnse to HTTPS clinet")
    assert "[http-to-https]" in said.text
    assert "these resemble it" in said.stderr


def test_what_comes_from_outside_steers_no_terminal(airgap: Airgap) -> None:
    said = airgap.run("doctor", "--explain", "x509: certificate is valid for \x1b]0;evil\x07a.b, not c.d").text
    assert "\x1b" not in said
    assert "\x07" not in said


def test_without_a_text_it_is_a_usage_error(airgap: Airgap) -> None:
    for arguments in ((), ("--explain", " ")):
        said = airgap.fails(2, "doctor", *arguments)
        assert "--explain" in said.stderr or "as it was printed" in said.stderr
    assert "--yes goes with --fix" in airgap.run("doctor", "nexus.invalid:5", "--yes", code=2).stderr
