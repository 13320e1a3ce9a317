# SPDX-License-Identifier: Apache-2.0
"""References in shell commands that pull or run an image: ``docker pull REF``, ``ctr images pull REF``.

Only the beginning of a command counts, so that prose and comments about such a command name no image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.kube.detect import rules
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.walker import is_complete_reference

#: Programs that pull images by these verbs (their own manuals); ``ctr images pull`` has a noun before it.
_PROGRAMS = frozenset({"docker", "podman", "nerdctl", "crictl", "ctr", "buildah"})
_NOUNS = frozenset({"image", "images", "i", "container", "containers"})
_PULL, _RUN = frozenset({"pull"}), frozenset({"run", "create", "from"})
#: Words that may precede a command.
_BEFORE = frozenset({"sudo", "exec", "then", "do", "else", "if", "!", "while", "until", "time", "$", "env", "-", "RUN"})
_QUICK = re.compile(r"\b(?:docker|podman|nerdctl|crictl|ctr|buildah)\s")
_CONTINUED = re.compile(r"\\\r?\n")
_COMMAND = re.compile(r"[^;&|()`{}\r\n]+")
_WORD = re.compile(r"\S+")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_LONGEST = 4_000


def pulled_references(value: str) -> Iterator[tuple[int, int, Rule]]:
    """Yield the spans of the images that commands in ``value`` pull or run."""
    if not _QUICK.search(value):
        return
    text = _CONTINUED.sub(lambda line_end: " " * len(line_end[0]), value)
    offset = 0
    for line in text.splitlines(keepends=True):
        if len(line) <= _LONGEST and not line.lstrip().startswith(("#", "//")) and _QUICK.search(line):
            for command in _COMMAND.finditer(line.partition(" #")[0]):
                for begin, end in _images(command):
                    yield offset + begin, offset + end, rules.PULLED
        offset += len(line)


def _images(command: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans of the images of one command, in its line."""
    words = [_unquoted(word, command.start()) for word in _WORD.finditer(command[0])]
    first = 0
    while first < len(words) and (words[first][2] in _BEFORE or _ASSIGNMENT.fullmatch(words[first][2])):
        first += 1
    if first == len(words) or words[first][2].rpartition("/")[2] not in _PROGRAMS:
        return
    verb = _verb(words, first + 1)
    if verb is None:
        return
    after = words[verb + 1 :]
    complete_references = [(begin, end) for begin, end, text in after if is_complete_reference(text)]
    if words[verb][2] in _RUN:  # any word may be an option's value, so only a complete reference counts
        yield from complete_references[:1]
        return
    yield from complete_references
    if after and not complete_references:
        begin, end, text = after[-1]
        if not text.startswith("-") and re.search("[:@/]", text):
            yield begin, end


def _verb(words: list[tuple[int, int, str]], first: int) -> int | None:
    """Return the index of the verb, which follows options, their values and a noun; ``None`` without a verb."""
    may_be_value = False
    for index in range(first, len(words)):
        text = words[index][2]
        if text in _PULL or text in _RUN:
            return index
        if not (text.startswith("-") or may_be_value or text in _NOUNS):
            return None
        may_be_value = text.startswith("-") and "=" not in text
    return None


def _unquoted(word: re.Match[str], base: int) -> tuple[int, int, str]:
    """Return span and text of the word without quotes; ``base`` is the offset of the command."""
    begin, end, text = base + word.start(), base + word.end(), word[0]
    if text[0] in "\"'" and text[-1] == text[0] and len(text) > 1:
        return begin + 1, end - 1, text[1:-1]
    return begin, end, text
