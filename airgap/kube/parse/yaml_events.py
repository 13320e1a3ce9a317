# SPDX-License-Identifier: Apache-2.0
"""Parse YAML into events, with libyaml if PyYAML has it, otherwise with PyYAML's own parser. The results are the same.

Nothing is composed or constructed. Parse errors become ResourceError with file:line, with a hint for templates.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any, NoReturn

from airgap.errors import ResourceError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.kube.parse.events import ALIAS, DOCUMENT, DOCUMENT_END, END, MAPPING, SCALAR, SEQUENCE, Events
from airgap.kube.parse.source import Source

#: The hint for text with ``{{``. What fills in the template is known only where a file belongs to a chart.
TEMPLATE_HINT = tr("it holds {{ }}: this is a template; give what it is once its program has filled it in")


def parse(source: Source, *, pure: bool = False) -> Events:
    """Yield the events of ``source``. Raises ResourceError if it is not YAML. With ``pure`` libyaml is not used."""
    import yaml

    loader: Any = _pure_loader() if pure or not yaml.__with_libyaml__ else yaml.CSafeLoader
    # ValueError and OverflowError: the pure parser passes escapes and directives to chr() and int() unchecked.
    refusals = (yaml.YAMLError, ValueError, OverflowError)
    try:
        parser = loader(source.body)
        get_event = parser.get_event
        event = get_event()
    except refusals as error:
        _refuse(source, error)
    scalar, mapping, sequence = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
    ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    while True:
        try:
            event = get_event()
        except refusals as error:
            _refuse(source, error)
        kind = type(event)
        if kind is scalar:
            yield (
                SCALAR,
                event.value,
                event.start_mark.index,
                event.end_mark.index,
                event.style or "",
                event.anchor,
                event.tag,
            )
        elif kind in ends:
            yield END, "", 0, 0, "", None, None
        elif kind is mapping or kind is sequence:
            event_type = MAPPING if kind is mapping else SEQUENCE
            style = "flow" if event.flow_style else ""
            yield event_type, "", event.start_mark.index, 0, style, event.anchor, event.tag
        elif kind is yaml.AliasEvent:
            yield ALIAS, event.anchor, event.start_mark.index, event.end_mark.index, "", None, None
        elif kind is yaml.DocumentStartEvent:
            yield DOCUMENT, "", event.start_mark.index, 0, "", None, None
        elif kind is yaml.DocumentEndEvent:
            yield DOCUMENT_END, "", event.start_mark.index, 0, "", None, None
        elif kind is yaml.StreamEndEvent:
            return


@cache
def _pure_loader() -> type[Any]:
    """PyYAML's own parser, changed to skip tabs between tokens where libyaml does, for example before comments."""
    import yaml

    class Loader(yaml.SafeLoader):
        def scan_to_next_token(self) -> None:
            scanner: Any = self
            while True:
                tabs = scanner.flow_level or not scanner.allow_simple_key
                while scanner.peek() == " " or (tabs and scanner.peek() == "\t"):
                    scanner.forward()
                if scanner.peek() == "#":
                    while scanner.peek() not in "\0\r\n\x85\u2028\u2029":
                        scanner.forward()
                if not scanner.scan_line_break():
                    return
                if not scanner.flow_level:
                    scanner.allow_simple_key = True

    return Loader


def _refuse(source: Source, error: Exception) -> NoReturn:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    control = source.first_control_character()
    if mark is not None:
        place = source.byte_offset(mark.index)
        problem = getattr(error, "problem", None) or tr("it cannot be parsed")
        context = getattr(error, "context", None)
        problem = f"{problem} ({context})" if context and mark is getattr(error, "problem_mark", None) else problem
    elif control is not None:
        place = control
        problem = tr("the control character 0x{body:02x} is not allowed", body=source.body[control])
    else:
        place = 0
        problem = str(error).splitlines()[0] if str(error) else tr("it cannot be parsed")
    place = min(place, len(source.body))
    raise ResourceError(
        tr("not valid YAML: {problem}", problem=problem), where=source.where(place), hint=_syntax_hint(source, place)
    ) from None


def _syntax_hint(source: Source, place: int) -> str:
    if b"{{" in source.body:
        return TEMPLATE_HINT
    line_start = source.body.rfind(b"\n", 0, place) + 1
    indentation = re.match(rb"[ \t]*", source.body[line_start : line_start + 1000])
    if (indentation and b"\t" in indentation[0]) or source.body[place : place + 1] == b"\t":
        if source.file == "-":
            return tr("YAML is indented by spaces, not by tabs; expand -i -t 2 replaces the tabs on the way")
        stem, suffix = os.path.splitext(source.file)
        command = f"expand -i -t 2 {quoted(source.file)} > {quoted(f'{stem}-spaces{suffix}')}"
        return tr("YAML is indented by spaces, not by tabs: {command}", command=command)
    return tr("look at this line and the one before it: a bracket, a quote, a colon or the indentation")
