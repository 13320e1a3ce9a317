# SPDX-License-Identifier: Apache-2.0
"""References in shell commands that pull or run an image: ``docker pull REF``, ``ctr images pull REF``.

Only the beginning of a command counts, so that prose and comments about such a command name no image. Further: the
images that ``skopeo copy`` reads, that ``kubectl set image``, ``kustomize edit set image`` and ``helm --set`` set,
lists that a script loops over or keeps in a variable, systemd's ``ExecStart``, and the ``FROM`` of a Dockerfile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.kube.detect import keys, rules
from airgap.kube.detect.rule import Rule
from airgap.kube.detect.shapes import is_complete_reference, is_tagged_path, says_image

#: Programs that pull images by these verbs (their own manuals); ``ctr images pull`` has a noun before it.
_PROGRAMS = frozenset({"docker", "podman", "nerdctl", "crictl", "ctr", "buildah"})
_NOUNS = frozenset({"image", "images", "i", "container", "containers"})
_PULL, _RUN = frozenset({"pull"}), frozenset({"run", "create", "from"})
#: Words that may precede a command.
_BEFORE = frozenset({"sudo", "exec", "then", "do", "else", "if", "!", "while", "until", "time", "$", "env", "-", "RUN"})
_QUICK = re.compile(r"\b(?:docker|podman|nerdctl|crictl|ctr|buildah)\s")
#: Programs whose subcommands set or copy images.
_SETTING_PROGRAMS = ("skopeo", "crane", "kubectl", "oc", "kustomize", "helm")
_SETTERS = re.compile(r"\b(?:skopeo|crane|kubectl|oc|kustomize|helm)\s")
_UNIT = re.compile(r"Exec[A-Za-z]+=[-@+!:|]*(?=\S)")
#: ``for x in …``, ``x=(…)``, ``x="…"`` and ``x = […]``. The lookbehind lets each word be tried once.
_LIST = re.compile(
    r"(?<![\w.-])(?:for[ \t]+(?P<loop>\w+)[ \t]+in[ \t]+(?P<words>[^;\n]*)"
    r"|(?P<name>[A-Za-z_]\w*)\+?[ \t]*=[ \t]*(?:\((?P<array>[^()]*)\)|\[(?P<list>[^\[\]]*)\]|\"(?P<double>[^\"]*)\""
    r"|'(?P<single>[^']*)'))"
)
_LIST_SIGNS = ('"', "'", "(", "[", " in ")
_HELM_SETTING = re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)=(?P<value>[^,=]+)(?=,|$)")
_VARIABLE = re.compile(r"\$\{?(\w+)")
_LIST_WORD = re.compile(r"[^\s,\"'\\]+")
_FROM = re.compile(
    r"^[ \t]*FROM[ \t]+(?:--platform=\S+[ \t]+)?(?P<image>[^\s$]+)(?:[ \t]+(?:AS|as)[ \t]+\S+)?[ \t]*$", re.MULTILINE
)
_CONTINUED = re.compile(r"\\\r?\n")
_COMMAND = re.compile(r"[^;&|()`{}\r\n]+")
_WORD = re.compile(r"\S+")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_LONGEST = 4_000


def pulled_references(value: str) -> Iterator[tuple[int, int, Rule]]:
    """Yield the spans of the images that commands in ``value`` pull or run."""
    if "FROM" in value:
        for match in _FROM.finditer(value):
            if is_complete_reference(match["image"]) or re.search("[:@]", match["image"]):
                yield *match.span("image"), rules.PULLED
    pulls = any(program in value for program in _PROGRAMS) and _QUICK.search(value) is not None
    text = value
    if "\\" in value:
        text = _CONTINUED.sub(lambda line_end: " " * len(line_end[0]), value)
    if "/" in text and (pulls or says_image(text)) and any(sign in text for sign in _LIST_SIGNS):
        yield from _listed(text, pulls=pulls)
    if not pulls and not (any(program in value for program in _SETTING_PROGRAMS) and _SETTERS.search(value)):
        return
    offset = 0
    for line in text.splitlines(keepends=True):
        if len(line) <= _LONGEST and not line.lstrip().startswith(("#", "//")) and _names_program(line):
            for command in _COMMAND.finditer(line.partition(" #")[0]):
                for begin, end in _images(command):
                    yield offset + begin, offset + end, rules.PULLED
        offset += len(line)


def _names_program(line: str) -> bool:
    return _QUICK.search(line) is not None or _SETTERS.search(line) is not None


def _pulled_variables(text: str) -> frozenset[str]:
    """The variables that commands which pull or run images have among their words."""
    lines = (line for line in text.splitlines() if len(line) <= _LONGEST and _QUICK.search(line))
    return frozenset(name for line in lines for name in _VARIABLE.findall(line))


def _listed(text: str, *, pulls: bool) -> Iterator[tuple[int, int, Rule]]:
    """Yield the spans of the images in lists; ``pulls`` is true if a command of the script pulls images."""
    variables = _pulled_variables(text) if pulls else frozenset()
    for match in _LIST.finditer(text):
        line_start = text.rfind("\n", max(0, match.start() - _LONGEST), match.start()) + 1
        if text[line_start : match.start()].lstrip().startswith(("#", "//")):
            continue
        name = match["loop"] or match["name"] or ""
        group = next(one for one in ("words", "array", "list", "double", "single") if match[one] is not None)
        begin = match.start(group)
        says_image = keys.mentions_image(name) or name in variables
        for word in _LIST_WORD.finditer(match[group]):
            is_reference = is_tagged_path(word[0]) if says_image else pulls and is_complete_reference(word[0])
            if is_reference:
                yield begin + word.start(), begin + word.end(), rules.PULLED


def _set_images(words: list[tuple[int, int, str]]) -> Iterator[tuple[int, int]]:
    """Yield the images that a command other than a puller's names: ``words`` are the program and what follows."""
    program, texts = words[0][2].rpartition("/")[2], [text for _, _, text in words]
    if program == "skopeo" and "copy" in texts:
        for begin, end, text in words:
            if text.startswith("docker://"):
                yield begin + len("docker://"), end
                return
    elif program == "crane" and texts[1:2] in (["pull"], ["export"]):
        yield from [(begin, end) for begin, end, text in words if is_complete_reference(text)][:1]
    elif program in ("kubectl", "oc", "kustomize") and "image" in texts and texts[texts.index("image") - 1] == "set":
        for begin, end, text in words[texts.index("image") + 1 :]:
            after_sign = text.rfind("=") + 1
            if is_tagged_path(text[after_sign:]):
                yield begin + after_sign, end
    elif program == "helm":
        for index, (begin, _, text) in enumerate(words):
            if not (index and texts[index - 1].startswith("--set")) and not text.startswith("--set"):
                continue
            for setting in _HELM_SETTING.finditer(text):
                if keys.names_image(setting["key"]) and is_tagged_path(setting["value"]):
                    yield begin + setting.start("value"), begin + setting.end("value")


def _images(command: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans of the images of one command, in its line."""
    words = [_unquoted(word, command.start()) for word in _WORD.finditer(command[0])]
    first = 0
    if words and (unit := _UNIT.match(words[0][2])):
        words[0] = (words[0][0] + unit.end(), words[0][1], words[0][2][unit.end() :])
    while first < len(words) and (words[first][2] in _BEFORE or _ASSIGNMENT.fullmatch(words[first][2])):
        first += 1
    if first == len(words):
        return
    if words[first][2].rpartition("/")[2] not in _PROGRAMS:
        yield from _set_images(words[first:])
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
