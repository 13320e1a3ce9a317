# SPDX-License-Identifier: Apache-2.0
"""Apply the rules to the candidates of a document, and to the documents embedded in its values.

Placeholders and doubtful values become near misses with a reason. A value in a certain place that is not a valid
reference is an error with file:line.
"""

from __future__ import annotations

from collections.abc import Callable

from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect import documents, grouped, keys, lines, rules, scripts, walker
from airgap.kube.detect.collector import SiteCollector
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.listed_values import ListedValueScanner
from airgap.kube.detect.nodes import ScalarToken
from airgap.kube.detect.not_pulled import never_pulled_reason
from airgap.kube.detect.rule import QUALIFIED, Rule
from airgap.kube.detect.shapes import may_name_images
from airgap.kube.detect.split_references import SplitPart
from airgap.kube.detect.walker import Batch, Candidate
from airgap.kube.parse.budget import JSON_EVENT, YAML_EVENT, OverBudget
from airgap.kube.parse.events import Events
from airgap.kube.parse.json_events import NotJSON


class DocumentScanner(ListedValueScanner):
    """Scans one document."""

    def run(self, events: Events) -> None:
        """Scan the document. Raises ResourceError if it is nested too deeply or does not parse."""
        try:
            for batch in walker.walk(events, self._refuse, self.custom.requested_keys, self._charge):
                self._scan_batch(batch)
        finally:
            self.budget.pending = self._outer_pending

    def _charge(self, offset: int, kept: int, events: int) -> None:
        """Charge ``events`` to the budget, and ``kept`` values on top of those of the documents around this one."""

        def where() -> str:
            return self.view.where(self.view.byte_offset_of(offset))

        self.budget.pending = self._outer_pending + kept
        self.budget.hold(0, where)
        self.budget.spend(events * (JSON_EVENT if self.view.byte_units else YAML_EVENT), where)

    def _refuse(self, offset: int, problem: str) -> None:
        where = "-"
        if not self.embedded:
            byte = self.view.byte_offset_of(offset)
            start, _ = self.view.file_span(byte, byte)
            where = self.view.root.where(start)
        raise ResourceError(tr("{problem}: this is no file that Kubernetes would take", problem=problem), where=where)

    def _scan_batch(self, batch: Batch) -> None:
        self.begin_object(batch.node)
        scan_by_form, requests, forget_covered = _SCAN_BY_FORM, bool(self.custom.take), self.forget_covered
        for candidate in batch.candidates:
            token, form = candidate.token, candidate.form
            if token is None:
                self.scan_arguments(candidate)
            else:
                if not (requests and self._scan_requested(candidate, token)) and form in scan_by_form:
                    scan_by_form[form](self, candidate, token)
                if form != walker.REQUESTED:
                    self.list_leftovers(candidate, token)
            forget_covered()

    def _scan_requested(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Return whether a rule of airgap.yaml takes the value; of an argument, what follows the option's name."""
        reason = self.custom.take_reason(*self.object_identity(), self.paths.rule_path(candidate))
        if not reason:
            return False
        if candidate.node.items is not None:
            rule = Rule("airgap.yaml", "arg", model.LIKELY, "**", reason, shape=QUALIFIED)
            self.add_listed(candidate, token, rule)
        elif not self.scan_document(candidate, token):
            self.add(candidate, token, Rule("airgap.yaml", "crd", model.LIKELY, "**", reason), token.value)
        return True

    def scan_document(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Scan the value as a document or as settings; return whether it may be one of them."""
        rule_path = self.paths.rule_path(candidate)
        if never_pulled_reason(rule_path) and ".annotations" not in f".{rule_path}":
            return False
        if self.is_schema() or not may_name_images(token.value):
            return False
        if self.already_scanned(walker.DOCUMENT, token):
            return True
        self.spend(token)
        view = self.view.embedded_view(token)
        if view is None:
            return False
        is_last_applied = candidate.key == keys.APPLIED and candidate.node.parent_key == "annotations"
        weaker_rule = rules.APPLIED if is_last_applied else None
        if self._scan_embedded(view, f"{self.path(candidate)} > ", weaker_rule):
            self.cover(token)
            for begin, end in lines.template_defaults(token.value):  # a template in it may not be a value of its own
                self.add(candidate, token, rules.TEMPLATE_DEFAULT, token.value[begin:end], begin)
        else:
            self.scan_settings(candidate, token)
        return True

    def _scan_embedded(self, view: DocumentView, prefix: str, weaker_rule: Rule | None) -> bool:
        """Scan an embedded document; return ``False`` and add nothing if it does not parse.

        With ``weaker_rule`` all its sites get that rule and its confidence.
        """
        for events in documents.embedded_events(view):
            kept = self.budget.kept
            collector = SiteCollector(self.collector.root, self.custom, self.budget)
            try:
                DocumentScanner(view, collector, self.custom, prefix).run(events)
            except OverBudget:
                raise
            except (ResourceError, NotJSON):
                self.budget.kept = kept
                continue
            if collector.sites:  # they keep the document
                self.budget.keep(len(view.source.body), lambda: view.where(0))
            if weaker_rule is not None:
                collector.downgrade(weaker_rule)
            self.collector.merge(collector)
            return True
        return False

    def scan_settings(self, candidate: Candidate, token: ScalarToken) -> None:
        """Scan the value as lines of settings and as a script; of two matches with one beginning the first counts."""
        self.spend(token)
        value = token.value
        begins: set[int] = set()
        content = list(lines.content_lines(value))
        for split_reference in grouped.split_references(content):
            parts = [SplitPart(part.role, token, (part.token.start, part.token.end)) for part in split_reference.parts]
            begins.update(part.token.start for part in split_reference.parts)
            self.add_split(candidate, rules.SETTING_GROUP, split_reference._replace(parts=tuple(parts)))
        for references in (scripts.pulled_references(value), lines.setting_references(content)):
            for begin, end, rule in references:
                if begin not in begins:
                    begins.add(begin)
                    self.add(candidate, token, rule, value[begin:end], begin)


#: How a value is scanned. A key that holds a reference (``walker.KEY``) is never taken, only listed.
_SCAN_BY_FORM: dict[int, Callable[[DocumentScanner, Candidate, ScalarToken], object]] = {
    walker.FIELD: DocumentScanner.scan_field,
    walker.VARIABLE: DocumentScanner.scan_variable,
    walker.DOCUMENT: DocumentScanner.scan_document,
    walker.ITEM: DocumentScanner.scan_item,
    walker.SHAPE: DocumentScanner.scan_shape,
}
