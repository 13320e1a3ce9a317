# SPDX-License-Identifier: Apache-2.0
"""Every command that takes a bundle, a receipt or a lock sees the same file as the same thing."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images

X = "quay.io/a/x:1"


@dataclass(frozen=True)
class Far:
    """A folder with one of each kind of file, the registry that the images come from, and a target."""

    airgap: Airgap
    target: str


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """``bundle.tar``, ``bundle.tar.zst``, ``volume.tar.001``, ``bundle.json``, ``receipt``, ``lock``, odd files."""
    airgap = Airgap(tmp_path_factory.mktemp("kinds"), tmp_path_factory.mktemp("home"))
    with Registry() as registry, Registry() as nexus:
        images = Images(5)
        registry.fill(images, {"a/x:1": images.image()})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.write("pod.yaml", pod(X))
        for name in ("bundle.tar", "bundle.tar.zst"):
            airgap.run("export", "pod.yaml", "-o", name, "--lock", "lock")
        target = f"{nexus.address}/p"
        airgap.run("import", "bundle.tar", "--to", target, "--receipt", "receipt")
        content = (airgap.folder / "bundle.tar").read_bytes()
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            member = tar.extractfile("airgap/bundle.json")
            assert member is not None
            airgap.write("bundle.json", member.read())
        size = len(content) // 3 + 1
        for number in range(3):
            airgap.write(f"volume.tar.{number + 1:03}", content[number * size : (number + 1) * size])
        receipt = (airgap.folder / "receipt").read_bytes()
        for kind in ("receipt", "lock", "bundle.json"):
            plain = (airgap.folder / kind).read_bytes()
            airgap.write(f"newline+{kind}", b"\n" + plain)
            airgap.write(f"mark+{kind}", b"\xef\xbb\xbf\r\n" + plain)
            airgap.write(f"cut+{kind}", plain.rstrip()[:-1])
        for key in ("bundle", "blobs", "target"):
            airgap.write(f"no-{key}", json.dumps({k: v for k, v in json.loads(receipt).items() if k != key}))
        image_without_digest = [{"source": X, "target": f"{target}/x:1"}]
        airgap.write("no-digest", json.dumps({**json.loads(receipt), "images": image_without_digest}))
        airgap.write("empty", "")
        airgap.write("blank", "\n\n")
        airgap.write("object", "{}")
        airgap.write("list", "[]")
        airgap.write("text", "neither of them\n")
        airgap.write("nested", '{"a":' * 100_000)
        airgap.write("nested-list", "[" * 100_000)
        yield Far(airgap, target)


COMMANDS = {
    "diff": "diff bundle.tar FILE",
    "base": "export pod.yaml -o made.tar --force --base FILE",
    "lock": "export pod.yaml -o made.tar --force --lock FILE",
    "rewrite": "rewrite pod.yaml --from FILE --to TARGET",
    "hosts": "hosts http://TARGET --for podman --from FILE",
    "receipt": "import bundle.tar --to TARGET --receipt FILE --output made",
}
#: What is said of a file by commands that read no such kind; every other command succeeds.
REFUSED = {
    ("base", "lock"): (2, "a lock does not say what the far side holds"),
    ("rewrite", "bundle.json"): (40, "this is a bundle.json; --from takes a bundle, a receipt or a lock"),
    ("hosts", "bundle.json"): (40, "this is a bundle.json; --from takes a bundle or a receipt"),
    ("hosts", "lock"): (40, "this is a lock; --from takes a bundle or a receipt"),
    ("lock", "receipt"): (40, "this is no lock: it is a receipt"),
    ("lock", "bundle.json"): (40, "this is no lock: it is a bundle.json"),
    ("lock", "bundle"): (40, "this is no lock: it is not JSON"),
    **{
        ("receipt", kind): (42, "a file that is no receipt is already there")
        for kind in ("lock", "bundle.json", "bundle")
    },
}


def run(far: Far, command: str, file: str) -> tuple[int, str]:
    """Run a command over a copy of a file. The exit code, and the error without the file's name."""
    copied = far.airgap.folder / f"copy-{file}"
    names = sorted(far.airgap.folder.glob(f"{file.rpartition('.')[0]}.0*")) if file.startswith("volume") else []
    for name in names or [far.airgap.folder / file]:
        shutil.copy(name, copied.with_name(f"copy-{name.name}"))
    words = COMMANDS[command].replace("FILE", copied.name).replace("TARGET", far.target).split()
    try:
        said = far.airgap.run(*words, code=None)
    finally:
        for name in far.airgap.folder.glob("copy-*"):
            name.unlink()
    return said.code, said.errors[0].removeprefix(f"{copied.name}: ") if said.errors else ""


KINDS = {
    "bundle.tar": "bundle",
    "bundle.tar.zst": "bundle",
    "volume.tar.001": "bundle",
    "volume.tar.003": "bundle",
    **{f"{before}{kind}": kind for before in ("", "newline+", "mark+") for kind in ("receipt", "lock", "bundle.json")},
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", KINDS)
def test_each_command_sees_the_same_kind(far: Far, command: str, file: str) -> None:
    assert run(far, command, file) == REFUSED.get((command, KINDS[file]), (0, ""))


NO_BUNDLE = "this is no airgap bundle: it does not begin with oci-layout"
HALF = "this receipt is unreadable: "
BROKEN = {
    **dict.fromkeys(("empty", "blank", "list", "text", "nested-list"), NO_BUNDLE),
    "object": "this JSON is neither a bundle.json, nor a receipt, nor a lock",
    "nested": r"neither a bundle nor JSON that is read here \(JSON more than 32 levels deep\)",
    "cut+receipt": rf"{HALF}not JSON \(.+\)",
    "cut+lock": r"this lock is unreadable \(not JSON \(.+\)\)",
    "cut+bundle.json": "this bundle.json is not as its bundle has it",
    "no-target": f"{HALF}it has no 'target'",
    "no-bundle": f"{HALF}it has no 'bundle'",
    "no-blobs": f"{HALF}it has no 'blobs'",
    "no-digest": rf"{HALF}images\[0\] has no 'digest'",
}


@pytest.mark.parametrize("file", BROKEN)
def test_every_command_refuses_what_is_none_of_them_in_the_same_words(far: Far, file: str) -> None:
    reading = {command: run(far, command, file) for command in COMMANDS if command != "receipt"}
    if BROKEN[file] == NO_BUNDLE:  # the only command that cannot take a bundle
        assert reading.pop("lock") == (40, "this is no lock: it is not JSON")
    codes, errors = zip(*reading.values(), strict=True)
    assert set(codes) == {40}
    assert len(set(errors)) == 1, reading
    assert re.fullmatch(BROKEN[file], errors[0])
    assert run(far, "receipt", file) == (42, "a file that is no receipt is already there")


def test_a_file_that_is_not_there(far: Far) -> None:
    for command in ("diff", "base", "rewrite", "hosts"):
        words = COMMANDS[command].replace("FILE", "absent").replace("TARGET", far.target).split()
        said = far.airgap.fails(2, *words)
        assert said.errors == ["absent: there is no such file or folder"]
