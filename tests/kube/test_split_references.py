# SPDX-License-Identifier: Apache-2.0
"""References split over keys: joined as templates join them, and each part written back under its own key."""

from __future__ import annotations

import itertools

import pytest
import yaml

from airgap.errors import ResourceError
from airgap.kube import revert_content, rewrite_content, scan
from tests.kube.support import only

pytestmark = pytest.mark.usefixtures("parser")

DIGEST = "sha256:" + "0" * 64
TARGET = "t.example:5000/p"


def moved(content: str, policy: str = "basename") -> str:
    """``content`` with every image below TARGET, by its last path element or its whole path; read again and undone."""
    sites = scan(content.encode(), "x.yaml").sites
    pairs = []
    for site in sites:
        name = site.reference.repository
        name = name.rpartition("/")[2] if policy == "basename" else name
        pairs.append((site, str(site.reference).replace(site.reference.name, f"{TARGET}/{name}", 1)))
    done = rewrite_content(content.encode(), pairs)
    again = scan(done.content, "x.yaml").sites
    assert [str(site.reference) for site in again] == [new for _, new in pairs]
    assert revert_content(done.content, done.edits).decode() == content
    return done.content.decode()


VALUES = [
    # registry, repository, tag: each under its key, the registry alone in its own
    (
        "image:\n  registry: docker.io # r\n  repository: bitnami/kafka\n  tag: 4.0.0-r10\n",
        "docker.io/bitnami/kafka:4.0.0-r10",
        "image:\n  registry: t.example:5000 # r\n  repository: p/kafka\n  tag: 4.0.0-r10\n",
    ),
    # no registry's key: the name gets it all, the tag stays, whatever YAML thinks it is
    (
        "image: {repository: quay.io/a/b, tag: 1.10}\n",
        "quay.io/a/b:1.10",
        "image: {repository: t.example:5000/p/b, tag: 1.10}\n",
    ),
    ("image: redis\nimageTag: '5.0'\n", "docker.io/library/redis:5.0", f"image: {TARGET}/redis\nimageTag: '5.0'\n"),
    # an empty registry is none; a digest has a key of its own
    (
        f"image: {{registry: '', repository: a/b, tag: '', digest: '{DIGEST}'}}\n",
        f"docker.io/a/b@{DIGEST}",
        f"image: {{registry: '', repository: {TARGET}/b, tag: '', digest: '{DIGEST}'}}\n",
    ),
    # a registry for all stands in for a missing one, and beside the same one both move
    (
        "global: {imageRegistry: g.example}\nweb:\n  image: {repository: a/b, tag: v1}\n",
        "g.example/a/b:v1",
        "global: {imageRegistry: t.example:5000}\nweb:\n  image: {repository: p/b, tag: v1}\n",
    ),
    (
        "global: {imageRegistry: g.example}\nweb:\n  image: {registry: g.example, repository: a/b, tag: v1}\n",
        "g.example/a/b:v1",
        "global: {imageRegistry: t.example:5000}\nweb:\n"
        "  image: {registry: t.example:5000, repository: p/b, tag: v1}\n",
    ),
    # one word stays one word, since templates take a name with a slash for a whole reference
    (
        "global: {hub: gcr.io/istio, tag: '1.2'}\npilot: {image: pilot}\n",
        "gcr.io/istio/pilot:1.2",
        f"global: {{hub: {TARGET}, tag: '1.2'}}\npilot: {{image: pilot}}\n",
    ),
    # repository as the registry of a name
    (
        "driver: {repository: nvcr.io/nvidia, image: driver, version: '535'}\n",
        "nvcr.io/nvidia/driver:535",
        f"driver: {{repository: {TARGET}, image: driver, version: '535'}}\n",
    ),
    # parts that are called alike
    (
        "initImage: quay.io/a/b\ninitImageTag: v1\ntag: other\n",
        "quay.io/a/b:v1",
        f"initImage: {TARGET}/b\ninitImageTag: v1\ntag: other\n",
    ),
    # what begins with a slash keeps it
    (
        "image:\n  baseRepo: registry.k8s.io\n  a: {repository: /sig/a, tag: v1}\n",
        "registry.k8s.io/sig/a:v1",
        "image:\n  baseRepo: t.example:5000\n  a: {repository: /p/a, tag: v1}\n",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "image", "after"), VALUES)
def test_values(values: str, image: str, after: str) -> None:
    assert str(only(values.encode()).reference) == image
    assert moved(values) == after


def test_a_tag_that_stands_nowhere_is_not_guessed() -> None:
    for values in (
        "image: {repository: quay.io/a/b, tag: ''}\n",
        "image: {registry: quay.io, repository: a/b}\n",
        "image: quay.io/a/b\nimageTag:\n",
    ):
        found = scan(values.encode(), "x")
        assert found.sites == ()
        assert "appVersion" in found.misses[0].reason
    assert str(only(b"image: quay.io/a/b\n").reference) == "quay.io/a/b:latest"


