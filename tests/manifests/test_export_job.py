# SPDX-License-Identifier: Apache-2.0
"""manifests/export-job.yaml without a cluster: the schemas take it, and it agrees with itself and with its README.
tests/cluster runs it; tests/flows/test_output_formats.py makes volumes by processes at the same time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts.pages import commands

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "manifests" / "export-job.yaml"
CLAIM, FILES, JOB = (item for item in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))
READMES = {"README.md": "An export that several nodes share", "README.ko.md": "여러 노드가 나누어 하는 export"}


def container(item: Any) -> Any:
    spec = item["spec"].get("template", item)["spec"]
    (found,) = spec["containers"]
    return found


@pytest.mark.parametrize("version", ["1.27", "1.32"])
def test_the_kubernetes_schemas_take_every_object(version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for item in (CLAIM, FILES, JOB):
        kubernetes_validate.validate(item, version, strict=True)


def test_its_parts_agree() -> None:
    assert JOB["spec"]["completionMode"] == "Indexed"
    assert JOB["spec"]["completions"] == JOB["spec"]["parallelism"]
    # Nothing runs before the lock is there.
    assert JOB["spec"]["suspend"] is True
    assert container(JOB)["image"] == container(FILES)["image"]
    for item in (FILES, JOB):
        spec = item["spec"].get("template", item)["spec"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert {mount["name"] for mount in container(item)["volumeMounts"]} == volumes.keys()
        assert volumes["work"]["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]
    assert container(JOB)["workingDir"] in {mount["mountPath"] for mount in container(JOB)["volumeMounts"]}
    (login,) = [volume["secret"] for volume in JOB["spec"]["template"]["spec"]["volumes"] if "secret" in volume]
    assert login["optional"] is True


@pytest.mark.parametrize(("readme", "heading"), READMES.items())
def test_the_readme_goes_through_it_in_order(readme: str, heading: str) -> None:
    lines = commands(ROOT / "manifests" / readme, heading)
    (locking,) = [line for line in lines if line.startswith("airgap export")]
    script = container(JOB)["command"][-1]
    (options,) = re.findall(r"airgap export (.*) --volume \S", script)
    assert locking == f"airgap export {options} --lock-only", "the pods make the bundle of the lock"
    steps = [
        locking,
        "kubectl apply -f manifests/export-job.yaml",
        "kubectl cp airgap.lock airgap-files:/data/",
        "kubectl patch job/airgap-export ",
        "kubectl wait --for=condition=complete ",
        "airgap verify bundle.tar.001",
    ]
    places = ["\n".join(lines).index(step) for step in steps]
    assert places == sorted(places)
    (numbers,) = re.findall(r"for number in ([0-9 ]+);", "\n".join(lines))
    assert [int(number) for number in numbers.split()] == list(range(1, JOB["spec"]["completions"] + 1))
