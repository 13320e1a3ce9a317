# SPDX-License-Identifier: Apache-2.0
"""Resource files that are made to take memory or time: each is named with the limit, and the others are read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airgap import limits
from airgap.kube import ResourceFile, load, scan
from airgap.kube.parse.budget import MISS, PENDING, SITE, YAML_EVENT, OverBudget
from tests.attacks.files.peak import measured
from tests.cli.command import Airgap, pod

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def nested(size: int) -> str:
    """A document in a string in a document, and so on: each level doubles the escapes."""
    value = "image: q.io/a/b:1\n"
    while len(value) < size:
        value = f"data:\n  a: {json.dumps(value)}\n"
    return HEAD + value


def argument(size: int) -> str:
    return pod("busybox") + "    args: ['" + "--image=q.io/a/b:1 " * (size // 19) + "']\n"


def images(count: int) -> str:
    return pod("busybox") + "".join(f"  - {{image: 'q.io/a/b{number}:1'}}\n" for number in range(count))


BOMBS: dict[str, Callable[[], str]] = {
    "images": lambda: images(300_000),
    "argument": lambda: argument(5_000_000),
    "anchors": lambda: "".join(f"- &a{number} x\n" for number in range(500_000)),
    "arguments": lambda: "spec:\n  args:\n" + "  - a\n" * 1_000_000,
    "keys": lambda: "".join(f"image{number}: q.io/a{number}:1\n" for number in range(300_000)),
    "values": lambda: "".join(f"k{number}: q.io/a{number}:1\n" for number in range(300_000)),
    "wrong": lambda: pod("busybox") + "  - {image: ':'}\n" * 300_000,
    "script": lambda: f"{HEAD}data:\n  a.sh: |\n" + "    docker pull q.io/a/b:1\n" * 180_000,
    "blank lines": lambda: f"{HEAD}data:\n  a.sh: |\n    image: q.io/a/b:1\n" + "\n" * 8_000_000,
    "quotes": lambda: f"{HEAD}data:\n  a: '{{image: q.io/a/b:1, b: \"" + "''" * 4_000_000 + "\"}'\n",
    "escapes": lambda: f'{HEAD}data:\n  a: "image: q.io/a/b:1\\n' + "\\x41" * 2_000_000 + '"\n',
    "comments": lambda: "a: 1\n" + "# q.io/a/b:1\n" * 1_000_000,
}
#: One for each limit; the others are long tests.
SHORT = ("images", "argument", "keys", "script", "escapes")


@pytest.mark.parametrize(
    "name", [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in BOMBS]
)
def test_a_bomb_in_a_folder_is_named_and_the_rest_is_read(airgap: Airgap, name: str) -> None:
    airgap.write("d/bomb.yaml", BOMBS[name]())
    airgap.write("d/good.yaml", pod("q.io/good:1"))
    done = measured(airgap, "images", "d", "--refs")
    assert "q.io/good:1\n" in done.stdout
    if name not in ("quotes", "escapes", "comments"):  # they cost little now
        assert done.code == 3
        assert "past a limit: d/bomb.yaml" in done.stderr
        assert "AIRGAP_LIMITS=resource-" in done.stderr


@pytest.mark.parametrize(("size", "code"), [(900_000, 0), (3_600_000, 10)])
def test_escapes_inside_escapes_cost_what_their_text_does(airgap: Airgap, size: int, code: int) -> None:
    airgap.write("a.yaml", nested(size) + "---\n" + pod("busybox"))
    done = measured(airgap, "images", "a.yaml", "--refs")
    assert (done.code, done.stdout) == (code, "" if code else "docker.io/library/busybox:latest\n")


@pytest.mark.parametrize(
    "value",
    [
        "\\u0041",
        "a/",
        " ",
        *(pytest.param(one, marks=pytest.mark.long) for one in ("\\n", "\\\\", "a.", "a-", "l.l:", "#\\n")),
    ],
)
def test_a_long_word_costs_what_its_text_does(airgap: Airgap, value: str) -> None:
    """In JSON and as an argument; repetitions of groups in patterns cost memory."""
    text = value * (6_000_000 // len(value))
    airgap.write("a.json", f'{{"image": "q.io/a:1", "args": ["{text}"], "data": {{"a": "image: x/{text}"}}}}')
    done = measured(airgap, "images", "a.json")
    assert done.code in (0, 10)
    assert done.code == 0 or "resource-" in done.stderr


def test_a_bomb_that_is_named_ends_the_command(airgap: Airgap) -> None:
    airgap.write("bomb.yaml", images(30_000))
    done = measured(airgap, "images", "bomb.yaml")
    assert (done.code, done.stdout) == (10, "")
    assert "bomb.yaml:" in done.stderr


def test_a_limit_that_is_raised_lets_the_file_through(airgap: Airgap) -> None:
    airgap.write("a.yaml", images(15_000))
    assert measured(airgap, "images", "a.yaml", "--refs").code == 10
    raised = {"AIRGAP_LIMITS": "resource-memory=64MiB"}
    assert measured(airgap, "images", "a.yaml", "--refs", environment=raised).stdout.count("\n") == 15_001


@pytest.mark.parametrize("command", [("images", "--why"), ("rewrite", "--to", "reg.example/k")], ids=" ".join)
def test_a_large_file_within_the_limit_is_read(airgap: Airgap, command: tuple[str, ...]) -> None:
    airgap.write("a.yaml", images(12_000))
    assert measured(airgap, *command, "a.yaml").code == 0


def test_standard_input_without_end(airgap: Airgap) -> None:
    done = measured(airgap, "images", "-", stdin=b"a: 1\n" * 4_000_000)
    assert (done.code, "resource-bytes" in done.stderr) == (10, True)


def test_a_file_without_end(airgap: Airgap) -> None:
    """A device that is named; a walk leaves devices out."""
    assert measured(airgap, "images", "/dev/zero").code == 10


# Each limit: what is at the limit is read, and one more is not.


def scanned(content: str, **changes: int) -> int:
    with limits.changed({name.replace("_", "-"): value for name, value in changes.items()}):
        return len(scan(content.encode(), "a.yaml", strict=False).sites)


def refused(content: str, name: str, **changes: int) -> OverBudget:
    with pytest.raises(OverBudget) as caught:
        scanned(content, **changes)
    assert name in (caught.value.hint or "")
    assert (caught.value.where or "").startswith("a.yaml")
    return caught.value


def test_the_limit_of_bytes() -> None:
    content = pod("busybox")
    assert scanned(content, resource_bytes=len(content)) == 1
    refused(content, "resource-bytes", resource_bytes=len(content) - 1)


def test_the_limit_of_images() -> None:
    content = "---\n".join([pod("busybox")] * 40)
    waiting = 8 * PENDING  # what one Pod keeps until it ends
    assert scanned(content, resource_memory=40 * SITE + waiting) == 40
    error = refused(content, "resource-memory", resource_memory=39 * SITE)
    assert error.where is not None
    assert 35 * 8 < int(error.where.rpartition(":")[2]) <= 40 * 8


def test_the_limit_of_values_that_are_listed() -> None:
    content = f"{HEAD}data:\n  a: |\n" + "    https://q.io/a/b:1 q.io/a/b:1 and words\n" * 40
    assert scanned(content, resource_memory=400 * MISS) == 0
    refused(content, "resource-memory", resource_memory=20 * MISS)


def test_the_limit_of_work() -> None:
    content = "".join(f"a{number}: b\n" for number in range(2_000))
    events = 4_000 + 6
    assert scanned(content, resource_work=events * YAML_EVENT) == 0
    error = refused(content, "resource-work", resource_work=3_000 * YAML_EVENT)
    assert error.where is not None
    assert 1_400 < int(error.where.rpartition(":")[2]) < 1_800


def test_the_limit_of_work_inside_a_value() -> None:
    content = f"{HEAD}data:\n  a: |\n" + "    image: q.io/a/b:1\n" * 100
    assert scanned(content) == 100
    assert refused(content, "resource-work", resource_work=1_000).where == "a.yaml:5"


def test_all_files_together(airgap: Airgap) -> None:
    for name in ("a", "b", "c"):
        airgap.write(f"d/{name}.yaml", pod(f"q.io/{name}:1"))
    size = len(pod("q.io/a:1"))
    for most, code, names in ((3 * size, 0, "abc"), (3 * size - 1, 3, "ab")):
        done = airgap.run("images", "d", "--refs", code=code, environment={"AIRGAP_LIMITS": f"resources-bytes={most}"})
        assert done.text.split() == [f"q.io/{name}:1" for name in names]
    assert "d/c.yaml (with this file, all files together" in done.stderr


def test_a_file_that_grows_while_it_is_read_is_bounded(airgap: Airgap) -> None:
    path = airgap.write("a.yaml", pod("busybox"))
    (file,) = load([str(path)])
    assert isinstance(file, ResourceFile)
    with limits.changed({"resource-bytes": len(file.content) - 1}), pytest.raises(OverBudget):
        load([str(path)])
