# SPDX-License-Identifier: Apache-2.0
"""Scan the values of keys: keys whose names say image, addresses, and values that only look like a reference."""

from __future__ import annotations

import re
from functools import lru_cache

from airgap.i18n import tr
from airgap.kube.detect import addresses, keys, kustomize, lines, rules
from airgap.kube.detect.context import ScanContext
from airgap.kube.detect.inherited import non_empty
from airgap.kube.detect.nodes import Node, ScalarToken
from airgap.kube.detect.not_pulled import is_package, never_pulled_reason, other_meaning
from airgap.kube.detect.rule import DATA, Rule, object_matches
from airgap.kube.detect.shapes import is_complete_reference, is_tagged_path
from airgap.kube.detect.split_references import join
from airgap.kube.detect.walker import Candidate
from airgap.kube.model import CERTAIN

_SOURCE_KEYS = frozenset({"chart", "repoURL"})
#: The first characters of addresses, or blanks before them.
_BEFORE_ADDRESS = frozenset("do \t\n")
#: Keys of the whole reference below a key that names an image.
_WHOLE_KEYS = frozenset({"ref", "url", "uri", "reference", "full", "fullName"})
#: A name with a tag or a digest. Behind a single word a number of four digits is a port.
_TAGGED = re.compile(r"(?![a-z0-9.-]+:[0-9]{4,5}$)[a-z][A-Za-z0-9._/-]*(?::[\w.-]+|@[a-z0-9]+:[0-9a-f]+)")


