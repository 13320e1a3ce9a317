# SPDX-License-Identifier: Apache-2.0
"""Parse a list of image references into events: one reference a line, ``#`` begins a comment.

The text of a line is one scalar, and so is its comment. Offsets are bytes.
"""

from __future__ import annotations

import re

from airgap.kube.parse.events import SCALAR, Events
from airgap.kube.parse.source import Source

#: The style of the scalars.
STYLE = "line"
#: A comment in a line: it begins the line or follows white space.
_COMMENT = re.compile(rb"(?:^|(?<=[ \t]))#.*", re.DOTALL)


def parse(source: Source) -> Events:
    """Yield a scalar for the text of each line and one for its comment, which has the style ``#``."""
    position = 0
    for line in source.body.splitlines(keepends=True):
        comment = _COMMENT.search(line)
        text = line[: comment.start()] if comment else line
        if stripped := text.strip():
            start = position + len(text) - len(text.lstrip())
            yield SCALAR, stripped.decode(), start, start + len(stripped), STYLE, None, None
        if comment:
            content = comment[0].rstrip(b"\r\n")
            start = position + comment.start()
            yield SCALAR, content.decode(), start, start + len(content), "#", None, None
        position += len(line)
