# SPDX-License-Identifier: Apache-2.0
"""Broken and unusual set-ups for ``airgap doctor``, each with its true cause and a remedy that would work.

``says`` and ``helps`` are regular expressions for the first problem (the first warning where there is no problem):
for its text, and for its hint with the lines to type. Both are empty for a set-up in which nothing is wrong.

The list was written before the first run, which was right in 77 of the 124 (the enforced
signatures came later). All are right now; for one of them, the
Authorization header that is stripped, the double had to name the anonymous user first, since by the status alone it
cannot be told from a wrong password.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

from airgap.config.connections import ConnectionOptions
from tests.doubles.front import front
from tests.doubles.harbor import Harbor
from tests.doubles.nexus import ADMIN, PUSHER, Nexus, Repository, User, answers
from tests.doubles.nexus.settings import BASIC_REALMS, DOCKER_REALM, OCI_REALM
from tests.doubles.registry import Answer, Request, double
from tests.doubles.registry.double import Handler
from tests.parts.proxy import http_proxy
from tests.parts.service import free_port
from tests.targets.yard import HOSTED, SECURE, Place, Yard

OPEN = replace(HOSTED, force_basic=False)
HIDDEN = Repository("docker-hosted")
OTHER = Repository("docker-other", connector="http")
BY_PATH = Repository("docker-hosted", path_enabled=True)
OCI = Repository("oci-hosted", format="oci", connector="http")
PAGE = "<html><head><title>{}</title></head><body>…</body></html>"


@dataclass(frozen=True)
class SetUp:
    """One set-up. ``cause`` and ``remedy`` in words, ``says`` and ``helps`` as patterns."""

    name: str
    build: Callable[[Yard], Place]
    cause: str = ""
    remedy: str = ""
    says: str = ""
    helps: str = ""


def page(status: int, title: str, server: str = "", **headers: str) -> Answer:
    more = {"Server": server} if server else {}
    return Answer(status, PAGE.format(title).encode(), {"Content-Type": "text/html", **more, **headers})


def site(
    yard: Yard, answer: Answer | Handler, *, user: User | None = PUSHER, tls: ssl.SSLContext | None = None
) -> Place:
    """Something that answers everything in one way."""
    there = yard.stack.enter_context(double(answer if callable(answer) else lambda _: answer, tls=tls))
    return Place(there.url, user=user)


def before(
    yard: Yard, made: Nexus, intercept: Callable[[Request], Answer | None] = lambda _: None, **more: object
) -> Place:
    """A connector behind something that changes what passes."""
    url = made.connector().url
    there = yard.stack.enter_context(front(url, intercept=intercept, **more))  # type: ignore[arg-type]
    return Place(f"{there.url}/p", made)


def nodeport(yard: Yard, *repositories: Repository, user: User = ADMIN, name: str = "", **more: object) -> Place:
    """A connector that nodes see under another port than Nexus knows, with Nexus's pages given."""
    made = yard.far(*(repositories or (HOSTED,)), **more)  # type: ignore[arg-type]
    there = yard.stack.enter_context(front(made.connector(name or made_name(repositories)).url))
    return Place(f"{there.url}/p", made, made.url, user)


def made_name(repositories: tuple[Repository, ...]) -> str:
    return repositories[0].name if repositories else "docker-hosted"


def own(yard: Yard, *repositories: Repository, name: str = "", user: User = ADMIN, **more: object) -> Place:
    """A connector by its own port, with Nexus's pages given."""
    made = yard.far(*(repositories or (HOSTED,)), **more)  # type: ignore[arg-type]
    return Place(f"http://{made.connector(name or made_name(repositories)).address}/p", made, made.url, user)


def old_tls(yard: Yard) -> Place:
    context = yard.authority.good().context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is what old servers still speak
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return with_ca(yard, site(yard, Answer(401), tls=context))


def client_certificate(yard: Yard) -> Place:
    context = yard.authority.good().context()
    context.load_verify_locations(yard.authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return with_ca(yard, site(yard, Answer(401), tls=context))


def with_ca(yard: Yard, place: Place) -> Place:
    return replace(place, options=ConnectionOptions(ca_file=str(yard.authority.ca)))


def incomplete_chain(yard: Yard, *, ca: bool) -> Place:
    return yard.secure(yard.authority.through_intermediate(complete=False), ca=ca)


def registry_v1(request: Request) -> Answer:
    if request.path == "/v1/_ping":
        return Answer(200, b"true", {"Content-Type": "application/json", "X-Docker-Registry-Version": "0.9.1"})
    return Answer(404, b"404 page not found", {"Content-Type": "text/plain"})


def refused_post(status: int, title: str, server: str) -> Callable[[Request], Answer | None]:
    return lambda request: page(status, title, server) if request.method == "POST" else None


def starting(request: Request) -> Answer:
    return page(503, "503 - Nexus Repository Manager", "Nexus/3.87.1-01 (COMMUNITY)")


def kubernetes(request: Request) -> Answer:
    body = b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}'
    return Answer(401, body, {"Content-Type": "application/json"})


