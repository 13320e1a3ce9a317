# SPDX-License-Identifier: Apache-2.0
"""Apply the rules to the candidates of a document, and to the documents embedded in its values.

Placeholders and doubtful values become near misses with a reason. A value in a certain place that is not a valid
reference is an error with file:line.
"""

from __future__ import annotations

import re
from functools import lru_cache

from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect import arguments, documents, grouped, keys, kustomize, lines, rules, scripts, walker
from airgap.kube.detect.collector import Location, SiteCollector
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.paths import ObjectPaths
from airgap.kube.detect.rule import COMPLETE, QUALIFIED, SCHEMA, Rule, compile_path, object_matches
from airgap.kube.detect.split_references import SplitPart, SplitReference, join
from airgap.kube.detect.walker import Batch, Candidate, Node, ScalarToken, is_complete_reference
from airgap.kube.model import CERTAIN
from airgap.kube.parse.events import Events
from airgap.kube.parse.json_events import NotJSON

#: Aliases of values up to this length are scanned again.
_SHORT = 512
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=")


class DocumentScanner:
    """Scans one document and adds its sites and near misses to ``collector``.

    ``prefix`` precedes each path; for an embedded document it is the path of the value that holds it.
    """

    def __init__(self, view: DocumentView, collector: SiteCollector, custom: CustomRules, prefix: str = "") -> None:
        self.view = view
        self.collector = collector
        self.custom = custom
        self.prefix = prefix
        self.embedded = view.outer is not None
        self._object: Node | None = None
        self._object_type = ("", "")
        self._paths = ObjectPaths(None)
        #: Form and offset of each long value that was scanned. Aliases of it contain nothing new.
        self._scanned: set[tuple[int, int]] = set()

    def run(self, events: Events) -> None:
        """Scan the document. Raises ResourceError if it is nested too deeply or does not parse."""
        for batch in walker.walk(events, self._refuse, self.custom.requested_keys):
            self._scan_batch(batch)

    def _refuse(self, offset: int, problem: str) -> None:
        where = "-"
        if not self.embedded:
            byte = self.view.byte_offset_of(offset)
            start, _ = self.view.file_span(byte, byte)
            where = self.view.root.where(start)
        raise ResourceError(tr("{problem}: this is no file that Kubernetes would take", problem=problem), where=where)

    def _scan_batch(self, batch: Batch) -> None:
        node = batch.node
        self._object = node
        self._object_type = (node.api, node.kind) if node is not None else ("", "")
        self._paths = ObjectPaths(node)
        for candidate in batch.candidates:
            if candidate.token is None:
                self._scan_arguments(candidate)
            else:
                self._scan_value(candidate, candidate.token)

    def _scan_value(self, candidate: Candidate, token: ScalarToken) -> None:
        if self.custom.take:
            reason = self.custom.take_reason(*self._object_identity(), self._paths.rule_path(candidate))
            if reason:
                self._scan_requested(candidate, token, reason)
                return
        if candidate.form == walker.VARIABLE:
            self._scan_variable(candidate, token)
        elif candidate.form == walker.DOCUMENT:
            self._scan_document(candidate, token)
        elif candidate.form == walker.ITEM:
            self._scan_item(candidate, token)
        elif candidate.form == walker.SHAPE:
            self._scan_shape(candidate, token)
        elif candidate.form == walker.FIELD:
            self._scan_field(candidate, token)

    # One method for each form of a candidate.

    def _scan_field(self, candidate: Candidate, token: ScalarToken) -> None:
        rule_path = self._paths.rule_path(candidate)
        node, key = candidate.node, str(candidate.key)
        if self._scan_kustomize_entry(candidate, token):
            return
        is_docker_image_source = node.parent_key == "from" and key == "name" and node.kind == "DockerImage"
        field_rules = (
            (rules.DOCKER_IMAGE_FROM,) if is_docker_image_source else _field_rules(*self._object_type, rule_path, key)
        )
        if not field_rules:
            if not self._scan_document(candidate, token):
                self._scan_shape(candidate, token)
            return
        rule = field_rules[0]
        if rule.confidence != CERTAIN and (reason := _never_pulled_reason(rule_path)):
            self._scan_irrelevant_field(candidate, token, rule_path, reason)
        elif token.is_null:
            pass
        elif not token.value.strip():
            self._add_near_miss(candidate, token, tr("it is empty"))
        elif not rule.split:
            self._add(candidate, token, rule, token.value)
        else:
            split_reference = join(node, key, token, self._object)
            if isinstance(split_reference, str):
                self._add_near_miss(candidate, token, split_reference)
            elif split_reference is not None:
                self._add_split(candidate, rule, split_reference)

    def _scan_irrelevant_field(self, candidate: Candidate, token: ScalarToken, rule_path: str, reason: str) -> None:
        """Take an annotation that holds a complete reference; anything else in such a place is a near miss."""
        key = str(candidate.key)
        if key == "name":
            return
        is_annotation = rules.ANNOTATION.fits(*self._object_type, rule_path)
        if keys.names_image(key) and is_complete_reference(token.value) and is_annotation:
            if key != "containerImage":
                self._add(candidate, token, rules.ANNOTATION, token.value)
                return
            reason = tr("the catalogue shows it to people; what runs stands in the pod templates")
        self._add_near_miss(candidate, token, reason)

    def _scan_requested(self, candidate: Candidate, token: ScalarToken, reason: str) -> None:
        """Take the value for a rule of airgap.yaml; of an argument, what follows the option's name."""
        if candidate.node.items is not None:
            rule = Rule("airgap.yaml", "arg", model.LIKELY, "**", reason, shape=QUALIFIED)
            self._add_listed(candidate, token, rule)
        elif not self._scan_document(candidate, token):
            self._add(candidate, token, Rule("airgap.yaml", "crd", model.LIKELY, "**", reason), token.value)

    def _scan_kustomize_entry(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Return whether this is an entry of a kustomization's ``images``, whether taken or not."""
        entry = kustomize.images_entry(candidate, token, self._object_type, self.embedded)
        if isinstance(entry, str):
            self._add_near_miss(candidate, token, entry)
        elif entry is not None and entry.parts:
            self._add_split(candidate, rules.KUSTOMIZE, entry)
        return entry is not None

    def _scan_shape(self, candidate: Candidate, token: ScalarToken) -> None:
        rule_path = self._paths.rule_path(candidate)
        for scheme, rule in (("docker://", rules.ADDRESS), ("oci://", rules.MODEL_STORAGE_URI)):
            if token.value.startswith(scheme):
                if rule.fits(*self._object_type, rule_path):
                    self._add(candidate, token, rule, token.value[len(scheme) :], len(scheme))
                return
        if not is_complete_reference(token.value):
            return
        is_image_default = candidate.key == "default" and keys.names_image(candidate.node.parent_key)
        if is_image_default and rules.DEFAULT.fits(*self._object_type, rule_path):
            self._add(candidate, token, rules.DEFAULT, token.value)
        elif self._is_schema():
            reason = tr("it looks like a reference, but a schema's text and examples are not pulled")
            self._add_near_miss(candidate, token, reason)
        elif irrelevant := _never_pulled_reason(rule_path):
            self._add_near_miss(candidate, token, irrelevant)
        else:
            self._add(candidate, token, rules.SHAPE, token.value)

    def _scan_variable(self, candidate: Candidate, token: ScalarToken) -> None:
        node = candidate.node
        name = (node.tokens or {}).get("name")
        parent = node.parent
        if name is None or token.is_null:
            self._scan_shape(candidate, token)
            return
        if self._already_scanned(walker.VARIABLE, token):
            return
        if parent is None or parent.mapping or parent.parent_key != "env":
            if keys.names_image(name.value) and not _never_pulled_reason(self._paths.rule_path(candidate)):
                self._add_listed(candidate, token, rules.PARAMETER)
            elif not self._scan_document(candidate, token):
                self._scan_shape(candidate, token)
            return
        rule_path = self._paths.rule_path(candidate)
        for rule in rules.ENVIRONMENT:
            if rule.matches_name(name.value) and rule.fits(*self._object_type, rule_path):
                self._scan_environment_value(candidate, token, rule)
                return

    def _scan_environment_value(self, candidate: Candidate, token: ScalarToken, rule: Rule) -> None:
        spans = list(lines.items(token.value))
        if rule.shape != COMPLETE and len(spans) <= 1 and "=" not in token.value:
            self._add(candidate, token, rule, token.value)
            return
        if self._scan_document(candidate, token):
            return
        for begin, end in spans:
            item = token.value[begin:end]
            is_reference = is_complete_reference(item) if rule.shape == COMPLETE else re.search("[:@/]", item)
            if is_reference:
                self._add(candidate, token, rule, item, begin)

    def _scan_item(self, candidate: Candidate, token: ScalarToken) -> None:
        if reason := _never_pulled_reason(self._paths.rule_path(candidate)):
            self._add_near_miss(candidate, token, reason)
            return
        variable = _VARIABLE.match(token.value)
        if candidate.node.holds_images:
            self._add_listed(candidate, token, rules.LISTED)
        elif variable and keys.names_image(variable[1]):
            self._add_listed(candidate, token, rules.ITEM)
        elif variable and is_complete_reference(token.value[variable.end() :]):
            self._add(candidate, token, rules.SHAPE, token.value[variable.end() :], variable.end())
        else:
            self._scan_shape(candidate, token)

    def _scan_arguments(self, candidate: Candidate) -> None:
        rule_path = self._paths.rule_path(candidate)
        items = [
            None if token is None or self._already_scanned(walker.ARGUMENTS, token) else token
            for token in candidate.node.items or ()
        ]
        texts = [(candidate._replace(key=index), token) for index, token in enumerate(items) if token is not None]
        if rules.PULLED.fits(*self._object_type, rule_path):
            for item, token in texts:  # before the options, because an option before an image is not its name
                for begin, end, rule in scripts.pulled_references(token.value):
                    self._add(item, token, rule, token.value[begin:end], begin)
        for index, token, begin, end, rule in arguments.argument_references(items):
            if rule.fits(*self._object_type, rule_path):
                self._add(candidate._replace(key=index), token, rule, token.value[begin:end], begin)
        if rules.SETTING_LINE.fits(*self._object_type, rule_path):
            for item, token in texts:
                if "\n" in token.value:  # a script, which may contain here-documents with settings
                    self._scan_settings(item, token)

    def _scan_document(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Scan the value as a document or as settings; return whether it may be one of them."""
        rule_path = self._paths.rule_path(candidate)
        if _never_pulled_reason(rule_path) and ".annotations" not in f".{rule_path}":
            return False
        if self._is_schema() or not walker.may_name_images(token.value):
            return False
        if self._already_scanned(walker.DOCUMENT, token):
            return True
        view = self.view.embedded_view(token)
        if view is None:
            return False
        is_last_applied = candidate.key == keys.APPLIED and candidate.node.parent_key == "annotations"
        weaker_rule = rules.APPLIED if is_last_applied else None
        if not self._scan_embedded(view, f"{self._path(candidate)} > ", weaker_rule):
            self._scan_settings(candidate, token)
        return True

    def _scan_embedded(self, view: DocumentView, prefix: str, weaker_rule: Rule | None) -> bool:
        """Scan an embedded document; return ``False`` and add nothing if it does not parse.

        With ``weaker_rule`` all its sites get that rule and its confidence.
        """
        for events in documents.embedded_events(view):
            collector = SiteCollector(self.collector.root, self.custom)
            try:
                DocumentScanner(view, collector, self.custom, prefix).run(events)
            except (ResourceError, NotJSON):
                continue
            if weaker_rule is not None:
                collector.downgrade(weaker_rule)
            self.collector.merge(collector)
            return True
        return False

    def _scan_settings(self, candidate: Candidate, token: ScalarToken) -> None:
        """Scan the value as lines of settings and as a script; of two matches with one beginning the first counts."""
        begins: set[int] = set()
        for split_reference in grouped.split_references(token.value):
            parts = [SplitPart(part.role, token, (part.token.start, part.token.end)) for part in split_reference.parts]
            begins.update(part.token.start for part in split_reference.parts)
            self._add_split(candidate, rules.SETTING_GROUP, split_reference._replace(parts=tuple(parts)))
        for begin, end, rule in (*scripts.pulled_references(token.value), *lines.setting_references(token.value)):
            if begin not in begins:
                begins.add(begin)
                self._add(candidate, token, rule, token.value[begin:end], begin)

    def _already_scanned(self, form: int, token: ScalarToken) -> bool:
        """Return whether this is an alias of a long value that was scanned in the same form."""
        if len(token.value) <= _SHORT:
            return False
        seen = (form, token.start) in self._scanned
        self._scanned.add((form, token.start))
        return seen

    def _is_schema(self) -> bool:
        return object_matches(SCHEMA, *self._object_type)

    def _object_identity(self) -> tuple[str, str, str]:
        """The object's apiVersion, kind and name."""
        metadata = (self._object.children or {}).get("metadata") if self._object is not None else None
        name = (metadata.tokens or {}).get("name") if metadata is not None else None
        return (*self._object_type, name.value if name is not None else "")

    # What is added to the collector.

    def _add(self, candidate: Candidate, token: ScalarToken, rule: Rule, text: str, begin: int = 0) -> None:
        """Add ``text``, which begins at ``begin`` of the token's value, as a whole reference."""
        stripped = text.strip()
        begin += len(text) - len(text.lstrip())
        part = SplitPart(model.WHOLE, token)
        span = (begin, begin + len(stripped))
        self.collector.add(self._location(candidate), rule, stripped, [part], span=span, embedded=self.embedded)

    def _add_listed(self, candidate: Candidate, token: ScalarToken, rule: Rule) -> None:
        """Add each reference of a list; an item may have a name and ``=`` before the reference."""
        for begin, end in lines.items(token.value):
            self._add(candidate, token, rule, token.value[begin:end], begin)

    def _add_split(self, candidate: Candidate, rule: Rule, reference: SplitReference) -> None:
        self.collector.add(
            self._location(candidate),
            rule,
            reference.text,
            reference.parts,
            sure=reference.sure,
            embedded=self.embedded,
        )

    def _add_near_miss(self, candidate: Candidate, token: ScalarToken, reason: str) -> None:
        self.collector.add_near_miss(self._location(candidate), token, reason)

    def _location(self, candidate: Candidate) -> Location:
        return Location(self.view, candidate.document, lambda: self._path(candidate))

    def _path(self, candidate: Candidate) -> str:
        return self.prefix + self._paths.full_path(candidate)


@lru_cache(maxsize=1024)
def _field_rules(api: str, kind: str, rule_path: str, key: str) -> tuple[Rule, ...]:
    """The rules of fields that fit this place. Cached, because objects of one type repeat their paths."""
    return tuple(rule for rule in rules.FIELDS if rule.matches_key(key) and rule.fits(api, kind, rule_path))


@lru_cache(maxsize=1024)
def _never_pulled_reason(rule_path: str) -> str | None:
    """Why a value at this path is not an image that is pulled, or ``None``."""
    return next((reason for place, reason in rules.NEVER_PULLED if compile_path(place).fullmatch(rule_path)), None)
