# SPDX-License-Identifier: Apache-2.0
"""Plain HTTP requests for the tests of the double: nothing of the program under test is in the way."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from airgap.oci import Descriptor
from airgap.oci.manifest import is_manifest_type
from tests.doubles.nexus.content import digest_of
from tests.doubles.nexus.settings import PUSHER, User
from tests.parts.images import Images

OCTETS = "application/octet-stream"
BLOB = b"a small layer"
DIGEST = digest_of(BLOB)


@dataclass
class Said:
    """An answer: header names compare without case."""

    url: str
    status: int
    reason: str
    headers: http.client.HTTPMessage = field(repr=False)
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json()["errors"][0]["code"])

    @property
    def detail(self) -> Any:
        return self.json()["errors"][0]["detail"]


def ask(
    method: str,
    url: str,
    body: bytes | Iterator[bytes] | None = None,
    *,
    user: User | None = PUSHER,
    password: str | None = None,
    host: str | None = None,
    tls: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
    **more: str,
) -> Said:
    """One request on a connection of its own. ``user`` goes by Basic unless ``Authorization`` is given; pieces are
    sent in chunks; ``host`` is the Host header; ``more`` are headers, written with ``_`` for ``-``. A server that
    answers before it has read the body is listened to."""
    parts = urlsplit(url)
    assert parts.hostname
    sent = {**(headers or {}), **{name.replace("_", "-"): value for name, value in more.items()}}
    if user is not None and "Authorization" not in sent:
        sent["Authorization"] = basic(user, password)
    if host is not None:
        sent["Host"] = host
    if parts.scheme == "https":
        link: http.client.HTTPConnection = http.client.HTTPSConnection(parts.hostname, parts.port, context=tls)
    else:
        link = http.client.HTTPConnection(parts.hostname, parts.port)
    link.timeout = 20
    try:
        link.putrequest(method, parts.path + (f"?{parts.query}" if parts.query else ""), skip_host="Host" in sent)
        if isinstance(body, bytes):
            sent["Content-Length"] = str(len(body))
        elif body is not None:
            sent["Transfer-Encoding"] = "chunked"
        for name, value in sent.items():
            link.putheader(name, value)
        link.endheaders()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if isinstance(body, bytes):
                link.send(body)
            elif body is not None:
                for piece in body:
                    link.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                link.send(b"0\r\n\r\n")
        answer = link.getresponse()
        return Said(url, answer.status, answer.reason, answer.headers, answer.read())
    finally:
        link.close()


def basic(user: User, password: str | None = None) -> str:
    return "Basic " + base64.b64encode(f"{user.name}:{password or user.password}".encode()).decode()


def token_of(said: Said, user: User | None = PUSHER) -> str:
    """The Authorization header that the Bearer challenge of ``said`` leads to."""
    realm = re.search(r'realm="([^"]+)"', said.headers["WWW-Authenticate"])
    assert realm
    given = ask("GET", realm[1], user=user)
    assert given.status == 200, given
    return f"Bearer {given.json()['token']}"


def upload(url: str, image: str, content: bytes = BLOB, headers: Mapping[str, str] | None = None) -> Said:
    """POST and one PUT; ``url`` is the one before ``/v2/``. A Location without the route's root gets it."""
    session = ask("POST", f"{url}/v2/{image}/blobs/uploads/", b"", headers=headers)
    if session.status != 202:
        return session
    place = session_url(url, session)
    return ask("PUT", f"{place}?digest={digest_of(content)}", content, headers=headers, Content_Type=OCTETS)


def session_url(url: str, session: Said) -> str:
    """Where a session goes on, as a careful client finds it: the path from ``/v2/`` on, under the root it knows."""
    place: str = urlsplit(urljoin(session.url, session.headers["Location"])).path
    return url + place[place.index("/v2/") :]


def push(
    url: str,
    images: Images,
    image: str,
    reference: str,
    root: Descriptor,
    headers: Mapping[str, str] | None = None,
) -> Said:
    """All that ``root`` needs, then itself under ``reference``; gives the last answer, or the first refusal."""
    said = None
    for needed in images.needed(root):
        content = images.content[needed.digest]
        if is_manifest_type(needed.media_type):
            place = reference if needed.digest == root.digest else needed.digest
            kind = needed.media_type
            said = ask("PUT", f"{url}/v2/{image}/manifests/{place}", content, headers=headers, Content_Type=kind)
        else:
            said = upload(url, image, content, headers)
        if said.status != 201:
            return said
    assert said is not None
    return said
