# SPDX-License-Identifier: Apache-2.0
"""The one translation from what sockets, TLS and registries report to errors that say what to do next.

:class:`Transient` marks what may heal by itself; everything else is final at once.
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
    """Something that may heal; ``retry_after`` is in seconds where the registry named a time. It is ``given_up`` once
    it has been tried often enough."""

    retry_after: float | None = None
    given_up = False


class ConnectionBroken(Transient):
    """A connection that ended in the middle of an exchange."""


class AccountLocked(Unauthorized):
    """The registry rejects sign-ins of this user for now; each further attempt may prolong that."""


def split(url: str) -> SplitResult:
    """``urlsplit`` of an address that somebody else wrote; raise :class:`Unavailable` for one that is none."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 # looked at so that a wrong one is found here
    except ValueError as error:
        raise Unavailable(f"{url[:200]!r} is no address ({error})") from error
    return parts


def join(base: str, location: str) -> str:
    """A ``Location`` or ``Link`` seen from ``base``, with what no request line may hold percent-encoded."""
    encoded = quote(location.strip().encode("latin-1", "replace"), safe="%/:=&?~#+!$,;'@()*[]")
    try:
        whole = urljoin(base, encoded)
    except ValueError as error:
        raise Unavailable(f"the registry refers to {encoded[:200]!r}, which is no address") from error
    split(whole)
    return whole


