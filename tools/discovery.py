# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/discovery.md and docs/discovery.ko.md, from the rules and from the places that the tests prove.

    python tools/discovery.py           # write them
    python tools/discovery.py --check   # end with 1 if a page says something else

What stands between the marks is made here; the words around it are written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

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


def table() -> str:
    lines = ["| rule | kind | how sure | in | where | shape | why |", "|-|-|-|-|-|-|-|"]
    for rule in every_rule():
        path = f"`{rule.path}`" if rule.path != "**" else "anywhere"
        if rule.key:
            path += f", key: {rule.key}" + (" alone" if rule.exact else "")
        if rule.name:
            path += f", name: `{rule.name}`".replace("|", "\\|")
        cells = (f"`{rule.id}`", rule.kind, rule.confidence, _objects(rule), path, rule.shape, rule.why)
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| not taken below | because |", "|-|-|"]
    lines += [f"| `{place}` | {why} |" for place, why in rules.NEVER_PULLED]
    return "\n".join(lines)


def _objects(rule: Rule) -> str:
    if rule.id.startswith("pod-"):
        return "the built-in workloads"
    known = {
        ANY: "objects, but ConfigMaps, Secrets, CRDs",
        BUT_SCHEMAS: "everywhere, but CRDs",
        LOOSE: "YAML that is no object",
        EVERYWHERE: "everywhere",
    }
    return known.get(rule.objects) or ", ".join(f"`{one}`" for one in rule.objects)


def places() -> str:
    """What the tests prove place by place, with the rule that finds it; peers only as far as they are known."""
    sys.path.insert(0, str(ROOT))
    from tests.kube.places import PLACES

    lines = ["| place | as | airgap: found by | how sure | airgap: rewritten | kbld (2024-03) | Zarf (2026-08) |"]
    lines.append("|-|-|-|-|-|-|-|")
    for place in PLACES:
        site = scan(place.content.encode(), place.what).sites[0]
        cells = (place.what, place.shown, f"`{site.rule}`", site.confidence, "yes", place.kbld, place.zarf)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def made(page: str) -> str:
    """``page`` with its tables as they must be."""
    for begin, text in (("<!-- made by tools/discovery.py -->", table()), ("<!-- places, made too -->", places())):
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(END)
        page = f"{before}{begin}\n{text}\n{END}{after}"
    return page


def main(arguments: list[str]) -> int:
    stale = 0
    for name in ("discovery.md", "discovery.ko.md"):
        path = DOCS / name
        page = path.read_text("utf-8")
        if page != made(page):
            stale = 1
            if "--check" in arguments:
                print(f"{path} is out of date: python tools/discovery.py", file=sys.stderr)
            else:
                path.write_text(made(page), "utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
