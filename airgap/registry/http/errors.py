# SPDX-License-Identifier: Apache-2.0
"""Translation of socket, TLS and HTTP failures to errors with a hint.

A :class:`Transient` error may disappear by itself, so the request is retried. All others are final.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from airgap import bounded_json, limits
from airgap.errors import (
    AirgapError,
    ContentError,
    DigestMismatch,
    NotFound,
    RegistryError,
    Rejected,
    Unauthorized,
    Unavailable,
)
from airgap.i18n import tr
from airgap.registry.http.addresses import ForbiddenAddress
from airgap.registry.http.pace import HeaderTooLong, Silence, SlowAnswer, SlowPeer

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_PLAIN_REQUEST = re.compile(rb"HTTP request\b")
_HTTPS_EXPECTED = re.compile(rb"\bHTTPS (?:port|server)")
_PROXY_HINT = tr("give them in the proxy's address: HTTPS_PROXY and HTTP_PROXY as http://user:password@host:port")


class Transient(Unavailable):
    """A failure that may disappear by itself.

    ``retry_after`` is the wait in seconds that the registry asks for. ``given_up`` is set after the last attempt.
    """

    retry_after: float | None = None
    given_up = False


class ConnectionBroken(Transient):
    """The connection has ended during a request or its response."""


class TooSlow(Transient):
    """A registry that answers, but too slowly. It is asked once more, not as often as after other failures."""


class NoAnswer(Unavailable):
    """A registry that has not answered at all in this run."""


class RefusedAddress(Unavailable):
    """A registry has named an address that it may not lead to."""


class SpeaksPlainHttp(Unavailable):
    """A server answers HTTP where HTTPS was spoken."""


class SpeaksHttps(Unavailable):
    """A server expects HTTPS and was asked by plain HTTP."""


class UntrustedCertificate(Unavailable):
    """The certificate of a server is not trusted."""


class AccountLocked(Unauthorized):
    """The registry refuses all logins of this user for now. A further attempt may extend that."""


def split_url(url: str) -> SplitResult:
    """Split an untrusted URL; raise :class:`Unavailable` if it is invalid."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 # raises ValueError for an invalid port
    except ValueError as error:
        raise Unavailable(tr("{url!r} is no address ({error})", url=url[:200], error=error)) from error
    return parts


def join_url(base: str, location: str) -> str:
    """Resolve a ``Location`` or ``Link`` against ``base``, and percent-encode what a request line cannot contain."""
    encoded = quote(location.strip().encode("latin-1", "replace"), safe="%/:=&?~#+!$,;'@()*[]")
    try:
        joined = urljoin(base, encoded)
    except ValueError as error:
        raise Unavailable(
            tr("the registry refers to {encoded!r}, which is no address", encoded=encoded[:200])
        ) from error
    split_url(joined)
    return joined


