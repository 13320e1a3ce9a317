# SPDX-License-Identifier: Apache-2.0
"""Recognise the encodings of resource files that are not UTF-8, and name the command that converts them."""

from __future__ import annotations

import codecs
import os
import re

from airgap.formatting import quoted
from airgap.i18n import tr

#: Microsoft's superset of EUC-KR, as iconv calls it.
KOREAN = "CP949"
#: UTF-32's marks begin with those of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_HANGUL, _HANJA = re.compile("[\uac00-\ud7a3]"), re.compile("[\u4e00-\u9fff\uf900-\ufaff]")


def wide_encoding(content: bytes) -> str:
    """Return the name of UTF-16 or UTF-32, with the byte order if there is no mark; "" for other encodings.

    A file without a mark is recognised by its first character, which is ASCII in YAML and JSON.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if content[:1] == b"\0":
        return "UTF-32BE" if content[1:3] == b"\0\0" else "UTF-16BE"
    if content[1:2] == b"\0":
        return "UTF-32LE" if content[2:4] == b"\0\0" else "UTF-16LE"
    return ""


def is_korean(content: bytes) -> bool:
    """Return whether ``content``, which is not UTF-8, is text in CP949.

    Chinese text in GBK often decodes too, to as many Chinese characters as Hangul.
    """
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError:
        return False
    return len(_HANGUL.findall(text)) > 10 * len(_HANJA.findall(text))


def conversion_hint(encoding: str, file: str) -> str:
    """Return the command that converts ``file`` to UTF-8. ``ENCODING`` is for the user to replace."""
    if file == "-":
        return tr("convert it on the way: … | iconv -f {encoding} -t UTF-8 | airgap …", encoding=encoding)
    stem, suffix = os.path.splitext(file)
    return tr(
        "convert it: iconv -f {encoding} -t UTF-8 {file} > {converted}",
        encoding=encoding,
        file=quoted(file),
        converted=quoted(f"{stem}-utf8{suffix}"),
    )


def is_other_encoding(content: bytes) -> bool:
    """Return whether ``content`` is not UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False
