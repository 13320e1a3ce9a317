# SPDX-License-Identifier: Apache-2.0
"""What the scan of one document has in hand, and how it adds what it finds.

Everything of a value that has a reference's shape is either taken or listed: after each candidate,
:meth:`ScanContext.list_leftovers` adds near misses for the complete references in it that nothing else spoke for.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.detect import keys, lines, rules
from airgap.kube.detect.collector import SiteCollector
from airgap.kube.detect.custom_rules import CustomRules
from airgap.kube.detect.document_view import DocumentView
from airgap.kube.detect.nodes import Node, ScalarToken
from airgap.kube.detect.not_pulled import never_pulled_reason
from airgap.kube.detect.paths import ObjectPaths
from airgap.kube.detect.rule import SCHEMA, Rule, object_matches
from airgap.kube.detect.shapes import mentions, not_an_image_reason
from airgap.kube.detect.split_references import SplitPart, SplitReference
from airgap.kube.detect.walker import Candidate
from airgap.kube.parse.budget import LINE
from airgap.oci import Reference

#: Aliases of values up to this length are scanned again.
_SHORT = 512
_LEFT = tr("it has the shape of a reference, but nothing says that it is pulled")
_COMMENT = re.compile(r"(?:^|(?<=\s))(?:#|//)|^\s*(?:;|--\s)")
_Span = tuple[int, int]
#: A tuple of a named type without the call of its constructor.
_tuple = tuple.__new__


class ScanContext(ABC):
    """The document ``view`` and the object in it that is scanned; finds go to ``collector``.

    ``prefix`` precedes each path; for an embedded document it is the path of the value that holds it.
    """

    def __init__(self, view: DocumentView, collector: SiteCollector, custom: CustomRules, prefix: str = "") -> None:
        self.view = view
        self.collector = collector
        self.budget = collector.budget
        self._outer_pending = self.budget.pending
        self.custom = custom
        self.prefix = prefix
        self.embedded = view.outer is not None
        self.object: Node | None = None
        self.object_type = ("", "")
        self.paths = ObjectPaths(None)
        #: Form and offset of each long value that was scanned. Aliases of it contain nothing new.
        self._scanned: set[tuple[int, int]] = set()
        #: Of the current candidate: the offset of a token and the span of its value that was taken or listed.
        self._covered: list[tuple[int, int, int]] = []
        #: Begins with the next candidate.
        self.forget_covered = self._covered.clear
        self._last_path: tuple[Candidate | None, str] = (None, "")

    @abstractmethod
    def scan_document(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Scan the value as a document or as settings; return whether it may be one of them."""

    def spend(self, token: ScalarToken) -> None:
        """Charge one reading of the token's value to the budget. Raises OverBudget."""

        def where() -> str:
            return self.view.where(self.view.byte_offset_of(token.start))

        self.budget.hold(LINE * token.value.count("\n"), where)
        self.budget.spend(len(token.value), where)

    def begin_object(self, node: Node | None) -> None:
        """Set the object, ``None`` outside of objects, whose candidates follow."""
        self.object = node
        self.object_type = (node.api, node.kind) if node is not None else ("", "")
        self.paths = ObjectPaths(node)

    def is_schema(self) -> bool:
        """Return whether the object is the definition of a custom resource."""
        return object_matches(SCHEMA, *self.object_type)

    def object_identity(self) -> tuple[str, str, str]:
        """Return the object's apiVersion, kind and name."""
        metadata = (self.object.children or {}).get("metadata") if self.object is not None else None
        name = (metadata.tokens or {}).get("name") if metadata is not None else None
        return (*self.object_type, name.value if name is not None else "")

    def already_scanned(self, form: int, token: ScalarToken) -> bool:
        """Return whether this is an alias of a long value that was scanned in the same form."""
        if len(token.value) <= _SHORT:
            return False
        seen = (form, token.start) in self._scanned
        if seen:
            self.cover(token)
        self._scanned.add((form, token.start))
        return seen

    @abstractmethod
    def scan_settings(self, candidate: Candidate, token: ScalarToken) -> None:
        """Scan the value as lines of settings and as a script."""

    # What is added to the collector.

    def add(
        self, candidate: Candidate, token: ScalarToken, rule: Rule, text: str, begin: int = 0, *, sure: bool = True
    ) -> None:
        """Add ``text``, which begins at ``begin`` of the token's value, as a whole reference."""
        reference = Reference.parse_common(text)
        if reference is None:  # most are common, and hold neither blanks nor templates
            stripped = text.strip()
            begin += len(text) - len(text.lstrip())
            text = stripped
            if "{{" in text and (default := next(lines.template_defaults(text), None)) is not None:
                begin, text, rule = begin + default[0], text[slice(*default)], rules.TEMPLATE_DEFAULT
        end = begin + len(text)
        self._covered.append((token.start, begin, end))
        if rule.confidence != model.CERTAIN and (reason := not_an_image_reason(text)) is not None:
            self.collector.add_near_miss(self, candidate, token, reason, text)
            return
        parts = (_tuple(SplitPart, (model.WHOLE, token, (begin, end))),)
        self.collector.add(self, candidate, rule, text, reference, parts, sure, self.embedded)

    def add_listed(self, candidate: Candidate, token: ScalarToken, rule: Rule) -> None:
        """Add each reference of a list; an item may have a name and ``=`` before the reference."""
        if Reference.parse_common(token.value) or lines.SINGLE_ITEM.fullmatch(token.value):  # as most are
            self.add(candidate, token, rule, token.value)
            return
        for begin, end in lines.items(token.value):
            self.add(candidate, token, rule, token.value[begin:end], begin)

    def add_split(self, candidate: Candidate, rule: Rule, reference: SplitReference) -> None:
        """Add a reference that is joined of several values."""
        for part in reference.parts:
            self._covered.append((part.token.start, *(part.span or (0, len(part.token.value)))))
        text, parts, sure = reference
        self.collector.add(self, candidate, rule, text, Reference.parse_common(text), parts, sure, self.embedded)

    def add_joined(self, candidate: Candidate, token: ScalarToken, rule: Rule, joined: SplitReference | str) -> None:
        """Add a joined reference, or a near miss with the reason why there is none."""
        if isinstance(joined, str):
            self.add_near_miss(candidate, token, joined)
        else:
            self.add_split(candidate, rule, joined)

    def add_near_miss(
        self, candidate: Candidate, token: ScalarToken, reason: str, span: tuple[int, int] | None = None
    ) -> None:
        """Add the whole value, or ``span`` of it, as a near miss."""
        if span is None:
            self.cover(token)
            self.collector.add_near_miss(self, candidate, token, reason)
        else:
            self._covered.append((token.start, *span))
            self.collector.add_near_miss(self, candidate, token, reason, token.value[slice(*span)], span)

    def cover(self, token: ScalarToken) -> None:
        """Say that nothing of the token's value is left over."""
        self._covered.append((token.start, 0, len(token.value)))

    def list_leftovers(self, candidate: Candidate, token: ScalarToken) -> None:
        """Add a near miss for each complete reference of the value that was neither taken nor listed."""
        value = token.value
        if len(value) > _SHORT:
            self.spend(token)
        if "/" not in value or (self._covered and self._covered[-1] == (token.start, 0, len(value))):
            return
        covered = [(begin, end) for start, begin, end in self._covered if start == token.start]
        reason = ""
        for begin, end in _outside_comments(value, _uncovered(value, sorted(covered))):
            reason = reason or never_pulled_reason(self.paths.rule_path(candidate)) or _LEFT
            text = value[begin:end]
            why = not_an_image_reason(text) or reason
            self.collector.add_near_miss(self, candidate, token, why, text, (begin, end))

    def path(self, candidate: Candidate) -> str:
        """Return the candidate's path in the file. The last one is kept, because a text may hold many images."""
        if candidate is not self._last_path[0]:
            self._last_path = candidate, self.prefix + self.paths.full_path(candidate)
        return self._last_path[1]

    def names_images(self) -> bool:
        """Return whether the object's own name says image."""
        return keys.mentions_image(self.object_identity()[2])


def _uncovered(value: str, covered: Sequence[_Span]) -> Iterator[_Span]:
    """Yield the complete references of ``value`` between the sorted spans ``covered``. One pass is enough."""
    position = 0
    for begin, end in (*covered, (len(value), len(value))):
        if begin > position and value.find("/", position, begin) >= 0:
            yield from mentions(value, position, begin)
        position = max(position, end)


def _outside_comments(value: str, spans: Iterable[_Span]) -> Iterator[_Span]:
    """Yield those of ``spans`` that are in no comment. Each line is looked at once."""
    line_end = comment = -1
    for begin, end in spans:
        if begin > line_end:
            line_start = value.rfind("\n", 0, begin) + 1
            line_end = value.find("\n", begin)
            line_end = len(value) if line_end < 0 else line_end
            match = _COMMENT.search(value[line_start:line_end])
            comment = line_end if match is None else line_start + match.start()
        if begin < comment:
            yield begin, end
