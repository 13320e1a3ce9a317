# SPDX-License-Identifier: Apache-2.0
"""Documents and settings inside values: found at any depth, rewritten through every escape and fold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.kube import revert_content, rewrite_content, scan
from tests.kube.support import NEW, texts

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n{}"
INNER = "spec:\n  containers:\n  - name: a\n    image: q.io/a/b:1 # why\n    args: [--x-image=q.io/c/d:2]\n"


def indented(text: str, by: int) -> str:
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


def turned(content: bytes, new: str = NEW) -> bytes:
    sites = scan(content, "x.yaml").sites
    done = rewrite_content(content, [(site, new) for site in sites])
    assert [str(site.reference) for site in scan(done.content, "x.yaml").sites] == [new] * len(sites)
    assert revert_content(done.content, done.edits) == content
    return done.content


WAYS = {
    "literal": "  k: |\n" + indented(INNER, 4),
    "keep": "  k: |2+\n" + indented(INNER, 4) + "\n\n",
    "double": f"  k: {json.dumps(INNER)}\n",
    "single": "  k: '" + json.dumps({"image": "q.io/a/b:1", "initImage": "q.io/c/d:2", "é": 1}) + "'\n",
    "json in double": "  k: " + json.dumps(json.dumps({"image": "q.io/a/b:1", "initImage": "q.io/c/d:2"})) + "\n",
    "folded": '  k: >\n    {"image": "q.io/a/b:1",\n    "initImage":\n    "q.io/c/d:2"}\n',
    "twice": "  k: |\n    a: |\n" + indented(INNER, 6),
    "yaml in json in yaml": "  k: " + json.dumps(json.dumps({"x": INNER})) + "\n",
    "crlf": ("  k: |\n" + indented(INNER, 4)).replace("\n", "\r\n"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_hold_a_document(way: str) -> None:
    content = ("\ufeff" + CONFIG.format(WAYS[way])).encode()
    found = scan(content, "x")
    assert texts(found) == ["q.io/a/b:1", "q.io/c/d:2"]
    assert {site.kind for site in found.sites} == {"embedded"}
    for site in found.sites:
        ((start, end),) = site.spans
        assert content[start:end].decode() == site.text
        assert site.line == content[:start].count(b"\n") + 1
    expected = content.replace(b"q.io/a/b:1", NEW.encode()).replace(b"q.io/c/d:2", NEW.encode())
    assert turned(content) == expected


def test_what_the_inner_document_must_quote_is_quoted_for_both() -> None:
    content = CONFIG.format('  k: "x: {image: q.io/a:1}\\n"\n').encode()
    new = "[::1]:5000/a:1"
    done = rewrite_content(content, [(site, new) for site in scan(content, "x").sites])
    assert b"image: '[::1]:5000/a:1'" in done.content
    assert texts(scan(done.content, "x")) == [new]


SETTINGS = """\
# image = q.io/no/comment:1
[plugins]
  sandbox_image = "q.io/pause:3.9"   # inline
helper.image: q.io/helper:1
export TOOL_IMAGE=q.io/tool:2
versions=
1.2=q.io/by/version:1.2
server = q.io/shape:1
url = https://q.io/no:1
docker run --rm --sidecar-image=q.io/flag:1 {{ template }}
"""


def test_settings_a_line() -> None:
    content = CONFIG.format("  app.toml: |\n" + indented(SETTINGS, 4)).encode()
    found = scan(content, "x")
    assert texts(found) == [
        "q.io/pause:3.9", "q.io/helper:1", "q.io/tool:2", "q.io/by/version:1.2", "q.io/shape:1", "q.io/flag:1",
    ]  # fmt: skip
    assert {site.confidence for site in found.sites} == {"likely", "possible"}
    assert turned(content).count(NEW.encode()) == 6


def test_keys_of_a_config_map() -> None:
    content = CONFIG.format(
        "  worker-image: q.io/a:1\n  a.repository: q.io/b\n  a.tag: '1'\n  mode: image\n  policy.image: Always\n"
        "  other: q.io/c:1\n  _example: |\n    image: q.io/no:1\n"
    ).encode()
    assert [str(site.reference) for site in scan(content, "x").sites] == ["q.io/a:1", "q.io/b:1", "q.io/c:1"]


def test_secrets_data_is_not_touched_and_their_text_is() -> None:
    head = b"apiVersion: v1\nkind: Secret\n"
    assert texts(scan(head + b"stringData: {x-image: q.io/a:1}\n", "x")) == ["q.io/a:1"]
    assert scan(head + b"data: {x-image: cS5pby9hOjE=}\n", "x").sites == ()


def test_prose_and_schemas_name_nothing() -> None:
    content = b"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  versions:
  - schema:
      openAPIV3Schema:
        properties:
          image:
            default: q.io/a/default:1
            description: |
              image: q.io/a/no:1
            example: q.io/a/no:2
"""
    found = scan(content, "x")
    assert [(site.text, site.rule) for site in found.sites] == [("q.io/a/default:1", "schema-default")]


