# SPDX-License-Identifier: Apache-2.0
"""docs/error-messages.md and docs/error-messages.ko.md, from the messages of ``airgap doctor --explain``.

    python tools/error_messages.py           # write them
    python tools/error_messages.py --check   # end with 1 if a page says something else

What stands between the marks is made here; the words around it are written by hand. The Korean sentences lie in
tools/error_messages.ko.yaml and must be as many as the English ones.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from airgap.explain import KnownMessage, known_messages

BEGIN, END = "<!-- made by tools/error_messages.py -->", "<!-- end -->"
TOOLS = Path(__file__).resolve().parent
DOCS = TOOLS.parent / "docs"
WORDS = {
    "error-messages.md": ("Said by", "Guide"),
    "error-messages.ko.md": ("메시지를 내는 프로그램", "안내"),
}


def texts(message: KnownMessage, korean: dict[str, Any] | None) -> tuple[str, str, list[str]]:
    """Title, cause and the steps' sentences in one language."""
    if korean is None:
        return message.title, message.cause, [step.say for step in message.steps]
    words = korean[message.id]
    if len(words["steps"]) != len(message.steps):
        raise SystemExit(
            f"tools/error_messages.ko.yaml: {message.id} has {len(words['steps'])} steps, not {len(message.steps)}"
        )
    return words["title"], words["cause"], words["steps"]


def section(message: KnownMessage, name: str, korean: dict[str, Any] | None) -> str:
    said_by, guide = WORDS[name]
    title, cause, steps = texts(message, korean)
    lines = [f'<a id="{message.id}"></a>', f"## {title}", ""]
    lines += [f"> `{phrase}`  " for phrase in message.phrases]
    lines[-1] = lines[-1].rstrip()
    lines += ["", f"{said_by}: {message.seen}. {_shown(cause)}", ""]
    for say, step in zip(steps, message.steps, strict=True):
        lines.append(f"- {_shown(say)}")
        if step.run:
            lines += ["", "  ```", *(f"  {_filled(line)}" for line in step.run), "  ```", ""]
    if message.guide:
        place = _guide(message.guide, name)
        lines += ["", f"{guide}: [{place.removeprefix('../')}]({place})"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _guide(guide: str, name: str) -> str:
    return guide.replace(".md", ".ko.md") if name.endswith(".ko.md") else guide


def _filled(text: str) -> str:
    places = {"host": "HOST:PORT", "name": "HOST", "san": "IP:ADDRESS", "image": "HOST:PORT/IMAGE:TAG"}
    return re.sub(r"\{(host|name|san|image)\}", lambda match: places[match[1]], text)


def _shown(text: str) -> str:
    """A sentence in which Markdown reads nothing else."""
    return re.sub(r"([*<>])", r"\\\1", _filled(text))


def made(page: str, name: str) -> str:
    """``page`` with its sections as they must be."""
    korean = None
    if name.endswith(".ko.md"):
        korean = yaml.safe_load((TOOLS / "error_messages.ko.yaml").read_text("utf-8"))
        ids = {message.id for message in known_messages()}
        if korean.keys() != ids:
            raise SystemExit(f"tools/error_messages.ko.yaml: {sorted(korean.keys() ^ ids)} stand in one table only")
    body = "\n".join(section(message, name, korean) for message in known_messages())
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{body}{END}{after}"


def main(arguments: list[str]) -> int:
    stale = 0
    for name in WORDS:
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
