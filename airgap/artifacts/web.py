# SPDX-License-Identifier: Apache-2.0
"""HTTP to servers that are no registries: indexes, files, uploads, with the certificates, proxies and retries of all.

A :class:`WebServer` is one origin. Its user and password are those of the caller, of airgap's own credentials for the
host, or of the netrc file.
"""

from __future__ import annotations

import netrc
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote, urlsplit

from airgap.errors import AirgapError, Unauthorized, UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.store.protocols import Opener
from airgap.store.readers import bytes_opener

if TYPE_CHECKING:
    from airgap.registry import Credential, Registries
    from airgap.registry.client import RegistryClient
    from airgap.registry.http.transport import Response, StreamedResponse


T = TypeVar("T")


class Address(Record):
    """An ``http`` or ``https`` address: ``origin`` is ``https://host[:port]``, ``path`` what follows it, without a
    slash at its end; ``query`` begins with ``?`` or is empty."""

    origin: str
    path: str
    query: str = ""
    credential: Credential | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Parse an address that may have a user and password. Raises :class:`UsageError`; its text has no secret."""
        from airgap.registry import Credential

        shown = url.rpartition("@")[2].partition("?")[0][:200]
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise UsageError(tr("{shown!r} is no http or https address", shown=shown))
        user = (
            Credential(unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else None
        )
        path = quote(parts.path, safe="/%:=&~+!$,;'@()*-._").rstrip("/")
        return cls(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", path, parts.query and f"?{parts.query}", user)

    @property
    def host(self) -> str:
        """``host[:port]``."""
        return self.origin.partition("://")[2]

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


class WebServer:
    """A part of a server: everything below ``address``. Paths are relative to it and begin with a slash."""

    def __init__(self, client: RegistryClient, address: Address, credential: Credential | None = None) -> None:
        self.client = client
        self.address = address
        self.credential = credential
        #: Whether the user named it as a registry (``oci://``).
        self.is_registry = False

    @classmethod
    def at(cls, registries: Registries, url: str, credential: Credential | None = None) -> WebServer:
        """Return the server at an address; sends nothing. ``credential`` goes before all others.

        ``registries`` gives the transport, and settings and credentials by the host's name. A ``credential`` with a
        token and without a user is sent as a Bearer token. Raises :class:`UsageError`.
        """
        address = Address.parse(url)
        known = credential or address.credential
        if known is None and registries.credential(address.host) is None:
            known = netrc_credential(address.host)
        client = registries.client_at(address.host, address.origin, known)
        if known is not None and known.token and not known.username:
            client.send_token(known.token)
        return cls(client, address, known)

    def __str__(self) -> str:
        return str(self.address)

    def url(self, path: str) -> str:
        """Return the whole address of a path."""
        return f"{self.address}{quote_path(path)}"

    def get(self, path: str = "", *, accept: str = "*/*", ok: Sequence[int] = (200,)) -> Response:
        """Return a small document. Raises the error of the response for a status not in ``ok``."""
        headers = {"Accept": accept}
        return self._explained(
            lambda: self.client.request("GET", self._target(path), scopes=(), headers=headers, ok=ok)
        )

    def exists(self, path: str) -> bool:
        """Whether the server has something at ``path``."""
        return (
            self._explained(lambda: self.client.request("HEAD", self._target(path), scopes=(), ok=(200, 404))).status
            == 200
        )

    def open(
        self, path: str = "", headers: Mapping[str, str] | None = None, ok: Sequence[int] = (200,)
    ) -> StreamedResponse:
        """Return a response with its body unread. It is not retried."""
        return self._explained(lambda: self.client.open(self._target(path), scopes=(), headers=headers or {}, ok=ok))

    def send(
        self, method: str, path: str, body: Body, *, query: str = "", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a body, and once more if that was answered with a challenge; return any response. It is not retried.

        The bytes of a file are hashed on the way, and one that is damaged is never sent whole.
        """
        all_headers = {**(headers or {}), **body.headers}
        target = f"{self._target(path)}{query}"

        def once() -> Response:
            return self.client.send_body(
                method, target, scopes=(), headers=all_headers, length=body.length, write_body=body.write
            )

        response = self._explained(once)
        return self._explained(once) if response.status == 401 else response

    def _target(self, path: str) -> str:
        """The target of a request line; the address's own query belongs to its own path alone."""
        return (f"{self.address.path}{quote_path(path)}" or "/") + (self.address.query if not path else "")

    def _explained(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except Unauthorized as error:
            error.hint = sign_in_hint(self.address.host)
            raise


class Body:
    """The body of an upload: a file, with fixed bytes before and behind it. It can be sent any number of times."""

    def __init__(
        self, descriptor: Descriptor, opener: Opener, *, before: bytes = b"", after: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._descriptor = descriptor
        self._opener = opener
        self._before, self._after = before, after
        self.headers = dict(headers or {})
        self.length = len(before) + descriptor.size + len(after)

    @classmethod
    def file(cls, descriptor: Descriptor, opener: Opener, media_type: str = "application/octet-stream") -> Body:
        """Return the body of a PUT."""
        return cls(descriptor, opener, headers={"Content-Type": media_type})

    @classmethod
    def content(cls, content: bytes, media_type: str) -> Body:
        """Return a body of bytes in memory."""
        descriptor = Descriptor(media_type, digests.of(content), len(content))
        return cls.file(descriptor, bytes_opener(content), media_type)

    @classmethod
    def form(
        cls, fields: Mapping[str, str], file_field: str, file_name: str, descriptor: Descriptor, opener: Opener
    ) -> Body:
        """Return a form (RFC 7578) with text fields and one file."""
        boundary = f"airgap-{secrets.token_hex(16)}"
        before = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_form_name(name)}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        before += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_form_name(file_field)}"; '
            f'filename="{_form_name(file_name)}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        return cls(
            descriptor, opener, before=before.encode(), after=f"\r\n--{boundary}--\r\n".encode(),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )  # fmt: skip

    def write(self, sock: socket.socket) -> None:
        """Write everything to a socket. Raises :class:`airgap.errors.DigestMismatch` before the file's last piece."""
        from airgap.registry.http.body_sender import BlobHash

        if self._before:
            sock.sendall(self._before)
        reader = self._opener(0)
        try:
            BlobHash(self._descriptor).send(sock, reader, self._descriptor.size)
        finally:
            reader.close()
        if self._after:
            sock.sendall(self._after)


