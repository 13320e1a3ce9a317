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
from airgap.kube.detect.collector import Location, SiteCollector
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.split_references import SplitPart, SplitReference, join
from airgap.kube.detect.walker import Batch, Candidate, Node, ScalarToken, is_complete_reference
from airgap.kube.model import CERTAIN
from airgap.kube.parse.events import Events

#: No reference and no key of an API is longer.
_SHORT = 512
_INDEX = re.compile(r"\[[0-9]+\]")
_SIMPLE_KEY = re.compile(r"[^.\[\]\s\"]+")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=")


class DocumentScanner:
    """Judges one document; ``prefix`` is the path of the value that holds it."""

    def __init__(self, view: DocumentView, collector: SiteCollector, custom: CustomRules, prefix: str = "") -> None:
        self.view = view
        self.collector = collector
        self.custom = custom
        self.prefix = prefix
        self.embedded = view.outer is not None
        self._object: Node | None = None
        self._object_type = ("", "")
        self._object_path = ""
        self._last_parent: tuple[Node | None, str, str] = (None, "", "")
        #: Where long values begin that were looked through; their aliases hold nothing new.
        self._scanned: set[tuple[int, int]] = set()

    def run(self, events: Events) -> None:
        def refuse(place: int, what: str) -> None:
            where = (
                self.view.root.where(self.view.file_span(*[self.view.byte_offset_of(place)] * 2)[0])
                if not self.embedded
                else "-"
            )
            raise ResourceError(f"{what}: this is no file that Kubernetes would take", where=where)

        for batch in walk.walk(events, refuse, self.custom.requested_keys):
            self.scan_batch(batch)

    def scan_batch(self, batch: Batch) -> None:
        """Judge the spots of one object, or those of a document outside of objects."""
        node = batch.node
        self._object = node
        self._object_type = (node.api, node.kind) if node is not None else ("", "")
        self._object_path = _path_between(node, None)
        self._last_parent = (None, "", "")
        for candidate in batch.candidates:
            token = candidate.token
            if token is None:
                self._arguments(candidate)
            elif self.custom.take and (
                reason := self.custom.take_reason(*self._object_identity(), self._rule_path(candidate))
            ):
                self._requested(candidate, token, reason)
            elif candidate.form == walk.REQUESTED:
                continue
            elif candidate.form == walk.VARIABLE:
                self._variable(candidate, token)
            elif candidate.form == walk.DOCUMENT:
                self._document(candidate, token)
            elif candidate.form == walk.ITEM:
                self._item(candidate, token)
            elif candidate.form == walk.SHAPE:
                self._shape(candidate, token)
            else:
                self._field(candidate, token)

    # What each kind of place means.

    def _field(self, candidate: Candidate, token: ScalarToken) -> None:
        rule_path = self._rule_path(candidate)
        node, key = candidate.node, str(candidate.key)
        if self._kustomize(candidate, token):
            return
        is_docker_image_source = node.parent_key == "from" and key == "name" and node.kind == "DockerImage"
        for rule in (rules.REFERRED,) if is_docker_image_source else _fields(*self._object_type, rule_path, key):
            if rule.confidence != CERTAIN and (reason := _irrelevant_reason(rule_path)):
                if key == "name":
                    return
                if (
                    keys.names_image(key)
                    and is_complete_reference(token.value)
                    and rules.ANNOTATION.fits(*self._object_type, rule_path)
                ):
                    if key != "containerImage":
                        self._take(candidate, token, rules.ANNOTATION, token.value)
                        return
                    reason = "the catalogue shows it to people; what runs stands in the pod templates"
                self._miss(candidate, token, reason)
            elif token.is_null:
                pass
            elif not token.value.strip():
                self._miss(candidate, token, "it is empty")
            elif not rule.split:
                self._take(candidate, token, rule, token.value)
            else:
                joined = join(node, key, token, self._object)
                if isinstance(joined, str):
                    self._miss(candidate, token, joined)
                elif joined is not None:
                    self._joined(candidate, rule, joined)
            return
        if not self._document(candidate, token):
            self._shape(candidate, token)

    def _requested(self, candidate: Candidate, token: ScalarToken, reason: str) -> None:
        """What a rule of airgap.yaml takes. Of a list of arguments it takes what has a path, a tag or a digest, behind
        the option's name if there is one."""
        if candidate.node.items is not None:
            self._list(candidate, token, Rule("airgap.yaml", "arg", model.LIKELY, "**", reason, shape=patterns.TAGGED))
        elif not self._document(candidate, token):
            self._take(candidate, token, Rule("airgap.yaml", "crd", model.LIKELY, "**", reason), token.value)

    def _kustomize(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Whether this is an entry of a kustomization's ``images``, taken or passed over with a reason."""
        found = kustomize.entry(candidate, token, self._object_type, self.embedded)
        if isinstance(found, str):
            self._miss(candidate, token, found)
        elif found is not None and found.parts:
            self._joined(candidate, rules.KUSTOMIZE, found)
        return found is not None

    def _joined(self, candidate: Candidate, rule: Rule, joined: SplitReference) -> None:
        self.collector.add(
            self._location(candidate), rule, joined.text, joined.parts, sure=joined.sure, embedded=self.embedded
        )

    def _shape(self, candidate: Candidate, token: ScalarToken) -> None:
        rule_path = self._rule_path(candidate)
        for scheme, rule in (("docker://", rules.ADDRESS), ("oci://", rules.SERVED)):
            if token.value.startswith(scheme):
                if rule.fits(*self._object_type, rule_path):
                    self._take(candidate, token, rule, token.value[len(scheme) :], len(scheme))
                return
        if not is_complete_reference(token.value):
            return
        if (
            candidate.key == "default"
            and keys.names_image(candidate.node.parent_key)
            and rules.DEFAULT.fits(*self._object_type, rule_path)
        ):
            self._take(candidate, token, rules.DEFAULT, token.value)
            return
        if patterns.object_matches(patterns.SCHEMA, *self._object_type):
            self._miss(candidate, token, "it looks like a reference, but a schema's text and examples are not pulled")
        elif reason := _irrelevant_reason(rule_path):
            self._miss(candidate, token, reason)
        else:
            self._take(candidate, token, rules.SHAPE, token.value)

    def _variable(self, candidate: Candidate, token: ScalarToken) -> None:
        node = candidate.node
        name = (node.tokens or {}).get("name")
        parent = node.parent
        if name is None or token.is_null:
            self._shape(candidate, token)
            return
        if self._already_scanned(walk.VARIABLE, token):
            return
        if parent is None or parent.mapping or parent.parent_key != "env":
            if keys.names_image(name.value) and not _irrelevant_reason(self._rule_path(candidate)):
                self._list(candidate, token, rules.PARAMETER)
            elif not self._document(candidate, token):
                self._shape(candidate, token)
            return
        for rule in rules.ENVIRONMENT:
            if not rule.matches_name(name.value) or not rule.fits(*self._object_type, self._rule_path(candidate)):
                continue
            if rule.shape == patterns.COMPLETE:
                if not self._document(candidate, token):
                    for begin, end in lines.items(token.value):
                        if is_complete_reference(token.value[begin:end]):
                            self._take(candidate, token, rule, token.value[begin:end], begin)
            elif len(found := list(lines.items(token.value))) > 1 or "=" in token.value:
                if self._document(candidate, token):
                    return
                for begin, end in found:
                    if re.search("[:@/]", token.value[begin:end]):
                        self._take(candidate, token, rule, token.value[begin:end], begin)
            else:
                self._take(candidate, token, rule, token.value)
            return

    def _item(self, candidate: Candidate, token: ScalarToken) -> None:
        rule_path = self._rule_path(candidate)
        if reason := _irrelevant_reason(rule_path):
            self._miss(candidate, token, reason)
        elif candidate.node.holds_images:
            self._list(candidate, token, rules.LISTED)
        elif (found := _VARIABLE.match(token.value)) and keys.names_image(found[1]):
            self._list(candidate, token, rules.ITEM)
        elif found and is_complete_reference(token.value[found.end() :]):
            self._take(candidate, token, rules.SHAPE, token.value[found.end() :], found.end())
        else:
            self._shape(candidate, token)

    def _list(self, candidate: Candidate, token: ScalarToken, rule: Rule) -> None:
        """One reference, or several with names of their own before them."""
        for begin, end in lines.items(token.value):
            self._take(candidate, token, rule, token.value[begin:end], begin)

    def _arguments(self, candidate: Candidate) -> None:
        rule_path = self._rule_path(candidate)
        items = [
            None if token is None or self._already_scanned(walk.ARGUMENTS, token) else token
            for token in candidate.node.items or ()
        ]
        texts = [(candidate._replace(key=index), token) for index, token in enumerate(items) if token is not None]
        if rules.PULLED.fits(*self._object_type, rule_path):
            for place, token in texts:  # first, since an option before an image is not its name
                for begin, end, rule in scripts.pulls(token.value):
                    self._take(place, token, rule, token.value[begin:end], begin)
        for index, token, begin, end, rule in arguments.read(items):
            if rule.fits(*self._object_type, rule_path):
                self._take(candidate._replace(key=index), token, rule, token.value[begin:end], begin)
        if rules.SETTING.fits(*self._object_type, rule_path):
            for place, token in texts:
                if "\n" in token.value:  # here-documents are read by the line too
                    self._settings_and_scripts(place, token)

    def _document(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Whether the value is a document or settings, and looked through as such."""
        rule_path = self._rule_path(candidate)
        reason = _irrelevant_reason(rule_path)
        if (reason and ".annotations" not in f".{rule_path}") or patterns.object_matches(
            patterns.SCHEMA, *self._object_type
        ):
            return False
        if not walk.may_name_images(token.value):
            return False
        if self._already_scanned(walk.DOCUMENT, token):
            return True
        inner = self.view.embedded_view(token)
        if inner is None:
            return False
        path = self._path(candidate)
        weaker_rule = (
            rules.APPLIED if candidate.key == keys.APPLIED and candidate.node.parent_key == "annotations" else None
        )
        if documents.scan_embedded(inner, self.collector, self.custom, f"{path} > ", weaker_rule):
            return True
        self._settings_and_scripts(candidate, token)
        return True

    def _settings_and_scripts(self, candidate: Candidate, token: ScalarToken) -> None:
        """Settings by the line and scripts; of places that overlap, the first that was found."""
        taken: set[int] = set()
        for joined in grouped.joined(token.value):
            parts = [SplitPart(one.role, token, (one.token.start, one.token.end)) for one in joined.parts]
            taken.update(one.token.start for one in joined.parts)
            self._joined(candidate, rules.SETTINGS, joined._replace(parts=tuple(parts)))
        for begin, end, rule in (*scripts.pulls(token.value), *lines.settings(token.value)):
            if begin not in taken:
                taken.add(begin)
                self._take(candidate, token, rule, token.value[begin:end], begin)

    def _already_scanned(self, what: int, token: ScalarToken) -> bool:
        """Whether this is an alias of a long value that has been looked through as what it is here."""
        if len(token.value) <= _SHORT:
            return False
        again = (what, token.start) in self._scanned
        self._scanned.add((what, token.start))
        return again

    # What a value is.

    def _take(self, candidate: Candidate, token: ScalarToken, rule: Rule, text: str, begin: int = 0) -> None:
        stripped = text.strip()
        begin += len(text) - len(text.lstrip())
        part = SplitPart(model.WHOLE, token)
        span = (begin, begin + len(stripped))
        self.collector.add(self._location(candidate), rule, stripped, [part], span=span, embedded=self.embedded)

    def _miss(self, candidate: Candidate, token: ScalarToken, reason: str, text: str | None = None) -> None:
        self.collector.add_near_miss(self._location(candidate), token, reason, text)

    def _location(self, candidate: Candidate) -> Location:
        return Location(self.view, candidate.document, lambda: self._path(candidate))

    def _object_identity(self) -> tuple[str, str, str]:
        meta = (self._object.children or {}).get("metadata") if self._object is not None else None
        name = (meta.tokens or {}).get("name") if meta is not None else None
        return (*self._object_type, name.value if name is not None else "")

    def _rule_path(self, candidate: Candidate) -> str:
        """The path below the object, with ``[]`` for indexes, as rules are written."""
        node, key = candidate.node, candidate.key
        prefix = ""
        if node is not self._object and (parent := node.parent) is not None:
            prefix = self._parent_paths(parent)[2] + _rule_step(node.parent_key)
        return (prefix + _rule_step(key)).lstrip(".")

    def _path(self, candidate: Candidate) -> str:
        """The path in the document: ``spec.containers[0].image``."""
        return self.prefix + (self._object_path + self._node_path(candidate.node) + _step(candidate.key)).lstrip(".")

    def _node_path(self, node: Node) -> str:
        """The keys below the object down to ``frame``."""
        if node is self._object or node.parent is None:
            return ""
        return self._parent_paths(node.parent)[1] + _step(node.parent_key)

    def _parent_paths(self, parent: Node) -> tuple[Node | None, str, str]:
        """The keys below the object down to ``parent``, also as rules are written; remembered for its neighbours."""
        if parent is not self._last_parent[0]:
            path = _path_between(parent, self._object)
            self._last_parent = (parent, path, _INDEX.sub("[]", path))
        return self._last_parent


def _path_between(node: Node | None, top: Node | None) -> str:
    return "".join(reversed([_step(one.parent_key) for one in _ancestors(node, top)]))


def _ancestors(node: Node | None, top: Node | None) -> Iterator[Node]:
    while node is not None and node is not top:
        yield node
        node = node.parent


def _step(key: str | int | None) -> str:
    if key is None:
        return ""
    if isinstance(key, int):
        return f"[{key}]"
    if len(key) > _SHORT:  # it stands in the path of all that is below it
        key = key[:_SHORT] + "…"
    return f".{key}" if _SIMPLE_KEY.fullmatch(key) and key.isprintable() else f"[{key!r}]"


def _rule_step(key: str | int | None) -> str:
    """The same as rules are written."""
    return "[]" if isinstance(key, int) else _INDEX.sub("[]", _step(key))


@lru_cache(maxsize=1024)
def _fields(api: str, kind: str, rule_path: str, key: str) -> tuple[Rule, ...]:
    """The rules of fields for this place; remembered, since objects of one type repeat their paths."""
    return tuple(rule for rule in rules.FIELDS if rule.matches_key(key) and rule.fits(api, kind, rule_path))


@lru_cache(maxsize=1024)
def _irrelevant_reason(rule_path: str) -> str | None:
    return next(
        (reason for place, reason in rules.ELSEWHERE if patterns.compile_path(place).fullmatch(rule_path)), None
    )
