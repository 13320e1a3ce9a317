# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite --from`` with a bundle, a receipt and a lock: what each knows, and which digests it says; charts and
overlays too. ``--dry-run`` beside them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.helm import helm, path_with
from tests.parts.images import Images
from tests.parts.need import need

CHART = """\
apiVersion: v1
kind: Pod
metadata: {name: shop}
spec:
  containers:
  - {name: a, image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}@{{ .Values.image.digest }}"}
  - {name: b, image: "{{ .Values.other }}"}
"""


class Carried:
    """Bundle, receipt and lock of one journey with ``--platform``: ``source`` is what the files pin, ``derived`` what
    arrived."""

    def __init__(self, airgap: Airgap, quay: Registry, nexus: Registry, *platform: str) -> None:
        images = Images(5)
        index = images.two_platforms()
        quay.fill(images, {"a/x:1": index})
        self.airgap, self.nexus, self.source = airgap, nexus, index.digest
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
        self.pod = pod(f"quay.io/a/x@{self.source}", "quay.io/a/x:1")
        airgap.write("pod.yaml", self.pod)
        airgap.run("export", "pod.yaml", "-o", "b.tar", "--lock", "airgap.lock", *platform)
        airgap.run("import", "b.tar", "--to", f"{nexus.address}/p")
        self.derived = nexus.digest("p/x:1")
        self.target = f"{nexus.address}/p"


@pytest.fixture
def carried(airgap: Airgap, quay: Registry, nexus: Registry) -> Carried:
    made = Carried(airgap, quay, nexus, "--platform", "linux/arm64")
    assert made.derived != made.source
    return made


def test_the_receipt_knows_targets_and_derived_digests(carried: Carried) -> None:
    airgap, at = carried.airgap, carried.target
    expected = pod(f"{at}/x@{carried.derived}", f"{at}/x:1")
    said = airgap.run("rewrite", "pod.yaml", "--from", "b.tar.receipt.json")
    assert said.text == expected == (airgap.folder / "airgap-out/pod.yaml").read_text()
    assert airgap.run("rewrite", "pod.yaml", "--from", "b.tar", "--to", at).text == expected
    said = airgap.run("rewrite", "pod.yaml", "--from", "b.tar.receipt.json", "--to", f"http://{at}")
    assert said.text == expected
    pinned = pod(f"{at}/x@{carried.derived}", f"{at}/x:1@{carried.derived}")
    assert airgap.run("rewrite", "pod.yaml", "--from", "b.tar.receipt.json", "--pin").text == pinned
    other = airgap.fails(50, "rewrite", "pod.yaml", "--from", "b.tar.receipt.json", "--to", "other.example/p")
    assert f"this receipt is one of {at}, not of other.example/p" in other.errors[0]
    airgap.fails(2, "rewrite", "pod.yaml", "--from", "b.tar.receipt.json", "--mapping", "path")


def test_the_targets_of_a_receipt_win_over_a_policy(carried: Carried) -> None:
    """A registry may have been filled under names that no policy of today gives."""
    airgap = carried.airgap
    receipt = json.loads((airgap.folder / "b.tar.receipt.json").read_bytes())
    for image in receipt["images"]:
        image["target"] = image["target"].replace("/p/x", "/p/moved/y")
    airgap.write("r.json", json.dumps(receipt))
    airgap.write("airgap.yaml", settings({}, target="elsewhere.example/k", mapping={"policy": "full"}))
    said = airgap.run("rewrite", "pod.yaml", "--from", "r.json")
    assert said.text == pod(f"{carried.target}/moved/y@{carried.derived}", f"{carried.target}/moved/y:1")


@pytest.mark.parametrize("source", ["b.tar.receipt.json", "airgap.lock"])
def test_what_is_not_known_stops_with_its_line(carried: Carried, source: str) -> None:
    airgap = carried.airgap
    airgap.write("more.yaml", pod("quay.io/a/x:1", "quay.io/a/unknown:1"))
    to = ["--to", carried.target] if source == "airgap.lock" else []
    said = airgap.fails(32, "rewrite", "more.yaml", "--from", source, *to)
    what = source.rpartition(".")[2].replace("json", "receipt")
    assert said.errors == [f"more.yaml:9: quay.io/a/unknown:1 is not in the {what}"]
    said = airgap.run("rewrite", "more.yaml", "--from", source, *to, "--keep-unknown")
    assert said.text == pod(f"{carried.target}/x:1", "quay.io/a/unknown:1")
    assert "more.yaml:9" in said.stderr


def test_a_lock_knows_digests_where_no_platform_was_chosen(airgap: Airgap, quay: Registry, nexus: Registry) -> None:
    whole = Carried(airgap, quay, nexus)
    assert whole.derived == whole.source
    said = airgap.run("rewrite", "pod.yaml", "--from", "airgap.lock", "--to", "t.example/p", "--pin")
    assert said.text == pod(f"t.example/p/x@{whole.source}", f"t.example/p/x:1@{whole.source}")
    said = airgap.fails(2, "rewrite", "pod.yaml", "--from", "airgap.lock")
    assert "where should the images go" in said.stderr


