# SPDX-License-Identifier: Apache-2.0
"""``WWW-Authenticate`` headers (RFC 9110, 11.6.1): several challenges in one header, any letter case."""

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
    """``scheme`` is lower case, and so are the names of ``parameters``."""

    scheme: str
    parameters: Mapping[str, str]


def parse(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge of every header, in order. What cannot be read ends that header's list, quietly."""
    found: list[Challenge] = []
    for header in headers:
        position, parameters = 0, dict[str, str]()
        while match := _ITEM.match(header, position):
            if match.end() == position:
                break
            position = match.end()
            if match["scheme"]:
                parameters = {}
                found.append(Challenge(match["scheme"].lower(), parameters))
            elif found:
                value = match["plain"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
                parameters[match["name"].lower()] = value
    return found
