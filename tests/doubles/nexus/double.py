# SPDX-License-Identifier: Apache-2.0
"""The Nexus that tests start: its ports, its state, what came and who signed in.

Every port is a :class:`tests.doubles.registry.Double`, so that any answer can be scripted on top
(``double.main.on("PUT", "/blobs/", …)``). ``clock`` is moved on by :meth:`Nexus.advance`, never slept on.
"""

from __future__ import annotations

import bisect
import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.doubles.nexus import answers, blobs, listing, manifests, policy, rest, routes, uploads
from tests.doubles.nexus.access import Access
from tests.doubles.nexus.content import Blob, Content, Manifest, Session
from tests.doubles.nexus.routes import Route, RouteKind
from tests.doubles.nexus.settings import ADMIN, PUSHER, Repository, Settings, User
from tests.doubles.registry import Answer, Double, Request
from tests.parts.certificates import Pair
from tests.parts.service import LOOPBACK, free_port

_ACTIONS = {"GET": "read", "HEAD": "read", "POST": "add", "PUT": "edit", "PATCH": "edit", "DELETE": "delete"}


@dataclass(frozen=True)
class Seen:
    """One request with its answer; ``route`` is empty for REST and for pages. No credential is kept."""

    method: str
    target: str
    route: RouteKind | str
    repository: str
    status: int
    signed: str  # Basic, Bearer or empty


