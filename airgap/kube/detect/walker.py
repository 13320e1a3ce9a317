# SPDX-License-Identifier: Apache-2.0
"""From events to spots: scalars that stand where an image could, with the mappings and lists around them.

Walks without recursion and keeps nothing but the path it stands on, the anchored scalars of the document, and the
spots of the object that is not finished yet: what an object is may be said behind its content. Nesting beyond
``MAX_DEPTH`` is refused. Aliases are not followed, except one that stands for a scalar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from typing import NamedTuple

from airgap.kube.detect import keys
from airgap.kube.parse import events as ev
from airgap.kube.parse.scalars import NULL

#: A reference beyond doubt by its shape: a registry's address, a path, a tag or a digest.
_COMPLETE = re.compile(
    r"(?:(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|localhost|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?|[A-Za-z0-9-]+:[0-9]{1,5})"
    r"(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(?:@[a-z0-9]+:[0-9a-f]{32,128})?"
    r"|@[a-z0-9]+:[0-9a-f]{32,128})"
)
_LONGEST = 512
#: Whether a longer value may hold a document, a script or settings that name images.
_HINT = re.compile(
    r"[iI]mage|IMAGE|[rR]epository|(?<![a-z0-9._/-])[a-z0-9._-]*/[a-z0-9._/-]+(?::[A-Za-z0-9]|@sha256)|\bhub\b"
)
_SHORTEST = 7
#: Mappings that others look into, though they stand beside them: settings for all, and an object's name.
_LOOKED_INTO = frozenset({"global", "metadata", "from", "image"})
#: Text for people: an image in it is an example.
_PROSE = frozenset({"description", "message", "help", "notes"})

# What a spot is: a value by its key, a variable's value, a list of arguments, a value that may hold a document, an
# item of a list, whatever looks like a reference; or any of them once more, for the rules of airgap.yaml alone.
FIELD, VARIABLE, ARGUMENTS, DOCUMENT, ITEM, SHAPE, ASKED = range(7)


class Leaf(NamedTuple):
    """A scalar: its value, its place in the parser's units, how it is written; ``key_start`` is where its key is."""

    value: str
    start: int
    end: int
    style: str
    flow: bool
    tagged: bool
    key_start: int = -1

    @property
    def is_plain(self) -> bool:
        """Whether YAML decides by its look what it is: neither quoted nor tagged."""
        return not self.style and not self.tagged

    @property
    def is_null(self) -> bool:
        return self.is_plain and self.value in NULL


class Held:
    """What stays of a mapping that others look into: its key, its scalars, what it holds of the same kind. It knows
    nothing of what is around it, so that a finished object is freed at once: cycles would wait for the collector,
    whose rounds grow with the file."""

    __slots__ = ("at", "children", "leaves", "named")

    def __init__(self, at: str | int | None) -> None:
        self.at = at
        self.children: dict[str, Held] | None = None
        self.leaves: dict[str, Leaf] | None = None
        #: ``leaves`` by whose they are and what they are, once somebody has asked.
        self.named: dict[str, dict[str, Leaf]] | None = None

    def closed(self) -> Held:
        """The same without what is around it."""
        held = Held(self.at)
        held.children, held.leaves = self.children, self.leaves
        return held


class Frame(Held):
    """One open mapping or list. ``at`` is its key or index in ``parent``; ``leaves`` the scalars worth a look."""

    __slots__ = (
        "api",
        "expects_key",
        "flow",
        "images",
        "index",
        "items",
        "key",
        "key_start",
        "kind",
        "mapping",
        "mark",
        "parent",
    )

    def __init__(self, parent: Frame | None, at: str | int | None, mapping: bool, flow: bool, mark: int) -> None:
        self.at = at
        self.children = self.leaves = self.named = None
        self.parent = parent
        self.mapping = mapping
        self.flow = flow
        self.images = type(at) is str and at[-1:] in "sS" and keys.read(at).what == keys.IMAGES
        self.mark = mark
        self.expects_key = mapping
        self.key = ""
        self.key_start = -1
        self.index = -1
        self.api = ""
        self.kind = ""
        self.items: list[Leaf | None] | None = None
        #: Kept by :mod:`airgap.kube.detect.split_references`: what each stem has, once the mapping is complete.

    def here(self) -> str | int:
        return self.key if self.mapping else self.index


class Spot(NamedTuple):
    """``key`` in ``frame`` holds ``leaf``; with ``leaf`` ``None`` the frame is a list of arguments."""

    document: int
    frame: Frame
    key: str | int
    leaf: Leaf | None
    what: int = FIELD


class Batch(NamedTuple):
    """The spots of one finished object (``frame``), or those of a document that belong to none."""

    frame: Frame | None
    spots: list[Spot]


def may_hold(value: str) -> bool:
    """Whether ``value`` may be a document or settings that name images."""
    return len(value) >= _SHORTEST and ("\n" in value or value[0] in "{[") and _HINT.search(value) is not None


def complete(value: str) -> bool:
    """Whether ``value`` is a reference with everything written out."""
    return len(value) <= _LONGEST and _COMPLETE.fullmatch(value) is not None


