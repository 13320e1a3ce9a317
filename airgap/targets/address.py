# SPDX-License-Identifier: Apache-2.0
"""The TARGET of the command line: ``[http://|https://]HOST[:PORT][/PREFIX]``."""

from __future__ import annotations

from collections.abc import Iterable

from airgap.errors import UsageError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.oci.reference import registry_problem, repository_problem
from airgap.records import Record, replace

_EXAMPLE = tr(
    "write it as HOST:PORT/PREFIX, such as 10.100.0.102:32415/my-docker-image, with http:// before it for plain HTTP"
)


class CredentialsInAddress(UsageError):
    """The address contains a user or a password. ``address`` is its scheme and host alone, as a shell reads them."""

    def __init__(self, what: str, address: str) -> None:
        self.address = quoted(address)
        hint = tr(
            "give them by --username with --password-stdin, by AIRGAP_USERNAME and AIRGAP_PASSWORD, "
            "or sign in once: airgap login {address}",
            address=self.address,
        )
        super().__init__(what, hint=hint)


class TargetAddress(Record):
    """A registry and a prefix of repository names.

    ``registry`` is ``host[:port]`` as image references contain it. ``prefix`` has no slash at its ends; empty is none.
    ``plain_http`` is ``None`` if the address was written without a scheme. ``route`` is the path below which the
    registry's API lies, such as ``repository/NAME`` of Nexus; names of images do not contain it.
    """

    registry: str
    prefix: str = ""
    plain_http: bool | None = None
    route: str = ""

    @classmethod
    def parse(cls, text: str) -> TargetAddress:
        """Parse an address. Raises :class:`UsageError` with the reason."""
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "", text
        if scheme not in ("", "http", "https"):
            raise UsageError(
                tr("a target is reached by http:// or https://, not by {scheme}://", scheme=scheme), hint=_EXAMPLE
            )
        registry, _, prefix = rest.partition("/")
        prefix = prefix.rstrip("/")
        if "@" in registry:
            raise CredentialsInAddress(
                tr("a target carries no user or password"), f"{scheme}{separator}{registry.rpartition('@')[2]}"
            )
        if not registry or (reason := registry_problem(registry)):
            raise UsageError(
                tr(
                    "{text!r} is no target: {reason}",
                    text=text,
                    reason=reason if registry else tr("the host is missing"),
                ),
                hint=_EXAMPLE,
            )
        _, colon, port = registry.removeprefix(registry.rpartition("]")[0]).rpartition(":")
        if colon and not 0 < int(port) < 65536:
            raise UsageError(tr("{text!r} is no target: {port} is no port", text=text, port=port), hint=_EXAMPLE)
        if "." not in registry and ":" not in registry and registry != "localhost":
            raise UsageError(
                tr(
                    "{text!r} is no target: in an image reference {registry!r} would be read as a name on Docker Hub",
                    text=text,
                    registry=registry,
                ),
                hint=tr("add the port or the domain, such as nexus:8082 or nexus.example"),
            )
        if prefix == "v2" or prefix.startswith("v2/"):
            rest = prefix.removeprefix("v2").strip("/")
            address = f"{scheme}{separator}{registry}{'/' if rest else ''}{rest}"
            raise UsageError(
                tr("{text!r} is no target: /v2 is the registry's API, no prefix", text=text),
                hint=tr("write {address}", address=address),
            )
        if prefix and (reason := repository_problem(prefix)):
            raise UsageError(tr("{text!r} is no target: {reason}", text=text, reason=reason), hint=_EXAMPLE)
        return cls(registry, prefix, {"": None, "http": True, "https": False}[scheme])

    def below(self, repositories: Iterable[str]) -> list[str]:
        """Return the repositories whose names begin with the prefix and a slash; without a prefix, all of them."""
        return [name for name in repositories if not self.prefix or name.startswith(f"{self.prefix}/")]

    @property
    def argument(self) -> str:
        """The address as a command line takes it: with its scheme if that is known, in quotes if a shell needs them."""
        return quoted(self.url_text())

    def url_text(self, *, prefix: str | None = None) -> str:
        """Return the address with its scheme if that is known, and with another prefix if one is given."""
        scheme = {None: "", True: "http://", False: "https://"}[self.plain_http]
        return f"{scheme}{self if prefix is None else replace(self, prefix=prefix)}"

    def place_of(self, repository: str) -> str:
        """Where a repository is, for messages: with the route, so that its address can be told from others."""
        return "/".join(part for part in (self.registry, self.route, repository) if part)

    def __str__(self) -> str:
        return self.place_of(self.prefix)
