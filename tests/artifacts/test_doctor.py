# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor --artifacts-to``: what keeps a repository from taking artifacts."""

from __future__ import annotations

from tests.artifacts.carrying import far_nexus, uploads
from tests.cli.command import Airgap
from tests.doubles.nexus import ADMIN, Repository

WORDS = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}


def test_repositories_are_checked_and_nothing_is_sent(airgap: Airgap) -> None:
    repositories = (
        Repository("wheels", format="pypi"),
        Repository("files", format="raw", write_policy="DENY"),
        Repository("all", format="helm", kind="group", members=("charts",)),
        Repository("charts", format="helm"),
    )
    with far_nexus(repositories=repositories) as server:
        base = f"{server.url}/repository"
        said = airgap.run("doctor", "--artifacts-to", f"pypi={base}/wheels", environment=WORDS)
        assert f"{base}/wheels takes pypi artifacts" in said.text
        assert "whether this user may upload was not checked" in said.text
        assert "no user is known" not in said.text
        said = airgap.run("doctor", "--artifacts-to", f"pypi={base}/wheels")
        assert f"no user is known for {server.url}" in said.text
        assert "nx-repository-view-pypi-wheels-edit" in said.text
        said = airgap.run("doctor", "--artifacts-to", f"raw={airgap.folder.as_uri()}")
        assert "whether this user" not in said.text
        command = ["doctor", "--json"]
        for target in (f"pypi={base}/wheels", f"raw={base}/files", f"helm={base}/all"):
            command += ["--artifacts-to", target]
        said = airgap.run(*command, environment=WORDS, code=51)
        levels = {finding["check"]: finding["level"] for finding in said.json["findings"]}
        assert levels == {"pypi": "ok", "raw": "problem", "helm": "problem"}
        texts = {finding["check"]: finding["what"] + finding["hint"] for finding in said.json["findings"]}
        assert "Read-only (DENY)" in texts["raw"]
        assert "charts" in texts["helm"]
        assert uploads(server) == 0
        said = airgap.run("doctor", "--artifacts-to", f"pypi={base}/none", environment=WORDS, code=51)
        assert "Nexus has no hosted repository none for pypi" in said.text
    said = airgap.run("doctor", "--artifacts-to", f"pypi={base}/wheels", code=51)
    assert "nothing listens there" in said.text
    assert "leave TARGET and --fix out" in airgap.run("doctor", "h", "--artifacts-to", "pypi=http://h/x", code=2).stderr
