# SPDX-License-Identifier: Apache-2.0
"""``airgap prune`` and artifacts: in Nexus by components and assets, in folders with their indexes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats import format_named
from airgap.artifacts.publish.folder import RECORD, FolderRepository
from airgap.oci import digest as digests
from airgap.store.readers import bytes_opener
from airgap.transfer import Context
from tests.artifacts.carrying import carry, export, far_nexus, files_over_http, write_project
from tests.artifacts.test_helm import CHART, TEMPLATE
from tests.cli.command import Airgap, Result
from tests.doubles.nexus import ADMIN, PUSHER, User
from tests.flows.prune.releases import Site


def entry(format_name: str, name: str, version: str, target: str, content: bytes) -> dict[str, Any]:
    """An artifact in a receipt."""
    file = target.rpartition("/")[2]
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    names = {"format": format_name, "name": name, "version": version or None, "file": file}
    return {**names, "digest": digest, "size": len(content), "target": target}


def write_receipt(airgap: Airgap, name: str, *artifacts: Mapping[str, Any]) -> None:
    """The receipt of an import of artifacts alone."""
    document: dict[str, Any] = {
        "format": 1,
        "target": None,
        "bundle": "0" * 64,
        "images": [],
        "blobs": {},
        "artifacts": artifacts,
    }
    airgap.write(f"{name}.receipt.json", json.dumps(document))


def prune(airgap: Airgap, *more: str, code: int = 0, user: User = ADMIN) -> Result:
    words = {"AIRGAP_USERNAME": user.name, "AIRGAP_PASSWORD": user.password}
    return airgap.run("prune", "--only-artifacts", "--keep", "new.receipt.json", *more, code=code, environment=words)


def test_files_that_no_kept_release_has_go_from_nexus(airgap: Airgap) -> None:
    """Two releases of plain files, both imported; somebody else has put a file beside them."""
    airgap.write("docs/old.txt", "old")
    airgap.write("docs/both.txt", "both")
    write_project(airgap, {"raw": [{"path": "docs", "directory": "d"}]})
    with far_nexus("raw") as server:
        export(airgap)
        carry(airgap, "--nexus", server.url, "--receipt", "old.receipt.json")
        (airgap.folder / "docs/old.txt").unlink()
        airgap.write("docs/new.txt", "new")
        export(airgap)
        carry(airgap, "--nexus", server.url, "--receipt", "new.receipt.json")
        files = server.repository("raw-hosted").files
        files["d/theirs.txt"] = b"theirs"
        planned = prune(airgap, "--nexus", server.url, "--dry-run", "--json").json
        assert [one["target"] for one in planned["artifacts"]] == [f"{server.url}/repository/raw-hosted/d/old.txt"]
        assert planned["frees"] == 3
        assert not server.asked("DELETE")
        said = prune(airgap, "--nexus", server.url, "--yes")
        assert sorted(files) == ["d/both.txt", "d/new.txt", "d/theirs.txt"]
        assert "deleted raw d/old.txt" in said.stderr
        assert "blobstore.compact" in said.stderr
        assert "repository.docker.gc" not in said.stderr
        assert "nothing to delete" in prune(airgap, "--nexus", server.url, "--yes").stderr
    entries = airgap.run("history", "--json").json
    assert [one.get("action") for one in entries] == [None, None, "prune"]
    assert [one["artifact"] for one in entries[-1]["artifacts"]] == ["raw d/old.txt"]


def test_a_component_with_other_files_loses_only_its_own(airgap: Airgap) -> None:
    """A jar and its pom go as one component with their checksums; of a package with a wheel that stays, one file."""
    with far_nexus("maven", "pypi") as server:
        jars, wheels = server.repository("maven-hosted").files, server.repository("pypi-hosted").files
        old, new = "g/app/1/app-1", "g/app/2/app-2"
        for base in (old, new):
            jars.update({f"{base}.{kind}": f"{base}{kind}".encode() for kind in ("jar", "jar.sha1", "pom")})
        wheels.update({"packages/demo/1/a.whl": b"a", "packages/demo/1/b.whl": b"b"})
        maven, pypi = (f"{server.url}/repository/{name}-hosted" for name in ("maven", "pypi"))
        one = [entry("maven", "g:app", "1", f"{maven}/{old}.{kind}", jars[f"{old}.{kind}"]) for kind in ("jar", "pom")]
        two = [entry("maven", "g:app", "2", f"{maven}/{new}.{kind}", jars[f"{new}.{kind}"]) for kind in ("jar", "pom")]
        write_receipt(airgap, "old", *one, entry("pypi", "demo", "1", f"{pypi}/packages/demo/1/a.whl", b"a"))
        write_receipt(airgap, "new", *two, entry("pypi", "demo", "1", f"{pypi}/packages/demo/1/b.whl", b"b"))
        prune(airgap, "--nexus", server.url, "--yes")
        assert sorted(jars) == sorted(f"{new}.{kind}" for kind in ("jar", "jar.sha1", "pom"))
        assert sorted(wheels) == ["packages/demo/1/b.whl"]
        asked = [(seen.method, seen.target.split("/")[4]) for seen in server.asked("DELETE")]
        assert sorted(asked) == [("DELETE", "assets"), ("DELETE", "components")]


def test_a_file_that_somebody_has_replaced_is_left(airgap: Airgap) -> None:
    with far_nexus("raw") as server:
        server.repository("raw-hosted").files.update({"a": b"other", "b": b"b"})
        base = f"{server.url}/repository/raw-hosted"
        write_receipt(
            airgap, "old", entry("raw", "a", "", f"{base}/a", b"ours"), entry("raw", "b", "", f"{base}/b", b"b")
        )
        write_receipt(airgap, "new")
        said = prune(airgap, "--nexus", server.url, "--yes")
        assert "raw a stays: somebody else has put" in said.stderr
        assert server.repository("raw-hosted").files == {"a": b"other"}


def test_a_user_who_may_not_delete_files(airgap: Airgap) -> None:
    with far_nexus("raw") as server:
        server.repository("raw-hosted").files["b"] = b"b"
        write_receipt(airgap, "old", entry("raw", "b", "", f"{server.url}/repository/raw-hosted/b", b"b"))
        write_receipt(airgap, "new")
        said = prune(airgap, "--nexus", server.url, "--yes", code=21, user=PUSHER)
        assert "may not delete" in said.errors[0]
        assert server.repository("raw-hosted").files


def test_a_repository_that_denies_changes(airgap: Airgap) -> None:
    """One failure is listed, with Nexus's answer, and does not stop the others."""
    with far_nexus("raw", "helm") as server:
        server.repository("raw-hosted").files["b"] = b"b"
        server.repository("helm-hosted").files["c-1.tgz"] = b"c"
        write_receipt(
            airgap, "old", entry("raw", "b", "", f"{server.url}/repository/raw-hosted/b", b"b"),
            entry("helm", "c", "1", f"{server.url}/repository/helm-hosted/c-1.tgz", b"c"),
        )  # fmt: skip
        write_receipt(airgap, "new")
        content = server.repository("helm-hosted")
        content.settings = replace(content.settings, write_policy="DENY")
        said = prune(airgap, "--nexus", server.url, "--yes", code=3)
        assert "helm c 1 (c-1.tgz)" in said.errors[0]
        assert server.repository("raw-hosted").files == {}


