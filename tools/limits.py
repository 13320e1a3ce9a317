# SPDX-License-Identifier: Apache-2.0
"""The tables of limits in docs/security.md and docs/serve.md, and in their Korean twins.

    python -m tools.limits           # write them
    python -m tools.limits --check   # end with 1 if a page says something else

What stands between the marks is made here; the words around it are written by hand. The tables come from
``airgap/limits.py`` and ``airgap/server/limits.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
LANGUAGES = {"security.md": "en", "security.ko.md": "ko", "serve.md": "en", "serve.ko.md": "ko"}
_HEADINGS = {
    "en": ("limit", "default", "bounds", "past it"),
    "ko": ("제한", "기본값", "대상", "넘으면"),
}
#: What follows a number in Korean. A unit that is missing here ends the program.
_UNITS = {
    "characters": "자", "connections": "개", "entries": "개", "failures": "번", "files": "개", "levels": "단계",
    "lines": "줄", "packages": "개", "pages": "페이지", "requests": "개", "seconds": "초", "signatures": "개",
    "steps": "단계", "times": "배", "tries": "번", "uploads": "개", "values": "개",
}  # fmt: skip
_MARKS = re.compile(r"(<!-- (\w+) limits, made by tools/limits\.py -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> dict[str, str]:
    """The tables in the language of this process, by the names in the marks."""
    from airgap import i18n, limits
    from airgap.server import limits as server_limits

    def table(rows: object) -> str:
        heading = f"| {' | '.join(_HEADINGS[i18n.language_in_use()])} |\n|-|-|-|-|\n"
        return heading + "".join(
            f"| `{row.name}` | {_amount(row.value, row.unit)} | {row.bounds} | {row.past} |\n"
            for row in rows  # type: ignore[attr-defined]
        )

    return {
        "network": table(limits.NETWORK),
        "files": table(limits.FILES),
        "serve": table(server_limits.TABLE),
    }


def _amount(value: int, unit: str) -> str:
    if unit in ("bytes", "bytes/s"):
        for factor, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
            if value % factor == 0:
                return f"{value // factor:,} {unit.replace('bytes', name)}"
    from airgap import i18n

    return f"{value:,}{_UNITS[unit]}" if i18n.language_in_use() == "ko" else f"{value:,} {unit}"


def made(page: str, language: str) -> str:
    """``page`` with its tables as they must be. The messages of a process have one language, so each has its own."""
    script = "import json; from tools.limits import tables; print(json.dumps(tables()))"
    environment = {**os.environ, "AIRGAP_LANG": language, "PYTHONPATH": str(DOCS.parent)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    import json

    found: dict[str, str] = json.loads(result.stdout)
    return _MARKS.sub(lambda mark: f"{mark[1]}{found[mark[2]]}{mark[3]}", page)


def main(arguments: list[str]) -> int:
    stale = 0
    for name, language in LANGUAGES.items():
        path = DOCS / name
        page = path.read_text("utf-8")
        if page != made(page, language):
            stale = 1
            if "--check" in arguments:
                print(f"{path} is out of date: python -m tools.limits", file=sys.stderr)
            else:
                path.write_text(made(page, language), "utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
