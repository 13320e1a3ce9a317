# SPDX-License-Identifier: Apache-2.0
"""Which repository a request means, by port, path, Host label or ``/v2/<repository>/…`` (1, section 1).

A route remembers the root under which the client came, from which challenges, locations and links are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from tests.doubles.nexus import answers
from tests.doubles.nexus.content import Content
from tests.doubles.nexus.settings import Settings
from tests.doubles.registry import Answer, Request

RouteKind = Literal["connector", "repository", "subdomain", "path"]


@dataclass(frozen=True)
class Route:
    """``root`` is the path before ``/v2/``, ``rest`` what follows it without the repository's name; ``prefix`` is what
    stands before image names in this route's paths. ``content`` is ``None`` for ``/v2/`` itself on the path route."""

    kind: RouteKind
    content: Content | None
    root: str
    rest: str
    prefix: str = ""


def on_connector(content: Content, request: Request) -> Route | Answer:
    """A connector's root is the repository's, whatever the context path; anything else is unknown to it. A path
    under ``/repository/``, as a wrong ``Link`` names it (34), is answered with 400."""
    path = unquote(request.path)
    if path.startswith("/repository/"):
        return answers.problem(400, "NAME_INVALID", "invalid repository name", path)
    if path in ("/v2", "/v2/") or path.startswith("/v2/"):
        return Route("connector", content, "", path.removeprefix("/v2").removeprefix("/"))
    return answers.html(404, "Not Found")


def on_main(contents: dict[str, Content], settings: Settings, request: Request) -> Route | Answer | None:
    """The route of a request to the main port, the refusal, or ``None`` for what is no registry's business."""
    path = unquote(request.path)
    named = _by_subdomain(contents, request)
    if named is not None and (path == "/v2" or path.startswith("/v2/")):
        return Route("subdomain", named, "", path.removeprefix("/v2").removeprefix("/"))
    if not path.startswith(f"{settings.context}/"):
        return answers.html(404, "Not Found")
    inner = path.removeprefix(settings.context)
    if inner.startswith("/repository/"):
        return _by_repository(contents, settings, inner)
    if inner == "/v2" or inner.startswith("/v2/"):
        return _by_path(contents, settings, inner.removeprefix("/v2").removeprefix("/"))
    return None


def _by_subdomain(contents: dict[str, Content], request: Request) -> Content | None:
    """The first label of the Host header, or of the forwarded one, selects the repository."""
    host = request.headers.get("X-Forwarded-Host") or request.headers.get("Host") or ""
    label = host.partition(":")[0].partition(".")[0]
    return next((c for c in contents.values() if c.settings.is_registry and c.settings.subdomain == label), None)


def _by_repository(contents: dict[str, Content], settings: Settings, path: str) -> Route | Answer | None:
    """``/repository/<repository>/v2/…`` needs no connector and works in every profile (1); unknown ones are 404 (9)."""
    name, _, rest = path.removeprefix("/repository/").partition("/")
    content = contents.get(name)
    if content is None:
        return answers.text(404, "Repository not found")
    if not content.settings.is_registry:
        return None
    if rest != "v2" and not rest.startswith("v2/"):
        return answers.html(404, "Not Found")
    return Route("repository", content, f"{settings.context}/repository/{name}", rest[3:])


def _by_path(contents: dict[str, Content], settings: Settings, rest: str) -> Route | Answer:
    """``<base>/v2/<repository>/<image>/…``, from 3.83 on and where some repository has it switched on; it has no
    catalog. Where it is not, the main port's ``/v2/`` is a 404 page."""
    open_ones = {c.name: c for c in contents.values() if c.settings.path_enabled and c.settings.is_registry}
    if not settings.modern or not open_ones:
        return answers.html(404, "Not Found")
    if rest in ("", "token"):
        return Route("path", None, settings.context, rest)
    name, _, inner = rest.partition("/")
    if rest == "_catalog":
        return answers.html(404, "Not Found")
    if name not in open_ones:
        return answers.text(404, "Repository not found")
    if inner == "_catalog":
        return answers.html(404, "Not Found")
    return Route("path", open_ones[name], settings.context, inner, prefix=f"{name}/")


def base_of(request: Request, scheme: str) -> str:
    """``scheme://host[:port]`` as the client is told it: from Host and the forwarded headers (section 1). A forwarded
    port without a forwarded scheme gives ``http://host:443`` (np#435)."""
    headers = request.headers
    scheme = headers.get("X-Forwarded-Proto") or scheme
    host = headers.get("X-Forwarded-Host") or headers.get("Host") or "localhost"
    port = headers.get("X-Forwarded-Port")
    if port and ":" not in host and port != {"http": "80", "https": "443"}.get(scheme):
        host = f"{host}:{port}"
    return f"{scheme}://{host}"
