# SPDX-License-Identifier: Apache-2.0
"""JSON of strangers: what is refused before it is parsed, at the limit and one past it."""

from __future__ import annotations

import pytest

from airgap import bounded_json
from airgap.errors import ContentError


def test_depth() -> None:
    assert bounded_json.loads(b"[[[]]]", values=10, depth=3) == [[[]]]
    with pytest.raises(ContentError, match="more than 3 levels deep"):
        bounded_json.loads(b"[[[[]]]]", values=10, depth=3)


@pytest.mark.parametrize("text", ["[[[[", "]]]]", "{{{{", '\\"[[[[', "\\\\"])
def test_brackets_in_strings_are_no_depth(text: str) -> None:
    assert bounded_json.loads(f'["{text}"]'.encode(), values=10, depth=1)


def test_values() -> None:
    assert bounded_json.loads(b'{"a": [1, 2]}', values=3) == {"a": [1, 2]}
    with pytest.raises(ContentError, match="3 values; at most 2"):
        bounded_json.loads(b'{"a": [1, 2]}', values=2)


@pytest.mark.parametrize("content", [b"", b"[", b'"', b"\xff", b"nan x", b"]" * 100])
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(ContentError, match="not JSON"):
        bounded_json.loads(content, values=10)
