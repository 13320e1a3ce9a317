# SPDX-License-Identifier: Apache-2.0
"""Images in shell scripts, under ``command`` and ``args`` and in ConfigMaps: what is pulled, run, applied by
here-documents; and what only speaks of it."""

from __future__ import annotations

import json

import pytest

from airgap.kube import revert_content, rewrite_content, scan
from tests.kube.support import NEW, texts

HEADS = {
    "args": "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - command: [sh, -c]\n    args:\n    - |\n",
    "data": "apiVersion: v1\nkind: ConfigMap\ndata:\n  run.sh: |\n",
}


def script(where: str, text: str) -> bytes:
    return (HEADS[where] + "".join(f"      {line}\n" for line in text.split("\n"))).encode()


TAKEN = [
    ("docker pull q.io/a:1", ["q.io/a:1"]),
    ("sudo /usr/bin/docker pull -q --platform linux/amd64 'a/b:1'", ["a/b:1"]),
    ("set -e; crictl --runtime-endpoint unix:///run/x.sock pull q.io/a@sha256:" + "0" * 64, None),
    ("ctr -n k8s.io images pull --plain-http q.io:5000/a:1 && echo done", ["q.io:5000/a:1"]),
    ("if ! nerdctl -n=k8s.io image pull q.io/a:1 >/dev/null; then exit 1; fi", ["q.io/a:1"]),
    ("podman pull q.io/a:1 q.io/b:1", ["q.io/a:1", "q.io/b:1"]),
    ("id=$(docker create q.io/a:1)", ["q.io/a:1"]),
    ("nerdctl run --rm -v /a/b:/c -e X=q.io/no:1 --name a/b:c q.io/a:1 sh -c 'x'", ["q.io/a:1"]),
    ("docker run \\\n  --network host \\\n  q.io/a:1 \\\n  q.io/argument:1", ["q.io/a:1"]),
    ("X=1 docker pull q.io/a:1 # not q.io/b:1", ["q.io/a:1"]),
    ("cat <<EOF | kubectl apply -f -\nkind: Pod\nspec:\n  containers:\n  - image: q.io/a:1\nEOF\n", ["q.io/a:1"]),
    (
        "cat <<'EOF' >x.env\nexport WORKER_IMAGE='q.io/a:1'\nEOF\nkubectl run x --image=q.io/b:1",
        ["q.io/a:1", "q.io/b:1"],
    ),
]
PASSED_BY = [
    "# docker pull q.io/a:1\ntrue",
    "echo to update, docker pull q.io/a:1\ntrue",
    "To update run docker pull q.io/a:1 by hand\ntrue",
    'docker pull "$IMAGE"\ntrue',
    "docker pull nginx\ntrue",
    "docker push q.io/a:1\ntrue",
    "docker run -v x:y worker\ntrue",
    "docker rmi q.io/a:1\ntrue",
    "ctr images ls q.io/a:1\ntrue",
    "# kubectl run x --image=q.io/a:1\ntrue",
    "cat <<EOF\n# image: q.io/a:1\nEOF",
    "curl -o docker https://q.io/docker/run:1\ntrue",
]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("where", HEADS)
@pytest.mark.parametrize(("text", "images"), TAKEN)
def test_what_scripts_pull_and_run(where: str, text: str, images: list[str] | None) -> None:
    content = script(where, text)
    found = scan(content, "x")
    likely = [site.text for site in found.sites if site.confidence == "likely"]
    assert likely == (images or ["q.io/a@sha256:" + "0" * 64])
    # What stands behind an option or alone on a line has only the shape.
    assert {site.rule for site in found.sites if site.text not in likely} <= {"arg-pair", "setting-reference"}
    done = rewrite_content(content, [(site, NEW) for site in found.sites])
    expected = content.decode()
    for site in found.sites:
        expected = expected.replace(site.text, NEW, 1)
    assert done.content.decode() == expected
    assert revert_content(done.content, done.edits) == content


@pytest.mark.parametrize("where", HEADS)
@pytest.mark.parametrize("text", PASSED_BY)
def test_what_only_speaks_of_images(where: str, text: str) -> None:
    assert texts(scan(script(where, text), "x")) == []


def test_one_line_and_json() -> None:
    """The same in one item, escaped, and as kubectl prints it."""
    command = ["sh", "-c", 'docker pull "q.io/a:1" && docker run --rm "q.io/b:1"\n# docker pull q.io/c:1\n']
    content = json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"command": command}]}}).encode()
    found = scan(content, "x.json")
    assert [site.value for site in found.sites] == ["q.io/a:1", "q.io/b:1"]
    assert [site.path for site in found.sites] == ["spec.containers[0].command[2]"] * 2
    written = json.loads(rewrite_content(content, [(site, NEW) for site in found.sites]).content)
    assert written["spec"]["containers"][0]["command"][2] == command[2].replace("q.io/a:1", NEW).replace(
        "q.io/b:1", NEW
    )


def test_a_schema_says_nothing() -> None:
    head = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  args:\n  - |\n"
    assert scan((head + "      docker pull q.io/a:1\n      true\n").encode(), "x").sites == ()