def walk(events: ev.Events, refuse: Callable[[int, str], None], asked: Set[str] = frozenset()) -> Iterator[Batch]:
    """Yield a batch for each object as it ends and one for the rest of each document. ``asked`` are further keys
    whose values are wanted, ``*`` for all."""
    scalar, end_of, alias = ev.SCALAR, ev.END, ev.ALIAS
    read, known = keys.read, keys.known
    everything = "*" in asked
    frame: Frame | None = None
    pending: list[Spot] = []
    anchors: dict[str, Leaf] = {}
    dull: set[int] = set()  # where long anchored values begin that hold nothing, however many aliases they have
    document = depth = 0
    for what, value, start, end, style, anchor, tag in events:
        if what in (scalar, alias):
            leaf: Leaf | None = None
            if what == alias:
                leaf = anchors.get(value)
                value = leaf.value if leaf else ""
            elif anchor:
                leaf = Leaf(value, start, end, style, frame is not None and frame.flow, tag is not None)
                anchors[anchor] = leaf
                if len(value) > _LONGEST and not may_hold(value):
                    dull.add(start)
            if frame is None:
                continue
            if frame.mapping:
                if frame.expects_key:
                    frame.key = value
                    frame.key_start = start
                    frame.expects_key = False
                    continue
                frame.expects_key = True
                key = frame.key
                if what == alias and not value:
                    continue
                found = known(key) or read(key)
                if asked and (everything or key in asked) and len(value) <= _LONGEST:
                    leaf = leaf or Leaf(value, start, end, style, frame.flow, tag is not None, frame.key_start)
                    pending.append(Spot(document, frame, key, leaf, ASKED))
                if found.wanted:
                    leaf = leaf or Leaf(value, start, end, style, frame.flow, tag is not None, frame.key_start)
                    if frame.leaves is None:
                        frame.leaves = {}
                    frame.leaves[key] = leaf
                    if len(value) <= _LONGEST:
                        if found.begins:
                            pending.append(Spot(document, frame, key, leaf))
                            continue
                        if key == "value" or key == "default":
                            pending.append(Spot(document, frame, key, leaf, VARIABLE))
                            continue
                        if key == "name" and (frame.at == "from" or keys.says_image(_owner(frame))):
                            pending.append(Spot(document, frame, key, leaf))
                            continue
                    elif (key == "value" or key == "default") and "\n" not in value and value[0] not in "{[":
                        pending.append(Spot(document, frame, key, leaf, VARIABLE))  # a long list
                        continue
                    if key == "kind":
                        frame.kind = value
                    elif key == "apiVersion":
                        frame.api = value
                elif frame.images and len(value) <= _LONGEST and (":" in value or "/" in value):
                    leaf = leaf or Leaf(value, start, end, style, frame.flow, tag is not None)
                    pending.append(Spot(document, frame, key, leaf, ITEM))
                    continue
            else:
                frame.index += 1
                key = ""
                if asked and (everything or f"{frame.at}[]" in asked) and len(value) <= _LONGEST:
                    leaf = leaf or Leaf(value, start, end, style, frame.flow, tag is not None)
                    pending.append(Spot(document, frame, frame.index, leaf, ASKED))
                if frame.items is not None:
                    frame.items.append(leaf or Leaf(value, start, end, style, frame.flow, tag is not None))
                    continue
                if len(value) <= _LONGEST and (frame.images or "=" in value) and (":" in value or "/" in value):
                    leaf = leaf or Leaf(value, start, end, style, frame.flow, tag is not None)
                    pending.append(Spot(document, frame, frame.index, leaf, ITEM))
                    continue
            if len(value) >= _SHORTEST and not (what == alias and leaf and leaf.start in dull):
                if "\n" in value or value[0] in "{[":
                    if key not in _PROSE and _HINT.search(value):
                        leaf = leaf or Leaf(value, start, end, style, frame.flow, tag is not None)
                        pending.append(Spot(document, frame, frame.here(), leaf, DOCUMENT))
                elif "/" in value and (complete(value) or value.startswith(("docker://", "oci://"))):
                    leaf = leaf or Leaf(value, start, end, style, frame.flow, tag is not None)
                    pending.append(Spot(document, frame, frame.here(), leaf, SHAPE))
        elif what == end_of:
            if frame is None:
                continue
            depth -= 1
            if frame.items:
                pending.append(Spot(document, frame, 0, None, ARGUMENTS))
            if frame.at in _LOOKED_INTO and frame.parent is not None and frame.mapping:
                if frame.parent.children is None:
                    frame.parent.children = {}
                frame.parent.children[str(frame.at)] = frame.closed()
            if frame.api and frame.kind and len(pending) > frame.mark:
                yield Batch(frame, pending[frame.mark :])
                del pending[frame.mark :]
            frame = frame.parent
        elif what == ev.DOCUMENT:
            document += 1
            frame, depth = None, 0
            anchors.clear()
            dull.clear()
        elif what == ev.DOCUMENT_END:
            if pending:
                yield Batch(None, pending)
                pending = []
        else:
            at: str | int | None = None
            flow = style == "flow"
            if frame is not None:
                flow = flow or frame.flow
                if not frame.mapping:
                    frame.index += 1
                    at = frame.index
                    if frame.items is not None:
                        frame.items.append(None)
                elif frame.expects_key:  # a mapping or list as a key: nothing in it is an image's place
                    frame.expects_key = False
                    frame.key = at = "?"
                else:
                    frame.expects_key = True
                    at = frame.key
            depth += 1
            if depth > ev.MAX_DEPTH:
                refuse(start, f"nested more than {ev.MAX_DEPTH} levels deep")
            frame = Frame(frame, at, what == ev.MAPPING, flow, len(pending))
            if what == ev.SEQUENCE and type(at) is str and at.lower().endswith(_ARGUMENTS):
                frame.items = []


#: A list's key whose items are arguments: ``args``, ``command``, ``extraArgs``.
_ARGUMENTS = ("args", "command", "arguments", "flags")


def _owner(frame: Frame) -> str | int | None:
    """The key under which a mapping stands, or under which the list or mapping of its like stands."""
    if keys.says_image(frame.at) or frame.parent is None:
        return frame.at
    return frame.parent.at
