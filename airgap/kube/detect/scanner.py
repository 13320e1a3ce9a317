# SPDX-License-Identifier: Apache-2.0
"""From spots to sites: the rules applied to what stands in one document and in the documents inside its values.

Placeholders and doubtful shapes become near misses with a reason; a value in a certain place that no registry would
take is an error with file:line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from airgap.errors import ResourceError
from airgap.kube import model
from airgap.kube.detect import arguments, documents, grouped, keys, kustomize, lines, rules, scripts
from airgap.kube.detect import rule as patterns
from airgap.kube.detect import walker as walk
from airgap.kube.detect.collector import Finds, Place
from airgap.kube.detect.custom_rules import Custom
from airgap.kube.detect.document_view import Text
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.split_references import Joined, Piece, join
from airgap.kube.detect.walker import Batch, Frame, Leaf, Spot, complete
from airgap.kube.model import CERTAIN
from airgap.kube.parse.events import Events

#: No reference and no key of an API is longer.
_SHORT = 512
_INDEX = re.compile(r"\[[0-9]+\]")
_SIMPLE_KEY = re.compile(r"[^.\[\]\s\"]+")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=")


class Judge:
    """Judges one document; ``prefix`` is the path of the value that holds it."""

    def __init__(self, text: Text, finds: Finds, custom: Custom, prefix: str = "") -> None:
        self.text = text
        self.finds = finds
        self.custom = custom
        self.prefix = prefix
        self.embedded = text.outer is not None
        self._object: Frame | None = None
        self._names = ("", "")
        self._root = ""
        self._near: tuple[Frame | None, str, str] = (None, "", "")
        #: Where long values begin that were looked through; their aliases hold nothing new.
        self._through: set[tuple[int, int]] = set()

    def run(self, events: Events) -> None:
        def refuse(place: int, what: str) -> None:
            where = self.text.root.where(self.text.up(*[self.text.byte(place)] * 2)[0]) if not self.embedded else "-"
            raise ResourceError(f"{what}: this is no file that Kubernetes would take", where=where)

        for batch in walk.walk(events, refuse, self.custom.asked):
            self.batch(batch)

    def batch(self, batch: Batch) -> None:
        """Judge the spots of one object, or those of a document outside of objects."""
        frame = batch.frame
        self._object = frame
        self._names = (frame.api, frame.kind) if frame is not None else ("", "")
        self._root = _climb(frame, None)
        self._near = (None, "", "")
        for spot in batch.spots:
            leaf = spot.leaf
            if leaf is None:
                self._arguments(spot)
            elif self.custom.take and (why := self.custom.taken(*self._named(), self._pattern(spot))):
                self._asked(spot, leaf, why)
            elif spot.what == walk.ASKED:
                continue
            elif spot.what == walk.VARIABLE:
                self._variable(spot, leaf)
            elif spot.what == walk.DOCUMENT:
                self._document(spot, leaf)
            elif spot.what == walk.ITEM:
                self._item(spot, leaf)
            elif spot.what == walk.SHAPE:
                self._shape(spot, leaf)
            else:
                self._field(spot, leaf)

    # What each kind of place means.

    def _field(self, spot: Spot, leaf: Leaf) -> None:
        pattern = self._pattern(spot)
        frame, key = spot.frame, str(spot.key)
        if self._kustomize(spot, leaf):
            return
        from_ = frame.at == "from" and key == "name" and frame.kind == "DockerImage"
        for rule in (rules.REFERRED,) if from_ else _fields(*self._names, pattern, key):
            if rule.confidence != CERTAIN and (why := _elsewhere(pattern)):
                if key == "name":
                    return
                if keys.says_image(key) and complete(leaf.value) and rules.ANNOTATION.fits(*self._names, pattern):
                    if key != "containerImage":
                        self._take(spot, leaf, rules.ANNOTATION, leaf.value)
                        return
                    why = "the catalogue shows it to people; what runs stands in the pod templates"
                self._miss(spot, leaf, why)
            elif leaf.is_null:
                pass
            elif not leaf.value.strip():
                self._miss(spot, leaf, "it is empty")
            elif not rule.split:
                self._take(spot, leaf, rule, leaf.value)
            else:
                joined = join(frame, key, leaf, self._object)
                if isinstance(joined, str):
                    self._miss(spot, leaf, joined)
                elif joined is not None:
                    self._joined(spot, rule, joined)
            return
        if not self._document(spot, leaf):
            self._shape(spot, leaf)

    def _asked(self, spot: Spot, leaf: Leaf, why: str) -> None:
        """What a rule of airgap.yaml takes. Of a list of arguments it takes what has a path, a tag or a digest, behind
        the option's name if there is one."""
        if spot.frame.items is not None:
            self._list(spot, leaf, Rule("airgap.yaml", "arg", model.LIKELY, "**", why, shape=patterns.TAGGED))
        elif not self._document(spot, leaf):
            self._take(spot, leaf, Rule("airgap.yaml", "crd", model.LIKELY, "**", why), leaf.value)

    def _kustomize(self, spot: Spot, leaf: Leaf) -> bool:
        """Whether this is an entry of a kustomization's ``images``, taken or passed over with a reason."""
        found = kustomize.entry(spot, leaf, self._names, self.embedded)
        if isinstance(found, str):
            self._miss(spot, leaf, found)
        elif found is not None and found.pieces:
            self._joined(spot, rules.KUSTOMIZE, found)
        return found is not None

    def _joined(self, spot: Spot, rule: Rule, joined: Joined) -> None:
        self.finds.take(self._place(spot), rule, joined.text, joined.pieces, sure=joined.sure, embedded=self.embedded)

    def _shape(self, spot: Spot, leaf: Leaf) -> None:
        pattern = self._pattern(spot)
        for scheme, rule in (("docker://", rules.ADDRESS), ("oci://", rules.SERVED)):
            if leaf.value.startswith(scheme):
                if rule.fits(*self._names, pattern):
                    self._take(spot, leaf, rule, leaf.value[len(scheme) :], len(scheme))
                return
        if not complete(leaf.value):
            return
        if spot.key == "default" and keys.says_image(spot.frame.at) and rules.DEFAULT.fits(*self._names, pattern):
            self._take(spot, leaf, rules.DEFAULT, leaf.value)
            return
        if patterns.object_fits(patterns.SCHEMA, *self._names):
            self._miss(spot, leaf, "it looks like a reference, but a schema's text and examples are not pulled")
        elif why := _elsewhere(pattern):
            self._miss(spot, leaf, why)
        else:
            self._take(spot, leaf, rules.SHAPE, leaf.value)

    def _variable(self, spot: Spot, leaf: Leaf) -> None:
        frame = spot.frame
        name = (frame.leaves or {}).get("name")
        parent = frame.parent
        if name is None or leaf.is_null:
            self._shape(spot, leaf)
            return
        if self._again(walk.VARIABLE, leaf):
            return
        if parent is None or parent.mapping or parent.at != "env":
            if keys.says_image(name.value) and not _elsewhere(self._pattern(spot)):
                self._list(spot, leaf, rules.PARAMETER)
            elif not self._document(spot, leaf):
                self._shape(spot, leaf)
            return
        for rule in rules.ENVIRONMENT:
            if not rule.named(name.value) or not rule.fits(*self._names, self._pattern(spot)):
                continue
            if rule.shape == patterns.COMPLETE:
                if not self._document(spot, leaf):
                    for begin, end in lines.items(leaf.value):
                        if complete(leaf.value[begin:end]):
                            self._take(spot, leaf, rule, leaf.value[begin:end], begin)
            elif len(found := list(lines.items(leaf.value))) > 1 or "=" in leaf.value:
                if self._document(spot, leaf):
                    return
                for begin, end in found:
                    if re.search("[:@/]", leaf.value[begin:end]):
                        self._take(spot, leaf, rule, leaf.value[begin:end], begin)
            else:
                self._take(spot, leaf, rule, leaf.value)
            return

    def _item(self, spot: Spot, leaf: Leaf) -> None:
        pattern = self._pattern(spot)
        if why := _elsewhere(pattern):
            self._miss(spot, leaf, why)
        elif spot.frame.images:
            self._list(spot, leaf, rules.LISTED)
        elif (found := _VARIABLE.match(leaf.value)) and keys.says_image(found[1]):
            self._list(spot, leaf, rules.ITEM)
        elif found and complete(leaf.value[found.end() :]):
            self._take(spot, leaf, rules.SHAPE, leaf.value[found.end() :], found.end())
        else:
            self._shape(spot, leaf)

    def _list(self, spot: Spot, leaf: Leaf, rule: Rule) -> None:
        """One reference, or several with names of their own before them."""
        for begin, end in lines.items(leaf.value):
            self._take(spot, leaf, rule, leaf.value[begin:end], begin)

    def _arguments(self, spot: Spot) -> None:
        pattern = self._pattern(spot)
        items = [None if leaf is None or self._again(walk.ARGUMENTS, leaf) else leaf for leaf in spot.frame.items or ()]
        texts = [(spot._replace(key=index), leaf) for index, leaf in enumerate(items) if leaf is not None]
        if rules.PULLED.fits(*self._names, pattern):
            for place, leaf in texts:  # first, since an option before an image is not its name
                for begin, end, rule in scripts.pulls(leaf.value):
                    self._take(place, leaf, rule, leaf.value[begin:end], begin)
        for index, leaf, begin, end, rule in arguments.read(items):
            if rule.fits(*self._names, pattern):
                self._take(spot._replace(key=index), leaf, rule, leaf.value[begin:end], begin)
        if rules.SETTING.fits(*self._names, pattern):
            for place, leaf in texts:
                if "\n" in leaf.value:  # here-documents are read by the line too
                    self._text(place, leaf)

    def _document(self, spot: Spot, leaf: Leaf) -> bool:
        """Whether the value is a document or settings, and looked through as such."""
        pattern = self._pattern(spot)
        why = _elsewhere(pattern)
        if (why and ".annotations" not in f".{pattern}") or patterns.object_fits(patterns.SCHEMA, *self._names):
            return False
        if not walk.may_hold(leaf.value):
            return False
        if self._again(walk.DOCUMENT, leaf):
            return True
        inner = self.text.inner(leaf)
        if inner is None:
            return False
        path = self._path(spot)
        weaker = rules.APPLIED if spot.key == keys.APPLIED and spot.frame.at == "annotations" else None
        if documents.look_through(inner, self.finds, self.custom, f"{path} > ", weaker):
            return True
        self._text(spot, leaf)
        return True

    def _text(self, spot: Spot, leaf: Leaf) -> None:
        """Settings by the line and scripts; of places that overlap, the first that was found."""
        taken: set[int] = set()
        for joined in grouped.joined(leaf.value):
            pieces = [Piece(one.role, leaf, (one.leaf.start, one.leaf.end)) for one in joined.pieces]
            taken.update(one.leaf.start for one in joined.pieces)
            self._joined(spot, rules.SETTINGS, joined._replace(pieces=tuple(pieces)))
        for begin, end, rule in (*scripts.pulls(leaf.value), *lines.settings(leaf.value)):
            if begin not in taken:
                taken.add(begin)
                self._take(spot, leaf, rule, leaf.value[begin:end], begin)

    def _again(self, what: int, leaf: Leaf) -> bool:
        """Whether this is an alias of a long value that has been looked through as what it is here."""
        if len(leaf.value) <= _SHORT:
            return False
        again = (what, leaf.start) in self._through
        self._through.add((what, leaf.start))
        return again

    # What a value is.

    def _take(self, spot: Spot, leaf: Leaf, rule: Rule, text: str, begin: int = 0) -> None:
        stripped = text.strip()
        begin += len(text) - len(text.lstrip())
        piece = Piece(model.WHOLE, leaf)
        span = (begin, begin + len(stripped))
        self.finds.take(self._place(spot), rule, stripped, [piece], span=span, embedded=self.embedded)

    def _miss(self, spot: Spot, leaf: Leaf, reason: str, text: str | None = None) -> None:
        self.finds.miss(self._place(spot), leaf, reason, text)

    def _place(self, spot: Spot) -> Place:
        return Place(self.text, spot.document, lambda: self._path(spot))

    def _named(self) -> tuple[str, str, str]:
        meta = (self._object.children or {}).get("metadata") if self._object is not None else None
        name = (meta.leaves or {}).get("name") if meta is not None else None
        return (*self._names, name.value if name is not None else "")

    def _pattern(self, spot: Spot) -> str:
        """The path below the object, with ``[]`` for indexes, as rules are written."""
        frame, key = spot.frame, spot.key
        prefix = ""
        if frame is not self._object and (parent := frame.parent) is not None:
            prefix = self._around(parent)[2] + _general(frame.at)
        return (prefix + _general(key)).lstrip(".")

    def _path(self, spot: Spot) -> str:
        """The path in the document: ``spec.containers[0].image``."""
        return self.prefix + (self._root + self._prefix(spot.frame) + _step(spot.key)).lstrip(".")

    def _prefix(self, frame: Frame) -> str:
        """The keys below the object down to ``frame``."""
        if frame is self._object or frame.parent is None:
            return ""
        return self._around(frame.parent)[1] + _step(frame.at)

    def _around(self, parent: Frame) -> tuple[Frame | None, str, str]:
        """The keys below the object down to ``parent``, also as rules are written; remembered for its neighbours."""
        if parent is not self._near[0]:
            path = _climb(parent, self._object)
            self._near = (parent, path, _INDEX.sub("[]", path))
        return self._near


