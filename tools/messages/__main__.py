# SPDX-License-Identifier: Apache-2.0
"""Writes the catalogues of messages; with ``--check`` only tells what is wrong with them.

    make messages
    python -m tools.messages --check

``airgap/locale/airgap.pot`` lists the English texts. ``airgap/locale/LANGUAGE/LC_MESSAGES/airgap.po`` is what a
translator edits; ``airgap.mo`` beside it is what the program reads.
"""

from __future__ import annotations

import argparse
import io
import sys
from datetime import datetime, timezone
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tools.messages import columns, translations
from tools.messages.collect import MessageError, messages
from tools.messages.strays import strays

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "airgap/locale"
#: The time in compiled catalogues, so that the same messages give the same bytes.
_EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
#: Lines of the header that change with each run, or that Babel fills with placeholders.
_LEFT_OUT = (
    b'"POT-Creation-Date',
    b'"PO-Revision-Date',
    b'"Generated-By',
    b'"Project-Id-Version',
    b'"Report-Msgid-Bugs-To',
    b'"Last-Translator',
    b'"Language-Team',
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.messages", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if something is wrong")
    check = parser.parse_args().check
    try:
        problems = [f"{stray} is not translated: tr(…)" for stray in strays(ROOT)]
        problems += [f"{place} counts characters, not columns: formatting/columns.py" for place in columns.places(ROOT)]
        template = template_catalog(ROOT)
    except MessageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    outputs = {LOCALE / "airgap.pot": po_bytes(template)}
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/airgap.po")):
        catalog = read_po(io.BytesIO(path.read_bytes()), locale=path.parent.parent.name)
        catalog.update(template, no_fuzzy_matching=True)
        page = ROOT / f"docs/glossary.{catalog.locale}.md"
        glossary = page.read_text("utf-8") if page.is_file() else ""
        problems += translations.problems(catalog, str(path.relative_to(LOCALE.parent)), glossary)
        pages = [
            other for other in ROOT.rglob(f"*.{catalog.locale}.md") if other != page and ".venv" not in other.parts
        ]
        problems += [problem for other in sorted(pages) for problem in translations.page_problems(other, glossary)]
        outputs[path] = po_bytes(catalog)
        # Read back, since a new plural has fewer forms in the file than in the template.
        outputs[path.with_suffix(".mo")] = mo_bytes(read_po(io.BytesIO(outputs[path]), locale=str(catalog.locale)))
    for path, content in outputs.items():
        if path.exists() and path.read_bytes() == content:
            continue
        if check:
            problems.append(f"{path.relative_to(ROOT)} is out of date: make messages")
        else:
            path.write_bytes(content)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def template_catalog(root: Path) -> Catalog:
    """Return the catalogue of all English texts, each with the files that it is in."""
    catalog = Catalog(fuzzy=False)
    for message in messages(root):
        text = (message.text, message.plural) if message.plural else message.text
        catalog.add(text, locations=[(message.file, 0)])
    return catalog


def po_bytes(catalog: Catalog) -> bytes:
    """Return the catalogue as a PO file, without times, names of people and line numbers."""
    catalog.header_comment = "# SPDX-License-Identifier: Apache-2.0"
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=110, include_lineno=False, sort_output=True, ignore_obsolete=True)
    return b"\n".join(line for line in buffer.getvalue().split(b"\n") if not line.startswith(_LEFT_OUT))


def mo_bytes(catalog: Catalog) -> bytes:
    """Return the catalogue as the program reads it."""
    catalog.creation_date = catalog.revision_date = _EPOCH
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
