# SPDX-License-Identifier: Apache-2.0
"""The proof of a rewriting: ``rewrite`` refuses a splice that would change more than the values that were to change,
and says where. Sites that claim bytes of something else make such splices."""

from __future__ import annotations

import json

import pytest

from airgap.errors import ResourceError
from airgap.kube import Site, rewrite_content, scan
from tests.kube.support import only, pod

pytestmark = pytest.mark.usefixtures("parser")

MORE = "would change more than the image"


def lying(content: bytes, site: Site, other: bytes) -> list[tuple[Site, str]]:
    """Two sites by which ``nginx`` becomes ``newx``: the first writes ``new`` in place of ``ngin``; the second claims
    to write the ``x`` behind it, but writes it over the last character of ``other``."""
    (part,) = site.parts
    assert part.value == "nginx"
    assert content.count(other) == 1
    shift = part.document_span[0] - part.span[0]
    (begin, end), place = part.span, content.index(other) + len(other) - 1
    span, document_span = (begin, end - 1), (begin + shift, end - 1 + shift)
    first = part._replace(span=span, document_span=document_span, text="ngin", value="ngin")
    text = content[place : place + 1].decode()
    second = part._replace(
        span=(place, place + 1),
        document_span=(place + shift, place + 1 + shift),
        text=text,
        value=text,
        value_span=(5, 5),
    )
    return [(site._replace(parts=(first,)), "new"), (site._replace(parts=(second,)), "x")]


OTHERS = {
    "value": (b"    name: y\n", b"name: y"),
    "quoted value": (b"    name: 'y'\n", b"name: 'y"),
    "key": (b"    y: 1\n", b"    y"),
    "anchor of a scalar": (b"    name: &y 1\n", b"&y"),
    "anchor of a mapping": (b"    name: &y {}\n", b"&y"),
    "anchor of a list": (b"    name: &y []\n", b"&y"),
    "tag of a scalar": (b"    name: !y 1\n", b"!y"),
    "tag of a mapping": (b"    name: !y {}\n", b"!y"),
    "tag of a list": (b"    name: !y []\n", b"!y"),
    "alias": (b"    a: &x 1\n    b: &y 1\n    name: *y\n", b"*y"),
}


@pytest.mark.parametrize(("lines", "other"), OTHERS.values(), ids=OTHERS.keys())
def test_everything_but_the_image_stays(lines: bytes, other: bytes) -> None:
    content = pod(b'  - image: "nginx"\n' + lines)
    sites = lying(content, only(content), other)
    with pytest.raises(ResourceError, match=MORE) as caught:
        rewrite_content(content, sites)
    line = content[: content.index(other)].count(b"\n") + 1 + (other[:1] == b"\n")
    assert str(caught.value).startswith(f"x.yaml:{line}: ")


def test_everything_but_the_image_stays_in_json() -> None:
    content = json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "nginx", "name": "y"}]}}
    ).encode()
    with pytest.raises(ResourceError, match=MORE):
        rewrite_content(content, lying(content, only(content), b'"y'))


@pytest.mark.parametrize(("lines", "other"), OTHERS.values(), ids=OTHERS.keys())
def test_everything_but_the_image_stays_in_a_document_inside_a_value(lines: bytes, other: bytes) -> None:
    inner = pod(b'  - image: "nginx"\n' + lines).decode().splitlines(keepends=True)
    content = b"apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n"
    content += "".join(f"   {line}" for line in inner).encode()
    (site,) = scan(content, "x.yaml").sites
    (first, new), (second, x) = lying(content, site, other)
    (part,) = second.parts
    document = part.scalar.document.encode()
    place = document.index(other) + len(other) - 1
    second = second._replace(parts=(part._replace(document_span=(place, place + 1)),))
    with pytest.raises(ResourceError, match=MORE) as caught:
        rewrite_content(content, [(first, new), (second, x)])
    assert str(caught.value).startswith(f"x.yaml:{site.line}: ")


@pytest.mark.parametrize("property_", [b"&a", b"!!str", b"&a !!str"])
def test_the_anchor_and_the_tag_of_the_image_itself_stay(property_: bytes) -> None:
    """A site whose scalar begins before them."""
    content = pod(b"  - image: " + property_ + b" nginx\n")
    site = only(content)
    (part,) = site.parts
    span = (content.index(property_), part.span[1])
    scalar = part.scalar._replace(start=span[0])
    claimed = part._replace(span=span, document_span=span, text=content[slice(*span)].decode(), scalar=scalar)
    with pytest.raises(ResourceError, match=rf"^x\.yaml:5: .*{MORE}"):
        rewrite_content(content, [(site._replace(parts=(claimed,)), "new")])


def test_the_value_is_what_was_to_be_written() -> None:
    """A site that leaves a character of its value standing."""
    content = pod(b'  - image: "nginx"\n')
    site = only(content)
    (part,) = site.parts
    short = (part.span[0], part.span[1] - 1)
    claimed = part._replace(span=short, document_span=short, text="ngin")
    with pytest.raises(ResourceError, match=MORE):
        rewrite_content(content, [(site._replace(parts=(claimed,)), "new")])


def test_json_stays_json() -> None:
    """A site that claims the last brace of the document too."""
    pod_in_json = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "nginx", "name": "y"}]}}
    content = json.dumps(pod_in_json).encode()
    first, second = lying(content, only(content), b"}]}}")
    with pytest.raises(ResourceError, match=r"^x\.yaml:1: rewriting would not leave valid JSON"):
        rewrite_content(content, [first, second])
