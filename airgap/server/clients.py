# SPDX-License-Identifier: Apache-2.0
"""Who a client is: a source address. Who signs in too often with a wrong password has to wait."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from airgap.server.limits import Limits

#: Clients whose failures are remembered. The one that failed longest ago is forgotten first.
_REMEMBERED = 10_000


def client_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or a network of 64 bits, which one IPv6 user may have."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, 64), strict=False))


class SignInGuard:
    """Limits the tries of each client: some failures at once, then one more in each interval.

    While a client has no try left, it is refused before its password is compared. Otherwise its answers would tell the
    right password from wrong ones. ``clock`` gives seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = limits["sign-in-failures"]
        self._interval = limits["sign-in-interval"]
        self._clock = clock
        self._lock = threading.Lock()
        # Client to the time at which it has all its tries again.
        self._recovered: OrderedDict[str, float] = OrderedDict()

    def attempt(self, client: str, is_right: Callable[[], bool]) -> bool | None:
        """Return whether the credentials are right, or ``None`` if the client has no try left."""
        with self._lock:  # so that tries at the same time are counted one after the other
            now = self._clock()
            recovered = max(self._recovered.get(client, now), now)
            if recovered - now > (self._burst - 1) * self._interval:
                return None
            if is_right():
                return True
            self._recovered[client] = recovered + self._interval
            self._recovered.move_to_end(client)
            if len(self._recovered) > _REMEMBERED:
                self._recovered.popitem(last=False)
            return False

    def wait(self, client: str) -> int:
        """Return the seconds, at least 1, until a client has a try."""
        with self._lock:
            rest = self._recovered.get(client, 0.0) - self._clock() - (self._burst - 1) * self._interval
        return max(1, math.ceil(rest))
