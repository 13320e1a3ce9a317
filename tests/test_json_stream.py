# SPDX-License-Identifier: Apache-2.0
"""Large JSON documents read entry by entry: the same values as json.loads makes, however the pieces are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airgap import json_stream, limits
from airgap.bounded_json import TooLarge
from airgap.errors import ContentError
from airgap.json_stream import JsonStream, pread_of

DOCUMENT: dict[str, Any] = {
    "format": 1,
    "list": [1, 2.5, -3e2, "a,]}", {"b": [None, True]}, [], {}, '\\u1234\\"', "é😀\n", 1234567890],
    "object": {"x": "1", "y": [1, [2]], "": {}},
    "empty": [],
    "nothing": {},
    "number": 12.75,
    "last": 7,
}
TEXTS = (
    json.dumps(DOCUMENT),
    json.dumps(DOCUMENT, indent=2, ensure_ascii=False),
    json.dumps(DOCUMENT, separators=(",", ":")),
    "\ufeff \r\n" + json.dumps(DOCUMENT) + "\n\t",
)


def read(stream: JsonStream) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in stream.names():
        begin = stream.peek()
        if begin == "[":
            found[name] = list(stream.elements())
        elif begin == "{":
            found[name] = {inner: stream.value() for inner in stream.names()}
        else:
            found[name] = stream.value()
    stream.end()
    return found


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize("text", TEXTS)
def test_the_values_of_a_document(text: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    seen: list[bytes] = []
    assert read(JsonStream(pread_of(text.encode()), watch=seen.append)) == DOCUMENT
    assert b"".join(seen) == text.encode()


@pytest.mark.parametrize("piece", [1, 5, 100_000])
def test_what_is_not_read_is_skipped(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    stream = JsonStream(pread_of(TEXTS[1].encode()))
    assert [stream.value() if name == "number" else name for name in stream.names()] == [
        "format", "list", "object", "empty", "nothing", 12.75, "last",
    ]  # fmt: skip
    stream.end()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "[1]", "1", "{",
        '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}', '{"a":[1,]}', '{"a":[1 2]}',
        '{"a":[1}', '{"a":1]', '{"a":1}x', '{"a":1}{', '{a:1}', "{'a':1}", '{"a":tru}', '{"a":1x}', '{"a":"\n"}',
        '{"a":"\\ud800"}', '{"\\ud800":1}', '{"a":1 1}', '{"a":[[1,]]}', '{"a":01}', '{"a":' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_what_is_no_document(text: str) -> None:
    """What json.loads refuses is refused, and so are lone surrogates and documents that are no object."""
    with pytest.raises(ContentError, match="not JSON"):
        read(JsonStream(pread_of(text.encode())))


def test_other_encodings() -> None:
    with pytest.raises(ContentError, match="not JSON"):
        read(JsonStream(pread_of(json.dumps(DOCUMENT).encode("utf-16"))))
    with pytest.raises(ContentError, match="not JSON"):
        read(JsonStream(pread_of(b'{"a": "\xc3"}')))


@pytest.mark.parametrize("piece", [1, 4, 100_000])
def test_an_error_names_its_place(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{\n "list": [1, 2,\n   "é", }\n]}'
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    with pytest.raises(ContentError) as caught:
        read(JsonStream(pread_of(text.encode())))
    assert f"({expected.value})" in str(caught.value)


def test_depth() -> None:
    text = '{"a": [{"b": [1, "[["]}]}'
    with limits.changed({"json-depth": 4}):
        assert read(JsonStream(pread_of(text.encode()))) == json.loads(text)
    with limits.changed({"json-depth": 3}), pytest.raises(TooLarge, match="more than 3 levels deep"):
        read(JsonStream(pread_of(text.encode())))
    skipped = JsonStream(pread_of(b'{"a":' * 100_000))
    with pytest.raises(TooLarge, match="levels deep"):
        list(skipped.names())


@pytest.mark.parametrize(("text", "memory"), [('"abc"', 5), ('"aé"', 16), ('"\\u00e9"', 32), ("[1]", 3)])
def test_memory_of_an_entry(text: str, memory: int) -> None:
    """What is no ASCII, also where it is written as an escape, may take four bytes for each character."""
    stream = JsonStream(pread_of(f'{{"a":{text}}}'.encode()))
    assert [(name, stream.value(), stream.entry_memory)[2] for name in stream.names()] == [memory]


def test_a_document_of_known_size_is_not_begun() -> None:
    def pread(count: int, offset: int) -> bytes:
        raise AssertionError

    with limits.changed({"document-bytes": 10}), pytest.raises(TooLarge, match="JSON of 11 bytes; at most 10 are read"):
        JsonStream(pread, size=11).peek()


def test_an_entry_longer_than_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", 10)
    text = json.dumps({"a": ["x" * 100, list(range(50))]})
    assert read(JsonStream(pread_of(text.encode()))) == json.loads(text)
    with limits.changed({"document-entry-bytes": 90}), pytest.raises(TooLarge, match="an entry of more than 90 bytes"):
        read(JsonStream(pread_of(text.encode())))