def test_a_folder_loses_the_file_and_its_line_in_the_index(airgap: Airgap) -> None:
    airgap.write("shop/templates/a.yaml", TEMPLATE)
    for version, name in (("0.9.0", "old"), ("1.0.0", "new")):
        chart = "\n".join(f"version: {version}" if line.startswith("version:") else line for line in CHART.splitlines())
        airgap.write("shop/Chart.yaml", chart)
        write_project(airgap, {"helm": [{"path": "shop"}]})
        export(airgap)
        carry(airgap, "--artifacts-to", "helm=file:charts", "--receipt", f"{name}.receipt.json")
    root = airgap.folder / "charts"
    assert len(list(root.glob("*.tgz"))) == 2
    # Where the folder is, its receipt says.
    said = prune(airgap, "--yes")
    assert "1 artifact" in said.stderr
    (chart_file,) = root.glob("*.tgz")
    assert "1.0.0" in chart_file.name
    (versions,) = json.loads((root / "index.yaml").read_bytes())["entries"].values()
    assert [one["version"] for one in versions] == ["1.0.0"]
    assert len(json.loads((root / RECORD).read_bytes())["artifacts"]) == 1


def test_pages_of_packages_that_are_gone_go_too(tmp_path: Path) -> None:
    repository = FolderRepository(format_named("pypi"), tmp_path / "out")
    made = []
    for name, version in (("one", "1"), ("one", "2"), ("two", "1")):
        content = f"{name}{version}".encode()
        file = f"{name}-{version}-py3-none-any.whl"
        made.append(Artifact("pypi", name, version, file, digests.of(content), len(content)))
        repository.upload(made[-1], bytes_opener(content))
    repository.finish(made)
    remover = repository.remover()
    paths = [remover.path_of(one, repository.url(one)) for one in made]
    assert all(paths)
    going = [path for path, one in zip(paths, made, strict=True) if path and one.version == "1"]
    assert remover.find(going, Context()).keys() == set(going)
    assert not remover.remove(going, Context())
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == [RECORD, "simple/index.html", "simple/one/index.html", str(paths[1])]
    assert "one-1-" not in (tmp_path / "out/simple/one/index.html").read_text()
    assert "two" not in (tmp_path / "out/simple/index.html").read_text()
    assert remover.path_of(made[0], f"file://{tmp_path}/out/../x") is None


