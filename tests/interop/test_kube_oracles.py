# SPDX-License-Identifier: Apache-2.0
"""Rewriting, judged by another program: ``kubectl kustomize`` with ``images:`` and ``kubectl set image --local`` put
the same new references at the same structural paths, in every field that they know, and nothing else differs.

The programs get the objects as a YAML library reads them, each under a name of its own; airgap gets the bytes.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from airgap.errors import ResourceError
from airgap.kube import Site, rewrite_content, scan
from airgap.kube.model import WHOLE
from tests.parts.need import need

pytestmark = [pytest.mark.interop, pytest.mark.requires("kubectl")]

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
#: What both programs look for: kustomize in every object, ``set image`` in those whose type it knows.
KNOWN = re.compile(r"(?:^|\.)(?:containers|initContainers)\[[0-9]+\]\.image$")
TYPED = re.compile(
    r"v1/(?:Pod|ReplicationController)"
    r"|(?:apps/v1(?:beta[12])?|extensions/v1beta1)/(?:Deployment|DaemonSet|ReplicaSet|StatefulSet)"
    r"|batch/v1(?:beta1)?/(?:Job|CronJob)"
)
_DOCUMENT = re.compile(rb"^---(?=\s)", re.MULTILINE)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: ``set image`` complains of each container that an object has not, and kustomize tries each entry on each object and
#: compares the objects with each other, so few objects share a call.
GROUP = 10


@dataclass(frozen=True)
class Pair:
    """One object as it was and as airgap wrote it; ``where`` is for the reader of a failure."""

    where: str
    before: dict[str, Any]
    after: dict[str, Any]


def moved(text: str) -> str:
    """Where this test's mapping sends a reference: another name, tag and digest as they are written."""
    name = named(text)
    return f"mirror.example:5000/{name.replace(':', '-')}" + text[len(name) :]


def named(text: str) -> str:
    name = text.partition("@")[0]
    colon = name.rfind(":")
    return name[:colon] if colon > name.rfind("/") else name


def known(site: Site) -> bool:
    return KNOWN.search(site.path) is not None and site.parts[0].role == WHOLE and " > " not in site.path


def objects(chunk: bytes) -> list[dict[str, Any]]:
    """The objects of some documents, those of lists too, without the types that JSON lacks."""
    found: list[dict[str, Any]] = []
    for loaded in yaml.load_all(chunk, _LOADER):
        one = json.loads(json.dumps(loaded, default=str))
        if isinstance(one, dict) and isinstance(one.get("kind"), str) and "apiVersion" in one:
            found += one["items"] if one["kind"] == "List" else [one]
    return found


def pairs(content: bytes, file: str) -> Iterator[Pair]:
    """The objects of a file with pod specifications, before and after; CRDs describe pods and hold none."""
    sites = [site for site in scan(content, file).sites if known(site)]
    after = rewrite_content(content, [(site, moved(site.value)) for site in sites]).content
    chunks = [_DOCUMENT.split(one) for one in (content, after)]
    assert len(chunks[0]) == len(chunks[1])
    for number, (old, new) in enumerate(zip(*chunks, strict=True)):
        if b"ontainers" in old and not re.search(rb"^kind: CustomResourceDefinition", old, re.MULTILINE):
            for before, now in zip(objects(old), objects(new), strict=True):
                yield Pair(f"{file}, document {number}, {before['kind']}", before, now)


