# SPDX-License-Identifier: Apache-2.0
"""The head of a request (RFC 9112): where it ends, and whether its length can be read in one way only.

A proxy in front of the server and the server itself must agree where a request ends. A head that two programs may read
in two ways is refused (RFC 9112, 11.2 "Request Smuggling"), and the connection is closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from airgap.server.limits import Limits

#: The status and the reason.
Refusal = tuple[int, str]

_PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}
_END = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # "token", RFC 9110, 5.6.2
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(rb"[0-9]{1,19}")
#: Header fields that cheroot joins with a comma are lists; of the others it would take the last.
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding", b"authorization", b"content-range", b"range"))


def find_end(buffer: bytearray, start: int) -> int:
    """Return the length of the head at the beginning of ``buffer``, or -1. ``start`` is what was searched before."""
    match = _END.search(buffer, max(start - 3, 0))
    return match.end() if match else -1


def size_problem(buffer: bytearray, limits: Limits) -> Refusal | None:
    """Return why a head, complete or not, is too large."""
    if len(buffer) > limits["header-bytes"]:
        return 431, "the headers are too long"
    line_limit = limits["header-line"]
    if len(buffer) > line_limit:
        lines = bytes(buffer).split(b"\n")
        if len(lines[0].rstrip(b"\r")) > line_limit:
            return 414, "the request line is too long"
        if any(len(line.rstrip(b"\r")) > line_limit for line in lines[1:]):
            return 431, "a header line is too long"
    # The request line, and the empty one where the head is complete, are no header lines.
    if buffer.count(b"\n") > limits["header-lines"] + 1 + (1 if buffer.endswith((b"\n\r\n", b"\n\n")) else 0):
        return 431, "too many header lines"
    return None


def problem(head: bytes) -> Refusal | None:
    """Return why a complete head is refused."""
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if not head.endswith(b"\r\n\r\n") or any(_FORBIDDEN.search(line) for line in lines):
        return 400, "lines end with CR and LF, and have no control characters"
    fields: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            return 400, "a header line is a name, a colon and a value"
        name = name.lower()
        if b"_" in name:
            return 400, "a header name with an underscore"
        if name in _ONCE:
            if name in fields:
                return 400, f"{name.decode()} twice"
            fields[name] = value.strip(b" \t")
    return _framing_problem(lines[0], fields.get)


def _framing_problem(request_line: bytes, field: Callable[[bytes], bytes | None]) -> Refusal | None:
    length, coding = field(b"content-length"), field(b"transfer-encoding")
    if length is not None and not _LENGTH.fullmatch(length):
        return 400, "Content-Length is no number"
    if coding is None:
        return None
    if length is not None:
        return 400, "Content-Length and Transfer-Encoding together"
    if coding.lower() != b"chunked":
        return 400, "the only Transfer-Encoding is chunked"
    if not request_line.endswith(b"HTTP/1.1"):
        return 400, "Transfer-Encoding needs HTTP/1.1"
    return None


def refusal_response(status: int, reason: str) -> bytes:
    """Return a response without a handler, which ends the connection."""
    body = f"{reason}\n".encode()
    return (
        f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