@pytest.mark.parametrize(
    "text",
    [
        "source: {repository: 'https://github.com/a/b', tag: v1}",
        "imageRepository: registry.k8s.io\nimageTag: v1",
        "logo: {image: logo.png}",
        "osImage: quay/os:1",
        "allowedImages: [a/b:1]",
        "imagePullPolicy: Always\nimagePullSecret: a/b:1",
    ],
)
def test_what_only_sounds_like_it(text: str) -> None:
    assert scan(f"{text}\n".encode(), "x").sites == ()


def test_a_shared_registry_can_be_only_one() -> None:
    content = b"hub: q.io/x\nimage1: {image: a, tag: '1'}\nimage2: {image: b, tag: '2'}\n"
    first, second = scan(content, "x.yaml").sites
    both = rewrite_content(content, [(first, "t.example/p/a:1"), (second, "t.example/p/b:2")])
    assert both.content == content.replace(b"q.io/x", b"t.example/p")
    with pytest.raises(ResourceError, match=r"^x\.yaml:2: .*several images"):
        rewrite_content(content, [(first, "t.example/p/a:1"), (second, "q.io/x/b:2")])


def test_a_digest_without_a_key_goes_behind_the_tag() -> None:
    content = b"image: {repository: a/b, tag: v1}\n"
    done = rewrite_content(content, [(only(content), f"t.example/b:v1@{DIGEST}")])
    assert done.content == f"image: {{repository: t.example/b, tag: v1@{DIGEST}}}\n".encode()


def test_a_key_for_a_digest_needs_one() -> None:
    content = f"image:\n  repository: a/b\n  tag: v1\n  digest: {DIGEST}\n".encode()
    with pytest.raises(ResourceError, match=r"^x\.yaml:4: t\.example/b:v1 has no digest for the key that holds one"):
        rewrite_content(content, [(only(content), "t.example/b:v1")])


def test_a_tag_in_the_name_stays_there_with_the_digest_behind_it() -> None:
    content = b"image: {registry: q.io, repository: 'a/b:v1'}\n"
    done = rewrite_content(content, [(only(content), f"t.example/p/b:v2@{DIGEST}")])
    assert done.content == f"image: {{registry: t.example, repository: 'p/b:v2@{DIGEST}'}}\n".encode()
    done = rewrite_content(content, [(only(content), "t.example/p/b:v2")])
    assert done.content == b"image: {registry: t.example, repository: 'p/b:v2'}\n"


KUSTOMIZATIONS = [
    ("- name: a\n  newName: q.io/a\n  newTag: v1\n", "- name: a\n  newName: {}/a\n  newTag: v1\n"),
    ("- name: q.io/x/a # note\n  newTag: v1\n", "- newName: {}/a\n  name: q.io/x/a # note\n  newTag: v1\n"),
    ("- newTag: v1\n  name: q.io/a\n", "- newTag: v1\n  newName: {}/a\n  name: q.io/a\n"),
    ("- {name: q.io/a, newTag: v1}\n", "- {newName: {}/a, name: q.io/a, newTag: v1}\n"),
    (f"- name: q.io/a\n  digest: {DIGEST}\n", f"- newName: {{}}/a\n  name: q.io/a\n  digest: {DIGEST}\n"),
]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("head", ["", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"])
@pytest.mark.parametrize(("entry", "after"), KUSTOMIZATIONS)
def test_kustomizations(entry: str, after: str, head: str, newline: str) -> None:
    content = f"{head}resources: [a.yaml]\nimages:\n{entry}".replace("\n", newline)
    assert only(content.encode()).kind == "kustomize"
    expected = f"{head}resources: [a.yaml]\nimages:\n" + after.replace("{}/", f"{TARGET}/")
    assert moved(content) == expected.replace("\n", newline)


def test_a_kustomization_in_json() -> None:
    content = '{"images": [{"name": "q.io/a", "newTag": "v1"}]}'
    assert moved(content) == '{"images": [{"newName": "t.example:5000/p/a", "name": "q.io/a", "newTag": "v1"}]}'


def test_a_new_name_without_a_tag_leaves_it_to_another_file() -> None:
    found = scan(b"images:\n- name: a\n  newName: q.io/x/a\n", "x")
    assert found.sites == ()
    assert "another file" in found.misses[0].reason


@pytest.mark.parametrize("host", ["t.example:5000", "[::1]:5000"])
def test_what_is_inserted_is_quoted_where_yaml_needs_it(host: str) -> None:
    """An address in brackets begins a list."""
    for name, flow in itertools.product(("q.io/a", "'q.io/a'"), (False, True)):
        entry = f"{{name: {name}, newTag: v1}}" if flow else f"name: {name}\n  newTag: v1"
        content = f"kind: Kustomization\nimages:\n- {entry}\n".encode()
        (site,) = scan(content, "x").sites
        after = rewrite_content(content, [(site, f"{host}/p/a:v1")]).content
        assert yaml.safe_load(after)["images"] == [{"name": "q.io/a", "newName": f"{host}/p/a", "newTag": "v1"}]
        assert (f"newName: {host}/p/a".encode() in after) == (host[0] != "[")
