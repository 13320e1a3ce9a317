# SPDX-License-Identifier: Apache-2.0
"""``airgap diff`` of bundles, receipts and locks with artifacts."""

from __future__ import annotations

from tests.artifacts.carrying import carry, export, far_nexus, write_project
from tests.artifacts.wheels import index, wheel
from tests.cli.command import Airgap


def test_packages_are_added_changed_removed_and_kept(airgap: Airgap) -> None:
    airgap.write("manual.pdf", "one")
    airgap.write("stays.txt", "stays")
    files = dict([wheel("demo_lib", "1.5"), wheel("demo_app", "1.0"), wheel("demo_new", "3.0")])
    with index(files) as server, far_nexus("raw", "pypi") as far:

        def release(bundle: str, *packages: str) -> None:
            entries = [{"package": name, "index": f"{server.url}/simple"} for name in packages]
            raw = [{"path": "manual.pdf"}, {"path": "stays.txt"}]
            write_project(airgap, {"raw": raw, "pypi": entries})
            export(airgap, "-o", bundle, "--lock", f"{bundle}.lock")

        release("a.tar", "demo-lib", "demo-app")
        carry(airgap, "--nexus", far.url, bundle="a.tar")
        files.update(dict([wheel("demo_lib", "2.0")]))
        airgap.write("manual.pdf", "two")
        release("b.tar", "demo-lib", "demo-new")
    for old, new in (("a.tar", "b.tar"), ("a.tar.artifacts.receipt.json", "b.tar"), ("a.tar.lock", "b.tar.lock")):
        lines = [" ".join(line.split()[:6]) for line in airgap.run("diff", old, new).text.splitlines()]
        assert "- pypi demo-app 1.0" in lines
        assert "~ pypi demo-lib 1.5 -> 2.0" in lines
        assert "+ pypi demo-new 3.0" in lines
        assert any(line.startswith("~ raw manual.pdf ") for line in lines)
        assert any(line.startswith("= raw stays.txt ") for line in lines)
        assert "artifacts: 1 added, 1 removed, 2" in lines
    document = airgap.run("diff", "a.tar", "b.tar", "--json").json
    assert document["artifact_counts"] == {"added": 1, "removed": 1, "changed": 2, "kept": 1}
    [changed] = [item for item in document["artifacts"] if item["name"] == "demo-lib"]
    assert (changed["change"], changed["old"]["version"], changed["new"]["version"]) == ("changed", "1.5", "2.0")
    assert document["bytes"]["added"] > 0
