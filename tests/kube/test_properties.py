# SPDX-License-Identifier: Apache-2.0
"""What holds for every file: identity is byte-identical, only spans change, rewriting again changes nothing,
and bytes that are no resource file end in a ResourceError."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airgap.errors import AirgapError, ResourceError
from airgap.kube import Rewritten, Scan, revert_content, rewrite_content, scan
from airgap.kube.parse import yaml_events
from airgap.kube.parse.source import Source
from tests.kube.support import POD, attempt, structure

NAMES = ["nginx", "quay.io/a/b:1", "a/b@sha256:" + "0" * 64, "localhost:5000/x", "10.0.0.1:80/y:2"]
TARGETS = ["10.100.0.102:32415/my/x:1", "[::1]:5000/x:1", "x", "12:30"]

quick = settings(deadline=None, max_examples=100)


def escaped(text: str, every: int) -> str:
    return "".join(f"\\x{ord(sign):02x}" if place % every == 0 else sign for place, sign in enumerate(text))


def quoted(text: str, style: int, indent: str) -> str:
    """One of the ways to write ``text`` (without line ends) as a value indented by ``indent``."""
    return [
        text,
        "'" + text + "'",
        '"' + text + '"',
        '"' + escaped(text, 3) + '"',
        '"' + text[:2] + f"\\\n{indent}  " + text[2:] + '"',
        f"|-\n{indent}{text}",
        f">\n\n{indent}{text}\n",
        f"&a{len(text)} {text}",
        f"!!str # note\n{indent}{text}",
        f"\n{indent}{text}",
    ][style]


@st.composite
def containers(draw: st.DrawFn) -> str:
    """A container as people, generators and spiteful testers write it."""
    name = draw(st.sampled_from(NAMES))
    note = draw(st.sampled_from(["", "  # note", "\t# tab", "   ", " # é€😀"]))
    lines = [f"  - name: {draw(st.sampled_from(['a', chr(39) + 'é' + chr(39), '😀']))}"]
    style = draw(st.integers(0, 9))
    lines.append("    image: " + quoted(name, style, "      ") + (note if style < 4 else ""))
    for flag in draw(st.lists(st.sampled_from(NAMES[1:]), max_size=2)):
        if lines[-1] != "    args:" and "    args:" not in lines:
            lines.append("    args:")
        lines.append("    - " + quoted(f"--x-image={flag}", draw(st.integers(0, 9)), "      "))
    if draw(st.booleans()):
        lines.append(
            f"    env: [{{name: A_IMAGE, value: {draw(st.sampled_from([chr(34) + n + chr(34) for n in NAMES]))}}}]"
        )
    return "\n".join(lines) + "\n"


@st.composite
def files(draw: st.DrawFn) -> bytes:
    documents = draw(st.lists(st.lists(containers(), min_size=1, max_size=3).map("".join), min_size=1, max_size=2))
    text = "---\n".join(POD.decode() + one for one in documents)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return (("\ufeff" if draw(st.booleans()) else "") + text).encode()


def check(content: bytes, found: Scan, new: str) -> Rewritten:
    sites = found.sites
    assert rewrite_content(content, [(site, site.text) for site in sites]).content == content
    done = rewrite_content(content, [(site, new) for site in sites])
    assert revert_content(done.content, done.edits) == content
    # Only spans change: what lies between them is in the output, in order.
    at = 0
    for change in done.edits:
        place = content.index(change.before.encode(), at)
        at = place + len(change.before.encode())
    again = scan(done.content, "x")
    assert [site.value for site in again.sites] == [new] * len(sites)
    assert [site.path for site in again.sites] == [site.path for site in sites]
    assert rewrite_content(done.content, [(site, new) for site in again.sites]).content == done.content
    before, after = structure(content), structure(done.content)
    assert len(before) == len(after)
    return done


@quick
@given(files(), st.sampled_from(TARGETS))
def test_generated_files(content: bytes, new: str) -> None:
    found = scan(content, "x")
    assert len(found.sites) >= content.count(b"image:") - 1
    for site in found.sites:
        ((start, end),) = site.spans
        assert content[start:end].decode() == site.text
        line = content[:start].count(b"\n") + 1
        assert site.line == line
    check(content, found, new)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(NAMES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image", "args", "spec", "é", "kind", "apiVersion"]) | st.text(), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@quick
@given(
    st.dictionaries(st.sampled_from(["image", "spec", "containers"]), values, max_size=3),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_generated_json(value: object, indent: int | None, plain: bool) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    found = attempt(content)
    if isinstance(found, AirgapError):
        assert found.exit_code == 10
        return
    done = rewrite_content(content, [(site, TARGETS[0]) for site in found.sites])
    assert revert_content(done.content, done.edits) == content
    assert rewrite_content(content, [(site, site.text) for site in found.sites]).content == content
    json.loads(done.content)


@quick
@given(
    st.binary(max_size=200)
    | st.text(alphabet="ab:-?[]{}'\"|>&*!#%@`, \n\t\r\\0x\ufeff\x85\u2028😀", max_size=60).map(str.encode)
)
@example(b'"\\U00110000"')
@example(b"%YAML 1." + b"9" * 5000)
@example(b"\xef\xbb\xbf")
@example(b"\x00a")
@example(b"- &a\n- *a")
@pytest.mark.parametrize("pure", [False, True])
def test_arbitrary_bytes(pure: bool, content: bytes) -> None:
    with contextlib.suppress(ResourceError):
        for _ in yaml_events.parse(Source(content, "x"), pure=pure):
            pass
    for whole in (content, POD + content):
        result = attempt(whole)
        if isinstance(result, AirgapError):
            assert result.exit_code == 10
            assert str(result).startswith("x:")


@quick
@given(
    files(),
    st.integers(min_value=0),
    st.sampled_from([b"\n", b" ", b"'", b'"', b"#", b": ", b"\r", b"\t", b"\\", b"[", b"&b ", b"\xc2\x85"]),
)
def test_damaged_files(content: bytes, place: int, damage: bytes) -> None:
    place %= len(content) + 1
    damaged = content[:place] + damage + content[place:]
    found = attempt(damaged)
    if isinstance(found, AirgapError):
        assert found.exit_code == 10
        return
    assert rewrite_content(damaged, [(site, site.text) for site in found.sites]).content == damaged
    done = rewrite_content(damaged, [(site, TARGETS[0]) for site in found.sites])
    assert revert_content(done.content, done.edits) == damaged
