# SPDX-License-Identifier: Apache-2.0
"""What stands in front of a registry and changes what passes: headers taken away, some requests answered by itself."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from tests.doubles.registry import Answer, Double, Request

_HOP = ("transfer-encoding", "connection", "content-length", "date")


@contextlib.contextmanager
def front(
    upstream: str,
    *,
    strip: tuple[str, ...] = (),
    strip_answer: tuple[str, ...] = (),
    add: dict[str, str] | None = None,
    intercept: Callable[[Request], Answer | None] = lambda _: None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Double]:
    """Pass requests on to the address ``upstream``, without the headers ``strip`` and with those of ``add``;
    ``intercept`` may answer instead. ``strip_answer`` are headers that the client does not get. The Host header stays
    as it came."""
    parts = urlsplit(upstream)

    def pass_on(request: Request) -> Answer:
        answer = intercept(request)
        if answer is not None:
            return answer
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            gone = {*_HOP, *(name.lower() for name in strip)}
            headers = {name: value for name, value in request.headers.items() if name.lower() not in gone}
            body = request.read() if request.method in ("PUT", "POST", "PATCH") else None
            link.request(request.method, parts.path + request.target, body, {**headers, **(add or {})})
            given = link.getresponse()
            content = given.read()
            gone = {*_HOP, *(name.lower() for name in strip_answer)}
            kept = {name: value for name, value in given.getheaders() if name.lower() not in gone}
            length = int(given.headers.get("Content-Length") or 0) if request.method == "HEAD" else None
            return Answer(given.status, content, kept, say_length=length, reason=given.reason)
        finally:
            link.close()

    server = Double(pass_on, tls)
    try:
        yield server
    finally:
        server.stop()
