# SPDX-License-Identifier: Apache-2.0
"""Commands of shell scripts that pull an image or run one: ``docker pull REF``, ``ctr images pull REF``, ``nerdctl
run … REF``. Only where a command can stand, so that prose which speaks of one names nothing; comments neither.
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
#: What may stand before a command on its line.
_BEFORE = frozenset({"sudo", "exec", "then", "do", "else", "if", "!", "while", "until", "time", "$", "env", "-", "RUN"})
_QUICK = re.compile(r"\b(?:docker|podman|nerdctl|crictl|ctr|buildah)\s")
_CONTINUED = re.compile(r"\\\r?\n")
_COMMAND = re.compile(r"[^;&|()`{}\r\n]+")
_WORD = re.compile(r"\S+")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_LONGEST = 4_000


def pulls(value: str) -> Iterator[tuple[int, int, Rule]]:
    """The images that commands in ``value`` pull or run, by their places; what a variable names is left to it."""
    if not _QUICK.search(value):
        return
    text = _CONTINUED.sub(lambda found: " " * len(found[0]), value)
    at = 0
    for line in text.splitlines(keepends=True):
        if len(line) <= _LONGEST and not line.lstrip().startswith(("#", "//")) and _QUICK.search(line):
            for command in _COMMAND.finditer(line.partition(" #")[0]):
                for begin, end in _images(command):
                    yield at + begin, at + end, rules.PULLED
        at += len(line)


def _images(command: re.Match[str]) -> Iterator[tuple[int, int]]:
    words = [_unquoted(found, command.start()) for found in _WORD.finditer(command[0])]
    first = 0
    while first < len(words) and (words[first][2] in _BEFORE or _ASSIGNMENT.fullmatch(words[first][2])):
        first += 1
    if first == len(words) or words[first][2].rpartition("/")[2] not in _PROGRAMS:
        return
    verb = _verb(words, first + 1)
    if verb is None:
        return
    after = words[verb + 1 :]
    whole = [(begin, end) for begin, end, text in after if is_complete_reference(text)]
    if words[verb][2] in _RUN:  # which words are options' values is not known: only what is beyond doubt
        yield from whole[:1]
        return
    yield from whole
    if after and not whole:
        begin, end, text = after[-1]
        if not text.startswith("-") and re.search("[:@/]", text):
            yield begin, end


def _verb(words: list[tuple[int, int, str]], at: int) -> int | None:
    """Where the verb is: behind options, each perhaps with a value, and a noun."""
    may_be_value = False
    for number in range(at, len(words)):
        text = words[number][2]
        if text in _PULL or text in _RUN:
            return number
        if not (text.startswith("-") or may_be_value or text in _NOUNS):
            return None
        may_be_value = text.startswith("-") and "=" not in text
    return None


def _unquoted(found: re.Match[str], base: int) -> tuple[int, int, str]:
    begin, end, text = base + found.start(), base + found.end(), found[0]
    if text[0] in "\"'" and text[-1] == text[0] and len(text) > 1:
        return begin + 1, end - 1, text[1:-1]
    return begin, end, text
