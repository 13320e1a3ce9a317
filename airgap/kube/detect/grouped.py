# SPDX-License-Identifier: Apache-2.0
"""References split over lines of settings, ``registry=…``, ``image.repository=…``, ``image.tag=…`` in properties, INI
and TOML: joined as keys of a mapping are (:mod:`airgap.kube.detect.split_references`). A key that
stands twice is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.kube.detect import keys
from airgap.kube.detect.lines import SETTING, bodies
from airgap.kube.detect.split_references import Joined, join
from airgap.kube.detect.walker import Frame, Leaf, complete

_SECTION = re.compile(
    r"[ \t]*\[{1,2}[ \t]*([\w.\"'/:-](?:[\w.\"'/: -]{0,198}[\w.\"'/:-])?)[ \t]*\]{1,2}[ \t]*(?:[#;].*)?"
)
#: Repositories and tags are git's too: that an image is meant must be said, by a key, a section, or a registry.
_SAYS_IMAGE = re.compile(r"image|img|docker|container", re.IGNORECASE)


def joined(value: str) -> Iterator[Joined]:
    """References of which a line of ``value`` holds the name and others the rest; the leaves' ``start`` and ``end``
    are places in ``value``."""
    for frame in _sections(value):
        for key, leaf in (frame.leaves or {}).items():
            what = keys.read(key).what
            if what not in (keys.IMAGE, keys.REPOSITORY) or complete(leaf.value):
                continue
            found = join(frame, key, leaf, None)
            if not isinstance(found, Joined) or len(found.pieces) == 1:
                continue
            if _SAYS_IMAGE.search(f"{frame.at or ''}.{key}") or complete(found.text):
                yield found


def _sections(value: str) -> list[Frame]:
    """A mapping for each section; what stands before the first is around the others, and a registry there is for
    all."""
    top = Frame(None, None, True, False, 0)
    frames = [Frame(top, None, True, False, 0)]
    seen: set[tuple[int, str]] = set()
    for at, body in bodies(value):
        if section := _SECTION.fullmatch(body):
            frames.append(Frame(top, section[1].rpartition(".")[2].strip("\"' "), True, False, 0))
            continue
        found = SETTING.fullmatch(body)
        if found is None:
            continue
        frame, key = frames[-1], found["key"]
        frame.leaves = frame.leaves if frame.leaves is not None else {}
        if (len(frames), key) in seen:
            frame.leaves.pop(key, None)
            continue
        seen.add((len(frames), key))
        begin, end = found.span("value")
        frame.leaves[key] = Leaf(found["value"], at + begin, at + end, '"', False, False)
    first = frames[0].leaves or {}
    top.leaves = {key: leaf for key, leaf in first.items() if keys.read(key)[:2] == (keys.REGISTRY, "")}
    return frames
