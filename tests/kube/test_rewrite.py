# SPDX-License-Identifier: Apache-2.0
"""Rewriting: byte-exact cases for every style that a value can be written in, and what is refused."""

from __future__ import annotations

import json

import pytest

from airgap.errors import ResourceError
from airgap.kube import Edit, revert_content, rewrite_content, scan
from airgap.records import as_dict
from tests.kube.support import NEW, only, pod, replaced

IPV6 = "[::1]:5000/x:1"

pytestmark = pytest.mark.usefixtures("parser")


def test_the_line_that_must_always_work() -> None:
    content = pod(b'  - name: x\n    image: "quay.io/jetstack/cert-manager-cainjector:v1.14.4"\n')
    site = only(content)
    assert str(site.reference) == "quay.io/jetstack/cert-manager-cainjector:v1.14.4"
    done = rewrite_content(content, [(site, "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4")])
    assert done.content == pod(
        b'  - name: x\n    image: "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4"\n'
    )
    assert revert_content(done.content, done.edits) == content


# before, new text, after: each the whole of a container list, so that what surrounds a value is compared too.
STYLES = [
    ("plain", b"  - image: nginx\n", NEW, b"  - image: %s\n"),
    ("plain, comment", b"  - image: nginx   # nginx it is\n", NEW, b"  - image: %s   # nginx it is\n"),
    ("plain, tab and comment", b"  - image: nginx\t# c\n", NEW, b"  - image: %s\t# c\n"),
    ("plain, trailing blanks", b"  - image: nginx  \n    name: x\n", NEW, b"  - image: %s  \n    name: x\n"),
    ("plain, on the next line", b"  - image:\n      nginx\n", NEW, b"  - image:\n      %s\n"),
    ("single", b"  - image: 'nginx'\n", NEW, b"  - image: '%s'\n"),
    ("double", b'  - image: "nginx" # c\n', NEW, b'  - image: "%s" # c\n'),
    ("double, hexadecimal escape", b'  - image: "ngin\\x78"\n', NEW, b'  - image: "%s"\n'),
    ("double, unicode escapes", b'  - image: "\\u006eginx\\U0000003a1"\n', NEW, b'  - image: "%s"\n'),
    ("double, escaped line end", b'  - image: "quay.io/\\\n      a/b:1"\n', NEW, b'  - image: "%s"\n'),
    ("blanks inside quotes", b"  - image: ' nginx '\n", NEW, b"  - image: ' %s '\n"),
    ("literal", b"  - image: |-\n      nginx\n    name: x\n", NEW, b"  - image: |-\n      %s\n    name: x\n"),
    ("literal, clipped", b"  - image: |\n      nginx\n    name: x\n", NEW, b"  - image: |\n      %s\n    name: x\n"),
    ("folded, kept", b"  - image: >+\n      nginx\n\n    name: x\n", NEW, b"  - image: >+\n      %s\n\n    name: x\n"),
    ("folded, stripped", b"  - image: >- # c\n\n      nginx\n", NEW, b"  - image: >- # c\n\n      %s\n"),
    ("literal, indicator", b"  - image: |1-\n     nginx\n", NEW, b"  - image: |1-\n     %s\n"),
    ("anchor", b"  - image: &a nginx\n", NEW, b"  - image: &a %s\n"),
    ("tag", b"  - image: !!str nginx\n", NEW, b"  - image: !!str %s\n"),
    ("anchor, tag, line", b"  - image: &a !!str\n      'nginx'\n", NEW, b"  - image: &a !!str\n      '%s'\n"),
    ("anchor and alias", b"  - image: &a nginx\n  - image: *a\n", NEW, b"  - image: &a %s\n  - image: *a\n"),
    ("flow", b"  - {name: x, image: nginx}\n", NEW, b"  - {name: x, image: %s}\n"),
    ("flow, blank before the comma", b"  - { image: nginx , name: x }\n", NEW, b"  - { image: %s , name: x }\n"),
    ("flow, over lines", b"  - {image:\n      nginx,\n     name: x}\n", NEW,
     b"  - {image:\n      %s,\n     name: x}\n"),
    ("no line end", b"  - image: nginx", NEW, b"  - image: %s"),
    ("carriage returns", b"  - image: nginx\r\n    name: x\r\n", NEW, b"  - image: %s\r\n    name: x\r\n"),
    ("block with carriage returns", b"  - image: >-\r\n      nginx\r\n", NEW, b"  - image: >-\r\n      %s\r\n"),
    ("not ASCII before it", "  - {name: 'ü€😀', image: nginx}\n".encode(), NEW,
     "  - {name: 'ü€😀', image: %s}\n".encode()),
    ("plain cannot hold it", b"  - image: nginx # c\n", IPV6, b"  - image: '%s' # c\n"),
    ("flow cannot hold it", b"  - {image: nginx}\n", IPV6, b"  - {image: '%s'}\n"),
    ("anchored, quoted now", b"  - image: &a nginx\n  - image: *a\n", IPV6, b"  - image: &a '%s'\n  - image: *a\n"),
    ("quotes hold it", b'  - image: "nginx"\n', IPV6, b'  - image: "%s"\n'),
    ("a block holds it", b"  - image: |-\n      nginx\n", IPV6, b"  - image: |-\n      %s\n"),
    ("would be a number", b"  - image: nginx\n", "12:30", b"  - image: '%s'\n"),
    ("would be nothing", b"  - image: nginx\n", "null", b"  - image: '%s'\n"),
    ("would be a key", b"  - image: nginx\n", "nginx:", b"  - image: '%s'\n"),
    ("apostrophe", b"  - image: 'nginx'\n", "a'b", b"  - image: 'a''b'\n"),
    ("quote and backslash", b'  - image: "nginx"\n', 'a"b\\c', b'  - image: "a\\"b\\\\c"\n'),
    ("argument, plain", b"  - args:\n    - --x-image=q.io/a:1 # c\n", NEW, b"  - args:\n    - --x-image=%s # c\n"),
    ("argument, double", b'  - args: ["--x-image=q.io/a:1"]\n', NEW, b'  - args: ["--x-image=%s"]\n'),
    ("argument, single", b"  - args: ['it''s', 'it''s --image=q.io/a:1']\n", NEW,
     b"  - args: ['it''s', 'it''s --image=%s']\n"),
    ("argument, escapes around it", b'  - args: ["\\t--image=q.io\\/a:1\\n--n=\\u0031"]\n', NEW,
     b'  - args: ["\\t--image=%s\\n--n=\\u0031"]\n'),
    ("argument, next item", b"  - command: [x, --image, busybox]\n", NEW, b"  - command: [x, --image, %s]\n"),
    ("argument, quoted now", b"  - args: [a, --image=q.io/a:1]\n", IPV6, b"  - args: [a, '--image=%s']\n"),
    ("argument, plain holds it", b"  - args:\n    - --image=q.io/a:1\n", IPV6, b"  - args:\n    - --image=%s\n"),
    ("argument, apostrophe beside it", b"  - args: [x --image=q.io/a:1 it's]\n", IPV6,
     b"  - args: ['x --image=%s it''s']\n"),
    ("argument, literal", b"  - args:\n    - |\n      x \\\n        --image=q.io/a:1 \\\n      y\n", NEW,
     b"  - args:\n    - |\n      x \\\n        --image=%s \\\n      y\n"),
    ("argument, folded", b"  - args:\n    - >\n      x\n      --image=q.io/a:1\n\n      y\n", NEW,
     b"  - args:\n    - >\n      x\n      --image=%s\n\n      y\n"),
    ("argument, plain over lines", b"  - args:\n    - x\n      --image=q.io/a:1\n      y\n", NEW,
     b"  - args:\n    - x\n      --image=%s\n      y\n"),
    ("argument, folded with more indented lines",
     b"  - args:\n    - >\n      x\n\n        y\n      z\n         u\n\n\n      --image=q.io/a:1\n", NEW,
     b"  - args:\n    - >\n      x\n\n        y\n      z\n         u\n\n\n      --image=%s\n"),
    ("argument, double over paragraphs", b'  - args: ["x\n\n\n      \\n y\\\n\n      --image=q.io/a:1"]\n', NEW,
     b'  - args: ["x\n\n\n      \\n y\\\n\n      --image=%s"]\n'),
    ("argument, single over paragraphs", b"  - args: ['x\n\n      y  \n      --image=q.io/a:1']\n", NEW,
     b"  - args: ['x\n\n      y  \n      --image=%s']\n"),
    ("variable", b"  - env:\n    - {value: q.io/a, name: X_IMAGE}\n", NEW,
     b"  - env:\n    - {value: %s, name: X_IMAGE}\n"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "new", "after"), [case[1:] for case in STYLES], ids=[case[0] for case in STYLES])
