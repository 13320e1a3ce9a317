# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/discovery.md and docs/discovery.ko.md, from the rules and from the places that the tests prove.

    python tools/discovery.py           # write them
    python tools/discovery.py --check   # end with 1 if a page says something else

What stands between the marks is made here; the words around it are written by hand. The Korean cells are in
tools/discovery.ko.yaml, and a cell that it lacks ends the program.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from airgap.kube import scan
from airgap.kube.detect import rules
from airgap.kube.detect.rule import ANY, BUT_SCHEMAS, EVERYWHERE, LOOSE, Rule

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
END = "<!-- end -->"


def every_rule() -> list[Rule]:
    """All rules in the order in which the rules' module has them; those of one name once."""
    found: dict[str, Rule] = {}
    for value in vars(rules).values():
        for rule in value if isinstance(value, tuple) else (value,):
            if isinstance(rule, Rule):
                found.setdefault(rule.id, rule)
    return list(found.values())


class Words:
    """What the cells say in one language. ``translations`` is empty for English."""

    def __init__(self, translations: dict[str, str]) -> None:
        self.translations = translations

    def __call__(self, text: str) -> str:
        """``text`` in this language. A text with letters outside of code marks that has no translation is an error."""
        if not self.translations or not text or (text.startswith("`") and text not in self.translations):
            return text
        if text not in self.translations:
            raise SystemExit(f"tools/discovery.ko.yaml has no translation of: {text}")
        return self.translations[text]

    def row(self, *cells: str) -> str:
        return "| " + " | ".join(cells) + " |"

    def head(self, *cells: str) -> list[str]:
        return [self.row(*(self(cell) for cell in cells)), "|" + "-|" * len(cells)]


def table(words: Words) -> str:
    lines = words.head("rule", "kind", "how sure", "in", "where", "shape", "why")
    for rule in every_rule():
        path = f"`{rule.path}`" if rule.path != "**" else words("anywhere")
        if rule.key:
            path += f", {words('key:')} `{rule.key}`" + (f" {words('alone')}" if rule.exact else "")
        if rule.name:
            path += f", {words('name:')} `{rule.name}`".replace("|", "\\|")
        lines.append(
            words.row(
                f"`{rule.id}`", f"`{rule.kind}`", words(rule.confidence), _objects(rule, words), path,
                words(rule.shape), words(rule.why),
            )
        )  # fmt: skip
    lines += ["", *words.head("not taken below", "because")]
    lines += [words.row(f"`{place}`", words(why)) for place, why in rules.NEVER_PULLED]
    return "\n".join(lines)


def _objects(rule: Rule, words: Words) -> str:
    if rule.id.startswith("pod-"):
        return words("the built-in workloads")
    known = {
        ANY: "objects, but ConfigMaps, Secrets, CRDs",
        BUT_SCHEMAS: "everywhere, but CRDs",
        LOOSE: "YAML that is no object",
        EVERYWHERE: "everywhere",
    }
    if rule.objects in known:
        return words(known[rule.objects])
    return ", ".join(f"`{one}`" for one in rule.objects)


def places(words: Words) -> str:
    """What the tests prove place by place, with the rule that finds it; peers only as far as they are known."""
    from tests.kube.places import PLACES

    lines = words.head("place", "as", "airgap: found by", "how sure", "airgap: rewritten")
    lines[0] += " kbld (2024-03) | Zarf (2026-08) |"
    lines[1] += "-|-|"
    for place in PLACES:
        site = scan(place.content.encode(), place.what).sites[0]
        lines.append(
            words.row(
                words(place.what), place.shown, f"`{site.rule}`", words(site.confidence), words("yes"),
                words(place.kbld), words(place.zarf),
            )
        )  # fmt: skip
    return "\n".join(lines)


def never(words: Words) -> str:
    """What the tests prove not to be taken, each with the reason that the scan gives."""
    from tests.kube.places import NEVER

    lines = words.head("looks like an image", "as", "reason that is listed")
    for other in NEVER:
        misses = scan(other.content.encode(), other.what).misses
        reason = next(miss.reason for miss in misses if miss.text)
        lines.append(words.row(words(other.what), words(other.shown), words(reason)))
    return "\n".join(lines)


def made(page: str, words: Words) -> str:
    """``page`` with its tables as they must be."""
    sys.path.insert(0, str(ROOT))
    for begin, text in (
        ("<!-- made by tools/discovery.py -->", table(words)),
        ("<!-- places, made too -->", places(words)),
        ("<!-- never, made too -->", never(words)),
    ):
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(END)
        page = f"{before}{begin}\n{text}\n{END}{after}"
    return page


def korean() -> dict[str, str]:
    translations: dict[str, str] = yaml.safe_load((ROOT / "tools/discovery.ko.yaml").read_text("utf-8"))
    return translations


def main(arguments: list[str]) -> int:
    stale = 0
    for name, words in (("discovery.md", Words({})), ("discovery.ko.md", Words(korean()))):
        path = DOCS / name
        page = path.read_text("utf-8")
        if page != made(page, words):
            stale = 1
            if "--check" in arguments:
                print(f"{path} is out of date: python tools/discovery.py", file=sys.stderr)
            else:
                path.write_text(made(page, words), "utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
