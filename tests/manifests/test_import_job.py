# SPDX-License-Identifier: Apache-2.0
"""manifests/import-job.yaml without a cluster: the schemas take it, and its own commands, run as processes at once
against a real docker-registry, upload every blob exactly once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.command import Airgap, Registry, pod, settings
from tests.cli.fixtures import airgap
from tests.parts.dockerregistry import DockerRegistry
from tests.parts.images import Images

__all__ = ["airgap"]

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "manifests" / "import-job.yaml"
OBJECTS: dict[str, Any] = {
    item["metadata"]["name"]: item for item in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
}
SHARDS, FINISH = OBJECTS["airgap-import-shards"], OBJECTS["airgap-import-finish"]
READMES = [ROOT / "manifests" / "README.md", ROOT / "manifests" / "README.ko.md"]


def container(job: Any) -> Any:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("version", ["1.27", "1.32"])
def test_the_kubernetes_schemas_take_every_object(version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    assert len(OBJECTS) == 4
    for item in OBJECTS.values():
        kubernetes_validate.validate(item, version, strict=True)


def test_the_schemas_refuse_a_misspelt_key() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    misspelt = {**SHARDS, "spec": {**SHARDS["spec"], "completionmode": "Indexed"}}
    with pytest.raises(kubernetes_validate.ValidationError, match="completionmode"):
        kubernetes_validate.validate(misspelt, "1.27", strict=True)


def test_its_parts_agree() -> None:
    count = SHARDS["spec"]["completions"]
    assert SHARDS["spec"]["completionMode"] == "Indexed"
    assert SHARDS["spec"]["parallelism"] == count
    assert f"--shard=$(JOB_COMPLETION_INDEX)/{count}" in container(SHARDS)["args"]
    assert container(SHARDS)["args"][:3] == container(FINISH)["args"][:3]
    assert "command" not in container(SHARDS) | container(FINISH)
    images = {container(job)["image"] for job in (SHARDS, FINISH)}
    images |= {part["image"] for part in OBJECTS["airgap-load"]["spec"]["containers"]}
    assert len(images) == 1
    for job in (SHARDS, FINISH):
        # Nothing runs before the bundle is there, nor the end before the shards.
        assert job["spec"]["suspend"] is True
        spec = job["spec"]["template"]["spec"]
        mounted = {mount["name"]: mount for mount in container(job)["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert mounted.keys() == volumes.keys()
        assert volumes["bundle"]["persistentVolumeClaim"]["claimName"] in OBJECTS
        assert mounted["bundle"].get("readOnly", False) == (job is SHARDS)
        assert "emptyDir" in volumes["state"]
        paths = [mount["mountPath"] for mount in mounted.values()]
        written = re.findall(r"(?:--state|--output)=(\S+)", " ".join(container(job)["args"]))
        assert all(any(path == base or path.startswith(f"{base}/") for base in paths) for path in written)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_goes_through_it_in_order(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    steps = ["apply -f manifests/import-job.yaml", "airgap-load:/bundle/", "patch job/airgap-import-shards"]
    steps += ["--timeout=24h job/airgap-import-shards", "patch job/airgap-import-finish"]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert "AIRGAP_USERNAME" in text


def command_of(job: Any, folders: dict[str, Path], registry: DockerRegistry, index: int | None = None) -> list[str]:
    """The container's arguments as the kubelet would expand them, with its folders and its target being ours."""
    made = []
    for argument in container(job)["args"]:
        argument = argument.replace("$(JOB_COMPLETION_INDEX)", str(index))
        for there, here in folders.items():
            argument = re.sub(rf"(?<![\w.]){there}(?=/|$)", str(here), argument)
        made.append(argument.replace("http://10.100.0.102:32415", registry.url))
    return made


def test_as_many_processes_at_once(airgap: Airgap, registry: DockerRegistry) -> None:
    count = SHARDS["spec"]["completions"]
    images = Images(61)
    base = [images.layer(size=400_000), images.layer(size=30_000)]
    roots = {f"a/x{n}:1": images.image(layers=[*base, images.layer(size=50_000 * n)]) for n in range(9)}
    roots["a/two:1"] = images.two_platforms()
    bundle_folder = airgap.folder / "claim"
    bundle_folder.mkdir()
    with Registry() as internet:
        internet.fill(images, roots)
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.write("pods.yaml", pod(*(f"quay.io/{name}" for name in roots)))
        airgap.run("export", "pods.yaml", "-o", "claim/bundle.tar")
    (airgap.folder / "airgap.yaml").unlink()
    blobs = [
        blob["digest"]
        for blob in airgap.run("inspect", "claim/bundle.tar", "--json").json["blobs"]
        if "manifest" not in blob["mediaType"] and "index" not in blob["mediaType"]
    ]

    processes = []
    for index in range(count):
        folders = {"/bundle": bundle_folder, "/state": airgap.folder / f"state{index}"}
        processes.append(airgap.started(*command_of(SHARDS, folders, registry, index)))
    said = [process.communicate(timeout=120)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    for index, text in enumerate(said):
        assert f"shard {index}/{count} is there; " in text
        (command,) = re.findall(r"^next, when all shards are done: (airgap import .+)$", text, re.MULTILINE)
        assert "--shard" not in command

    finished = re.compile(r"^PUT /v2/.*[?&]digest=(sha256(?::|%3A)[0-9a-f]{64})", re.IGNORECASE)
    uploads = Counter(
        match[1].replace("%3A", ":") for request in registry.requests() if (match := finished.match(request))
    )
    assert uploads == dict.fromkeys(blobs, 1), "every blob exactly once"
    assert not [request for request in registry.requests() if request.startswith("PUT") and "/manifests/" in request]
    assert sorted(path.name for path in bundle_folder.iterdir()) == ["bundle.tar"], "no file"
    assert sorted(path.name for path in airgap.folder.iterdir() if path.name == "airgap-out") == []

    before = len(registry.requests())
    folders = {"/bundle": bundle_folder, "/state": airgap.folder / "state"}
    airgap.run(*command_of(FINISH, folders, registry))
    asked = registry.requests()[before:]
    assert not [request for request in asked if request.startswith("PUT") and "/uploads/" in request]
    assert sorted(path.name for path in bundle_folder.iterdir()) == [
        "airgap-out",
        "bundle.tar",
        "bundle.tar.receipt.json",
    ]
    assert "my-docker-image/x8:1" in (bundle_folder / "airgap-out" / "pods.yaml").read_text()
    airgap.run("verify", bundle_folder / "bundle.tar", "--against", f"{registry.url}/my-docker-image")


@pytest.mark.parametrize("given", ["4/4", "5/4", "0", "a/b", "-1/4", "0/0", "1/2/3", ""])
def test_what_is_no_shard(airgap: Airgap, given: str) -> None:
    said = airgap.fails(2, "import", "b.tar", "--to", "127.0.0.1:1/p", f"--shard={given}")
    assert "--shard" in said.errors[0]


def test_a_dry_run_of_a_shard(airgap: Airgap) -> None:
    images = Images(62)
    with Registry() as internet, Registry() as nexus:
        internet.fill(images, {"a/x:1": images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": internet.url}}))
        airgap.run("export", "--image", "quay.io/a/x:1", "-o", "b.tar")
        airgap.run("import", "b.tar", "--to", f"{nexus.address}/p", "--shard=0/2", "--dry-run")
        assert nexus.names() == []
        assert {line.split()[0] for line in nexus.requests()} <= {"GET", "HEAD"}
