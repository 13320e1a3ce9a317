# SPDX-License-Identifier: Apache-2.0
"""Messages in other languages: what is looked up, what is chosen, and that no text goes around the catalogue."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.messages import __main__ as tool
from tools.messages.collect import MessageError, messages
from tools.messages.strays import strays

ROOT = Path(__file__).resolve().parent.parent
#: How the list of commands and the page of ``inspect`` begin.
SHORT_HELP = "Show the contents of a bundle, or an image at a registry."
HELP = "Show the contents of a bundle, the files"
PO = r"""
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\nPlural-Forms: nplurals=1; plural=0;\n"

msgid "{bundle} does not exist"
msgstr "{bundle}: 그런 파일이 없습니다"

msgid "{number} image"
msgid_plural "{number} images"
msgstr[0] "이미지 {number}개"

msgid "Show the contents of a bundle, or an image at a registry."
msgstr "번들의 내용을 보여 줍니다."

msgid "Replace files that exist."
msgstr "이미 있는 파일을 바꿉니다."
"""


def catalogue() -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    catalog = read_po(io.BytesIO(PO.encode()), locale="ko")
    (help_text,) = (message.text for message in messages(ROOT) if message.text.startswith(HELP))
    catalog.add(help_text, "번들 파일의 앞부분만 읽습니다.")
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with a Korean catalogue of our own."""
    root = tmp_path_factory.mktemp("translated")
    shutil.copytree(ROOT / "airgap", root / "airgap", ignore=shutil.ignore_patterns("__pycache__", "locale"))
    folder = root / "airgap/locale/ko/LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "airgap.mo").write_bytes(catalogue())
    return root


def run_python(code: str, path: Path, *arguments: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "AIRGAP_LANG"))}
    completed = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**kept, "PYTHONPATH": str(path), "PYTHONUTF8": "1", **environment},
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    return completed.stdout.strip()


COUNTED = "from airgap.formatting import counted; print(counted(2, 'image'), '|', counted(1, 'tag'))"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AIRGAP_LANG": "ko"}, "이미지 2개 | 1 tag"),
        ({"LANG": "ko_KR.UTF-8"}, "이미지 2개 | 1 tag"),
        ({"LC_MESSAGES": "ko", "LANG": "en_US.UTF-8"}, "이미지 2개 | 1 tag"),
        ({"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, "2 images | 1 tag"),
        ({"AIRGAP_LANG": "en", "LC_ALL": "ko_KR.UTF-8"}, "2 images | 1 tag"),
        ({"LANG": "fr_FR.UTF-8"}, "2 images | 1 tag"),
        ({"AIRGAP_LANG": "../../ko"}, "2 images | 1 tag"),
        ({}, "2 images | 1 tag"),
    ],
)
def test_the_environment_chooses_the_language(translated: Path, environment: dict[str, str], expected: str) -> None:
    assert run_python(COUNTED, translated, **environment) == expected


def test_a_catalogue_in_a_zip_file_is_read(translated: Path, tmp_path: Path) -> None:
    archive = tmp_path / "airgap.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in (translated / "airgap").rglob("*"):
            zipped.write(path, path.relative_to(translated))
    assert run_python(COUNTED, archive, AIRGAP_LANG="ko") == "이미지 2개 | 1 tag"


def test_every_message_is_found_as_the_standard_library_finds_it() -> None:
    """The catalogue is searched where it lies, and not read as a whole."""
    import gettext

    whole = gettext.GNUTranslations(io.BytesIO((tool.LOCALE / "ko/LC_MESSAGES/airgap.mo").read_bytes()))
    expected = {key if isinstance(key, str) else key[0]: text for key, text in whole._catalog.items() if key}  # type: ignore[attr-defined] # its only list
    code = (
        "import json, sys; from airgap.i18n import tr; print(json.dumps([tr(text) for text in json.load(sys.stdin)]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AIRGAP_LANG": "ko", "PYTHONPATH": str(ROOT)},
        input=json.dumps([*expected, "no such message", ""]), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(found.stdout) == [*expected.values(), "no such message", ""]


