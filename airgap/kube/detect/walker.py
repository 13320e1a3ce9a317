# SPDX-License-Identifier: Apache-2.0
"""Turn parser events into candidates: scalars in places where an image may be named, with their enclosing nodes.

The walk does not recurse. It keeps the open nodes, the anchored scalars of the document and the candidates of the
unfinished object, because ``kind`` may follow an object's content. Nesting beyond ``MAX_DEPTH`` is refused. Aliases
are resolved only where the anchor is on a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import NamedTuple

from airgap.i18n import tr
from airgap.kube.detect import keys
from airgap.kube.detect.nodes import Node, ScalarToken
from airgap.kube.detect.shapes import LONGEST, SHORTEST, hints_at_images, may_be_document, may_mention, may_name_images
from airgap.kube.parse import events as ev

#: Keys of mappings that are kept after they end, because their neighbours need their values.
_KEPT_MAPPINGS = frozenset(
    {"global", "metadata", "from", "image", "default", "defaults", "base", "common", "shared", "ref", "sourceRef"}
)
#: Events between two charges.
_CHARGED = 512
#: Keys whose values are text for people; an image in it is an example.
_PROSE = frozenset({"description", "message", "help", "notes"})

# The forms of a candidate: a value with a key that names images, a variable's value, a list of arguments, a value that
# may be a document, an item of a list, a value that looks like a reference or holds one, a value that only rules of
# airgap.yaml ask for, and a key that holds a reference.
FIELD, VARIABLE, ARGUMENTS, DOCUMENT, ITEM, SHAPE, REQUESTED, KEY = range(8)


class Candidate(NamedTuple):
    """The value ``token`` under ``key`` in ``node``, or a list of arguments if ``token`` is ``None``."""

    document: int
    node: Node
    key: str | int
    token: ScalarToken | None
    form: int = FIELD


class Batch(NamedTuple):
    """The candidates of one finished object (``node``), or those of a document outside its objects (``None``)."""

    node: Node | None
    candidates: list[Candidate]


def walk(
    events: ev.Events,
    refuse: Callable[[int, str], None],
    requested: Set[str] = frozenset(),
    charge: Callable[[int, int, int], None] = lambda *_: None,
) -> Iterator[Batch]:
    """Yield a batch for each object when it ends, and one for the rest of each document.

    ``requested`` are further keys whose values become candidates, ``*`` for all. ``refuse`` is called with an offset
    and a reason where the nesting is too deep, and raises. ``charge`` is called from time to time, and before each
    batch, with an offset, the number of values that are kept, and the number of events since it was called last.
    """
    scalar, end_of, alias = ev.SCALAR, ev.END, ev.ALIAS
    values = (scalar, alias)
    classify, cached, registry = keys.classify, keys.cached, keys.REGISTRY
    container_sign, container_keys = keys.CONTAINER_SIGN, keys.CONTAINER_KEYS
    all_requested = "*" in requested
    new = tuple.__new__  # without the call of a named tuple's constructor
    node: Node | None = None
    pending: list[Candidate] = []
    anchors: dict[str, ScalarToken] = {}
    # The offsets of long anchored values that name no image. Their aliases are skipped.
    irrelevant_anchors: set[int] = set()
    document = depth = 0
    # The values that the open nodes keep besides the candidates, and the events since the last charge.
    kept = uncharged = 0
    for event_type, value, start, end, style, anchor, tag in events:
        uncharged += 1
        if uncharged == _CHARGED:
            charge(start, kept + len(pending), uncharged)
            uncharged = 0
        if event_type in values:
            token: ScalarToken | None = None
            if event_type == alias:
                token = anchors.get(value)
                value = token.value if token else ""
            elif anchor:
                token = new(
                    ScalarToken, (value, start, end, style, node is not None and node.flow, tag is not None, -1)
                )
                anchors[anchor] = token
                kept += 1
                if len(value) > LONGEST and not may_name_images(value):
                    irrelevant_anchors.add(start)
            if node is None:
                continue
            if node.mapping:
                if node.expects_key:
                    node.key = value
                    node.key_start = start
                    node.expects_key = False
                    if "/" in value and event_type == scalar and may_mention(value):
                        key_token = new(ScalarToken, (value, start, end, style, node.flow, tag is not None, -1))
                        pending.append(new(Candidate, (document, node, value, key_token, KEY)))
                    continue
                node.expects_key = True
                key = node.key
                if event_type == alias and not value:
                    continue
                key_meaning = cached(key) or classify(key)
                if requested and (all_requested or key in requested) and len(value) <= LONGEST:
                    token = token or new(
                        ScalarToken, (value, start, end, style, node.flow, tag is not None, node.key_start)
                    )
                    pending.append(new(Candidate, (document, node, key, token, REQUESTED)))
                if key_meaning is container_sign:
                    node.is_container = True
                elif key_meaning.kept:
                    token = token or new(
                        ScalarToken, (value, start, end, style, node.flow, tag is not None, node.key_start)
                    )
                    if node.tokens is None:
                        node.tokens = {}
                    node.tokens[key] = token
                    kept += 1
                    if key_meaning.role is registry and not key_meaning.weak:
                        node.has_prefix = True
                    if len(value) <= LONGEST:
                        if key_meaning.is_candidate:
                            pending.append(new(Candidate, (document, node, key, token, FIELD)))
                            continue
                        if key == "value" or key == "default":
                            pending.append(new(Candidate, (document, node, key, token, VARIABLE)))
                            continue
                        if key == "name" and (node.parent_key == "from" or keys.names_image(_image_key_above(node))):
                            pending.append(new(Candidate, (document, node, key, token, FIELD)))
                            continue
                    elif (key == "value" or key == "default") and not may_be_document(value):
                        pending.append(new(Candidate, (document, node, key, token, VARIABLE)))  # a long list
                        continue
                    if key == "kind":
                        node.kind = value
                    elif key == "apiVersion":
                        node.api = value
                elif node.holds_images and len(value) <= LONGEST and (":" in value or "/" in value):
                    form = ITEM
                    if node.holds_images == 3:
                        form = DOCUMENT if may_be_document(value) else SHAPE
                    token = token or new(ScalarToken, (value, start, end, style, node.flow, tag is not None, -1))
                    pending.append(new(Candidate, (document, node, key, token, form)))
                    continue
            else:
                node.index += 1
                key = ""
                if requested and (all_requested or f"{node.parent_key}[]" in requested) and len(value) <= LONGEST:
                    token = token or new(ScalarToken, (value, start, end, style, node.flow, tag is not None, -1))
                    pending.append(new(Candidate, (document, node, node.index, token, REQUESTED)))
                if node.items is not None:
                    kept += 1
                    node.items.append(
                        token or new(ScalarToken, (value, start, end, style, node.flow, tag is not None, -1))
                    )
                    continue
                if (
                    len(value) <= LONGEST
                    and (node.holds_images in (1, 2) or "=" in value)
                    and (":" in value or "/" in value)
                ):
                    token = token or new(ScalarToken, (value, start, end, style, node.flow, tag is not None, -1))
                    pending.append(new(Candidate, (document, node, node.index, token, ITEM)))
                    continue
            if len(value) >= SHORTEST and not (event_type == alias and token and token.start in irrelevant_anchors):
                if ("\n" in value or value[0] in "{[ \t") and key not in _PROSE and may_be_document(value):
                    if hints_at_images(value):
                        token = token or new(ScalarToken, (value, start, end, style, node.flow, tag is not None, -1))
                        pending.append(new(Candidate, (document, node, node.current_key(), token, DOCUMENT)))
                elif "/" in value and key != "description" and (may_mention(value) or value.startswith(_ADDRESSES)):
                    token = token or new(ScalarToken, (value, start, end, style, node.flow, tag is not None, -1))
                    pending.append(new(Candidate, (document, node, node.current_key(), token, SHAPE)))
        elif event_type == end_of:
            if node is None:
                continue
            depth -= 1
            if node.items:
                pending.append(new(Candidate, (document, node, 0, None, ARGUMENTS)))
            if node.parent_key in _KEPT_MAPPINGS and node.parent is not None and node.mapping:
                if node.parent.children is None:
                    node.parent.children = {}
                node.parent.children[str(node.parent_key)] = node.closed_copy()
            tokens = node.tokens
            if (
                tokens is not None
                and "name" in tokens
                and (node.has_prefix or "value" in tokens or "default" in tokens)
            ):
                _close_named(document, node, pending)
            if node.api and node.kind and len(pending) > node.first_candidate:
                charge(start, kept + len(pending), uncharged)
                uncharged = 0
                yield Batch(node, pending[node.first_candidate :])
                del pending[node.first_candidate :]
                kept = node.first_kept
            node = node.parent
        elif event_type == ev.DOCUMENT:
            document += 1
            node, depth = None, 0
            kept = 0
            anchors.clear()
            irrelevant_anchors.clear()
        elif event_type == ev.DOCUMENT_END:
            if pending:
                charge(start, kept + len(pending), uncharged)
                uncharged = 0
                yield Batch(None, pending)
                pending = []
        else:
            parent_key: str | int | None = None
            flow = style == "flow"
            if node is not None:
                flow = flow or node.flow
                if not node.mapping:
                    node.index += 1
                    parent_key = node.index
                    if node.items is not None:
                        node.items.append(None)
                elif node.expects_key:  # a mapping or list as a key names no image
                    node.expects_key = False
                    node.key = parent_key = "?"
                else:
                    node.expects_key = True
                    parent_key = node.key
                if parent_key in container_keys:
                    node.is_container = True
            depth += 1
            if depth > ev.MAX_DEPTH:
                refuse(start, tr("nested more than {max_depth} levels deep", max_depth=ev.MAX_DEPTH))
            node = Node(node, parent_key, event_type == ev.MAPPING, flow, len(pending), kept)
            if event_type == ev.SEQUENCE and type(parent_key) is str and parent_key.lower().endswith(ARGUMENT_LISTS):
                node.items = []


#: A list's key whose items are arguments: ``args``, ``command``, ``extraArgs``.
ARGUMENT_LISTS = ("args", "command", "commands", "arguments", "flags", "cmd")
_ADDRESSES = ("docker://", "oci://")


def _close_named(document: int, node: Node, pending: list[Candidate]) -> None:
    """Give the value of an ended entry to its list, and make a name beside a registry a candidate."""
    tokens = node.tokens or {}
    name = tokens["name"]
    value = tokens.get("value") or tokens.get("default")
    if value is not None:
        if node.parent is not None and not node.parent.mapping and keys.classify(name.value).role:
            node.parent.named_values = node.parent.named_values or {}
            node.parent.named_values[name.value] = value
    elif node.has_prefix and not keys.names_image(_image_key_above(node)):
        pending.append(Candidate(document, node, "name", name))


def _image_key_above(node: Node) -> str | int | None:
    """Return the key of the mapping if it names images, otherwise the key of the node around it."""
    if keys.names_image(node.parent_key) or node.parent is None:
        return node.parent_key
    return node.parent.parent_key
