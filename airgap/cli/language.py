# SPDX-License-Identifier: Apache-2.0
"""The language that ``language:`` in ``airgap.yaml`` asks for, found before the modules with messages are imported.

``AIRGAP_LANG`` comes first, then ``airgap.yaml``, then the locale. A wrong value is an error of the project file
where it is read as a whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise

from airgap import i18n

_LANGUAGE = re.compile(rb"^language[ \t]*:[ \t]*[\"']?([a-z]{2})\b", re.MULTILINE)
#: The part of a project file that is looked at.
_HEAD = 65_536


def use_project_language(arguments: Sequence[str]) -> None:
    """Use the language of the project file that ``arguments`` name, or of ``airgap.yaml`` in the working folder."""
    if os.environ.get("AIRGAP_LANG"):
        return
    language = _language(_project_file(arguments))
    if language in i18n.LANGUAGES and language != i18n.language_in_use():
        i18n.use_language(language)


def _project_file(arguments: Sequence[str]) -> str:
    for argument, following in pairwise([*arguments, ""]):
        if argument == "--config":
            return following
        if argument.startswith("--config="):
            return argument.partition("=")[2]
    return "airgap.yaml"


def _language(path: str) -> str:
    """The language in the file; empty if it says none or cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe is not waited for
    except (OSError, ValueError):
        return ""
    try:
        found = _LANGUAGE.search(os.read(file, _HEAD))
    except OSError:
        return ""
    finally:
        os.close(file)
    return found[1].decode() if found else ""