def proxied(yard: Yard, answer: Answer) -> Place:
    """An address behind a proxy of the environment that gives its own answer to CONNECT and to plain requests."""
    there = yard.stack.enter_context(double(lambda _: answer))
    yard.monkeypatch.setenv("HTTPS_PROXY", there.url)
    yard.monkeypatch.setenv("HTTP_PROXY", there.url)
    return Place("https://nexus.test:8443")


def plain_proxied(yard: Yard, answer: Answer) -> Place:
    return replace(proxied(yard, answer), target="http://nexus.test:8082")


def via_harbor(yard: Yard, prefix: str = "library", user: User = ADMIN, *, password: str = "", **more: object) -> Place:
    there = Harbor({"admin": ADMIN.password, "robot$carrier": "robot-word"}, **more)  # type: ignore[arg-type]
    yard.stack.callback(there.stop)
    return Place(f"{there.url}/{prefix}".rstrip("/"), user=user, password=password)


def rights(*actions: str) -> tuple[User, ...]:
    return (ADMIN, replace(PUSHER, actions=frozenset(actions)))


def disk_full(status: int, said: str, style: str = "html") -> Callable[[Request], Answer | None]:
    answer = {"html": answers.html, "text": answers.text}[style](status, said)
    return lambda request: answer if request.method in ("POST", "PATCH", "PUT") else None


def gone(yard: Yard, nexus: str, *, place: Place | None = None) -> Place:
    return replace(place or yard.plain(), nexus=nexus, user=ADMIN)


def secure_pages(yard: Yard) -> Place:
    """Nexus's pages behind TLS of an authority that is not trusted here; the connector on plain HTTP."""
    made = yard.far()
    pages = yard.stack.enter_context(front(made.main.url, tls=yard.authority.good().context()))
    return Place(f"http://{made.connector().address}/p", made, pages.url, ADMIN)


def forwarded(yard: Yard, *, port: bool) -> Place:
    """A proxy that sends X-Forwarded-Host, to a Nexus that doubles a port in it."""
    made = yard.far(OPEN, profile="3.8x", doubles_port=True)

    def add(request: Request) -> None:
        host, _, number = str(request.headers["Host"]).partition(":")
        request.headers["X-Forwarded-Host"] = f"{host}:{number}" if port else host
        if not port:
            request.headers["X-Forwarded-Port"] = number

    return before(yard, made, lambda request: add(request))


def realm_at(yard: Yard, realm: str, *, service: str = "") -> Place:
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="{service or realm}"'}
    answer = Answer(401, b"{}", {"Content-Type": "application/json", **challenge})
    answer.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
    return site(yard, answer)


def html_401(yard: Yard) -> Place:
    """A registry whose 401 has a page as its body, as some proxies make of it."""
    made = yard.far()

    def page_of_401(request: Request) -> Answer | None:
        if request.authorization:
            return None
        head = {"Docker-Distribution-Api-Version": "registry/2.0", "WWW-Authenticate": 'Basic realm="x"'}
        return page(401, "Unauthorized", **head)

    return before(yard, made, page_of_401)


def stripped(request: Request) -> None:
    del request.headers["Authorization"]


def group_of(yard: Yard, kind: str, *, admin: bool = False, **more: object) -> Place:
    made = yard.far(
        Repository("all", kind=kind, connector="http", force_basic=True, **more),
        HIDDEN,  # type: ignore[arg-type]
    )
    return Place(f"http://{made.connector('all').address}", made, made.url if admin else "", ADMIN if admin else PUSHER)


def once(yard: Yard) -> Place:
    return yard.plain(replace(HOSTED, write_policy="ALLOW_ONCE"), admin=True)


def tunnel(yard: Yard, user: str = "") -> Place:
    """A good one by HTTPS behind a proxy that lets through."""
    made = yard.far(SECURE, tls=yard.authority.good("DNS:nexus.test"))
    proxy = yard.stack.enter_context(http_proxy(routes={"nexus.test:8443": made.connector().address}))
    yard.monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    return with_ca(yard, Place("https://nexus.test:8443", made))


ROBOT = User("robot$carrier", "robot-word")

