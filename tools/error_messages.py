# SPDX-License-Identifier: Apache-2.0
"""docs/error-messages.md and docs/error-messages.ko.md, from the messages of ``airgap doctor --explain``.

    python tools/error_messages.py           # write them
    python tools/error_messages.py --check   # end with 1 if a page says something else

What stands between the marks is made here; the words around it are written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from airgap import i18n
from airgap.explain import PLACEHOLDERS, KnownMessage, fill_in, known_messages

#: The Korean of what a message names beside programs. A sentence that is missing here ends the program.
_SAID_BY = {
    "every client": "모든 클라이언트",
    "every program written in Go": "Go로 만든 모든 프로그램",
    "Go servers": "Go로 만든 서버",
    "Ingress controllers": "Ingress 컨트롤러",
    "old clients": "오래된 클라이언트",
    "proxies": "프록시",
    "Nexus 3.78 to 3.80 behind a proxy": "프록시 뒤의 Nexus 3.78~3.80",
}
_ENGLISH = re.compile(r"\b(?:every|by|to|written|behind|old|controllers|servers|clients|proxies)\b")
BEGIN, END = "<!-- made by tools/error_messages.py -->", "<!-- end -->"
DOCS = Path(__file__).resolve().parent.parent / "docs"
#: For each page the language, and its words before the programs and before the guide.
PAGES = {
    "error-messages.md": ("en", "Said by", "Guide"),
    "error-messages.ko.md": ("ko", "메시지를 내는 프로그램", "안내"),
}


def section(message: KnownMessage, said_by: str, guide: str) -> str:
    lines = [f'<a id="{message.id}"></a>', f"## {message.title}", ""]
    lines += [f"> `{phrase}`  " for phrase in message.phrases]
    lines[-1] = lines[-1].rstrip()
    lines += ["", f"{said_by}: {_seen(message.seen)}. {_shown(message.cause)}", ""]
    for step in message.steps:
        lines.append(f"- {_shown(step.say)}")
        if step.run:
            lines += ["", "  ```", *(f"  {fill_in(line, PLACEHOLDERS)}" for line in step.run), "  ```", ""]
    if message.guide:
        lines += ["", f"{guide}: [{message.guide.removeprefix('../')}]({message.guide})"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _seen(programs: str) -> str:
    if i18n.language_in_use() == "en":
        return programs
    translated = ", ".join(_SAID_BY.get(program, program) for program in re.split("[,;] ", programs))
    if _ENGLISH.search(translated):
        raise SystemExit(f"tools/error_messages.py has no translation of: {programs}")
    return translated


def _shown(text: str) -> str:
    """A sentence in which Markdown reads nothing else."""
    return re.sub(r"([*<>])", r"\\\1", fill_in(text, PLACEHOLDERS))


def made(page: str, name: str) -> str:
    """``page`` with its sections as they must be."""
    language, said_by, guide = PAGES[name]
    i18n.use_language(language)
    known_messages.cache_clear()
    body = "\n".join(section(message, said_by, guide) for message in known_messages())
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{body}{END}{after}"


def main(arguments: list[str]) -> int:
    stale = 0
    for name in PAGES:
        path = DOCS / name
        page = path.read_text("utf-8")
        if page != made(page, name):
            stale = 1
            if "--check" in arguments:
                print(f"{path} is out of date: python tools/error_messages.py", file=sys.stderr)
            else:
                path.write_text(made(page, name), "utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