def test_only_the_value_changes(before: bytes, new: str, after: bytes) -> None:
    content = pod(before)
    expected = pod(after.replace(b"%s", new.encode()))
    sites = scan(content, "x.yaml").sites
    assert sites
    done = rewrite_content(content, [(site, new) for site in sites])
    assert done.content == expected
    assert revert_content(done.content, done.edits) == content
    assert rewrite_content(content, [(site, site.text) for site in sites]).content == content
    bom = b"\xef\xbb\xbf"
    with_mark = bom + b"# \xe2\x82\xac\n---\n" + content
    assert replaced(with_mark, new) == bom + b"# \xe2\x82\xac\n---\n" + expected


@pytest.mark.parametrize("separators", [(",", ":"), (" , ", " : ")])
def test_json(separators: tuple[str, str]) -> None:
    made = json.dumps(
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "spec": {"containers": [{"image": "NAME", "args": ["\u20ac😀\t--image=ARG"]}]},
        },
        separators=separators,
    )
    content = made.replace("NAME", "quay.io\\/a\\u002fb:1").replace("ARG", "q.io\\/a:1").encode()
    assert [str(site.reference) for site in scan(content, "x.json").sites] == ["quay.io/a/b:1", "q.io/a:1"]
    assert replaced(content) == made.replace("NAME", NEW).replace("ARG", NEW).encode()
    assert replaced(content, IPV6) == made.replace("NAME", IPV6).replace("ARG", IPV6).encode()