def images(value: object, path: str = "") -> dict[str, str]:
    """Every container's image by its path, found without knowing any type."""
    found: dict[str, str] = {}
    if isinstance(value, dict):
        for key, one in value.items():
            found |= images(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            found |= images(one, f"{path}[{index}]")
    elif isinstance(value, str) and value and KNOWN.search(path):
        found[path] = value
    return found


def unique(one: dict[str, Any], number: int) -> dict[str, Any]:
    """The object under a name that no other has, without empty annotations and labels, which kustomize leaves out."""
    meta = {key: value for key, value in (one.get("metadata") or {}).items() if key != "generateName" and value}
    return {**one, "metadata": {**meta, "name": f"o{number}"}}


def kustomized(given: list[dict[str, Any]], folder: Path) -> dict[str, dict[str, Any]]:
    """What ``kubectl kustomize`` makes of the objects with one entry for each image's name."""
    names = sorted({named(text) for one in given for text in images(one).values()})
    entries = [{"name": name, "newName": moved(name)} for name in names]
    (folder / "objects.yaml").write_text("\n---\n".join(json.dumps(one) for one in given))
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": ["objects.yaml"], "images": entries}))
    done = subprocess.run([need("kubectl"), "kustomize", str(folder)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return {one["metadata"]["name"]: one for one in objects(done.stdout)}


def pods(one: object) -> Iterator[dict[str, Any]]:
    """The containers that ``set image`` looks at."""
    if isinstance(one, dict):
        for key, value in one.items():
            if key in ("containers", "initContainers") and isinstance(value, list):
                yield from value
            else:
                yield from pods(value)


def set_images(given: list[dict[str, Any]], form: str) -> dict[str, dict[str, Any]]:
    """What ``kubectl set image --local`` makes of the objects, every container called by a name of its own."""
    given = json.loads(json.dumps(given))
    wanted = []
    for number, container in enumerate(container for one in given for container in pods(one)):
        container["name"] = f"c{number}"
        if isinstance(container.get("image"), str):
            wanted.append(f"c{number}={moved(container['image'])}")
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": given})
    command = [need("kubectl"), "set", "image", "--local", "-f", "-", "-o", form, *wanted]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60, check=False)
    # It ends with 1 wherever an object lacks one of the containers, which here they all do.
    said = [line for line in done.stderr.decode().splitlines() if line and "unable to find container" not in line]
    assert said == []
    if form == "yaml":
        made = list(yaml.load_all(done.stdout, _LOADER))
    else:
        made, text, reader = [], done.stdout.decode().strip(), json.JSONDecoder()
        while text:
            one, end = reader.raw_decode(text)
            made, text = [*made, one], text[end:].lstrip()
    return {one["metadata"]["name"]: one for one in made}


def agree(found: list[Pair], folder: Path) -> int:
    """Compare with both programs; the number of images that were compared."""
    before = [unique(one.before, number) for number, one in enumerate(found)]
    after = [unique(one.after, number) for number, one in enumerate(found)]
    compared = 0
    said: dict[str, dict[str, Any]] = {}
    for begin in range(0, len(before), GROUP):
        said |= kustomized(before[begin : begin + GROUP], folder)
    assert len(said) == len(found)
    for number, one in enumerate(found):
        ours, theirs = after[number], said[f"o{number}"]
        assert images(ours) == images(theirs), one.where
        assert ours == theirs, one.where
        assert ours == before[number] or images(ours) != images(before[number]), one.where
        compared += len(images(ours))
    typed = [n for n, one in enumerate(before) if TYPED.fullmatch(f"{one['apiVersion']}/{one['kind']}")]
    for at, begin in enumerate(range(0, len(typed), GROUP)):
        group = typed[begin : begin + GROUP]
        made = set_images([before[number] for number in group], ("json", "yaml")[at % 2])
        for number in group:
            assert images(after[number]) == images(made[f"o{number}"]), found[number].where
            compared += len(images(after[number]))
    return compared


def test_the_samples(tmp_path: Path) -> None:
    files = sorted(SAMPLES.glob("*/*.yaml"))
    found = [pair for file in files for pair in pairs(file.read_bytes(), str(file))]
    assert agree(found, tmp_path) >= 2 * len(found) >= 12


# Generated: every workload and two others, every way to write a reference, in lists and alone.

PLACES = [
    ("v1", "Pod", "spec"),
    ("v1", "ReplicationController", "spec.template.spec"),
    ("apps/v1", "Deployment", "spec.template.spec"),
    ("apps/v1beta2", "StatefulSet", "spec.template.spec"),
    ("extensions/v1beta1", "DaemonSet", "spec.template.spec"),
    ("batch/v1", "Job", "spec.template.spec"),
    ("batch/v1beta1", "CronJob", "spec.jobTemplate.spec.template.spec"),
    ("v1", "PodTemplate", "template.spec"),
    ("example.com/v1", "Worker", "spec.deployment.spec.template.spec"),
    ("example.com/v1", "Bare", "spec"),
]
DIGEST = "sha256:" + "5d" * 32
SUFFIXES = ["", ":1", ":v1.14.4", ":1.10", "@" + DIGEST, ":2@" + DIGEST]
HOSTS = ["", "library/", "quay.io/a/", "localhost/", "localhost:5000/", "10.0.0.1:80/x/", "r.example/a.b/c__d/"]
WAYS: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: f"{text}   # {text}",
    lambda text: f"'{text}'",
    lambda text: f'"{text}"',
    lambda text: '"' + "".join(f"\\u{ord(sign):04x}" if sign in ":/@" else sign for sign in text) + '"',
    lambda text: f"|-\n        {text}",
    lambda text: f">- # c\n        {text}",
    lambda text: f"!!str {text}",
    lambda text: f"\n        {text}",
    lambda text: '"' + text[:1] + "\\\n          " + text[1:] + '"',
]


def generated(dice: random.Random, number: int) -> str:
    api, kind, below = dice.choice(PLACES)
    lines = [f"apiVersion: {api}", f"kind: {kind}", f"metadata: {{name: x{number}, labels: {{image: nginx}}}}"]
    keys = below.split(".")
    lines += ["  " * depth + f"{key}:" for depth, key in enumerate(keys)]
    text = "\n".join(lines) + "\n"
    inner = ""
    for key in ("initContainers", "containers")[dice.randrange(2) :]:
        inner += f"{key}:\n"
        for index in range(dice.randrange(1, 4)):
            reference = f"{dice.choice(HOSTS)}n{number}-{index}{dice.choice(SUFFIXES)}"
            image = f"image: {dice.choice(WAYS)(reference)}\n"
            name = f"name: {key.lower()}{index}\n"
            inner += "    - " + "      ".join(dice.sample([image, name, f"args: [--of={reference}]\n"], 3))
    return text + "".join("  " * len(keys) + line for line in inner.splitlines(keepends=True))


def listed(documents: list[str]) -> str:
    items = ["".join("  " + line for line in one.splitlines(keepends=True)) for one in documents]
    return "kind: List\napiVersion: v1\nitems:\n" + "".join("-" + one[1:] for one in items)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_generated_pods(tmp_path: Path, newline: str) -> None:
    dice = random.Random(newline)
    documents = [generated(dice, number) for number in range(36)]
    written = "\n---\n".join([*documents[:24], listed(documents[24:30])]).replace("\n", newline).encode()
    as_json = json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": objects("\n---\n".join(documents[30:]).encode())}
    )
    found = [*pairs(b"\xef\xbb\xbf" + written, "x.yaml"), *pairs(as_json.replace("/", "\\/").encode(), "x.json")]
    assert len(found) == 36
    assert agree(found, tmp_path) > 100


@pytest.mark.skipif(not os.environ.get("AIRGAP_CORPUS"), reason="AIRGAP_CORPUS is not set: no corpus of real files")
@pytest.mark.long
def test_the_corpus(tmp_path: Path, corpus: Path) -> None:
    found: list[Pair] = []
    for file in sorted((corpus / "files").rglob("*")):
        content = file.read_bytes() if file.is_file() else b""
        if b"ontainers:" in content or b'ontainers"' in content:
            try:
                found += pairs(content, str(file.relative_to(corpus)))
            except ResourceError:
                assert b"{{" in content  # a template that was not rendered; tests/kube/test_corpus.py looks at those
    assert agree(found, tmp_path) > 200