def test_other_places() -> None:
    content = b"""\
apiVersion: example.com/v1
kind: Thing
metadata:
  annotations:
    a.example/proxyImage: q.io/annotated:1
    kubectl.kubernetes.io/last: '{"spec": {"image": "q.io/json:1"}}'
    containerImage: q.io/shown:1
spec:
  sidecarImage: a/b
  imageRef: q.io/c/d
  images: [q.io/e:1, name=q.io/f:2]
  named: {images: {one: g/h:1}}
  from: {kind: DockerImage, name: i:1}
  url: docker://j/k:1
  params: [{name: builder-image, value: l/m:1}, {name: url, value: n/o:1}]
"""
    assert texts(scan(content, "x")) == [
        "q.io/annotated:1", "q.io/json:1", "a/b", "q.io/c/d", "q.io/e:1", "q.io/f:2", "g/h:1", "i:1", "j/k:1", "l/m:1",
    ]  # fmt: skip


def test_a_package() -> None:
    content = "apiVersion: {}\nkind: Provider\nspec: {{package: 'xpkg.example/a/b:v1'}}\n"
    (site,) = scan(content.format("pkg.crossplane.io/v1").encode(), "x").sites
    assert (site.rule, site.confidence) == ("package", "likely")
    (site,) = scan(content.format("x.example/v1").encode(), "x").sites
    assert site.confidence == "possible"


def test_no_depth_is_endless() -> None:
    value = "image: q.io/a:1\nb: 1\n"
    for _ in range(14):
        value = json.dumps({"image": value}) if len(value) < 60_000 else value
    content = CONFIG.format("  k: " + json.dumps(value)).encode()
    assert scan(content, "x").sites == ()


scalars = st.sampled_from(["q.io/a:1", "b", "é", "x: y", "{", "'", '"', "#", "\n", "\t", "😀", "image", "- ", "\\"])


entries_of = st.lists(st.tuples(st.sampled_from(["image", "k", "aImage"]), st.lists(scalars).map("".join)))


@settings(deadline=None, max_examples=60)
@given(entries_of, st.integers(1, 3))
def test_generated(entries: list[tuple[str, str]], depth: int) -> None:
    value: object = dict(entries) | {"image": "q.io/z:1"}
    for level in range(depth):
        text = json.dumps(value, ensure_ascii=level % 2 == 0, indent=level or None)
        value = {"data": text}
    content = ("apiVersion: v1\nkind: ConfigMap\ndata: {k: " + json.dumps(json.dumps(value)) + "}\n").encode()
    found = scan(content, "x")
    assert any(site.text == "q.io/z:1" for site in found.sites)
    assert rewrite_content(content, [(site, site.text) for site in found.sites]).content == content
    turned(content)


LAST = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.mark.parametrize("image", ["q.io/a:1", "q.io/a:0", "bad image"])
def test_what_was_applied_last_is_only_possible(image: str) -> None:
    """What lives is certain; what was is a past state, which kubectl compares with, and never an error."""
    import json

    past = json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        }
    )
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "annotations": {LAST: past + "\n"}},
        "spec": {"template": {"spec": {"containers": [{"image": "q.io/a:1"}]}}},
    }
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": [live]}).encode()
    found = scan(content, "x.json")
    *past_sites, site = found.sites
    assert (site.rule, site.confidence, site.text) == ("pod-container", "certain", "q.io/a:1")
    assert [(one.rule, one.confidence, one.value) for one in past_sites] == (
        [] if " " in image else [("last-applied", "possible", image)]
    )
    new = "t.example:5000/p/a:9"
    written = json.loads(rewrite_content(content, [(one, new) for one in found.sites]).content)
    (now,) = written["items"]
    assert now["spec"]["template"]["spec"]["containers"] == [{"image": new}]
    before = json.loads(now["metadata"]["annotations"][LAST])
    assert before["spec"]["template"]["spec"]["containers"] == [{"image": image if " " in image else new}]


def test_settings_in_that_name_elsewhere_are_what_they_are() -> None:
    content = f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: a}}
data:
  {LAST}: |
    image: q.io/a:1
"""
    (site,) = scan(content.encode(), "x").sites
    assert site.confidence == "likely"


def test_a_value_that_utf8_cannot_hold_is_no_document() -> None:
    """JSON may escape half of a surrogate pair; the rest of the file is read all the same."""
    content = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "image: q.io/a/b:1\n\ud800: 1"}})
    pod = '{"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"image": "q.io/c/d:2"}]}}'
    listed = f'{{"apiVersion": "v1", "kind": "List", "items": [{content}, {pod}]}}'
    assert [str(site.reference) for site in scan(listed.encode(), "x.json").sites] == ["q.io/c/d:2"]


def test_a_document_in_a_variable_that_says_nothing_itself() -> None:
    content = b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - env:\n"
    content += b'    - {name: CONFIG, value: \' {"worker": {"image": "redis:7"}}\'}\n'
    assert texts(scan(content, "x")) == ["redis:7"]
