# SPDX-License-Identifier: Apache-2.0
"""A file in another encoding is named with the command that converts it, and the command works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airgap import kube
from airgap.errors import ResourceError
from tests.parts.need import need

TEXT = "# 설정 파일\nkind: Pod\nspec: {containers: [{image: quay.io/a/x:1}]}\n"


def refusal(content: bytes, file: str) -> ResourceError:
    with pytest.raises(ResourceError) as caught:
        kube.scan(content, file)
    return caught.value


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp949", "CP949"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16LE"),
        ("utf-16-be", "UTF-16BE"),
        ("utf-32", "UTF-32"),
        ("utf-32-le", "UTF-32LE"),
        ("utf-32-be", "UTF-32BE"),
    ],
)
def test_the_command_converts_it(tmp_path: Path, encoding: str, name: str) -> None:
    need("iconv")
    path = tmp_path / "my 설정.yaml"
    path.write_bytes(TEXT.encode(encoding))
    error = refusal(path.read_bytes(), str(path))
    assert name in error.what
    assert error.hint is not None
    _, _, command = error.hint.partition(": ")
    assert command.startswith(f"iconv -f {name} -t UTF-8 ")
    subprocess.run(command, shell=True, check=True)
    converted = tmp_path / "my 설정-utf8.yaml"
    assert converted.read_text(encoding="utf-8-sig") == TEXT
    assert len(kube.scan(converted.read_bytes(), str(converted)).sites) == 1


def test_an_encoding_that_is_not_known() -> None:
    error = refusal(b"a: \xff\xfe\xfd\n", "x.yaml")
    assert error.what.startswith("this file is not UTF-8: ")
    assert error.hint == "convert it: iconv -f ENCODING -t UTF-8 x.yaml > x-utf8.yaml"
    assert "| iconv -f CP949 -t UTF-8 |" in (refusal(TEXT.encode("cp949"), "-").hint or "")


def test_a_tab_is_named_with_the_command_that_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "my pod.yaml"
    path.write_text("kind: Pod\nspec:\n\tcontainers:\n\t- image: quay.io/a/x:1\n")
    error = refusal(path.read_bytes(), str(path))
    assert error.where == f"{path}:3"
    assert error.hint is not None
    _, _, command = error.hint.partition("tabs: ")
    subprocess.run(command, shell=True, check=True)
    assert len(kube.scan((tmp_path / "my pod-spaces.yaml").read_bytes(), "x").sites) == 1


def test_other_mistakes_get_no_such_hint() -> None:
    hint = refusal(b"a: [\n", "x.yaml").hint
    assert hint is not None
    assert hint.startswith("look at this line")
