# SPDX-License-Identifier: Apache-2.0
"""Translation of socket, TLS and HTTP failures to errors with a hint.

A :class:`Transient` error may disappear by itself, so the request is retried. All others are final.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from airgap.errors import AirgapError, DigestMismatch, NotFound, RegistryError, Rejected, Unauthorized, Unavailable

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_PLAIN_REQUEST = re.compile(rb"HTTP request\b")
_HTTPS_EXPECTED = re.compile(rb"\bHTTPS (?:port|server)")
_PROXY_HINT = "give them in the proxy's address: HTTPS_PROXY and HTTP_PROXY as http://user:password@host:port"


class Transient(Unavailable):
    """A failure that may disappear by itself.

    ``retry_after`` is the wait in seconds that the registry asks for. ``given_up`` is set after the last attempt.
    """

    retry_after: float | None = None
    given_up = False


class ConnectionBroken(Transient):
    """The connection has ended during a request or its response."""


class AccountLocked(Unauthorized):
    """The registry refuses all logins of this user for now. A further attempt may extend that."""


def split_url(url: str) -> SplitResult:
    """Split an untrusted URL; raise :class:`Unavailable` if it is invalid."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 # raises ValueError for an invalid port
    except ValueError as error:
        raise Unavailable(f"{url[:200]!r} is no address ({error})") from error
    return parts


def join_url(base: str, location: str) -> str:
    """Resolve a ``Location`` or ``Link`` against ``base``, and percent-encode what a request line cannot contain."""
    encoded = quote(location.strip().encode("latin-1", "replace"), safe="%/:=&?~#+!$,;'@()*[]")
    try:
        joined = urljoin(base, encoded)
    except ValueError as error:
        raise Unavailable(f"the registry refers to {encoded[:200]!r}, which is no address") from error
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
    if isinstance(error, ssl.SSLError):
        if error.errno in (ssl.SSL_ERROR_SYSCALL, ssl.SSL_ERROR_EOF, ssl.SSL_ERROR_ZERO_RETURN):
            return ConnectionBroken("the connection broke (inside TLS)", where=where)
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE") or "wrong version" in str(
            error
        ):
            return plain_http_to_https(where, host)
        return Unavailable(f"TLS failed: {error.reason or error}", where=where)
    if isinstance(error, socket.gaierror):
        return Unavailable(
            f"the name {urlsplit(url).hostname} is unknown ({error.strerror})",
            where=where,
            hint="check the spelling, DNS, and HTTPS_PROXY if this network needs a proxy",
        )
    if isinstance(error, ConnectionRefusedError):
        kind = Transient if answered_before else Unavailable
        return kind(
            "nothing listens there (connection refused)", where=where, hint="check the port and that it is running"
        )
    if isinstance(error, TimeoutError):
        return (Transient if answered_before else Unavailable)(
            "no answer in time", where=where, hint="check that a firewall or proxy lets this address through"
        )
    if isinstance(error, OSError) and str(error).startswith("Tunnel connection failed"):
        if "407" in str(error):
            what = "the proxy wants a user and password, or refused them"
            unavailable = Unavailable(f"{what} ({error})", where=where, hint=_PROXY_HINT)
            unavailable.status = 407
            return unavailable
        return Unavailable(f"the proxy refused: {error}", where=where)
    if isinstance(error, http.client.BadStatusLine | http.client.LineTooLong) and not isinstance(
        error, http.client.RemoteDisconnected
    ):
        return Unavailable(
            "what answers there does not speak HTTP",
            where=where,
            hint="if it speaks HTTPS, leave --plain-http and http:// out",
        )
    if isinstance(error, http.client.InvalidURL):
        return Unavailable(f"no request can be made of this address ({_describe(error)})", where=where)
    if isinstance(error, ConnectionError | http.client.HTTPException | EOFError):
        hint = "if it speaks HTTPS, leave --plain-http and http:// out" if where.startswith("http:") else None
        broken = ConnectionBroken(f"the connection broke ({_describe(error)})", where=where)
        broken.hint = None if answered_before else hint
        return broken
    if isinstance(error, OSError):
        return Unavailable(f"cannot connect: {error.strerror or error}", where=where)
    return Unavailable(f"the exchange went wrong ({_describe(error)})", where=where)


def proxy_unreachable(error: OSError, host: str, port: int) -> Unavailable:
    """Return the error for a proxy that cannot be reached."""
    reason = "its name is unknown" if isinstance(error, socket.gaierror) else error.strerror or str(error)
    return Unavailable(
        f"the proxy {host}:{port} cannot be reached ({reason})", hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    )


def locked_out(error: AirgapError) -> AccountLocked:
    """Return the error for a login that was answered with 429.

    Nexus and other registries answer so when an account is locked, and each further attempt extends the lock. So this
    error is final.
    """
    return AccountLocked(
        f"the registry lets this user in no more for now; the account may be locked ({error.what})",
        where=error.where,
        hint="wait until it is open again (Nexus: 15 minutes in which nobody tries, whatever Retry-After says), check "
        "the password in the browser, and only then run the command once more; airgap has tried once",
    )


def not_a_registry(url: str) -> Unavailable:
    """Return the error for a server that is not a registry."""
    return Unavailable(
        "what answers there is no registry",
        where=public_url(url),
        hint="check the port: Nexus serves Docker on a connector port of its own, not on that of its pages",
    )