def public_url(url: str) -> str:
    """``url`` without anything that may be a secret: no user, no query, no fragment."""
    parts = split(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def of_exception(error: BaseException, url: str, *, known: bool) -> AirgapError:
    """Translate a failure of the connection to ``url``; ``known`` says that the host has answered before."""
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
        kind = Transient if known else Unavailable
        return kind(
            "nothing listens there (connection refused)", where=where, hint="check the port and that it is running"
        )
    if isinstance(error, TimeoutError):
        return (Transient if known else Unavailable)(
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
        return Unavailable(f"no request can be made of this address ({_words(error)})", where=where)
    if isinstance(error, ConnectionError | http.client.HTTPException | EOFError):
        hint = "if it speaks HTTPS, leave --plain-http and http:// out" if where.startswith("http:") else None
        return ConnectionBroken(f"the connection broke ({_words(error)})", where=where, hint=None if known else hint)
    if isinstance(error, OSError):
        return Unavailable(f"cannot connect: {error.strerror or error}", where=where)
    return Unavailable(f"the exchange went wrong ({_words(error)})", where=where)


def of_proxy(error: OSError, host: str, port: int) -> Unavailable:
    """Translate a proxy that cannot be reached."""
    reason = "its name is unknown" if isinstance(error, socket.gaierror) else error.strerror or str(error)
    return Unavailable(
        f"the proxy {host}:{port} cannot be reached ({reason})", hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    )


def locked_out(error: AirgapError) -> AccountLocked:
    """A sign-in was answered with 429. Some registries, Nexus among them, do so once an account is locked, and each
    further try makes it longer; so this is final."""
    return AccountLocked(
        f"the registry lets this user in no more for now; the account may be locked ({error.what})",
        where=error.where,
        hint="wait until it is open again (Nexus: 15 minutes in which nobody tries, whatever Retry-After says), check "
        "the password in the browser, and only then run the command once more; airgap has tried once",
    )


def no_registry(url: str) -> Unavailable:
    """Something answers, and it is no registry."""
    return Unavailable(
        "what answers there is no registry",
        where=public_url(url),
        hint="check the port: Nexus serves Docker on a connector port of its own, not on that of its pages",
    )


def plain_http_to_https(where: str, host: str) -> Unavailable:
    """The registry speaks plain HTTP where TLS was expected: the commonest stumbling block of closed networks."""
    return Unavailable(
        "this registry speaks plain HTTP, not HTTPS",
        where=where,
        hint=f"write the address as http://{host} or add --plain-http; the nodes need telling too, "
        f'else they fail with "server gave HTTP response to HTTPS client": for containerd a file '
        f'/etc/containerd/certs.d/{host}/hosts.toml with server = "http://{host}"',
    )


def of_response(status: int, reason: str, body: bytes, url: str, *, now_retry: float | None) -> AirgapError:
    """Translate an answer that is no success; ``now_retry`` is the Retry-After it carried, in seconds."""
    code, said = _registry_words(body)
    error = _of_status(status, reason, code, said, body, url, now_retry)
    if isinstance(error, RegistryError):
        error.code, error.status = code, status
        # Not every server that answers here knows the registry's form of an error: pages, text, or the reason alone.
        error.said = said or _CONTROL.sub(" ", f"{reason} {body[:2000].decode('utf-8', 'replace')}").strip()
    return error


def _of_status(
    status: int, reason: str, code: str, said: str, body: bytes, url: str, now_retry: float | None
) -> AirgapError:
    where = public_url(url)
    words = f"{status} {reason}".strip() + (f": {said}" if said else "")
    if status == 401:
        return Unauthorized(
            f"signing in is needed or was refused ({words})",
            where=where,
            hint="an image that does not exist may be answered like this too",
        )
    if status == 403:
        return Unauthorized(f"this user may not do that ({words})", where=where, hint="check the user's rights there")
    if status == 404:
        return NotFound(f"not found ({words})", where=where)
    if status == 407:
        return Unavailable(
            f"the proxy wants a user and password, or refused them ({words})", where=where, hint=_PROXY_HINT
        )
    if code == "DIGEST_INVALID":
        return DigestMismatch(f"the registry received other content than the digest says ({words})", where=where)
    if status == 400 and _speaks_https(body[:4096]):
        return Unavailable(
            "this registry speaks HTTPS, not plain HTTP", where=where, hint="leave --plain-http and http:// out"
        )
    if status in (408, 425, 429, 500, 502, 503, 504):
        transient = Transient(f"the registry is not able to answer now ({words})", where=where)
        transient.retry_after = now_retry
        if status == 429:
            transient.hint = "the registry limits requests: sign in, lower --jobs, or wait"
        return transient
    if status == 413:
        return Rejected(
            f"too large for the registry or a proxy in front of it ({words})",
            where=where,
            hint='behind ingress-nginx, set the annotation nginx.ingress.kubernetes.io/proxy-body-size: "0"',
        )
    if 400 <= status < 500:
        # What answers HTTP on a port for HTTPS says so in a body, which the answer to a HEAD lacks.
        hint = "if it speaks HTTPS, leave --plain-http and http:// out" if where.startswith("http:") else None
        return Rejected(f"the registry refused ({words})", where=where, hint=None if code or status != 400 else hint)
    return RegistryError(f"unexpected answer ({words})", where=where)


def _registry_words(body: bytes) -> tuple[str, str]:
    """The code and the words of a registry's error document (distribution-spec "Error Codes"), made printable."""
    try:
        first = json.loads(body)["errors"][0]
        code, message, detail = (first.get(key) for key in ("code", "message", "detail"))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return "", ""
    words = [str(part) for part in (code, message) if part]
    if isinstance(detail, str) and detail:
        words.append(detail)
    return str(code or ""), _CONTROL.sub(" ", ", ".join(words))[:300]


def of_certificate(error: ssl.SSLCertVerificationError, url: str, pem: str) -> Unavailable:
    """Translate a certificate that is not trusted; ``pem`` is that certificate where it could be had."""
    host = split(url).hostname
    names = _names_in(pem)
    seen = f"; the certificate is for {names}" if names else ""
    hints = {
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
        f"the certificate is not trusted: {error.verify_message}{seen}", where=public_url(url), hint=hint
    )


def _names_in(pem: str) -> str:
    try:
        return _san_words(decode_certificate(pem)) if pem else ""
    except (OSError, ValueError):
        return ""


def decode_certificate(pem: str) -> Mapping[str, object]:
    """What a certificate holds, whoever signed it. Raises :class:`OSError` or :class:`ValueError`."""
    import tempfile

    # The standard library parses a certificate only after having verified it; this parser, which its own tests
    # use, reads any, and wants a file.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        decode = ssl._ssl._test_decode_cert  # type: ignore[attr-defined] # not in the stubs, there since Python 2.6
        found: Mapping[str, object] = decode(file.name)
        return found


def _san_words(certificate: Mapping[str, object]) -> str:
    names = certificate.get("subjectAltName")
    if isinstance(names, tuple) and names:
        return ", ".join(str(name[1]) for name in names[:8])
    return "no name at all (it has no SANs, and a CN alone is no longer read)"


def _words(error: BaseException) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "ended too early"
    return _CONTROL.sub(" ", getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _speaks_https(body: bytes) -> bool:
    """Whether a server says that it was sent plain HTTP where it expects HTTPS."""
    request = _PLAIN_REQUEST.search(body)
    return b"only speaks HTTPS" in body or (
        request is not None and _HTTPS_EXPECTED.search(body, request.end()) is not None
    )
