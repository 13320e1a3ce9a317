# SPDX-License-Identifier: Apache-2.0
"""What holds for every resource file, over files that are generated with documents in values to depth three: all images
are found, an identity changes no byte, a mapping only those of the sites, and again nothing, and all of it turns back.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.errors import AirgapError
from airgap.kube import Rewritten, Scalar, Site, revert_content, rewrite_content, scan
from tests.kube.generated import generated
from tests.kube.support import attempt

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

pytestmark = pytest.mark.usefixtures("parser")

many = settings(deadline=None, max_examples=40)


def outermost(scalar: Scalar) -> Scalar:
    while scalar.outer is not None:
        scalar = scalar.outer
    return scalar


def changed_places(content: bytes, done: Rewritten) -> list[tuple[int, int]]:
    """The bytes of ``content`` that were replaced; all others are in the output, which is proven here."""
    places: list[tuple[int, int]] = []
    pieces: list[bytes] = []
    at = shift = 0
    for change in done.edits:
        before, after = change.before.encode(), change.after.encode()
        start = change.offset - shift
        assert content[start : start + len(before)] == before
        pieces += content[at:start], after
        at = start + len(before)
        places.append((start, at))
        shift += len(after) - len(before)
    assert b"".join([*pieces, content[at:]]) == done.content
    return places


def loaded(content: bytes) -> Any:
    """What another reader makes of it: the values of all documents, and of the documents inside values."""
    text = content.decode("utf-8-sig")
    try:
        return within([json.loads(text)])
    except ValueError:
        return within(list(yaml.load_all(text, _LOADER)))


def within(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: within(one) for key, one in value.items()}
    if isinstance(value, list):
        return [within(one) for one in value]
    return loaded(value.encode()) if isinstance(value, str) and ("\n" in value or value[:2] == '{"') else value


def replaced(value: Any, news: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: replaced(one, news) for key, one in value.items()}
    if isinstance(value, list):
        return [replaced(one, news) for one in value]
    for old, new in news.items() if isinstance(value, str) else ():
        value = value.replace(old, new)
    return value


def rewritten(content: bytes, sites: tuple[Site, ...], news: dict[str, str]) -> Rewritten:
    """Rewriting, with what is true of it whatever the new names are."""
    done = rewrite_content(content, [(site, news[site.value]) for site in sites])
    assert revert_content(done.content, done.edits) == content
    again = scan(done.content, "x").sites
    assert [site.value for site in again] == [news[site.value] for site in sites]
    assert [(one.path, one.rule, one.kind) for one in again] == [(one.path, one.rule, one.kind) for one in sites]
    assert rewrite_content(done.content, [(site, site.value) for site in again]).content == done.content
    return done


@many
@given(generated())
def test_all_is_found_and_only_that_changes(drawn: tuple[bytes, list[str]]) -> None:
    content, images = drawn
    sites = scan(content, "x").sites
    assert sorted(site.value for site in sites) == sorted(images)
    for form in ("text", "value"):
        assert rewrite_content(content, [(site, getattr(site, form)) for site in sites]) == Rewritten(content, ())
    # Names that every style holds: exactly the spans change, and nothing that another reader sees but the names.
    news = {image: f"t.example:5000/m/{image.partition('/')[2]}" for image in images}
    done = rewritten(content, sites, news)
    assert changed_places(content, done) == sorted({span for site in sites for span in site.spans})
    assert loaded(done.content) == replaced(loaded(content), news)
    # Names that plain scalars do not hold: those are put into quotes, and nothing outside of them changes.
    done = rewritten(content, sites, {image: f"[::1]:5000/{image.partition('/')[2]}" for image in images})
    holders = {(one.start, one.end) for one in (outermost(site.scalar) for site in sites)}
    for start, end in changed_places(content, done):
        assert any(first <= start and end <= last for first, last in holders)


PIECES = [
    b"",
    b"\n",
    b" ",
    b"'",
    b'"',
    b"\\",
    b"{",
    b"]",
    b": ",
    b"- ",
    b"#",
    b"&n1 ",
    b"*n1",
    b"|\n",
    b"\r",
    b"\t",
    b"\xff",
]


@settings(deadline=None, max_examples=60)
@given(
    generated(inner=2),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 9), st.sampled_from(PIECES)), min_size=1, max_size=5),
    st.tuples(st.integers(0, 1 << 16), st.integers(0, 200), st.integers(0, 1 << 16)),
    st.booleans(),
)
def test_mutated_files(
    drawn: tuple[bytes, list[str]],
    mutations: list[tuple[int, int, bytes]],
    moved: tuple[int, int, int],
    cut: bool,
) -> None:
    """Bytes replaced, a stretch copied elsewhere, the end cut off: refused as a resource file, or right."""
    content = drawn[0]
    for place, length, piece in mutations:
        place %= len(content) + 1
        content = content[:place] + piece + content[place + length :]
    begin, length, to = moved[0] % len(content), moved[1], moved[2] % len(content)
    content = content[:to] + content[begin : begin + length] + content[to : len(content) - 20 * cut]
    found = attempt(content)
    if isinstance(found, AirgapError):
        assert found.exit_code == 10
        return
    done = rewrite_content(content, [(site, "t.example:5000/m/x:9") for site in found.sites])
    assert revert_content(done.content, done.edits) == content
    attempt(done.content)
