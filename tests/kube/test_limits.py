# SPDX-License-Identifier: Apache-2.0
"""Hostile and merely large input: what is refused and how, and that nothing grows beyond its measure."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable

import pytest

from airgap.errors import ResourceError
from airgap.kube import revert_content, rewrite_content, scan
from airgap.kube.parse import json_events, yaml_events
from airgap.kube.parse.source import Source
from tests.kube.shapes import DATA, SHAPES, scanned_and_rewritten
from tests.kube.support import NEW, only, pod, texts
from tests.parts.steps import steps


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"a: [1\nb: 2\n", 2, "not valid YAML"),
        (b"a: 1\n b: 2\n", 2, "not valid YAML"),
        (b"a: *nobody\n\tb: 1\n", 2, "not valid YAML"),
        (b"a: 'x\n", 2, "not valid YAML"),
        (b"a: b\nc: \x07\n", 2, "0x07 is not allowed"),
        (b"a: b\n\nc: \xff\n", 3, "not UTF-8"),
        (b"a" * 70000 + b"\n\xc3", 2, "not UTF-8"),
        (b"\n" * 65535 + b"\xe2\x82", 65536, "not UTF-8"),
        ("a: b\n".encode("utf-16"), 1, "UTF-16"),
        ("a: b\n".encode("utf-16-be"), 1, "UTF-16"),
        (b'a: "\\ud800"\nb: "\\U00110000"\n', 2, "not valid YAML"),
        (b"%YAML 1" + b"1" * 5000 + b"\na: b\n", 1, "not valid YAML"),
    ],
)
def test_what_does_not_parse_is_refused_with_its_line(content: bytes, line: int, what: str) -> None:
    with pytest.raises(ResourceError, match=what) as caught:
        scan(content, "d/x.yaml")
    assert caught.value.exit_code == 10
    where = caught.value.where or ""
    assert where.startswith("d/x.yaml:")
    assert abs(int(where.rpartition(":")[2]) - line) <= 1  # the two parsers see it a line apart
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("parser")
def test_a_template_is_told_to_be_filled_in() -> None:
    with pytest.raises(ResourceError) as caught:
        scan(b"metadata:\n  labels:\n    {{- include x . }}\n", "x.yaml")
    assert "template" in (caught.value.hint or "")
    assert "helm" not in (caught.value.hint or "")  # only a folder with Chart.yaml shows whose template it is
    with pytest.raises(ResourceError) as caught:
        scan(b"a: [\n", "x.yaml")
    assert "template" not in (caught.value.hint or "")


@pytest.mark.parametrize(
    "content",
    [b'{"a": 1,}', b'{"a" 1}', b'{"a": "\x01"}', b'{"a": "b}', b'[1 2]', b'{"a": \\', b'{"a":1]', b'{"a"}', b"{1: 2} x",
     b'{"a": [}', b'[,1]', b'{"a": 01e}', b'["\\x"]'],
)  # fmt: skip
def test_json_that_is_none(content: bytes) -> None:
    with pytest.raises(json_events.NotJSON):
        list(json_events.parse(Source(content, "x")))


def test_json_by_the_line() -> None:
    with pytest.raises(ResourceError, match=r"^x\.json:3: not valid JSON"):
        scan(b'{\n"a": 1,\n"b": ]\n}', "x.json")


def test_several_json_values() -> None:
    one = b'{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"a"}]}}'
    assert [(site.text, site.document) for site in scan(one + b"\n" + one, "x").sites] == [("a", 1), ("a", 2)]


def test_flow_yaml_that_is_no_json() -> None:
    assert texts(scan(b"{apiVersion: v1, kind: Pod, spec: {containers: [{image: a}]}}", "x")) == ["a"]
    assert texts(scan(b'{"a": 1}\n---\n' + pod(b"  - image: a\n"), "x")) == ["a"]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"{a: " * 100_000,
        b"- " * 100_000,
        b"? " * 5_000,
        b"[" * 2_000 + b"]" * 2_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"".join(b" " * depth + b"a:\n" for depth in range(2_000)),
    ],
    ids=["brackets", "braces", "dashes", "questions", "closed", "json", "indented"],
)
def test_depth_is_refused_and_crashes_nothing(content: bytes) -> None:
    with pytest.raises(ResourceError):
        scan(content, "x")


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("parser", ["libyaml", pytest.param("pure", marks=pytest.mark.long)], indirect=True)
@pytest.mark.parametrize(
    "inner",
    [
        "[" * 10_000 + "{image: q.io/a:1}",
        '{"a":' * 10_000 + '{"image":"q.io/a:1"}' + "}" * 10_000,
        "- " * 10_000 + "image: q.io/a:1",
        "? " * 5_000 + "image: q.io/a:1",
        "".join(" " * depth + "a:\n" for depth in range(2_000)) + " " * 2_000 + "image: q.io/a:1",
    ],
    ids=["brackets", "json", "dashes", "questions", "indented"],
)
def test_depth_inside_a_value_is_no_document_and_no_error(inner: str) -> None:
    content = DATA + b"  worker-image: q.io/b:1\n  k: " + json.dumps(f"# image\n{inner}\n").encode() + b"\n"
    found = scan(content, "x")
    assert "q.io/b:1" in texts(found)
    assert {site.text for site in found.sites} <= {"q.io/a:1", "q.io/b:1"}
    done = rewrite_content(content, [(site, NEW) for site in found.sites])
    assert revert_content(done.content, done.edits) == content


@pytest.mark.usefixtures("parser")
def test_a_deep_file_within_the_limit_is_read() -> None:
    assert only(b"[" * 900 + b"{image: q/a:1}" + b"]" * 900).path == "[0]" * 900 + ".image"


@pytest.mark.usefixtures("parser")
def test_aliases_are_not_expanded() -> None:
    lines = [b"a0: &a0 [x, x]"] + [
        b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 60)
    ]
    assert scan(b"\n".join(lines), "x").sites == ()


def test_both_parsers_see_the_same() -> None:
    content = """\
# é
a: &x !!str  'b''c'	# tab
"k\\u00e9": [1, {b: c, d: *x, e: "x\\
   y"}, ! z]
? [complex]
: |2-
    text

   more
f: >+
  a
  b

   c

...
%YAML 1.1
---
plain
 over lines
""".encode()
    source = Source(content, "x")
    native, pure = list(yaml_events.parse(source)), list(yaml_events.parse(source, pure=True))
    assert native == pure
    assert len(native) > 20


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_time_grows_with_size_alone(shape: Callable[[int], bytes]) -> None:
    """Ten times the size is some ten times the steps, not a hundred. bench/growth.py measures seconds, which also tell
    of time that is spent in C."""
    small, large = shape(100), shape(1_000)
    scanned_and_rewritten(small)
    once, ten_times = steps(lambda: scanned_and_rewritten(small)), steps(lambda: scanned_and_rewritten(large))
    assert ten_times < 20 * once


def test_memory_stays_flat() -> None:
    """A large file of many objects costs little more than itself: only the open object's spots are kept."""
    item = b"---\n" + pod(b"  - image: q.io/a/b:1\n    env:\n" + b"    - {name: A, value: some text}\n" * 150)
    content = item * 40
    tracemalloc.start()
    try:
        assert len(scan(content, "x").sites) == 40
        assert tracemalloc.get_traced_memory()[1] < len(content) / 2 + 2_000_000
    finally:
        tracemalloc.stop()
