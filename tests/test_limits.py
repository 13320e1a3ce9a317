# SPDX-License-Identifier: Apache-2.0
"""The table of limits: how its values are changed, and what the documentation says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap import limits
from airgap.config.airgap_yaml import load_project
from airgap.errors import UsageError
from airgap.server import limits as server_limits
from tests.cli.command import Airgap
from tools import limits as tool

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """Nothing of these tests stays behind."""
    limits.use_environment({})
    yield
    limits.use_environment({})
    limits.use_project({})


def write(folder: Path, text: str) -> str:
    path = folder / "airgap.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", list(tool.LANGUAGES))
def test_the_pages_have_the_tables(name: str) -> None:
    page = (ROOT / "docs" / name).read_text("utf-8")
    assert tool.made(page, tool.LANGUAGES[name]) == page
    table = server_limits.TABLE if name.startswith("serve") else limits.TABLE
    assert set(re.findall(r"^\| `([a-z-]+)`", page, re.MULTILINE)) >= {limit.name for limit in table}


def test_each_name_is_there_once() -> None:
    assert len({limit.name for limit in limits.TABLE}) == len(limits.TABLE)
    assert all(limits.value(limit.name) == limit.value for limit in limits.TABLE)


def test_the_project_changes_limits(tmp_path: Path) -> None:
    path = write(tmp_path, "limits: {manifest-bytes: 8 MiB, helper-time: 5}\n")
    assert load_project(path).limits == {"manifest-bytes": 8 * 1024**2, "helper-time": 5}
    assert limits.value("manifest-bytes") == 8 * 1024**2
    load_project(write(tmp_path, "name: other\n"))
    assert limits.value("manifest-bytes") == 4 * 1024**2


def test_the_environment_takes_precedence(tmp_path: Path) -> None:
    limits.use_environment({"AIRGAP_LIMITS": "manifest-bytes=64KiB, token-bytes=1"})
    load_project(write(tmp_path, "limits: {manifest-bytes: 8MiB, helper-time: 5}\n"))
    assert [limits.value(name) for name in ("manifest-bytes", "token-bytes", "helper-time")] == [65536, 1, 5]


@pytest.mark.parametrize("setting", ["manifest-bytes", "manifest-bytes=0", "manifest-bytes=-1", "manifest-bytes=1TB"])
def test_what_is_no_value(setting: str) -> None:
    with pytest.raises(UsageError, match="no value for the limit manifest-bytes"):
        limits.use_environment({"AIRGAP_LIMITS": setting})


def test_an_unknown_name_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no limit 'manifest-byte'") as caught:
        load_project(write(tmp_path, "name: x\nlimits:\n  manifest-byte: 5\n"))
    assert caught.value.where == f"{tmp_path}/airgap.yaml:3"
    assert caught.value.hint == "did you mean manifest-bytes?"


def test_a_mistake_in_the_environment_ends_any_command(tmp_path: Path) -> None:
    airgap = Airgap(tmp_path, tmp_path, {"AIRGAP_LIMITS": "token-bytes=many"})
    result = airgap.fails(2, "images", "x.yaml")
    assert result.errors == ["AIRGAP_LIMITS: 'many' is no value for the limit token-bytes"]


def test_a_change_ends_with_its_block() -> None:
    with limits.changed({"token-bytes": 5}):
        assert limits.value("token-bytes") == 5
    assert limits.value("token-bytes") == 64 * 1024
    with pytest.raises(KeyError), limits.changed({"no-such": 1}):
        pass