def _climb(frame: Frame | None, top: Frame | None) -> str:
    return "".join(reversed([_step(one.at) for one in _ancestors(frame, top)]))


def _ancestors(frame: Frame | None, top: Frame | None) -> Iterator[Frame]:
    while frame is not None and frame is not top:
        yield frame
        frame = frame.parent


def _step(key: str | int | None) -> str:
    if key is None:
        return ""
    if isinstance(key, int):
        return f"[{key}]"
    if len(key) > _SHORT:  # it stands in the path of all that is below it
        key = key[:_SHORT] + "…"
    return f".{key}" if _SIMPLE_KEY.fullmatch(key) and key.isprintable() else f"[{key!r}]"


def _general(key: str | int | None) -> str:
    """The same as rules are written."""
    return "[]" if isinstance(key, int) else _INDEX.sub("[]", _step(key))


@lru_cache(maxsize=1024)
def _fields(api: str, kind: str, pattern: str, key: str) -> tuple[Rule, ...]:
    """The rules of fields for this place; remembered, since objects of one type repeat their paths."""
    return tuple(rule for rule in rules.FIELDS if rule.keyed(key) and rule.fits(api, kind, pattern))


@lru_cache(maxsize=1024)
def _elsewhere(pattern: str) -> str | None:
    return next((why for place, why in rules.ELSEWHERE if patterns.compile_path(place).fullmatch(pattern)), None)