def test_help_is_translated(translated: Path) -> None:
    """The line in the list of commands, the docstring of a command, and an option."""
    show = "import sys; from airgap.cli import main; main(sys.argv[1:])"
    assert "번들의 내용을 보여 줍니다." in run_python(show, translated, "--help", AIRGAP_LANG="ko")
    page = run_python(show, translated, "inspect", "--help", AIRGAP_LANG="ko")
    assert "번들 파일의 앞부분만 읽습니다." in page
    assert "이미 있는 파일을 바꿉니다." in page


def test_fields_are_filled_in_each_language(translated: Path) -> None:
    code = "from airgap.i18n import tr; print(tr('{bundle} does not exist', bundle='{x}.tar'))"
    assert run_python(code, translated, AIRGAP_LANG="ko") == "{x}.tar: 그런 파일이 없습니다"
    assert run_python(code, translated) == "{x}.tar does not exist"


def test_text_without_fields_keeps_its_braces() -> None:
    assert run_python("from airgap.i18n import tr; print(tr('configs: {auth}'))", ROOT) == "configs: {auth}"


def test_the_catalogues_are_up_to_date() -> None:
    """``make messages`` writes them; ``make check`` runs this."""
    completed = subprocess.run(
        [sys.executable, "-m", "tools.messages", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert completed.returncode == 0, completed.stderr


def test_one_run_brings_them_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new text that is counted gives the same compiled catalogue in the first run as in the second."""
    shutil.copytree(tool.LOCALE, tmp_path / "locale")
    path = tmp_path / "locale/ko/LC_MESSAGES/airgap.po"
    entry = re.compile(r'(?:#: .*\n)*msgid "\{number\} value"\n(?:msg.*\n)+')
    text, removed = entry.subn("", path.read_text("utf-8"))
    assert removed == 1
    path.write_text(text, "utf-8")
    monkeypatch.setattr(tool, "LOCALE", tmp_path / "locale")
    monkeypatch.setattr(sys, "argv", ["messages"])
    assert tool.main() == 1  # the text is not translated
    once = path.with_suffix(".mo").read_bytes()
    assert tool.main() == 1
    assert path.with_suffix(".mo").read_bytes() == once


def tree_with(folder: Path, text: str) -> Path:
    (folder / "airgap/explain/data").mkdir(parents=True)
    (folder / "airgap/explain/data/messages.yaml").write_text("[]\n")
    (folder / "airgap/module.py").write_text(text)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        'raise UsageError("no such file")',
        'raise UsageError(f"{path} is missing")',
        'raise BundleError(tr("it is damaged"), hint="copy it again")',
        'raise BundleError(tr("it is damaged"), hint="copy it again" if once else tr("give up"))',
        'emit(Warned(f"{count} left out"))',
        'context.note("the bundle is made")',
        'hint = "run the command again"',
        'return "is missing" if gone else ""',
        '@click.option("--x", help="What it does.")\ndef f(): pass',
        'click.echo("all is well")',
        'note("stopped")',
    ],
)
def test_text_around_the_catalogue_is_found(tmp_path: Path, text: str) -> None:
    assert len(strays(tree_with(tmp_path, text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        '"""A docstring of some words."""',
        'raise UsageError(tr("no such file"))',
        'pattern = re.compile("no such file")',
        'if text == "no such file": pass',
        'raise Problem(404, "NOT_FOUND", "there is nothing here")',
        'mode = "rb"',
        'log.warning("the answer broke off: %s", error)',
    ],
)
def test_what_is_no_message_is_left(tmp_path: Path, text: str) -> None:
    assert strays(tree_with(tmp_path, text)) == []


@pytest.mark.parametrize(
    "text", ['tr("{name} is missing", path=path)', "tr(message)", "counted(3, noun)", 'tr(f"{x} is missing")']
)
def test_messages_that_cannot_be_translated_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(MessageError, match=r"module\.py:1: "):
        messages(tree_with(tmp_path, text))


def test_every_kind_of_message_is_collected() -> None:
    collected = {message.text for message in messages(ROOT)}
    assert {
        "{number} image",
        SHORT_HELP,
        "The registry speaks plain HTTP, and it was asked by HTTPS",
    } <= collected
    assert any(text.startswith(HELP) for text in collected)