def plain_http_to_https(where: str, host: str) -> Unavailable:
    """Return the error for a registry that speaks plain HTTP while TLS was expected, a frequent mistake."""
    return Unavailable(
        "this registry speaks plain HTTP, not HTTPS",
        where=where,
        hint=f"write the address as http://{host} or add --plain-http; the nodes need telling too, "
        f'else they fail with "server gave HTTP response to HTTPS client": for containerd a file '
        f'/etc/containerd/certs.d/{host}/hosts.toml with server = "http://{host}"',
    )


def from_response(status: int, reason: str, body: bytes, url: str, *, retry_after: float | None) -> AirgapError:
    """Translate a response that is not a success; ``retry_after`` is its Retry-After in seconds."""
    code, said = _parse_registry_error(body)
    error = _from_status(status, reason, code, said, body, url, retry_after)
    if isinstance(error, RegistryError):
        error.code, error.status = code, status
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
            f"signing in is needed or was refused ({summary})",
            where=where,
            hint="an image that does not exist may be answered like this too",
        )
    if status == 403:
        return Unauthorized(f"this user may not do that ({summary})", where=where, hint="check the user's rights there")
    if status == 404:
        return NotFound(f"not found ({summary})", where=where)
    if status == 407:
        return Unavailable(
            f"the proxy wants a user and password, or refused them ({summary})", where=where, hint=_PROXY_HINT
        )
    if code == "DIGEST_INVALID":
        return DigestMismatch(f"the registry received other content than the digest says ({summary})", where=where)
    if status == 400 and _speaks_https(body[:4096]):
        return Unavailable(
            "this registry speaks HTTPS, not plain HTTP", where=where, hint="leave --plain-http and http:// out"
        )
    if status in (408, 425, 429, 500, 502, 503, 504):
        transient = Transient(f"the registry is not able to answer now ({summary})", where=where)
        transient.retry_after = retry_after
        if status == 429:
            transient.hint = "the registry limits requests: sign in, lower --jobs, or wait"
        return transient
    if status == 413:
        return Rejected(
            f"too large for the registry or a proxy in front of it ({summary})",
            where=where,
            hint='behind ingress-nginx, set the annotation nginx.ingress.kubernetes.io/proxy-body-size: "0"',
        )
    if 400 <= status < 500:
        # A server that expects HTTPS says so in the body, but the response to a HEAD request has none.
        hint = "if it speaks HTTPS, leave --plain-http and http:// out" if where.startswith("http:") else None
        return Rejected(f"the registry refused ({summary})", where=where, hint=None if code or status != 400 else hint)
    return RegistryError(f"unexpected answer ({summary})", where=where)


def _parse_registry_error(body: bytes) -> tuple[str, str]:
    """Return the code and the printable text of an error document (distribution-spec "Error Codes")."""
    try:
        first = json.loads(body)["errors"][0]
        code, message, detail = (first.get(key) for key in ("code", "message", "detail"))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return "", ""
    texts = [str(part) for part in (code, message) if part]
    if isinstance(detail, str) and detail:
        texts.append(detail)
    return str(code or ""), _CONTROL.sub(" ", ", ".join(texts))[:300]


def untrusted_certificate(error: ssl.SSLCertVerificationError, url: str, pem: str) -> Unavailable:
    """Return the error for an untrusted certificate; ``pem`` is the certificate, or empty if it could not be read."""
    host = split_url(url).hostname
    names = _certificate_names(pem)
    issued_for = f"; the certificate is for {names}" if names else ""
    hints = {  # by the verification codes of OpenSSL
        9: "its time has not begun: check this machine's clock",
        10: "its time is over: have it renewed, and check this machine's clock",
        18: "it is self-signed: give it with --ca-file, or --insecure to trust anything",
        19: "its issuer is private: give the issuer's certificate with --ca-file",
        20: "its issuer is unknown here: give the issuer's certificate with --ca-file",
        21: "its issuer is unknown here: give the issuer's certificate with --ca-file",
    }
    hint = hints.get(
        error.verify_code, f"use a name that the certificate holds, or have one made with {host} in its SANs"
    )
    return Unavailable(
        f"the certificate is not trusted: {error.verify_message}{issued_for}", where=public_url(url), hint=hint
    )


def _certificate_names(pem: str) -> str:
    try:
        return _format_sans(decode_certificate(pem)) if pem else ""
    except (OSError, ValueError):
        return ""


def decode_certificate(pem: str) -> Mapping[str, object]:
    """Return the fields of a certificate without verifying it; raise :class:`OSError` or :class:`ValueError`."""
    import tempfile

    # The public functions of the standard library parse only verified certificates. The parser of its own tests reads
    # any certificate, from a file.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        decode = ssl._ssl._test_decode_cert  # type: ignore[attr-defined] # not in the stubs
        certificate: Mapping[str, object] = decode(file.name)
        return certificate


def _format_sans(certificate: Mapping[str, object]) -> str:
    names = certificate.get("subjectAltName")
    if isinstance(names, tuple) and names:
        return ", ".join(str(name[1]) for name in names[:8])
    return "no name at all (it has no SANs, and a CN alone is no longer read)"


def _describe(error: BaseException) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "ended too early"
    return _CONTROL.sub(" ", getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _speaks_https(body: bytes) -> bool:
    """Whether the body of a response says that the server has received plain HTTP and expects HTTPS."""
    request = _PLAIN_REQUEST.search(body)
    return b"only speaks HTTPS" in body or (
        request is not None and _HTTPS_EXPECTED.search(body, request.end()) is not None
    )
