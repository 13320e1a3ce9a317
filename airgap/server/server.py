# SPDX-License-Identifier: Apache-2.0
"""Listening on an address: start and stop a registry over a store."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from airgap.errors import NotReady, UsageError
from airgap.i18n import tr
from airgap.server.app import OnRequest, RegistryApp
from airgap.server.limits import Limits
from airgap.server.naming import Naming, PlainNaming
from airgap.server.site import Site
from airgap.store import Source, Store

if TYPE_CHECKING:
    from airgap.server.gateway import HttpServer

StrPath = str | os.PathLike[str]


class Server:
    """A registry over ``store``. It listens from :meth:`start` to :meth:`stop`, or while used as a context manager.

    ``port`` 0 means any free port. ``writable`` allows pushes, and deletes if the store supports them. ``credentials``
    are user and password. ``tls`` are the files of the certificate (with its chain) and its key. ``naming`` maps
    repositories of URLs to those of the store. ``on_request`` is called with method, path (without query) and status
    of each request, from several threads. ``uploads`` is the folder for unfinished uploads, preferably on the disk of
    the store. ``site`` are read-only files outside of ``/v2/``. ``limits`` changes limits of
    :mod:`airgap.server.limits` by name. ``sparse`` accepts indexes without all of their images.

    Raises :class:`UsageError` for ``writable`` with a store that cannot be written.
    """

    def __init__(
        self,
        store: Source,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        writable: bool = False,
        credentials: tuple[str, str] | None = None,
        tls: tuple[StrPath, StrPath] | None = None,
        naming: Naming | None = None,
        on_request: OnRequest | None = None,
        uploads: StrPath | None = None,
        limits: dict[str, int] | None = None,
        site: Site | None = None,
        sparse: bool = False,
    ) -> None:
        self._limits = Limits(limits)
        if writable and not isinstance(store, Store):
            raise UsageError(
                tr("this can only be read"), hint=tr("serve it without --writable, or serve a layout folder")
            )
        self._registry = RegistryApp(
            store,
            naming or PlainNaming(),
            writable=writable,
            credentials=credentials,
            folder=Path(uploads) if uploads is not None else None,
            on_request=on_request,
            limits=self._limits,
            site=site,
            sparse=sparse,
        )
        self._host = host.strip("[]")
        self._port = port
        self._tls = (os.fspath(tls[0]), os.fspath(tls[1])) if tls else None
        self._server: HttpServer | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Listen, and answer requests in threads of this process.

        Raises :class:`NotReady` if the address or the certificate cannot be used.
        """
        from airgap.server.gateway import HttpServer

        if self._server is not None:
            return
        try:
            server = HttpServer((self._host, self._port), self._registry, self._tls, self._limits)
        except OSError as error:  # includes ssl.SSLError
            raise NotReady(
                tr("certificate and key cannot be used: {strerror}", strerror=error.strerror or error),
                where=", ".join(self._tls or ()),
                hint=tr("both must be PEM files that belong together"),
            ) from error
        try:
            server.prepare()
        except OSError as error:
            cause = server.refusal or error
            raise NotReady(
                tr("cannot listen here: {strerror}", strerror=cause.strerror or cause),
                where=_address(self._host, self._port),
                hint=tr("choose another address or port with --listen HOST:PORT, or end the program that holds it"),
            ) from error
        self._server = server
        self._port = server.bind_addr[1]
        self._stopped.clear()
        self._thread = threading.Thread(target=server.serve, name="airgap-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, close the connections and discard unfinished uploads. It can be called several times."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._registry.close()
        self._stopped.set()

    def serve_forever(self) -> None:
        """Start if necessary; return after :meth:`stop` or when the user interrupts."""
        if self._server is None:
            self.start()
        try:
            self._stopped.wait()
        finally:
            self.stop()

    @property
    def address(self) -> str:
        """``host:port``; an IPv6 address is in brackets."""
        return _address(self._host, self._port)

    @property
    def url(self) -> str:
        """``http://host:port`` or ``https://host:port``."""
        return f"{'https' if self._tls else 'http'}://{self.address}"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