def test_a_lock_does_not_guess_what_a_platform_made(carried: Carried) -> None:
    airgap = carried.airgap
    airgap.write("tag.yaml", pod("quay.io/a/x:1"))
    to = ["--from", "airgap.lock", "--to", "t.example/p"]
    assert airgap.run("rewrite", "tag.yaml", *to).text == pod("t.example/p/x:1")
    for arguments in (["pod.yaml"], ["tag.yaml", "--pin"]):
        said = airgap.fails(2, "rewrite", *arguments, *to)
        assert "for linux/arm64 is not in the lock" in said.errors[0]
        assert "receipt" in said.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "neither a bundle.json, nor a receipt, nor a lock"),
        ("{", "neither a bundle nor JSON"),
        ('{"target": "t.example/p", "format": 2, "images": []}', "is of format 2"),
        ('{"target": "t.example/p", "format": 1, "images": [{}]}', "unreadable"),
        ('{"target": 5, "format": 1, "images": []}', "unreadable"),
        (
            '{"target": "t.example/p", "format": 1, "bundle": null, "blobs": {}, '
            '"images": [{"source": "a", "target": "evil.example/p/a:1", '
            f'"digest": "sha256:{"0" * 64}"}}]}}',
            "this receipt is of t.example/p, and yet has evil.example/p/a:1 in it",
        ),
        ('{"images": {"a": {}}, "format": 1}', "this lock is unreadable"),
        ("nonsense", ""),
    ],
)
def test_what_is_none_of_them(airgap: Airgap, content: str, said: str) -> None:
    airgap.write("pod.yaml", pod("a"))
    airgap.write("from", content)
    code = 41 if "format 2" in said else 40  # made by a newer airgap
    assert said in airgap.fails(code, "rewrite", "pod.yaml", "--from", "from", "--to", "t.example/p").errors[0]


def test_a_chart_gets_the_derived_digest(carried: Carried) -> None:
    airgap = carried.airgap
    airgap.environment["PATH"] = path_with(helm().parent)
    airgap.write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    airgap.write("shop/templates/pod.yaml", CHART)
    values = f"image: {{registry: quay.io, repository: a/x, digest: '{carried.source}'}}\nother: quay.io/a/x:1\n"
    airgap.write("shop/values.yaml", values)
    for source in (["b.tar", "--to", carried.target], ["b.tar.receipt.json"]):
        airgap.run("rewrite", "shop", "--from", *source, "-o", "values.yaml", "--force")
        rendered = subprocess.run(
            [helm(), "template", "x", airgap.folder / "shop", "-f", airgap.folder / "values.yaml"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert f'image: "{carried.target}/x@{carried.derived}"' in rendered
        assert f'image: "{carried.target}/x:1"' in rendered
    before = airgap.files()
    said = airgap.run("rewrite", "shop", "--from", "b.tar.receipt.json", "-o", "new/values.yaml", "--dry-run")
    assert said.stderr == "would write new/values.yaml: 2 images, proven by rendering with it\n"
    assert airgap.files() == before
    assert not (airgap.folder / "new").exists()


@pytest.mark.parametrize("program", ["kubectl", "kustomize"])
def test_an_overlay_gets_the_derived_digest(carried: Carried, program: str, tmp_path: Path) -> None:
    airgap = carried.airgap
    found = need(program)
    only = tmp_path / "path"
    only.mkdir()
    (only / program).symlink_to(found)
    airgap.environment["PATH"] = str(only)
    airgap.write("base/kustomization.yaml", "resources: [pod.yaml]\n")
    airgap.write("base/pod.yaml", pod(f"quay.io/a/x@{carried.source}"))
    before = airgap.files()
    command = ["rewrite", "base", "--from", "b.tar.receipt.json", "-o", "deep/over"]
    said = airgap.run(*command, "--dry-run")
    assert said.stderr == "would write deep/over/kustomization.yaml: 1 image, proven by rendering with it\n"
    assert airgap.files() == before
    assert not (airgap.folder / "deep").exists()
    airgap.run(*command)
    build = {"kubectl": ["kustomize"], "kustomize": ["build"]}[program]
    rendered = subprocess.run(
        [str(found), *build, str(airgap.folder / "deep/over")], capture_output=True, text=True, check=True
    ).stdout
    assert f"image: {carried.target}/x@{carried.derived}\n" in rendered
    shutil.rmtree(airgap.folder / "deep")


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("a:1", "b:1"))
    airgap.write("k/none.yaml", pod("t.example/p/c:1"))
    before = airgap.files()
    to = ["rewrite", "k", "--to", "t.example/p", "--dry-run"]
    said = airgap.run(*to, "--in-place")
    assert said.stderr == "would write k/a.yaml: 2 changes\n2 changes in 1 file; nothing was written\n"
    said = airgap.run(*to, "-o", "out")
    assert said.stderr.splitlines()[:2] == ["would write out/a.yaml: 2 changes", "would write out/none.yaml: 0 changes"]
    said = airgap.run("rewrite", "k/a.yaml", "--to", "t.example/p", "--dry-run")
    assert said.stderr.startswith("would write k/a.yaml to standard output: 2 changes\n")
    assert said.stdout == b""
    assert airgap.files() == before
    assert not (airgap.folder / "out").exists()
    # It refuses what the writing would refuse.
    airgap.fails(2, *to)
    assert "leave --dry-run out" in airgap.run(*to, "--check", code=2).stderr
    airgap.write("out/a.yaml", "mine\n")
    airgap.fails(42, *to, "-o", "out")


def test_a_dry_run_of_turning_back(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("a:1"))
    airgap.run("rewrite", "a.yaml", "--to", "t.example/p", "--in-place")
    before = airgap.files()
    said = airgap.run("rewrite", "a.yaml", "--revert", "--in-place", "--dry-run")
    assert said.stderr.startswith("would write a.yaml: 1 change\n")
    assert airgap.files() == before
    airgap.run("rewrite", "a.yaml", "--revert", "--in-place")
    assert (airgap.folder / "a.yaml").read_text() == pod("a:1")
