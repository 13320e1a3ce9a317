# SPDX-License-Identifier: Apache-2.0
"""How it speaks: the headers of every answer and errors in each of the forms that were seen (2, 3, 10)."""

from __future__ import annotations

import json
from typing import Any

from tests.doubles.nexus.settings import ErrorStyle, Settings
from tests.doubles.registry import Answer

JSON = "application/json"
_SANDBOX = "sandbox allow-forms allow-modals allow-popups allow-presentation allow-scripts allow-top-navigation"


def document(status: int, body: Any, **headers: str) -> Answer:
    """JSON without spaces: the lengths that were observed (3, 27) are those of this form."""
    return Answer(status, json.dumps(body, separators=(",", ":")).encode(), {"Content-Type": JSON, **headers})


def problem(status: int, code: str, message: str, detail: Any = None, *, style: ErrorStyle = "json") -> Answer:
    """An error of the registry API: docker JSON, Jetty's HTML, plain text, or the reason phrase alone (10)."""
    if style == "json":
        return document(status, {"errors": [{"code": code, "message": message, "detail": detail}]})
    said = detail if isinstance(detail, str) else message
    return {"html": html, "text": text, "reason": only_reason}[style](status, said)


def unauthorized(challenge: str) -> Answer:
    """401 as every unauthenticated request gets it: 113 bytes (2, 3), on HEAD and POST too (4)."""
    answer = problem(401, "UNAUTHORIZED", "access to the requested resource is not authorized")
    answer.headers["WWW-Authenticate"] = challenge
    return answer


def html(status: int, said: str) -> Answer:
    """An error page of Nexus's own servlet container."""
    page = (
        f"<!DOCTYPE html>\n<html lang='en'>\n<head><title>{status} - Nexus Repository Manager</title></head>\n"
        f"<body><h1>Error {status}</h1><p>{said}</p></body>\n</html>\n"
    )
    return Answer(status, page.encode(), {"Content-Type": "text/html"})


def nginx(status: int, said: str) -> Answer:
    """A page of the nginx in front (44): it knows nothing of registries."""
    page = (
        f"<html>\r\n<head><title>{status} {said}</title></head>\r\n<body>\r\n<center><h1>{status} {said}</h1></center>"
        "\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, page.encode(), {"Content-Type": "text/html", "Server": "nginx"}, reason=said)


def text(status: int, said: str) -> Answer:
    return Answer(status, said.encode(), {"Content-Type": "text/plain"})


def only_reason(status: int, said: str) -> Answer:
    """Nothing but the status line says why."""
    return Answer(status, b"", reason=said)


def dress(answer: Answer, settings: Settings, *, registry: bool) -> Answer:
    """What all answers carry (2): version of the API, nosniff, a sandbox policy, the server's name and version."""
    more = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": _SANDBOX}
    if registry:
        more["Docker-Distribution-Api-Version"] = "registry/2.0"
    if settings.server_header:
        more["Server"] = f"Nexus/{settings.version} ({settings.edition_name})"
    answer.headers = {**more, **answer.headers}
    return answer
