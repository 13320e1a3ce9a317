# SPDX-License-Identifier: Apache-2.0
"""Parsing ``WWW-Authenticate`` headers (RFC 9110, 11.6.1). One header may contain several challenges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from airgap.records import Record

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ITEM = re.compile(
    rf"""[\s,]*(?:
        (?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]*))   # a parameter
        | (?P<scheme>{_TOKEN})(?:\s+(?P<token68>[A-Za-z0-9._~+/-]+=*)(?=\s*(?:,|$)))?    # a new challenge
    )""",
    re.VERBOSE,
)


class Challenge(Record):
    """A challenge. ``scheme`` and the names of ``parameters`` are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse(headers: Iterable[str]) -> list[Challenge]:
    """Return the challenges of all headers, in order. The rest of a header is ignored from an invalid part on."""
    challenges: list[Challenge] = []
    for header in headers:
        position, parameters = 0, dict[str, str]()
        while match := _ITEM.match(header, position):
            if match.end() == position:
                break
            position = match.end()
            if match["scheme"]:
                parameters = {}
                challenges.append(Challenge(match["scheme"].lower(), parameters))
            elif challenges:
                value = match["plain"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
                parameters[match["name"].lower()] = value
    return challenges