SETUPS = [
    # The network.
    SetUp(
        "unknown name",
        lambda y: Place("http://nexus.invalid:8082"),
        "the name is unknown here",
        "DNS or /etc/hosts",
        r"nexus\.invalid is unknown",
        r"/etc/hosts",
    ),
    SetUp(
        "closed port",
        lambda y: Place(f"http://127.0.0.1:{free_port()}"),
        "nothing listens there",
        "the right port",
        r"nothing listens",
        r"port",
    ),
    SetUp(
        "closed port, another repository's port known",
        lambda y: (lambda p: replace(p, target=f"http://127.0.0.1:{free_port()}"))(own(y)),
        "no connector has this port",
        "the port that docker-hosted has",
        r"nothing listens",
        r"docker-hosted.*127\.0\.0\.1:\d+",
    ),
    SetUp(
        "connector that did not bind",
        lambda y: (lambda made: Place(f"http://127.0.0.1:{made.repository().http_port}", made, made.url, ADMIN))(
            y.far(Repository("docker-hosted", connector="dead"))
        ),
        "the settings name the port, and nothing listens there",
        "Nexus's log",
        r"nothing listens",
        r"log",
    ),
    SetUp(
        "a user of REST who sees no connectors",
        lambda y: (lambda p: replace(p, target=f"http://127.0.0.1:{free_port()}", user=PUSHER))(own(y)),
        "nothing listens, and this user sees no connectors",
        "ask as an administrator",
        r"nothing listens",
        r"administrator",
    ),
    SetUp(
        "SSH",
        lambda y: y.talker(b"SSH-2.0-OpenSSH_9.2\r\n"),
        "no HTTP server",
        "another port",
        r"does not speak HTTP",
        r"",
    ),
    SetUp(
        "a server that hangs up",
        lambda y: y.talker(b""),
        "it closes the connection without an answer",
        "the right port or proxy",
        r"closed without an answer|connection broke",
        r"",
    ),
    # TLS.
    SetUp(
        "HTTPS to a plain port",
        lambda y: (lambda p: replace(p, target=p.target.replace("http:", "https:")))(y.plain()),
        "the port speaks plain HTTP",
        "write http://",
        r"speaks plain HTTP",
        r"http://127",
    ),
    SetUp(
        "plain HTTP to a TLS port",
        lambda y: (lambda p: replace(p, target=p.target.replace("https:", "http:"), options=ConnectionOptions()))(
            y.secure(y.authority.good())
        ),
        "the port speaks HTTPS",
        "write https://",
        r"speaks HTTPS",
        r"https://127",
    ),
    SetUp(
        "unknown authority",
        lambda y: y.secure(y.authority.good(), ca=False),
        "a private authority issued it",
        "its certificate as --ca-file",
        r"private authority",
        r"--ca-file",
    ),
    SetUp(
        "self-signed",
        lambda y: y.secure(y.authority.self_signed()),
        "self-signed",
        "the certificate as --ca-file",
        r"self-signed",
        r"--ca-file",
    ),
    SetUp(
        "missing intermediate",
        lambda y: incomplete_chain(y, ca=True),
        "the server does not send the intermediate certificate",
        "the server must send the chain",
        r"intermediate",
        r"server.*(send|chain)|chain",
    ),
    SetUp(
        "missing intermediate, no authority known",
        lambda y: incomplete_chain(y, ca=False),
        "the server does not send the intermediate certificate",
        "the server must send the chain",
        r"intermediate",
        r"server.*(send|chain)|chain",
    ),
    SetUp(
        "wrong host",
        lambda y: y.secure(y.authority.wrong_host()),
        "for another host",
        "a name that it holds",
        r"elsewhere\.example",
        r"SAN",
    ),
    SetUp(
        "CN alone",
        lambda y: y.secure(y.authority.common_name_only(), host="localhost"),
        "no SANs",
        "a certificate with SANs",
        r"no SANs",
        r"subjectAltName",
    ),
    SetUp(
        "address not in the SANs",
        lambda y: y.secure(y.authority.no_ip()),
        "the address is not in the SANs",
        "IP: in the SANs",
        r"IP:127\.0\.0\.1",
        r"IP:",
    ),
    SetUp("expired", lambda y: y.secure(y.authority.expired()), "expired", "renew", r"over since|expired", r"renew"),
    SetUp(
        "not yet valid",
        lambda y: y.secure(y.authority.not_yet()),
        "not valid yet",
        "clock",
        r"begins only|not yet",
        r"clock",
    ),
    SetUp(
        "TLS 1.1 only",
        old_tls,
        "the server speaks TLS 1.1 at most",
        "switch TLS 1.2 on at the server",
        r"TLS 1\.1|older TLS|no TLS 1\.2",
        r"TLS ?v?1\.2",
    ),
    SetUp(
        "a client certificate is required",
        client_certificate,
        "the server wants a client certificate",
        "an address without it",
        r"client certificate",
        r"certificate",
    ),
    SetUp("the whole chain sent", lambda y: y.secure(y.authority.through_intermediate(complete=True))),
    SetUp("good TLS", lambda y: y.secure(y.authority.good())),
    SetUp("good TLS behind a proxy", tunnel),
    # What answers instead of a registry.
    SetUp(
        "a portal's page",
        lambda y: site(y, page(200, "Guest network sign-in", "CaptivePortal/2")),
        "a portal answers",
        "sign in to it, or another network",
        r"Guest network sign-in.*CaptivePortal|CaptivePortal.*Guest network",
        r"portal|proxy",
    ),
    SetUp(
        "a portal elsewhere",
        lambda y: site(y, Answer(302, b"", {"Location": "http://portal.example.invalid/login?to=x"})),
        "redirected to a portal",
        "sign in to it, or leave the proxy out",
        r"portal\.example\.invalid",
        r"portal|proxy|sign",
    ),
    SetUp(
        "a portal's 511",
        lambda y: site(y, page(511, "Network Authentication Required", "gw")),
        "511: the network wants a sign-in",
        "sign in to the network",
        r"511.*Network Authentication|Network Authentication.*511",
        r"portal|proxy|network",
    ),
    SetUp(
        "a filter's 403",
        lambda y: site(y, page(403, "Access Denied by policy", "squid/5.7")),
        "a filter refuses",
        "have the address allowed, or NO_PROXY",
        r"Access Denied by policy.*squid|squid.*Access Denied",
        r"proxy|filter",
    ),
    SetUp(
        "rate-limited",
        lambda y: site(y, Answer(429, b"slow down", {"Retry-After": "0"})),
        "429: rate-limited",
        "wait",
        r"429|limits? requests",
        r"wait|later",
    ),
    SetUp(
        "rate-limited, a page",
        lambda y: site(y, page(429, "Too Many Requests", "nginx")),
        "429: rate-limited",
        "wait",
        r"429|limits? requests",
        r"wait|later",
    ),
    SetUp(
        "registry v1",
        lambda y: site(y, registry_v1),
        "a registry of version 1",
        "a registry that speaks version 2",
        r"[vV](ersion )?1",
        r"[vV](ersion )?2",
    ),
    SetUp(
        "Kubernetes' API server",
        lambda y: site(y, kubernetes),
        "it is Kubernetes' API server",
        "the port of the registry",
        r"Kubernetes",
        r"port",
    ),
    SetUp(
        "some web site",
        lambda y: site(y, page(404, "404 Not Found", "Apache/2.4")),
        "a web site",
        "host and port",
        r"no registry.*(404 Not Found|Apache)",
        r"host|port",
    ),
    SetUp(
        "nginx's welcome",
        lambda y: site(y, page(200, "Welcome to nginx!", "nginx/1.24")),
        "nginx's own start page",
        "the rule that leads to the registry",
        r"Welcome to nginx",
        r"nginx|Ingress|host|port",
    ),
    SetUp(
        "an Ingress that knows no such host",
        lambda y: site(y, page(404, "404 Not Found", "nginx")),
        "an Ingress without a rule for this host",
        "a rule for this host",
        r"404 Not Found.*nginx|nginx.*404 Not Found",
        r"Ingress",
    ),
    SetUp(
        "Ingress without endpoints",
        lambda y: site(y, page(503, "503 Service Temporarily Unavailable", "nginx")),
        "nothing behind the Ingress",
        "endpoints",
        r"503",
        r"endpoints",
    ),
    SetUp(
        "bad gateway",
        lambda y: site(y, page(502, "502 Bad Gateway", "nginx")),
        "nothing behind the proxy",
        "endpoints",
        r"502",
        r"endpoints",
    ),
    SetUp(
        "gateway time-out",
        lambda y: site(y, page(504, "504 Gateway Time-out", "nginx")),
        "what is behind the proxy does not answer",
        "endpoints",
        r"504",
        r"endpoints|runs",
    ),
    SetUp(
        "Nexus starts",
        lambda y: site(y, starting),
        "Nexus itself answers 503: it starts",
        "wait until it has started",
        r"Nexus.*503|503.*Nexus",
        r"wait|start",
    ),
    SetUp(
        "Nexus's pages",
        lambda y: Place(f"{(made := y.far()).url}/elsewhere", made),
        "Nexus's own port",
        "the connector's port",
        r"its pages",
        r"connector",
    ),
    SetUp(
        "Nexus's pages, settings known",
        lambda y: Place(f"{(made := y.far()).url}/elsewhere", made, made.url, ADMIN),
        "Nexus's own port",
        "the connector's port, which is known",
        r"its pages",
        r"docker-hosted.*:\d+",
    ),
    SetUp(
        "Nexus's pages with a context path",
        lambda y: Place(f"{(made := y.far(context='/nexus')).main.url}/elsewhere", made, made.url, ADMIN),
        "Nexus's own port",
        "the connector's port",
        r"its pages|no registry",
        r"docker-hosted.*:\d+",
    ),
    SetUp(
        "the page of a single sign-on",
        lambda y: site(y, Answer(302, b"", {"Location": "/oauth2/start?rd=%2Fv2%2F"})),
        "a sign-on page in front",
        "let /v2/ through without it",
        r"oauth2|sign",
        r"/v2/|proxy|portal",
    ),
    SetUp(
        "redirects in a circle",
        lambda y: site(y, Answer(301, b"", {"Location": "/v2/"})),
        "redirects without end",
        "the rule of the proxy",
        r"redirects",
        r"",
    ),
    SetUp(
        "plain HTTP led to HTTPS",
        lambda y: site(y, lambda r: Answer(308, b"", {"Location": f"https://127.0.0.1:9{r.target}"})),
        "the address is moved to HTTPS",
        "write https://",
        r"https://127\.0\.0\.1:9",
        r"https://",
    ),
    SetUp(
        "401 that does not say how",
        lambda y: site(y, Answer(401, b"{}", {"Content-Type": "application/json"})),
        "no challenge",
        "have the header passed on",
        r"how to sign in",
        r"WWW-Authenticate|header",
    ),
    SetUp(
        "Kerberos in front",
        lambda y: site(
            y, Answer(401, b"", {"WWW-Authenticate": "Negotiate", "Docker-Distribution-Api-Version": "registry/2.0"})
        ),
        "a proxy wants Kerberos",
        "a way without it",
        r"Negotiate|how to sign in",
        r"proxy|front",
    ),
    SetUp("a 401 with a page as its body", html_401),
    SetUp(
        "a portal that answers CONNECT",
        lambda y: proxied(y, page(302, "Sign in", "gw", Location="http://portal.example.invalid/")),
        "the proxy, or a portal, answers CONNECT itself",
        "sign in to it, NO_PROXY",
        r"proxy.*302|302.*proxy",
        r"NO_PROXY|portal",
    ),
    SetUp(
        "a proxy that forbids CONNECT",
        lambda y: proxied(y, page(403, "Forbidden", "squid")),
        "the proxy forbids CONNECT to this port",
        "allow it, or NO_PROXY",
        r"proxy.*403",
        r"CONNECT|NO_PROXY",
    ),
    SetUp(
        "a proxy that forbids plain requests",
        lambda y: plain_proxied(y, page(403, "Access control", "squid")),
        "the proxy refuses",
        "NO_PROXY",
        r"Access control|403",
        r"NO_PROXY|proxy",
    ),
    SetUp(
        "a proxy with a portal's page",
        lambda y: plain_proxied(y, page(200, "Internet access", "gw")),
        "the proxy answers with a portal",
        "NO_PROXY",
        r"Internet access",
        r"NO_PROXY|proxy",
    ),
    SetUp(
        "a proxy that wants a password",
        lambda y: plain_proxied(y, page(407, "Proxy Authentication", "squid")),
        "407",
        "in the proxy's address",
        r"407|proxy wants",
        r"HTTP_PROXY|proxy's address",
    ),
    SetUp(
        "nginx refuses POST alone",
        lambda y: before(y, y.far(), refused_post(405, "405 Not Allowed", "nginx")),
        "a proxy refuses POST",
        "let POST and PUT through",
        r"nginx|proxy.*POST|POST.*(nginx|proxy)",
        r"POST|method",
    ),
    SetUp(
        "a filter refuses POST alone",
        lambda y: before(y, y.far(), refused_post(403, "403 Forbidden", "nginx")),
        "a proxy refuses POST",
        "let POST and PUT through",
        r"nginx|proxy",
        r"POST|method",
    ),
    SetUp(
        "an Ingress's limit of bodies",
        lambda y: y.ingress(y.far()),
        "413",
        "proxy-body-size",
        r"413",
        r"proxy-body-size",
    ),
    # The address of tokens.
    SetUp(
        "null realm",
        lambda y: y.plain(OPEN, realm="null"),
        "Nexus 3.77 makes null:// realms",
        "update",
        r"null://",
        r"X-Forwarded|[Uu]pdate|sav",
    ),
    SetUp(
        "realm with port 443",
        lambda y: y.plain(OPEN, realm="http443"),
        "wrong forwarded headers",
        "X-Forwarded-Port and -Proto",
        r":443",
        r"Forwarded",
    ),
    SetUp(
        "realm by http behind TLS",
        lambda y: y.ingress(y.far(OPEN), tls=True, forwarded="http"),
        "X-Forwarded-Proto says http",
        "X-Forwarded-Proto https",
        r"http",
        r"X-Forwarded-Proto https",
    ),
    SetUp(
        "realm of the inner host",
        lambda y: y.ingress(y.far(OPEN), tls=True, forwarded="none"),
        "Host is not passed on",
        "Host",
        r"not where it is reached",
        r"Host",
    ),
    SetUp(
        "realm with the port twice",
        lambda y: forwarded(y, port=True),
        "X-Forwarded-Host carries the port, which this Nexus adds again",
        "the host without the port",
        r"twice|doubled",
        r"X-Forwarded-Host 127\.0\.0\.1(;|$|\n)",
    ),
    SetUp("forwarded host without its port", lambda y: forwarded(y, port=False)),
    SetUp(
        "realm on a closed port",
        lambda y: realm_at(y, f"http://127.0.0.1:{free_port()}/auth", service="registry"),
        "nothing listens where tokens are given",
        "start it, or put the address right",
        r"/auth",
        r"address|runs|reach|external",
    ),
    SetUp(
        "realm on an unknown host",
        lambda y: realm_at(y, "https://tokens.invalid/auth", service="registry"),
        "the host of the tokens is unknown here",
        "DNS, or the address",
        r"tokens\.invalid",
        r"DNS|address|external",
    ),
    # The sign-in.
    SetUp(
        "nobody known, Basic",
        lambda y: replace(y.plain(), user=None),
        "no user known",
        "airgap login",
        r"none is known",
        r"airgap login",
    ),
    SetUp(
        "nobody known, tokens",
        lambda y: replace(y.plain(OPEN), user=None),
        "no user known",
        "airgap login",
        r"none is known",
        r"airgap login",
    ),
    SetUp(
        "wrong password, Basic",
        lambda y: replace(y.plain(), password="x"),
        "the password is wrong",
        "check it",
        r"password is wrong",
        r"airgap login",
    ),
    SetUp(
        "wrong password, tokens",
        lambda y: replace(y.plain(OPEN), password="x"),
        "the password is wrong",
        "check it",
        r"password is wrong",
        r"airgap login",
    ),
    SetUp(
        "wrong password, pages given, 3.71",
        lambda y: replace(own(y, profile="3.71"), password="x"),
        "the password is wrong",
        "check it",
        r"password is wrong",
        r"airgap login",
    ),
    SetUp(
        "Authorization stripped",
        lambda y: before(y, y.far(names_anonymous=True), stripped),
        "a proxy takes Authorization away",
        "have it passed on",
        r"Authorization",
        r"Authorization|pass",
    ),
    SetUp(
        "token realm missing",
        lambda y: y.plain(OPEN, realms=BASIC_REALMS),
        "DockerToken is not active",
        "activate it",
        r"DockerToken",
        r"Realms",
    ),
    SetUp(
        "token realm missing, pages given, NodePort",
        lambda y: nodeport(y, OPEN, OTHER, realms=BASIC_REALMS),
        "DockerToken is not active",
        "activate it",
        r"DockerToken",
        r"Realms",
    ),
    SetUp(
        "token realm of oci missing",
        lambda y: own(y, replace(OCI, force_basic=False), realms=(*BASIC_REALMS, DOCKER_REALM)),
        "OciBearerToken is not active",
        "activate it",
        r"OciBearerToken",
        r"Realms",
    ),
    # What Nexus has against a push.
    SetUp(
        "licence waits",
        lambda y: own(y, eula_accepted=False),
        "the licence is not accepted",
        "accept it",
        r"licence",
        r"accept",
    ),
    SetUp(
        "licence waits, pages unknown",
        lambda y: y.plain(eula_accepted=False),
        "the licence is not accepted",
        "accept it",
        r"licence",
        r"accept",
    ),
    SetUp("frozen", lambda y: own(y, frozen=True), "read-only mode", "release it", r"read-only mode", r"[Rr]elease"),
    SetUp(
        "frozen, 3.71",
        lambda y: own(y, frozen=True, profile="3.71"),
        "read-only mode",
        "release it",
        r"read-only mode",
        r"[Rr]elease",
    ),
    SetUp(
        "offline", lambda y: y.plain(replace(HOSTED, online=False)), "switched offline", "Online", r"offline", r"Online"
    ),
    SetUp(
        "read-only policy, legacy",
        lambda y: own(y, replace(HOSTED, write_policy="DENY"), profile="legacy"),
        "DENY",
        "Allow redeploy",
        r"DENY",
        r"Allow redeploy",
    ),
    SetUp(
        "read-only policy, pages unknown",
        lambda y: y.plain(replace(HOSTED, write_policy="DENY")),
        "DENY",
        "Allow redeploy",
        r"DENY|Read-only",
        r"Allow redeploy",
    ),
    SetUp(
        "a group",
        lambda y: group_of(y, "group", members=("docker-hosted",)),
        "a group takes no push",
        "the hosted one",
        r"group",
        r"hosted",
    ),
    SetUp(
        "a group, refused in words of a page",
        lambda y: group_of(y, "group", members=("docker-hosted",), admin=True),
        "a group takes no push",
        "the hosted one",
        r"group",
        r"hosted",
    ),
    SetUp(
        "a proxy repository",
        lambda y: group_of(y, "proxy", remote="docker-hosted"),
        "a proxy repository takes no push",
        "a hosted one",
        r"proxy repository",
        r"hosted",
    ),
    SetUp(
        "a proxy repository, plain 405",
        lambda y: y.silent_proxy(),
        "a proxy repository takes no push",
        "a hosted one",
        r"proxy|group",
        r"hosted",
    ),
    SetUp(
        "over the edition's limit",
        lambda y: y.plain(profile="3.8x", components_elsewhere=40_001),
        "the edition's limit",
        "a licence",
        r"edition",
        r"licence",
    ),
    SetUp(
        "only read",
        lambda y: y.plain(users=rights("read", "browse")),
        "no right to push",
        "add and edit",
        r"may not push",
        r"-add",
    ),
    SetUp(
        "no read",
        lambda y: y.plain(users=rights("add", "edit", "browse")),
        "no right to read",
        "the privilege read",
        r"may not read|read",
        r"-read",
    ),
    SetUp(
        "no read, tokens",
        lambda y: y.plain(OPEN, users=rights("add", "edit")),
        "no right to read",
        "the privilege read",
        r"may not read|read",
        r"-read",
    ),
    SetUp(
        "no edit",
        lambda y: y.plain(users=rights("add", "read", "browse")),
        "no right to finish an upload",
        "the privilege edit",
        r"may not|edit",
        r"-edit",
    ),
    SetUp(
        "the disk is full, 500",
        lambda y: before(y, y.far(), disk_full(500, "No space left on device")),
        "the disk is full",
        "room on the disk",
        r"No space left on device",
        r"disk|space|room",
    ),
    SetUp(
        "the disk is full, 507",
        lambda y: before(y, y.far(), disk_full(507, "Insufficient Storage", "text")),
        "the disk is full",
        "room on the disk",
        r"507|Insufficient Storage",
        r"disk|space|room",
    ),
    # Names of repositories.
    SetUp(
        "repository misspelt below /repository/",
        lambda y: Place(f"{(made := y.far()).url}/repository/docker-hostd/p", made),
        "no repository docker-hostd",
        "the right name",
        r"docker-hostd",
        r"spell|docker-hosted|list",
    ),
    SetUp(
        "repository misspelt below /repository/, pages given",
        lambda y: Place(f"{(made := y.far()).url}/repository/docker-hostd/p", made, made.url, ADMIN),
        "no repository docker-hostd",
        "docker-hosted",
        r"docker-hostd\b",
        r"docker-hosted",
    ),
    SetUp(
        "repository misspelt by path",
        lambda y: Place(f"{(made := y.far(BY_PATH)).url}/docker-hostd/p", made),
        "no repository docker-hostd",
        "the right name",
        r"docker-hostd|no repository",
        r"spell|name",
    ),
    SetUp(
        "repository misspelt by path, pages given",
        lambda y: Place(f"{(made := y.far(BY_PATH)).url}/docker-hostd/p", made, made.url, ADMIN),
        "no repository docker-hostd",
        "docker-hosted",
        r"docker-hostd|no repository",
        r"docker-hosted",
    ),
    SetUp(
        "no node pulls below /repository/",
        lambda y: Place(f"{(made := y.far()).url}/repository/docker-hosted/p", made),
        "no node pulls from there",
        "--via",
        r"served only below",
        r"--via",
    ),
    SetUp(
        "no Docker repository",
        lambda y: Place(
            f"http://127.0.0.1:{free_port()}", made := y.far(Repository("files", format="raw")), made.url, ADMIN
        ),
        "there is no Docker repository",
        "--fix makes one",
        r"nothing listens|no Docker",
        r"--fix",
    ),
    # The address of Nexus's pages.
    SetUp(
        "pages of an untrusted certificate",
        secure_pages,
        "the certificate of --nexus is not trusted",
        "--ca-file",
        r"certificate",
        r"--ca-file",
    ),
    SetUp(
        "pages without their context path",
        lambda y: (lambda made: Place(f"http://{made.connector().address}/p", made, made.main.url, ADMIN))(
            y.far(context="/nexus")
        ),
        "the context path is missing",
        "add it",
        r"context path|no Nexus",
        r"context path",
    ),
    SetUp(
        "pages that are the connector",
        lambda y: (lambda p: gone(y, p.target.rpartition("/")[0], place=p))(y.plain()),
        "--nexus is the connector",
        "the port of Nexus's pages",
        r"connector|registry",
        r"pages",
    ),
    SetUp(
        "pages that are something else",
        lambda y: gone(y, y.stack.enter_context(double(lambda _: page(200, "Welcome to nginx!", "nginx"))).url),
        "--nexus is something else",
        "the address of Nexus's pages",
        r"Welcome to nginx|no Nexus",
        r"pages",
    ),
    SetUp(
        "pages on a closed port",
        lambda y: gone(y, f"http://127.0.0.1:{free_port()}"),
        "nothing listens at --nexus",
        "the right port",
        r"nothing listens",
        r"--nexus|port",
    ),
    SetUp(
        "pages of an unknown name",
        lambda y: gone(y, "http://pages.invalid:8081"),
        "the name is unknown",
        "the right name",
        r"pages\.invalid.*unknown|unknown.*pages\.invalid",
        r"--nexus|DNS",
    ),
    SetUp(
        "pages asked by HTTPS that speak HTTP",
        lambda y: (lambda p: replace(p, nexus=p.nexus.replace("http:", "https:")))(own(y)),
        "the pages speak plain HTTP",
        "http://",
        r"plain HTTP",
        r"http://",
    ),
    # Harbor.
    SetUp(
        "a robot without its $",
        lambda y: via_harbor(y, user=User("robotcarrier", "robot-word")),
        "the robot's name lacks its $",
        "'robot$NAME' in single quotes",
        r"password is wrong|robot",
        r"robot\$",
    ),
    SetUp(
        "robot alone",
        lambda y: via_harbor(y, user=User("robot", "robot-word")),
        "the robot's name lacks its $",
        "'robot$NAME' in single quotes",
        r"password is wrong|robot",
        r"robot\$",
    ),
    SetUp(
        "a project that is missing",
        lambda y: via_harbor(y, "team"),
        "no project team",
        "make it",
        r"no project team",
        r"--create-projects|--fix",
    ),
    SetUp(
        "no project in the address",
        lambda y: via_harbor(y, ""),
        "an image needs a project",
        "HOST/PROJECT",
        r"project",
        r"PROJECT",
    ),
    SetUp(
        "external_url with an unknown host",
        lambda y: via_harbor(y, realm="https://harbor.invalid"),
        "external_url names an unknown host",
        "external_url",
        r"harbor\.invalid",
        r"external_url",
    ),
    SetUp(
        "external_url by http on another port",
        lambda y: via_harbor(y, realm=f"http://127.0.0.1:{free_port()}"),
        "external_url names another port",
        "external_url",
        r"127\.0\.0\.1",
        r"external_url",
    ),
    SetUp(
        "signatures are enforced",
        lambda y: own(y, replace(OCI, cosign="KEYLESS"), realms=(*BASIC_REALMS, OCI_REALM)),
        "what has no signature cannot be pulled",
        "carry the signatures, or switch the enforcement off",
        r"cosign signature",
        r"--referrers.*[Ee]nforcement",
    ),
    SetUp("a good robot", lambda y: via_harbor(y, user=ROBOT)),
    SetUp("a good administrator", lambda y: via_harbor(y)),
    # Nothing is wrong: --nexus adds knowledge and takes nothing away.
    SetUp("NodePort, Basic, token realm off", lambda y: nodeport(y, HOSTED, OTHER, realms=BASIC_REALMS)),
    SetUp("NodePort, tokens", lambda y: nodeport(y, OPEN, OTHER)),
    SetUp(
        "oci format, its realm on, Docker's off",
        lambda y: own(y, replace(OCI, force_basic=False), realms=(*BASIC_REALMS, OCI_REALM)),
    ),
    SetUp(
        "oci format behind a NodePort",
        lambda y: nodeport(y, replace(OCI, force_basic=False), realms=(*BASIC_REALMS, OCI_REALM)),
    ),
    SetUp("pages as a mere user, 3.71", lambda y: own(y, user=PUSHER, profile="3.71")),
    SetUp("pages as a mere user, anonymous access on", lambda y: own(y, user=PUSHER, anonymous=True)),
    SetUp("pages as administrator, legacy", lambda y: own(y, profile="legacy")),
    SetUp("pages as administrator, 3.8x, tokens", lambda y: own(y, OPEN, profile="3.8x")),
    SetUp("pages as administrator, 3.96, anonymous", lambda y: own(y, OPEN, anonymous=True)),
    SetUp(
        "by path, 3.8x",
        lambda y: Place(f"{(made := y.far(BY_PATH, profile='3.8x')).url}/docker-hosted/p", made, made.url, ADMIN),
    ),
    SetUp("ALLOW_ONCE", once),
    SetUp("context path", lambda y: own(y, context="/nexus")),
    SetUp("no Server header", lambda y: own(y, server_header=False)),
]