class FieldScanner(ScanContext):
    """Scans the values of keys."""

    def scan_field(self, candidate: Candidate, token: ScalarToken) -> None:
        """Scan the value of a key that may name an image."""
        rule_path = self.paths.rule_path(candidate)
        node, key = candidate.node, str(candidate.key)
        if (key == "name" and self._scan_kustomize_entry(candidate, token)) or self._scan_address(candidate, token):
            return
        is_docker_image_source = node.parent_key == "from" and key == "name" and node.kind == "DockerImage"
        field_rules = (
            (rules.DOCKER_IMAGE_FROM,) if is_docker_image_source else _field_rules(*self.object_type, rule_path, key)
        )
        if not field_rules:
            self._scan_other_field(candidate, token, rule_path)
            return
        rule = field_rules[0]
        if rule.confidence != CERTAIN and (reason := never_pulled_reason(rule_path)):
            self._scan_irrelevant_field(candidate, token, rule_path, reason)
        elif token.is_null:
            pass
        elif not token.value.strip():
            self.add_near_miss(candidate, token, tr("it is empty"))
        elif not rule.split or (rule.key == keys.IMAGE and is_complete_reference(token.value)):
            self.add(candidate, token, rule, token.value)
        elif (meaning := other_meaning(node, token, self.object_type, self.object)) is not None:
            self.add_near_miss(candidate, token, meaning)
        elif node.parent is None and key in ("repository", "repo") and is_package(node):
            self.add_near_miss(candidate, token, tr("it is where a package's source code is"))
        else:
            joined = join(node, key, token, self.object)
            if joined is not None:
                self.add_joined(candidate, token, rule, joined)

    def scan_shape(self, candidate: Candidate, token: ScalarToken) -> None:
        """Scan a value of which only the shape may say image."""
        if self._scan_address(candidate, token):
            return
        rule_path = self.paths.rule_path(candidate)
        value = token.value.strip()
        is_default = candidate.key == "default" and _is_below_image(candidate.node)
        is_named_data = (
            candidate.node.parent_key == "data" and object_matches(DATA, *self.object_type) and self.names_images()
        )
        is_whole = is_complete_reference(token.value)
        for rule, holds in (
            (rules.DEFAULT, is_default and (is_whole or _TAGGED.fullmatch(value))),
            (rules.NAMED_DATA, is_named_data and (is_whole or _TAGGED.fullmatch(value))),
            (rules.ANNOTATION, is_whole and self._is_image_annotation(candidate)),
            # The keys of a mapping called images may be any words, also those for a part of a reference.
            (rules.LISTED, is_whole and candidate.node.holds_images in (1, 2) and not self.is_schema()),
        ):
            if holds and rule.fits(*self.object_type, rule_path):
                self.add(candidate, token, rule, token.value)
                return
        if not is_whole:
            if not never_pulled_reason(rule_path) and rules.TEMPLATE_DEFAULT.fits(*self.object_type, rule_path):
                for begin, end in lines.template_defaults(token.value):
                    self.add(candidate, token, rules.TEMPLATE_DEFAULT, token.value[begin:end], begin)
            return
        if self.is_schema():
            reason = tr("it looks like a reference, but a schema's text and examples are not pulled")
            self.add_near_miss(candidate, token, reason)
        elif irrelevant := never_pulled_reason(rule_path):
            self.add_near_miss(candidate, token, irrelevant)
        else:
            self.add(candidate, token, rules.SHAPE, token.value)

    def _is_image_annotation(self, candidate: Candidate) -> bool:
        return candidate.node.parent_key == "annotations" and keys.mentions_image(str(candidate.key))

    def _scan_other_field(self, candidate: Candidate, token: ScalarToken, rule_path: str) -> None:
        """Scan a value whose key no rule is for."""
        node, key = candidate.node, str(candidate.key)
        reason = never_pulled_reason(rule_path)
        if reason is None and not token.is_null and rules.LISTED.fits(*self.object_type, rule_path):
            is_whole = key in _WHOLE_KEYS and keys.names_image(node.parent_key) and not self.is_schema()
            if is_whole and re.search("[:@/]", token.value):
                self.add(candidate, token, rules.IMAGE_VALUE, token.value)
                return
            if keys.classify(key).role == keys.IMAGES and not self.is_schema():
                for begin, end in lines.items(token.value):
                    if is_tagged_path(token.value[begin:end]) or is_complete_reference(token.value[begin:end]):
                        self.add(candidate, token, rules.LISTED, token.value[begin:end], begin)
                return
        if not self.scan_document(candidate, token):
            self.scan_shape(candidate, token)

    def _scan_irrelevant_field(self, candidate: Candidate, token: ScalarToken, rule_path: str, reason: str) -> None:
        """Take an annotation that holds a complete reference; anything else in such a place is a near miss."""
        key = str(candidate.key)
        if key == "name":
            return
        is_annotation = rules.ANNOTATION.fits(*self.object_type, rule_path)
        if keys.names_image(key) and is_complete_reference(token.value) and is_annotation:
            if key != "containerImage":
                self.add(candidate, token, rules.ANNOTATION, token.value)
                return
            reason = tr("the catalogue shows it to people; what runs stands in the pod templates")
        self.add_near_miss(candidate, token, reason)

    def _scan_address(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Return whether this is an address of an image or the name of a chart, whether taken or not."""
        key, node = candidate.key, candidate.node
        if key not in _SOURCE_KEYS and token.value[:1] not in _BEFORE_ADDRESS:
            return False
        if key == "chart":
            notice = addresses.chart_notice(node)
            if notice is not None and self.object_type[1] and non_empty(token) is not None:
                self.add_near_miss(candidate, token, notice)
            return True
        if key != "repoURL" and not token.value.lstrip().startswith(addresses.SCHEMES):
            return False
        rule_path = self.paths.rule_path(candidate)
        joined = addresses.address_reference(node, str(key), token, self.object_type[1])
        if joined is None:
            return key == "repoURL" and not is_complete_reference(token.value)
        rule = rules.CHART if key == "repoURL" else rules.ADDRESS
        reason = never_pulled_reason(rule_path)
        if reason is None and self.is_schema():
            reason = tr("a schema only describes fields")
        self.add_joined(candidate, token, rule, joined if reason is None else reason)
        return True

    def _scan_kustomize_entry(self, candidate: Candidate, token: ScalarToken) -> bool:
        """Return whether this is an entry of a kustomization's ``images``, whether taken or not."""
        entry = kustomize.images_entry(candidate, token, self.object_type, self.embedded)
        if isinstance(entry, str):
            self.add_near_miss(candidate, token, entry)
        elif entry is not None and entry.parts:
            self.add_split(candidate, rules.KUSTOMIZE, entry)
        return entry is not None


def _is_below_image(node: Node) -> bool:
    """Whether the schema of a field is that of an image, or of a property of images."""
    if keys.names_image(node.parent_key):
        return True
    properties = node.parent
    return (
        properties is not None
        and properties.parent_key == "properties"
        and properties.parent is not None
        and keys.names_image(properties.parent.parent_key)
    )


@lru_cache(maxsize=1024)
def _field_rules(api: str, kind: str, rule_path: str, key: str) -> tuple[Rule, ...]:
    """The rules of fields that fit this place. Cached, because objects of one type repeat their paths."""
    return tuple(rule for rule in rules.FIELDS if rule.matches_key(key) and rule.fits(api, kind, rule_path))