def test_several_sites_in_one_value_and_several_documents() -> None:
    head = b"# first\n---\n"
    one = pod(b"  - image: a\n    args: [--image=b/c --y-image d/e:1 'x']\n")
    content = head + one + b"---\n" + one + b"...\n"
    sites = scan(content, "x.yaml").sites
    assert [(site.text, site.document) for site in sites] == [
        ("a", 1), ("b/c", 1), ("d/e:1", 1), ("a", 2), ("b/c", 2), ("d/e:1", 2),
    ]  # fmt: skip
    done = rewrite_content(content, [(site, f"r:5000/n{number}") for number, site in reversed(list(enumerate(sites)))])
    assert (
        done.content
        == head
        + b"---\n".join(
            pod(f"  - image: r:5000/n{n}\n    args: [--image=r:5000/n{n + 1} --y-image r:5000/n{n + 2} 'x']\n".encode())
            for n in (0, 3)
        )
        + b"...\n"
    )
    assert revert_content(done.content, done.edits) == content


def test_changes_survive_json_and_say_where() -> None:
    content = pod(b"  - image: nginx\n  - image: 'b/c:1'\n")
    done = rewrite_content(content, [(site, IPV6) for site in scan(content, "d/x.yaml").sites])
    assert [(change.file, change.line, change.before, change.after) for change in done.edits] == [
        ("d/x.yaml", 5, "nginx", f"'{IPV6}'"),
        ("d/x.yaml", 6, "b/c:1", IPV6),
    ]
    for change in done.edits:
        after = change.after.encode()
        assert done.content[change.offset : change.offset + len(after)] == after
    stored = json.loads(json.dumps([as_dict(change) for change in done.edits]))
    assert revert_content(done.content, [Edit(**one) for one in stored]) == content


def test_a_value_that_is_right_already_stays_as_it_is_written() -> None:
    content = pod(b'  - image: "quay.io\\/a/b:1"\n')
    assert rewrite_content(content, [(only(content), "quay.io/a/b:1")]).edits == ()


@pytest.mark.parametrize("new", ["", "a b", "a\nb", "a\tb", "a\x00", "\u2028"])
def test_a_new_text_is_one_printable_word(new: str) -> None:
    content = pod(b"  - image: nginx\n")
    with pytest.raises(ResourceError, match=r"^x\.yaml:5: .*not one printable word"):
        rewrite_content(content, [(only(content), new)])


def test_sites_belong_to_the_content_they_were_found_in() -> None:
    content = pod(b"  - image: nginx\n")
    site = only(content)
    with pytest.raises(ResourceError, match=r"^x\.yaml:5: 'nginx' does not stand here"):
        rewrite_content(b"# one more line\n" + content, [(site, NEW)])
    with pytest.raises(ResourceError, match="overlap"):
        rewrite_content(content, [(site, NEW), (site, "other")])


def test_a_splice_that_would_change_the_structure_is_caught() -> None:
    # A site that claims bytes of a comment: the text is there, the value is not.
    content = pod(b"  - image: nginx # nginx\n")
    site = only(content)
    start = content.rindex(b"nginx")
    span = (start, start + 5)
    (part,) = site.parts
    there = part._replace(span=span, document_span=span, scalar=part.scalar._replace(start=start, end=start + 5))
    moved = site._replace(parts=(there,))
    with pytest.raises(ResourceError, match="does not stand in this file"):
        rewrite_content(content, [(moved, NEW)])
    # One whose scalar says it may hold anything.
    lying = site._replace(parts=(part._replace(scalar=part.scalar._replace(style="|")),))
    with pytest.raises(ResourceError, match=r"^x\.yaml:5: "):
        rewrite_content(content, [(lying, IPV6)])


def test_revert_refuses_what_was_edited_since() -> None:
    content = pod(b"  - image: nginx\n")
    done = rewrite_content(content, [(only(content), NEW)])
    with pytest.raises(ResourceError, match=r"^x\.yaml:5: .*edited since"):
        revert_content(done.content.replace(b"my-docker-image", b"other"), done.edits)


@pytest.mark.parametrize("new", ["not a reference", "q.io/UPPER/b:1", "q.io/a/b:"])
def test_parts_need_a_reference_that_is_valid(new: str) -> None:
    content = b"image:\n  registry: quay.io\n  repository: a/b\n  tag: v1\n"
    with pytest.raises(ResourceError, match=r"^x\.yaml:3: (invalid image reference|.*not one printable word)"):
        rewrite_content(content, [(only(content), new)])