class Nexus:
    """``contents`` are the repositories by name; ``frozen``, ``eula_accepted`` and their ``settings`` may change."""

    def __init__(
        self,
        settings: Settings,
        *,
        tls: Pair | None = None,
        main_tls: bool = False,
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        self.settings = settings
        self._host = host
        self.lock = threading.RLock()
        self.frozen = settings.frozen
        self.eula_accepted = settings.eula_accepted
        self.was_over_limit = False
        #: Everything that was answered, in the order of the answers.
        self.seen: list[Seen] = []
        self.contents: dict[str, Content] = {}
        #: When each request came, by :meth:`clock`.
        self._came: list[float] = []
        self.ports: dict[str, Double] = {}
        self._late: list[threading.Timer] = []
        self._moved = 0.0
        self._left = {"commit_500": settings.commit_500, "gateway_504": settings.gateway_504}
        self._tls: ssl.SSLContext | None = tls.context() if tls else None
        self.access = Access(settings, self.clock)
        scheme = "https" if main_tls else "http"
        context = self._tls if main_tls else None
        self.main = Double(
            lambda request: self._on_main(request, scheme), context, port=port, host=host, idle=settings.idle
        )
        for repository in settings.repositories:
            self.add(repository)

    # What tests look at

    @property
    def url(self) -> str:
        """Nexus's own address with its context path."""
        return self.main.url + self.settings.context

    def repository(self, name: str = "docker-hosted") -> Content:
        return self.contents[name]

    def connector(self, name: str = "docker-hosted") -> Double:
        """The port of a repository's own; its ``address`` is ``host:port``."""
        return self.ports[name]

    def root(self, kind: RouteKind, name: str = "docker-hosted") -> str:
        """The URL before ``/v2/`` on this route; for the path route the repository follows ``/v2/``, see
        :meth:`image`. The subdomain route's has a host that only a proxy or a hosts file leads here."""
        if kind == "connector":
            return self.connector(name).url
        if kind == "repository":
            return f"{self.url}/repository/{name}"
        if kind == "subdomain":
            scheme = self.main.url.partition("://")[0]
            return f"{scheme}://{self.repository(name).settings.subdomain}.nexus.test:{self.main.port}"
        return self.url

    def image(self, kind: RouteKind, image: str, name: str = "docker-hosted") -> str:
        """The image's name as it follows ``/v2/`` on this route."""
        return f"{name}/{image}" if kind == "path" else image

    def asked(self, method: str = "", fragment: str = "") -> list[Seen]:
        with self.lock:
            return [entry for entry in self.seen if (not method or entry.method == method) and fragment in entry.target]

    @property
    def tries(self) -> dict[str, tuple[int, int, int]]:
        """Sign-ins by user: good, failed, and refused while locked."""
        return {name: (entry.good, entry.failed, entry.refused) for name, entry in self.access.sign_ins.items()}

    @staticmethod
    def credentials(user: User = PUSHER) -> str:
        """``name:password`` as skopeo and curl take them."""
        return f"{user.name}:{user.password}"

    admin = ADMIN

    def clock(self) -> float:
        return time.monotonic() + self._moved

    def advance(self, seconds: float) -> None:
        """Let time pass for locks, tokens and the search index."""
        self._moved += seconds

    @property
    def requests_today(self) -> int:
        """Requests of the last 24 hours, on every port, whatever they were answered."""
        with self.lock:
            since = self.clock() - 24 * 60 * 60
            return self.settings.requests_before + len(self._came) - bisect.bisect_right(self._came, since)

    # What the handlers use

    def add(self, repository: Repository, *, http_port: int = 0, https_port: int = 0) -> Content:
        """A new repository. A connector that cannot be bound, or HTTPS without a certificate, is only a dead port:
        the settings still name it (section 1)."""
        content = self.contents[repository.name] = Content(repository)
        self.connect(content, http_port=http_port, https_port=https_port)
        return content

    def connect(self, content: Content, *, http_port: int = 0, https_port: int = 0) -> None:
        """Open the connector of a repository, on a free port where none is given; one that was open is closed."""
        repository = content.settings
        if repository.name in self.ports:
            self.ports.pop(repository.name).stop()
        content.http_port = content.https_port = None
        secure = bool(https_port) or repository.connector == "https"
        if repository.connector is None and not http_port and not https_port:
            return
        port = https_port or http_port
        scheme = "https" if secure else "http"

        def listen() -> None:
            with contextlib.suppress(OSError):
                self.ports[repository.name] = Double(
                    lambda request: self._on_connector(content, request, scheme),
                    self._tls if secure else None,
                    port=port,
                    host=self._host,
                    idle=self.settings.idle,
                )

        if repository.connector != "dead" and not (secure and self._tls is None):
            late = self.settings.connector_seconds
            if port and late:
                self._late.append(timer := threading.Timer(late, listen))
                timer.start()
            else:
                listen()
        if repository.name in self.ports:
            port = self.ports[repository.name].port
        port = port or free_port()
        content.https_port, content.http_port = (port, None) if secure else (None, port)

    def take(self, fault: str) -> bool:
        """Whether this fault of :class:`Settings` strikes now; each strikes as often as it says (44)."""
        with self.lock:
            strikes = self._left[fault] > 0
            self._left[fault] -= strikes
            return strikes

    def session(self, content: Content, image: str) -> Session:
        with self.lock:
            return content.uploads.pop(content.open_session(image))

    def read_from(self, content: Content) -> list[Content]:
        """Where a reader of this repository looks: itself, a group's members, a proxy's remote."""
        names = [*content.settings.members, *([content.settings.remote] if content.settings.remote else [])]
        return [content, *(readable for name in names for readable in self.read_from(self.contents[name]))]

    def find_blob(self, content: Content, image: str, digest: str) -> Blob | None:
        shared = self.settings.blobs_shared
        with self.lock:
            matches = (repository.has(image, digest, shared) for repository in self.read_from(content))
            return next((blob for blob in matches if blob is not None), None)

    def find_manifest(self, content: Content, image: str, reference: str) -> tuple[str, Manifest] | None:
        with self.lock:
            matches = (repository.resolve(image, reference) for repository in self.read_from(content))
            return next((match for match in matches if match is not None), None)

    def _on_connector(self, content: Content, request: Request, scheme: str) -> Answer:
        target = routes.on_connector(content, request)
        return self._finish(request, target, scheme)

    def _on_main(self, request: Request, scheme: str) -> Answer:
        target = routes.on_main(self.contents, self.settings, request)
        if target is None:
            return self._finish(request, rest.handle(self, request, scheme), scheme, registry=False)
        return self._finish(request, target, scheme)

    def _finish(self, request: Request, target: Route | Answer, scheme: str, *, registry: bool = True) -> Answer:
        """Answer, dress and note. A body that was not read before an error stays unread, and the connection is
        closed (11)."""
        with self.lock:
            self._came.append(self.clock())
        route = target if isinstance(target, Route) else None
        limit = self.settings.body_limit
        if limit is not None and request.chunked:
            request.read()
        if limit is not None and max(request.length, len(request.body)) > limit:
            answer = answers.nginx(413, "Request Entity Too Large")
            answer.linger = True  # nginx reads on, so that the client hears it; Nexus closes (11)
        else:
            answer = target if isinstance(target, Answer) else self._registry(target, request, scheme)
        answers.dress(answer, self.settings, registry=registry and route is not None)
        left = (request.length or request.chunked) and not request.whole
        answer.early = answer.early or bool(left and answer.status >= 400 and not self.settings.drains)
        name = route.content.name if route and route.content else ""
        signed = request.authorization.partition(" ")[0].capitalize()
        with self.lock:
            kind = route.kind if route else ""
            self.seen.append(Seen(request.method, request.target, kind, name, answer.status, signed))
        return answer

    def _registry(self, route: Route, request: Request, scheme: str) -> Answer:
        """The registry API. Offline is 503 before anybody is asked who he is (9)."""
        content = route.content
        if content is not None and not content.settings.online:
            return answers.text(503, "Repository offline")
        if route.rest == "token":
            return self.access.token(route, request, scheme)
        image, _, last = route.rest.rpartition("/")
        listed = route.rest == "_catalog" or (last == "list" and image.endswith("/tags"))
        action = "browse" if listed else _ACTIONS.get(request.method, "read")
        admitted = self.access.admit(route, request, scheme, action if route.rest else "")
        if isinstance(admitted, Answer):
            return admitted
        if not route.rest:
            return answers.document(200, {})
        if content is None:
            return answers.html(404, "Not Found")
        if route.rest == "_catalog":
            return listing.catalog(self, route, content, request)
        return self._of_image(route, content, request, image, last, scheme)

    def _of_image(self, route: Route, content: Content, request: Request, place: str, last: str, scheme: str) -> Answer:
        pushed_to = content
        if content.settings.kind == "group" and request.method not in ("GET", "HEAD"):
            # PRO pushes to a group's first member; others were refused by then.
            refused = policy.refuse_write(self, content)
            if refused is not None:
                return refused
            pushed_to = self.contents[content.settings.members[0]]
        if place.endswith("/blobs/uploads"):
            image = place.removesuffix("/blobs/uploads")
            if last:
                return uploads.go_on(self, route, pushed_to, request, image, last, scheme)
            if request.method == "POST":
                return uploads.start(self, route, pushed_to, request, image, scheme)
        elif place.endswith("/blobs"):
            return blobs.answer(self, content, request, place.removesuffix("/blobs"), last)
        elif place.endswith("/manifests"):
            image = place.removesuffix("/manifests")
            if request.method == "PUT":
                return manifests.put(self, route, pushed_to, request, image, last)
            if request.method == "DELETE":
                return manifests.delete(self, pushed_to, image, last)
            return manifests.get(self, content, request, image, last)
        elif place.endswith("/tags") and last == "list":
            return listing.tags(self, route, content, request, place.removesuffix("/tags"))
        elif place.endswith("/referrers") and self.settings.referrers:
            return listing.referrers(self, content, place.removesuffix("/referrers"), last)
        return answers.problem(404, "NOT_FOUND", "there is nothing here", style=self.settings.errors)

    def stop(self) -> None:
        for timer in self._late:
            timer.cancel()
            timer.join()
        for port in (self.main, *self.ports.values()):
            port.stop()


@contextlib.contextmanager
def nexus(
    settings: Settings | None = None,
    *,
    tls: Pair | None = None,
    main_tls: bool = False,
    host: str = LOOPBACK,
    port: int = 0,
) -> Iterator[Nexus]:
    """A :class:`Nexus` that ends with the block. ``tls`` serves HTTPS connectors, ``main_tls`` the main port too.

    The main port is ``port``, 0 for a free one; all ports listen on ``host``, empty for every address.
    """
    server = Nexus(settings or Settings(), tls=tls, main_tls=main_tls, host=host, port=port)
    try:
        yield server
    finally:
        server.stop()
