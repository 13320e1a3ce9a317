# SPDX-License-Identifier: Apache-2.0
"""What ``make check`` says about catalogues, and about text that is aligned by characters."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tools.messages import columns, translations

GLOSSARY = """\
| 영어 | 한국어 | 설명 | 쓰지 않는 말 |
| --- | --- | --- | --- |
| quota | 할당량 | | 쿼터, 쿼타 |
| tag | 태그 | | |
"""


def problems(entry: str) -> list[str]:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=1; plural=0;\\n"\n\n'
    return translations.problems(read_po(io.BytesIO((header + entry).encode()), locale="ko"), "x.po", GLOSSARY)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('msgid "a tag"\nmsgstr ""\n', "not translated"),
        ('msgid "{number} tag"\nmsgid_plural "{number} tags"\nmsgstr[0] ""\n', "not translated"),
        ('#, fuzzy\nmsgid "a tag"\nmsgstr "태그"\n', "a fuzzy translation"),
        ('msgid "a tag"\nmsgstr "a tag"\n', "without a word of the language"),
        ('msgid "a tag"\nmsgstr "an etiquette"\n', "without a word of the language"),
        ('msgid "{a} and {b}"\nmsgstr "{a} 및 {c}"\n', "the fields differ"),
        ('msgid "{a} fails"\nmsgstr "{a}이(가) 실패했습니다"\n', "a particle in two forms"),
        ('msgid "{a} fails"\nmsgstr "{a}가 실패했습니다"\n', "a particle that does not fit every name: '{a}가'"),
        ('msgid "set {a}"\nmsgstr "`{a}`로 바꾸세요"\n', "a particle that does not fit every name"),
        ('msgid "the quota"\nmsgstr "쿼터"\n', "쿼터 is not used, but 할당량"),
    ],
)
def test_what_is_wrong_is_said(entry: str, problem: str) -> None:
    said = problems(entry)
    assert len(said) == 1, said
    assert problem in said[0]


@pytest.mark.parametrize(
    "entry",
    [
        'msgid "a tag"\nmsgstr "태그"\n',
        'msgid "{a} at {b}"\nmsgstr "{b}: {a}"\n',
        'msgid "SBOM"\nmsgstr "SBOM"\n',
        'msgid "{number} tag"\nmsgid_plural "{number} tags"\nmsgstr[0] "태그 {number}개"\n',
    ],
)
def test_what_is_right_is_not(entry: str) -> None:
    assert problems(entry) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('print(f"{word:<8}")', True),
        ('print(f"{word:>{n}}")', True),
        ("print(word.ljust(3))", True),
        ('print(f"{size:.1f}", left(word, 8))', False),
    ],
)
def test_text_that_is_aligned_by_characters_is_found(tmp_path: Path, code: str, found: bool) -> None:
    (tmp_path / "airgap/cli").mkdir(parents=True)
    (tmp_path / "airgap/cli/x.py").write_text(f"\n{code}\n")
    assert columns.places(tmp_path) == (["airgap/cli/x.py:2"] if found else [])
