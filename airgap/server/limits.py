# SPDX-License-Identifier: Apache-2.0
"""The limits of the server: what a client may take of it, in one table.

A client is a source address (``clients.client_of``). ``airgap serve --limit NAME=VALUE`` changes a limit.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterable

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.limits import Limit

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3

TABLE: tuple[Limit, ...] = (
    Limit(
        "connections",
        2048,
        "connections",
        tr("connections at once; fewer where the system allows fewer open files"),
        tr("the idle connection closest to its timeout is closed, or the new one where none is idle"),
    ),
    Limit(
        "connections-per-client",
        1024,
        "connections",
        tr("connections of one client at once"),
        tr("that client's idle connection closest to its timeout is closed, or the new one where none is idle"),
    ),
    Limit(
        "workers",
        640,
        "requests",
        tr("requests being answered at once"),
        tr("the slowest transfer of the client with the most requests is cut off, if it takes more than 5 s"),
    ),
    Limit("handshake-time", 20, "seconds", tr("a TLS handshake"), tr("the connection is closed")),
    Limit(
        "header-time", 20, "seconds", tr("the arrival of a request's headers"), tr("408, and the connection is closed")
    ),
    Limit("idle-time", 60, "seconds", tr("a connection between two requests"), tr("the connection is closed")),
    Limit("header-line", 32 * _KIB, "bytes", tr("one line of the headers"), tr("431 (414 for the request line)")),
    Limit("header-lines", 100, "lines", tr("the lines of a request's headers"), "431"),
    Limit("header-bytes", 64 * _KIB, "bytes", tr("all headers of a request"), "431"),
    Limit(
        "header-memory",
        16 * _MIB,
        "bytes",
        tr("incomplete headers of all connections"),
        tr("431 for the connection with the most"),
    ),
    Limit(
        "minimum-rate",
        1024,
        "bytes/s",
        tr("the transfer of a body in either direction, over rate-period"),
        tr("408 or the end of the response, and the connection is closed"),
    ),
    Limit("rate-period", 30, "seconds", tr("the time over which minimum-rate is measured"), tr("see minimum-rate")),
    Limit("manifest-bytes", 4 * _MIB, "bytes", tr("a pushed manifest"), "413"),
    Limit("manifest-values", 131_072, "values", tr("the JSON values of a pushed manifest"), "400"),
    Limit("manifest-depth", 32, "levels", tr("the nesting of a pushed manifest"), "400"),
    Limit(
        "uploads", 512, "uploads", tr("unfinished uploads"), tr("the oldest of the client with the most is discarded")
    ),
    Limit(
        "uploads-per-client",
        128,
        "uploads",
        tr("unfinished uploads of one client"),
        tr("that client's oldest is discarded"),
    ),
    Limit(
        "upload-bytes-per-client",
        256 * _GIB,
        "bytes",
        tr("all unfinished uploads of one client"),
        tr("that client's oldest are discarded; 413 for one upload alone"),
    ),
    Limit("upload-time", 3600, "seconds", tr("an upload without requests"), tr("it is discarded")),
    Limit(
        "sign-in-failures",
        5,
        "tries",
        tr("wrong passwords of one client at once"),
        tr("429 even for the right one, until sign-in-interval has passed"),
    ),
    Limit(
        "sign-in-interval",
        1,
        "seconds",
        tr("the time after which a client gets one more try"),
        tr("see sign-in-failures"),
    ),
)

_DEFAULTS = {limit.name: limit.value for limit in TABLE}


class Limits:
    """The values in force, by name: ``limits["uploads"]``."""

    def __init__(self, changes: dict[str, int] | None = None) -> None:
        unknown = [name for name in changes or {} if name not in _DEFAULTS]
        if unknown:
            raise UsageError(
                tr("there is no limit {name!r}", name=unknown[0]),
                hint=tr("the limits are {names}", names=", ".join(_DEFAULTS)),
            )
        self._values = {**_DEFAULTS, **(changes or {})}

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def connections_that_fit(self) -> int:
        """Raise the process's limit of open files as far as it may; return how many connections fit under it."""
        # A connection has its socket and the blob that it reads; an upload has a file.
        wanted = 2 * self["connections"] + self["uploads"] + 64
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft == resource.RLIM_INFINITY:
            return self["connections"]
        return min(self["connections"], max(16, (soft - self["uploads"] - 64) // 2))


def parse_limits(settings: Iterable[str]) -> dict[str, int]:
    """Parse ``NAME=VALUE``, the values of ``--limit``. Raises :class:`UsageError`."""
    changes = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not (value.isascii() and value.isdigit() and int(value[:16]) > 0 and len(value) < 16):
            raise UsageError(
                tr("{setting!r} is no limit", setting=setting),
                hint=tr("write it as NAME=NUMBER, such as uploads=100; a number is 1 or more"),
            )
        changes[name] = int(value)
    Limits(changes)
    return changes
