# SPDX-License-Identifier: Apache-2.0
"""Which addresses a registry may lead this program to, by a redirect or the address of its token server.

A registry that is a stranger could otherwise make this machine send requests into its own network. A rule is checked
for the address that is connected to, after the name was resolved: a name that changes its address meanwhile does not
get around it.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from airgap.i18n import tr
from airgap.registry.settings import is_loopback

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where clouds keep the credentials of a machine: AWS and most others, AWS by IPv6, Alibaba, Oracle.
_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
_METADATA_NAMES = ("metadata.google.internal", "metadata")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenAddress(OSError):
    """An address that a rule forbids."""


class AddressRule(NamedTuple):
    """What a registry may lead to beside public addresses. Link-local and metadata addresses never."""

    loopback: bool
    private: bool

    @classmethod
    def for_registry_at(cls, peer: str) -> AddressRule:
        """Return the rule for a registry that was reached at the address ``peer``, "" for one behind a proxy.

        A registry on this machine may lead anywhere on it, and one in a private network anywhere in such networks.
        """
        try:
            address = _plain(ipaddress.ip_address(peer.partition("%")[0]))
        except ValueError:
            return cls(loopback=False, private=False)
        return cls(loopback=address.is_loopback, private=not address.is_global)

    def check(self, text: str) -> None:
        """Raise :class:`ForbiddenAddress` for an address, or for a name that stands for one by itself."""
        try:
            address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            if text.lower().rstrip(".") in _METADATA_NAMES or (is_loopback(text) and not self.loopback):
                raise ForbiddenAddress(tr("{address} is no address for others to name", address=text)) from None
            return
        if address.is_loopback:
            kind = "" if self.loopback else tr("an address of this machine")
        elif address in _METADATA:
            kind = tr("the address of a cloud's metadata")
        elif address.is_link_local or address.is_unspecified or address.is_multicast:
            kind = tr("a link-local or special address")
        else:
            kind = "" if self.private or address.is_global else tr("a private address")
        if kind:
            raise ForbiddenAddress(tr("{address} is {kind}", address=text, kind=kind))


def _plain(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address contains, if it is of a kind that does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address
