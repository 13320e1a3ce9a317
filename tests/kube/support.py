# SPDX-License-Identifier: Apache-2.0
"""What the tests of this room share: a pod around one value, both parsers, and events without positions."""

from __future__ import annotations

from airgap.errors import AirgapError
from airgap.kube import Scan, Site, rewrite_content, scan
from airgap.kube.parse import json_events, yaml_events
from airgap.kube.parse.source import Source

NEW = "10.100.0.102:32415/my-docker-image/x:1"

POD = b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"


def pod(lines: bytes) -> bytes:
    """A pod with ``lines`` as its containers; they are indented by two blanks already."""
    return POD + lines


def texts(found: Scan) -> list[str]:
    return [site.text for site in found.sites]


def only(content: bytes, file: str = "x.yaml") -> Site:
    (site,) = scan(content, file).sites
    return site


def attempt(content: bytes, file: str = "x") -> Scan | AirgapError:
    """What ``scan`` gives or raises; other exceptions pass, and fail the test."""
    try:
        return scan(content, file)
    except AirgapError as error:
        return error


def replaced(content: bytes, new: str = NEW) -> bytes:
    """``content`` with every site's text replaced."""
    return rewrite_content(content, [(site, new) for site in scan(content, "x.yaml").sites]).content


def structure(content: bytes) -> list[tuple[int, str]]:
    """What a parser sees, without positions and styles."""
    source = Source(content, "x")
    if json_events.could_be(source):
        try:
            return [(event[0], event[1]) for event in json_events.parse(source)]
        except json_events.NotJSON:
            pass
    return [(event[0], event[1]) for event in yaml_events.parse(source)]
