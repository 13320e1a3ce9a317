# SPDX-License-Identifier: Apache-2.0
"""Every complete reference outside of comments, descriptions and states is taken or listed, wherever it stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.kube import scan

REFERENCE = "q.example:5000/a/b-c_d:1.2@sha256:" + "5d" * 32
DIGEST_ALONE = "q.example/a@sha256:" + "0" * 64
REFERENCES = ["q.example/a/b:1", "localhost/a:1", "10.0.0.1:5000/x/y/z:v1", DIGEST_ALONE, REFERENCE]
KEYS = ["a", "image", "images", "tag", "repository", "registry", "url", "chart", "repoURL", "name", "value", "default",
        "ref", "message", "help", "notes", "digest", "version", "package", "path", "host", "annotations", "labels",
        "metadata", "data", "env", "args", "command", "spec", "global", "containerImage", "osImage",
        "_example"]  # fmt: skip
TEXTS = ["{}", "see {} for more", "x={}", "a,{},b", "docker pull {}", "echo '{}' >x", "--to={}", "first\n{}\nlast\n",
         "x: 1\ny: see {}.\n", "[x]\nkey = '{}'\n", '{{"k": ["see {}"]}}', "({})", "run \\\n  {} \\\n  x\n",
         "- {}\n- x\n", "  {{\"a\": \"{}\"}}", "image:{}", "#!/bin/sh\nx {}; y\n"]  # fmt: skip
HEADS = ["", "apiVersion: v1\nkind: ConfigMap\n", "apiVersion: x.example/v1\nkind: Thing\n",
         "apiVersion: v1\nkind: Pod\n", "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"]  # fmt: skip


@settings(max_examples=700, deadline=None)
@given(
    st.sampled_from(HEADS),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True),
    st.sampled_from(TEXTS),
    st.sampled_from(REFERENCES),
    st.sampled_from(["value", "item", "entry", "key"]),
)
def test_a_reference_in_any_place_is_taken_or_listed(
    head: str, keys: list[str], text: str, reference: str, form: str
) -> None:
    value: object = text.format(reference)
    if form == "item":
        value = ["x", value]
    elif form == "entry":
        value = [{"name": "X", "value": value}]
    elif form == "key":
        value = {str(value): "x"}
    for key in reversed(keys):
        value = {key: value}
    content = head + "".join(f"{line}\n" for line in json.dumps(value)[1:-1].split("\n"))
    found = scan(f"{content}".encode(), "x.yaml")
    texts = [site.value for site in found.sites] + [miss.text for miss in found.misses]
    joined = [str(site.reference) for site in found.sites]
    assert any(reference in one for one in (*texts, *joined)), content


@pytest.mark.parametrize(
    "content",
    [
        "# q.example/a/b:1\nx: y\n",
        "x: y # q.example/a/b:1\n",
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: |\n    # q.example/a/b:1\n    y: z # q.example/a/b:1\n",
        "apiVersion: x/v1\nkind: T\nspec: {description: 'such as q.example/a/b:1'}\n",
        "apiVersion: x/v1\nkind: T\nspec: {url: 'https://q.example/a/b:1'}\n",
    ],
)
def test_comments_descriptions_and_web_addresses_are_not_listed(content: str) -> None:
    found = scan(content.encode(), "x")
    assert (found.sites, found.misses) == ((), ())


def test_the_place_of_a_reference_in_text_is_its_own() -> None:
    content = "apiVersion: x/v1\nkind: T\nspec:\n  text: |\n    first\n    then q.example/a/b:1 and é q.example/c:2\n"
    misses = scan(content.encode(), "x").misses
    lines = content.splitlines()
    assert [lines[miss.line - 1][miss.column - 1 :][:11] for miss in misses] == ["q.example/a", "q.example/c"]