def public_url(url: str) -> str:
    """Return ``url`` without user, password, query and fragment, which may be secret."""
    parts = split_url(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def from_exception(error: BaseException, url: str, *, answered_before: bool) -> AirgapError:
    """Translate a failure of the connection to ``url``.

    A host that has answered before in this run is likely to do so again, so more failures are :class:`Transient`.
    """
    where = public_url(url)
    host = urlsplit(url).netloc.rpartition("@")[2]
    if isinstance(error, SlowPeer) and (answered_before or not isinstance(error, Silence)):
        longer = tr("if it needs longer: airgap.yaml may have registries: {NAME: {timeout: SECONDS}}")
        return TooSlow(_slowness(error), where=where, hint=limits.hint(error.limit) if error.limit else longer)
    if isinstance(error, ForbiddenAddress):
        return RefusedAddress(
            tr("the registry leads to {host}, and {reason}; nothing was sent there", host=host, reason=error),
            where=where,
        )
    if isinstance(error, HeaderTooLong):
        most = limits.value("header-bytes")
        return Unavailable(
            tr("the headers of an answer have more than {most:,} bytes", most=most),
            where=where,
            hint=limits.hint("header-bytes"),
        )
    if isinstance(error, ssl.SSLError):
        if error.errno in (ssl.SSL_ERROR_SYSCALL, ssl.SSL_ERROR_EOF, ssl.SSL_ERROR_ZERO_RETURN):
            return ConnectionBroken(tr("the connection broke (inside TLS)"), where=where)
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE") or "wrong version" in str(
            error
        ):
            return plain_http_to_https(where, host)
        return Unavailable(tr("TLS failed: {reason}", reason=error.reason or error), where=where)
    if isinstance(error, socket.gaierror):
        return Unavailable(
            tr("the name {hostname} is unknown ({strerror})", hostname=urlsplit(url).hostname, strerror=error.strerror),
            where=where,
            hint=tr("check the spelling, DNS, and HTTPS_PROXY if this network needs a proxy"),
        )
    if isinstance(error, ConnectionRefusedError):
        kind = Transient if answered_before else Unavailable
        return kind(
            tr("nothing listens there (connection refused)"),
            where=where,
            hint=tr("check the port and that it is running"),
        )
    if isinstance(error, TimeoutError):
        return (Transient if answered_before else NoAnswer)(
            tr("no answer in time"), where=where, hint=tr("check that a firewall or proxy lets this address through")
        )
    if isinstance(error, OSError) and str(error).startswith("Tunnel connection failed"):
        if "407" in str(error):
            what = tr("the proxy wants a user and password, or refused them")
            unavailable = Unavailable(f"{what} ({error})", where=where, hint=_PROXY_HINT)
            unavailable.status = 407
            return unavailable
        return Unavailable(tr("the proxy refused: {error}", error=error), where=where)
    if isinstance(error, http.client.BadStatusLine | http.client.LineTooLong) and not isinstance(
        error, http.client.RemoteDisconnected
    ):
        return Unavailable(
            tr("what answers there does not speak HTTP"),
            where=where,
            hint=tr("if it speaks HTTPS, leave --plain-http and http:// out"),
        )
    if isinstance(error, http.client.InvalidURL):
        return Unavailable(
            tr("no request can be made of this address ({describe})", describe=_describe(error)), where=where
        )
    if isinstance(error, ConnectionError | http.client.HTTPException | EOFError):
        hint = tr("if it speaks HTTPS, leave --plain-http and http:// out") if where.startswith("http:") else None
        broken = ConnectionBroken(tr("the connection broke ({describe})", describe=_describe(error)), where=where)
        broken.hint = None if answered_before else hint
        return broken
    if isinstance(error, OSError):
        return Unavailable(tr("cannot connect: {strerror}", strerror=error.strerror or error), where=where)
    return Unavailable(tr("the exchange went wrong ({describe})", describe=_describe(error)), where=where)


def _slowness(error: SlowPeer) -> str:
    if isinstance(error, Silence):
        return tr("no answer within {seconds:.0f} s", seconds=error.seconds)
    if isinstance(error, SlowAnswer):
        return tr("an answer was not complete after {seconds} s", seconds=limits.value("answer-time"))
    rate, seconds = limits.value("minimum-rate"), limits.value("rate-period")
    return tr("fewer than {rate:,} bytes/s moved over {seconds} s", rate=rate, seconds=seconds)


