# SPDX-License-Identifier: Apache-2.0
"""Text from strangers as a dossier shows it: nothing in it is invisible, and nothing changes the order of what is read.

Beyond what :func:`airgap.formatting.escaped` escapes, characters without width are: two names that look the same are
not the same for whoever approves them.
"""

from __future__ import annotations

import re

from airgap.formatting import escaped

#: Zero-width characters, soft hyphen, fillers, variation selectors and others that show nothing (Unicode's
#: Default_Ignorable_Code_Point and Cf, without those that ``escaped`` has).
_INVISIBLE = re.compile(
    "[\u00a0\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200d\u202f\u205f-\u2065\u206a-\u206f\u3000\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U0001d173-\U0001d17a\U000e0080-\U000e0fff]"
)


def visible(text: str, *, lines: bool = False, most: int = 0) -> str:
    """Return ``text`` with every character that shows nothing, or moves others, as an escape such as ``\\u200b``.

    ``lines`` keeps line ends and tabs. Beyond ``most`` characters, if given, the text is cut and ``…`` is added.
    """
    if text.isascii() and text.isprintable() and (not most or len(text) <= most):
        return text  # as most are
    cut = text if not most or len(text) <= most else f"{text[:most]}…"
    return _INVISIBLE.sub(_escape, escaped(cut, lines=lines))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