def test_other_servers_are_refused_in_words(airgap: Airgap) -> None:
    with files_over_http({}) as server:
        write_receipt(airgap, "old", entry("raw", "b", "", f"{server.url}/files/b", b"b"))
        write_receipt(airgap, "new")
        said = prune(airgap, "--yes", code=3)
        assert "raw b stays: airgap deletes artifacts in Nexus and in folders" in said.stderr


def test_images_and_artifacts_of_one_target(site: Site) -> None:
    """Artifacts that came with the images of this target go with them; those of another site's receipt do not."""
    with far_nexus("raw") as server:
        base = f"{server.url}/repository/raw-hosted"
        server.repository("raw-hosted").files.update({"old": b"old", "new": b"new"})
        path = site.airgap.folder / "1.8.tar.receipt.json"
        document = json.loads(path.read_bytes())
        document["artifacts"] = [entry("raw", "old", "", f"{base}/old", b"old")]
        path.write_text(json.dumps(document))
        write_receipt(site.airgap, "other", entry("raw", "x", "", "http://other.corp/repository/raw-hosted/x", b"x"))
        words = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        site.airgap.environment.update(words)
        netrc = site.airgap.home / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login {ADMIN.name} password {ADMIN.password}\n")
        netrc.chmod(0o600)
        said = site.prune("--keep", "1.10.tar", "--yes")
        assert "6 images, 1 artifact" in said.stderr
        assert server.repository("raw-hosted").files == {"new": b"new"}
        planned = site.json("--keep", "1.10.tar", "--no-artifacts", "--dry-run")
        assert planned["artifacts"] == []


@pytest.mark.parametrize("option", ["--artifacts-to", "airgap.yaml"])
def test_a_folder_whose_address_the_receipt_does_not_say(airgap: Airgap, option: str) -> None:
    """It was imported for an address that a web server gives it."""
    airgap.write("docs/old.txt", "old")
    write_project(airgap, {"raw": [{"path": "docs"}]})
    export(airgap)
    place = "raw=file:out#http://files.corp/raw"
    carry(airgap, "--artifacts-to", place, "--receipt", "old.receipt.json")
    write_receipt(airgap, "new")
    write_project(airgap, {})
    said = prune(airgap, "--yes", code=3)
    assert "stays" in said.stderr
    assert (airgap.folder / "out/old.txt").exists()
    if option == "airgap.yaml":
        write_project(airgap, {}, artifact_targets={"raw": place.removeprefix("raw=")})
        prune(airgap, "--yes")
    else:
        prune(airgap, "--yes", "--artifacts-to", place)
    assert not (airgap.folder / "out/old.txt").exists()