def proxy_unreachable(error: OSError, host: str, port: int) -> Unavailable:
    """Return the error for a proxy that cannot be reached."""
    reason = tr("its name is unknown") if isinstance(error, socket.gaierror) else error.strerror or str(error)
    return Unavailable(
        tr("the proxy {host}:{port} cannot be reached ({reason})", host=host, port=port, reason=reason),
        hint=tr("check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    )


def locked_out(error: AirgapError) -> AccountLocked:
    """Return the error for a login that was answered with 429.

    Nexus and other registries answer so when an account is locked, and each further attempt extends the lock. So this
    error is final.
    """
    return AccountLocked(
        tr("the registry lets this user in no more for now; the account may be locked ({what})", what=error.what),
        where=error.where,
        hint=tr(
            "wait until it is open again (Nexus: 15 minutes in which nobody tries, whatever Retry-After says), check "
            "the password in the browser, and only then run the command once more; airgap has tried once"
        ),
    )


def not_a_registry(url: str) -> Unavailable:
    """Return the error for a server that is not a registry."""
    return Unavailable(
        tr("what answers there is no registry"),
        where=public_url(url),
        hint=tr("check the port: Nexus serves Docker on a connector port of its own, not on that of its pages"),
    )


def plain_http_to_https(where: str, host: str) -> SpeaksPlainHttp:
    """Return the error for a registry that speaks plain HTTP while TLS was expected, a frequent mistake."""
    return SpeaksPlainHttp(
        tr("this registry speaks plain HTTP, not HTTPS"),
        where=where,
        hint=tr(
            "write the address as http://{host} or add --plain-http; the nodes need telling too, "
            'else they fail with "server gave HTTP response to HTTPS client": for containerd a file '
            '/etc/containerd/certs.d/{host}/hosts.toml with server = "http://{host}"',
            host=host,
        ),
    )


def from_response(status: int, reason: str, body: bytes, url: str, *, retry_after: float | None) -> AirgapError:
    """Translate a response that is not a success; ``retry_after`` is its Retry-After in seconds."""
    code, said = _parse_registry_error(body)
    error = _from_status(status, reason, code, said, body, url, retry_after)
    if isinstance(error, RegistryError):
        error.code, error.status = code, status
        error.digests = frozenset(digest.decode() for digest in _DIGEST.findall(body))
        # Other servers, such as proxies, send a page, plain text, or only the reason.
        error.said = said or _CONTROL.sub(" ", f"{reason} {body[:2000].decode('utf-8', 'replace')}").strip()
    return error


def _from_status(
    status: int, reason: str, code: str, said: str, body: bytes, url: str, retry_after: float | None
) -> AirgapError:
    where = public_url(url)
    summary = f"{status} {reason}".strip() + (f": {said}" if said else "")
    if status == 401:
        return Unauthorized(
            tr("signing in is needed or was refused ({summary})", summary=summary),
            where=where,
            hint=tr("an image that does not exist may be answered like this too"),
        )
    if status == 403:
        return Unauthorized(
            tr("this user may not do that ({summary})", summary=summary),
            where=where,
            hint=tr("check the user's rights there"),
        )
    if status == 404:
        return NotFound(tr("not found ({summary})", summary=summary), where=where)
    if status == 407:
        return Unavailable(
            tr("the proxy wants a user and password, or refused them ({summary})", summary=summary),
            where=where,
            hint=_PROXY_HINT,
        )
    if code == "DIGEST_INVALID":
        return DigestMismatch(
            tr("the registry received other content than the digest says ({summary})", summary=summary), where=where
        )
    if status == 400 and _speaks_https(body[:4096]):
        return SpeaksHttps(
            tr("this registry speaks HTTPS, not plain HTTP"), where=where, hint=tr("leave --plain-http and http:// out")
        )
    if status in (408, 425, 429, 500, 502, 503, 504):
        transient = Transient(tr("the registry is not able to answer now ({summary})", summary=summary), where=where)
        transient.retry_after = retry_after
        if status == 429:
            transient.hint = tr("the registry limits requests: sign in, lower --jobs, or wait")
        return transient
    if status == 413:
        return Rejected(
            tr("too large for the registry or a proxy in front of it ({summary})", summary=summary),
            where=where,
            hint=tr('behind ingress-nginx, set the annotation nginx.ingress.kubernetes.io/proxy-body-size: "0"'),
        )
    if 400 <= status < 500:
        # A server that expects HTTPS says so in the body, but the response to a HEAD request has none.
        hint = tr("if it speaks HTTPS, leave --plain-http and http:// out") if where.startswith("http:") else None
        return Rejected(
            tr("the registry refused ({summary})", summary=summary),
            where=where,
            hint=None if code or status != 400 else hint,
        )
    return RegistryError(tr("unexpected answer ({summary})", summary=summary), where=where)


def _parse_registry_error(body: bytes) -> tuple[str, str]:
    """Return the code and the printable text of an error document (distribution-spec "Error Codes")."""
    try:
        first = bounded_json.parse(body, "error")["errors"][0]
        code, message, detail = (first.get(key) for key in ("code", "message", "detail"))
    except (KeyError, TypeError, IndexError, AttributeError, ContentError):
        return "", ""
    texts = [str(part) for part in (code, message) if part]
    if isinstance(detail, str) and detail:
        texts.append(detail)
    return str(code or ""), _CONTROL.sub(" ", ", ".join(texts))[:300]


def _describe(error: BaseException) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return tr("closed without an answer")
    if isinstance(error, http.client.IncompleteRead):
        return tr("ended too early")
    return _CONTROL.sub(" ", getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _speaks_https(body: bytes) -> bool:
    """Whether the body of a response says that the server has received plain HTTP and expects HTTPS."""
    request = _PLAIN_REQUEST.search(body)
    return b"only speaks HTTPS" in body or (
        request is not None and _HTTPS_EXPECTED.search(body, request.end()) is not None
    )
