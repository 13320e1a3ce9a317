# SPDX-License-Identifier: Apache-2.0
"""Scan the entries of lists: variables and parameters, items, and arguments of commands."""

from __future__ import annotations

import re

from airgap.kube.detect import arguments, keys, lines, patches, rules, scripts, walker
from airgap.kube.detect.fields import FieldScanner
from airgap.kube.detect.named_values import join_named
from airgap.kube.detect.nodes import ScalarToken
from airgap.kube.detect.not_pulled import WRITTEN_TO, never_pulled_reason
from airgap.kube.detect.shapes import is_complete_reference, is_tagged_path, may_name_images
from airgap.kube.detect.walker import Candidate

_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=")
#: Every argument or command that names an image has one of these.
_RELEVANT = re.compile(r"[/\s]|[iI](?:[mM][aA][gG][eE]|[mM][gG])")
_ENVIRONMENT = ("env", "envvars", "environment")


class ListedValueScanner(FieldScanner):
    """Scans the entries of lists."""

    def scan_variable(self, candidate: Candidate, token: ScalarToken) -> None:
        """Scan the ``value`` or ``default`` of an entry that may have a name."""
        node = candidate.node
        name = (node.tokens or {}).get("name")
        parent = node.parent
        patched = None if name is not None or token.is_null else patches.patched_value(node, token.value)
        if patched is not None:
            self._scan_patched(candidate, token, patched)
            return
        if name is None or token.is_null or token.value.lstrip().startswith(("docker://", "oci://")):
            self.scan_shape(candidate, token)
            return
        says_nothing = "/" not in token.value and not may_name_images(token.value)
        if says_nothing and not keys.classify(name.value).role and not keys.mentions_image(name.value):
            return  # so are most variables, and their paths cost more than this
        if self.already_scanned(walker.VARIABLE, token):
            return
        rule_path = self.paths.rule_path(candidate)
        if never_pulled_reason(rule_path) is None and rules.PARTS_IN_LIST.fits(*self.object_type, rule_path):
            joined = join_named(node, name.value, token)
            if joined is not None:
                self.add_joined(candidate, token, rules.PARTS_IN_LIST, joined)
                return
        in_environment = (
            parent is not None and not parent.mapping and str(parent.parent_key).lower().endswith(_ENVIRONMENT)
        )
        if in_environment:
            self._scan_environment(candidate, token, name.value, rule_path)
        elif keys.names_image(name.value) and not never_pulled_reason(rule_path):
            self.add_listed(candidate, token, rules.PARAMETER)
        elif keys.mentions_image(name.value) and is_tagged_path(token.value) and not never_pulled_reason(rule_path):
            self.add(candidate, token, rules.PARAMETER, token.value)
        elif (
            name.value == "bundle"
            and is_complete_reference(token.value)
            and rules.BUNDLE.fits(*self.object_type, rule_path)
        ):
            self.add(candidate, token, rules.BUNDLE, token.value)
        elif not self.scan_document(candidate, token):
            self.scan_shape(candidate, token)

    def _scan_patched(self, candidate: Candidate, token: ScalarToken, patched: int) -> None:
        """Scan the value of an operation of a JSON patch."""
        if self.is_schema() or never_pulled_reason(self.paths.rule_path(candidate)):
            self.scan_shape(candidate, token)
        elif patched == patches.IMAGE:
            self.add(candidate, token, rules.PATCHED, token.value)
        elif patched == patches.ARGUMENT:
            for _, _, begin, end, rule in arguments.argument_references([token]):
                if rule is None:
                    self.add_near_miss(candidate, token, WRITTEN_TO, (begin, end))
                else:
                    self.add(candidate, token, rule, token.value[begin:end], begin)
        elif not self.scan_document(candidate, token):
            self.scan_shape(candidate, token)

    def _scan_environment(self, candidate: Candidate, token: ScalarToken, name: str, rule_path: str) -> None:
        says_image = keys.names_image(name) or rules.ENVIRONMENT_IMAGE.matches_name(name) or keys.mentions_image(name)
        rule = rules.ENVIRONMENT_IMAGE if says_image else rules.ENVIRONMENT_REFERENCE
        if not rule.fits(*self.object_type, rule_path):
            return
        is_whole = keys.names_image(name) or name.startswith("RELATED_IMAGE_")
        value = token.value
        spans = list(lines.items(value))
        if is_whole and len(spans) <= 1 and "=" not in value:
            self.add(candidate, token, rule, value, sure=re.search("[:@/]", value) is not None)
            return
        is_list = says_image and bool(spans) and all(is_tagged_path(value[begin:end]) for begin, end in spans)
        if not is_list and self.scan_document(candidate, token):
            return
        if not says_image and not all(is_complete_reference(value[begin:end]) for begin, end in spans):
            return  # a text, not a list of images
        for begin, end in spans:
            item = value[begin:end]
            if (
                is_complete_reference(item)
                or (says_image and is_tagged_path(item))
                or (is_whole and re.search("[:@/]", item))
            ):
                self.add(candidate, token, rule, item, begin)

    def scan_item(self, candidate: Candidate, token: ScalarToken) -> None:
        """Scan an item of a list, or a value of a mapping that is called images."""
        if reason := never_pulled_reason(self.paths.rule_path(candidate)):
            self.add_near_miss(candidate, token, reason)
            return
        holds_images = candidate.node.holds_images
        if holds_images == 1:
            self.add_listed(candidate, token, rules.LISTED)
            return
        variable = _VARIABLE.match(token.value)
        if holds_images and is_tagged_path(token.value):
            self.add_listed(candidate, token, rules.LISTED)
        elif variable and keys.names_image(variable[1]):
            self.add_listed(candidate, token, rules.ITEM)
        elif variable and is_complete_reference(token.value[variable.end() :]):
            self.add(candidate, token, rules.SHAPE, token.value[variable.end() :], variable.end())
        else:
            self.scan_shape(candidate, token)

    def scan_arguments(self, candidate: Candidate) -> None:
        """Scan a list of arguments or commands."""
        if not any(token is not None and _RELEVANT.search(token.value) for token in candidate.node.items or ()):
            return  # so are most lists, and their paths cost more than this
        rule_path = self.paths.rule_path(candidate)
        items = [
            None if token is None or self.already_scanned(walker.ARGUMENTS, token) else token
            for token in candidate.node.items or ()
        ]
        texts = [(candidate._replace(key=index), token) for index, token in enumerate(items) if token is not None]
        for _, token in texts:
            self.spend(token)
        if rules.PULLED.fits(*self.object_type, rule_path):
            for item, token in texts:  # before the options, because an option before an image is not its name
                for begin, end, rule in scripts.pulled_references(token.value):
                    self.add(item, token, rule, token.value[begin:end], begin)
        for index, token, begin, end, argument_rule in arguments.argument_references(items):
            item = candidate._replace(key=index)
            if argument_rule is None:
                self.add_near_miss(item, token, WRITTEN_TO, (begin, end))
            elif argument_rule.fits(*self.object_type, rule_path):
                self.add(item, token, argument_rule, token.value[begin:end], begin)
        if rules.SETTING_LINE.fits(*self.object_type, rule_path):
            for item, token in texts:
                if "\n" in token.value:  # a script, which may contain here-documents with settings
                    self.scan_settings(item, token)
        for item, token in texts:
            self.list_leftovers(item, token)
