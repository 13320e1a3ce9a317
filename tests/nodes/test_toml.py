# SPDX-License-Identifier: Apache-2.0
"""Keys set in TOML that people wrote: only they change, and what is not understood is refused."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import OutputError
from airgap.nodes import toml

TABLE = ("plugins", "io.containerd.grpc.v1.cri", "registry")
FULL = '[plugins."io.containerd.grpc.v1.cri".registry]'


def parsed(text: str) -> Any:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib, the judge, came with Python 3.11")
    import tomllib

    return tomllib.loads(text)


def at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f'{FULL}\n  config_path = "/c"\n'),
        (f'{FULL}\nconfig_path = ""\n', f'{FULL}\nconfig_path = "/c"\n'),
        (f"{FULL}\n  config_path = ''  # none\n", f'{FULL}\n  config_path = "/c"  # none\n'),
        (f"  {FULL}\n    a = 1\n\n[x]\n", f'  {FULL}\n    a = 1\n    config_path = "/c"\n\n[x]\n'),
        (f"{FULL}\n[x]\n", f'{FULL}\n  config_path = "/c"\n[x]\n'),
        (f"{FULL}\r\na = 1\r\n", f'{FULL}\r\na = 1\r\nconfig_path = "/c"\r\n'),
        ("version = 2", f'version = 2\n\n{FULL}\n  config_path = "/c"\n'),
        (
            "[plugins.'io.containerd.grpc.v1.cri']\nregistry.config_path = 'x'\n",
            "[plugins.'io.containerd.grpc.v1.cri']\nregistry.config_path = \"/c\"\n",
        ),
    ],
)
def test_one_key_is_set_and_every_other_byte_stays(before: str, after: str) -> None:
    made = toml.set_keys(before, {TABLE: {"config_path": "/c"}})
    assert made == after
    assert at(parsed(made), (*TABLE, "config_path")) == "/c"
    assert toml.set_keys(made, {TABLE: {"config_path": "/c"}}) == made


@pytest.mark.parametrize(
    "text",
    [
        "a = '''\n[x]\nconfig_path = 1\n'''\n",
        'a = """\n\\"""\n[x] # "\n"""\n',
        "a = [ # ]\n  '[x]', # [\n  {b = 1, c = \"}\"},\n]\n",
        "a.\"b c\".'d' = 1 # = 2\n[[x]]\nb = 1979-05-27T07:32:00Z\n[[x.y]]\n",
        "\ufeff"[1:] + "# only a comment",
    ],
)
def test_what_hides_in_strings_and_arrays_is_not_taken_for_more(text: str) -> None:
    parsed(text)
    made = toml.set_keys(text, {TABLE: {"config_path": "/c"}, ("k",): {"v": ["a", "b"], "w": True, "n": 3}})
    document = parsed(made)
    assert at(document, (*TABLE, "config_path")) == "/c"
    assert document["k"] == {"v": ["a", "b"], "w": True, "n": 3}
    del document["k"], document["plugins"]
    assert document == parsed(text)


def test_a_key_of_the_top_stands_before_the_tables() -> None:
    made = toml.set_keys('# hi\n[host."http://a"]\n  x = 1\n', {(): {"server": "http://a"}})
    assert parsed(made) == {"server": "http://a", "host": {"http://a": {"x": 1}}}
    assert "# hi\n" in made


@pytest.mark.parametrize(
    "text",
    [
        'plugins = {"io.containerd.grpc.v1.cri" = {registry = {config_path = ""}}}\n',
        '[plugins."io.containerd.grpc.v1.cri"]\nregistry = { config_path = "" }\n',
        '[plugins."io.containerd.grpc.v1.cri"]\nregistry.x = 1\n',
        "[[plugins]]\na = 1\n",
    ],
)
def test_what_would_need_more_rewriting_is_refused(text: str) -> None:
    parsed(text)
    with pytest.raises(OutputError) as raised:
        toml.set_keys(text, {TABLE: {"config_path": "/c"}})
    assert 'config_path = "/c"' in (raised.value.hint or "")


@pytest.mark.parametrize("text", ["a", "a =", "= 1", "[a", "[a]]", "a = 'x", 'a = """x', "a = [1", "a = 1 ]", "\0"])
def test_what_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(OutputError, match="line 1"):
        toml.set_keys(text, {TABLE: {"config_path": "/c"}})


@given(st.text(max_size=60))
def test_no_text_ends_in_another_error(text: str) -> None:
    try:
        made = toml.set_keys(text, {("k",): {"v": "x"}})
    except OutputError:
        return
    assert '"x"' in made


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=4))
def test_any_table_name_and_text_survives(values: dict[str, str]) -> None:
    try:
        for text in (*values, *values.values()):
            text.encode()
    except UnicodeEncodeError:
        return
    text = toml.format_document({("host", key): {"x": value} for key, value in values.items()})
    assert parsed(text).get("host", {}) == {key: {"x": value} for key, value in values.items()}