def quote_path(path: str) -> str:
    """Return the path of a file as a request line can hold it."""
    return quote(path, safe="/:=&~+!$,;'@()*-._")


def sign_in_hint(host: str) -> str:
    """Return what to do where a server wants a user and password."""
    return tr("a line in ~/.netrc names them: machine {host} login USER password PASSWORD", host=host.partition(":")[0])


def netrc_credential(host: str) -> Credential | None:
    """Return the user and password of the netrc file for a host, as curl reads it; ``NETRC`` names another file.

    Raises :class:`UsageError` for a file that is no netrc.
    """
    from airgap.registry import Credential

    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        entry = netrc.netrc(path).authenticators(urlsplit(f"//{host}").hostname or "")
    except FileNotFoundError:
        return None
    except (netrc.NetrcParseError, UnicodeDecodeError):
        # "from None", because the cause contains the text of the line.
        raise UsageError(tr("this is no netrc file"), where=str(path), hint=tr("mend or remove it")) from None
    except OSError as error:
        raise UsageError(tr("cannot read it: {strerror}", strerror=error.strerror), where=str(path)) from None
    return Credential(entry[0], entry[2] or "") if entry else None


def _form_name(text: str) -> str:
    """A name in a form's header: browsers encode these three characters (HTML, "multipart/form-data")."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def address_or_none(url: str) -> Address | None:
    """Return the address of a URL in somebody's settings, where what is none is passed over."""
    try:
        return Address.parse(url)
    except AirgapError:
        return None
