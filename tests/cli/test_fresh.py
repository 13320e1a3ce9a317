# SPDX-License-Identifier: Apache-2.0
"""Every command by an interpreter of its own: it imports what it needs by itself. Other tests run most commands in
forks of one that has imported everything (tests/parts/forking.py)."""

from __future__ import annotations

import json
from typing import Any

import click

from airgap.cli.app import cli
from tests.cli.command import Airgap, Registry, Result

#: tests/flows/test_serve.py starts the one, tests/flows/test_demo.py runs the other, both by interpreters of their own.
ELSEWHERE = {"serve", "demo"}


def test_every_command_imports_what_it_needs(prepared: Airgap, nexus: Registry) -> None:
    prepared.fresh = True
    seen = set(ELSEWHERE)

    def run(verb: str, *arguments: str, **more: Any) -> Result:
        seen.add(verb)
        return prepared.run(verb, *arguments, **more)

    to = f"{nexus.address}/p"
    assert run("images", "cert-manager.yaml", "--refs").text.count("\n") == 4
    (prepared.folder / "empty").mkdir()
    run("init", "empty")
    run("export", "cert-manager.yaml", "-o", "b.tar", "--lock", "airgap.lock")
    run("export", "cert-manager.yaml", "-o", "b.tar.zst", "--lock", "airgap.lock")
    run("export", "cert-manager.yaml", "-o", "v.tar", "--volume-size", "1MiB", "--lock", "airgap.lock")
    assert run("inspect", "b.tar.zst", "--json").json["images"]
    run("verify", "v.tar.001")
    run("import", "b.tar", "--to", to)
    assert len(nexus.names()) == 4
    run("verify", "b.tar", "--against", to)
    run("inventory", to, "-o", "held.json")
    run("prune", to, "--keep", "b.tar", "--dry-run")
    run("diff", "b.tar", "b.tar.receipt.json")
    run("rewrite", "cert-manager.yaml", "--to", to, "--output", "out")
    run("rewrite", "out", "--revert", "--output", "back")
    assert (prepared.folder / "back/cert-manager.yaml").read_bytes() == prepared.files()["cert-manager.yaml"]
    run("state")
    run("keygen", "-o", "maker", "--no-passphrase")
    run("export", "cert-manager.yaml", "-o", "signed.tar", "--lock", "airgap.lock")
    run("sign", "signed.tar", "--key", "maker.key")
    run("verify", "signed.tar", "--key", "maker.pub")
    run("scan", "signed.tar", "--command", "true {}")
    run("dossier", "signed.tar", "-o", "dossier")
    run("approve", "dossier", "--key", "maker.key")
    run("history", "--verify")
    run("export", "cert-manager.yaml", "-o", "p.tar", "--volume-size", "1MiB", "--parity", "1", "--lock", "airgap.lock")
    (prepared.folder / "p.tar.001").unlink()
    run("repair", "p.tar.p001")
    run("expand", "p.tar.001", "-o", "plain.tar", code=40)
    project = {**json.loads((prepared.folder / "airgap.yaml").read_bytes()), "resources": ["cert-manager.yaml"]}
    prepared.write("release.yaml", json.dumps({**project, "name": "p"}))
    run("release", "1", "--config", "release.yaml")
    run("trust", "add", "maker.pub", "--name", "maker")
    assert "_airgap_completion" in run("completion", "bash").text
    run("hosts", f"http://{to}", "--for", "containerd")
    run("prove", "out", "--against", f"http://{to}", "--root", prepared.home, "--platform", "linux/amd64")
    assert run("doctor", f"http://{to}", code=None).code in (0, 1)
    with Registry(credentials=("admin", "s3cret")) as other:
        run("login", other.address, "-u", "admin", "--password-stdin", stdin=b"s3cret\n")
        run("migrate", f"http://{to}", f"http://{other.address}")
        assert len(other.names()) == 4
        run("logout", other.address)
    assert seen == set(cli.list_commands(click.Context(cli)))
