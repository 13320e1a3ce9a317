# SPDX-License-Identifier: Apache-2.0
"""What the checks of a target look at: its address, the way to it, and what was seen so far.

Answers are asked for once and kept. It signs in at most once: after a password was refused nothing is asked with it.
"""

from __future__ import annotations

import ipaddress
from functools import cached_property
from typing import TYPE_CHECKING

from airgap.errors import AirgapError
from airgap.records import Record
from airgap.registry.settings import is_loopback
from airgap.targets.mapping import Mapping
from airgap.targets.products import Product, nexus_version, product_of

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient
    from airgap.registry.http.transport import Response
    from airgap.targets.nexus.rest import Hosted, Rest


class Probe(Record, frozen=False, eq=False):
    """``client`` is where images are pushed; ``rest`` is there where Nexus's own address is known. ``tags`` is how
    many an import would add. ``expect`` names the repository that ``--fix`` would make, or give a connector to."""

    client: RegistryClient
    mapping: Mapping
    rest: Rest | None = None
    tags: int = 0
    expect: str = "docker-hosted"
    #: The connector port that ``--fix`` would give it; 0 is the address's own, which behind a NodePort is another.
    connector: int = 0
    #: What the address was asked without a credential, or why it could not be.
    seen: Response | AirgapError | None = None
    signed_in: bool = False

    @property
    def registry(self) -> str:
        """``host[:port]`` as nodes write it."""
        return self.mapping.address.registry

    @property
    def url(self) -> str:
        return self.client.base_url

    @cached_property
    def place(self) -> tuple[str, str, int]:
        """Scheme, host and port that requests go to."""
        from airgap.registry.http.errors import split_url

        parts = split_url(self.url)
        return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def address(self) -> str:
        """``host:port`` that requests go to, as it stands in the URL."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def san(self) -> str:
        """What a certificate must hold for the name used: ``IP:…`` or ``DNS:…``."""
        host = self.place[1]
        try:
            return f"IP:{ipaddress.ip_address(host)}"
        except ValueError:
            return f"DNS:{host}"

    @property
    def wanted_port(self) -> int:
        """The port of the connector that ``--fix`` would make."""
        return self.connector or self.place[2]

    @property
    def loopback(self) -> bool:
        return is_loopback(self.address)

    def look(self) -> Response | AirgapError:
        if self.seen is None:
            try:
                self.seen = self.client.ping_anonymously()
            except AirgapError as error:
                self.seen = error
        return self.seen

    @property
    def first(self) -> Response | None:
        seen = self.look()
        return None if isinstance(seen, AirgapError) else seen

    @property
    def product(self) -> Product:
        if self.rest is not None:
            return "nexus"
        return product_of(self.first) if self.first is not None else ""

    @property
    def version(self) -> tuple[str, str]:
        """Nexus's version and edition, where something says them."""
        version, edition = nexus_version(self.first) if self.first is not None else ("", "")
        if not version and self.rest is not None and not self.client.password_refused:
            found = self.rest.get("../swagger.json")
            info = found.get("info") if isinstance(found, dict) else None
            version = str(info.get("version", "")) if isinstance(info, dict) else ""
        return version, edition

    @property
    def expected(self) -> Hosted | None:
        """The hosted repository that ``--fix`` speaks of, where this user sees its settings."""
        registries = self.rest.registries if self.rest is not None else []
        named = (one for one in registries if one.name == self.expect and one.type == "hosted" and one.is_shown)
        return next(named, None)

    @property
    def hosted(self) -> Hosted | None:
        """Which of Nexus's repositories this address leads to, where that can be told."""
        if self.rest is None:
            return None
        registries = self.rest.registries
        _, host, port = self.place
        path = self.url.partition("://")[2].partition("/")[2].split("/")
        if "repository" in path[:-1]:
            name = path[path.index("repository") + 1]
            return next((one for one in registries if one.name == name), None)
        for one in registries:
            if port in one.ports:
                return one
        first = self.mapping.address.prefix.partition("/")[0]
        for one in registries:
            if one.path_enabled and one.name == first:
                return one
            if one.subdomain and one.subdomain == host.partition(".")[0]:
                return one
        return registries[0] if len(registries) == 1 else None
