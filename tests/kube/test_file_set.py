# SPDX-License-Identifier: Apache-2.0
"""Rewriting a set of files: what happens to a value of which only the shape says that it is an image."""

from __future__ import annotations

import pytest

from airgap.events import Event, Noted, Warned
from airgap.kube import scan
from airgap.kube.files import ResourceFile
from airgap.kube.model import POSSIBLE
from airgap.kube.rewrite.file_set import LeftImage, rewrite_files
from airgap.oci import Reference
from tests.kube.support import only

pytestmark = pytest.mark.usefixtures("parser")

CONTENT = b"apiVersion: v1\nkind: ConfigMap\ndata:\n  mirror: quay.io/a/b:v1\n"
NEW = b"t.example/b:v1"


def test_a_value_that_only_looks_like_an_image_is_rewritten_unless_guesses_are_off() -> None:
    assert only(CONTENT).confidence == POSSIBLE
    files = [(ResourceFile("x.yaml", "x.yaml", CONTENT), scan(CONTENT, "x.yaml"))]
    targets = {Reference.parse("quay.io/a/b:v1"): Reference.parse(NEW.decode())}
    (rewritten,) = rewrite_files(files, targets.get)
    assert rewritten.after == CONTENT.replace(b"quay.io/a/b:v1", NEW)
    events: list[Event] = []
    (rewritten,) = rewrite_files(files, targets.get, guesses=False, emit=events.append)
    assert rewritten.after == CONTENT
    (warning,) = events
    assert isinstance(warning, Warned)
    assert warning.text.startswith("x.yaml:4: quay.io/a/b:v1 looks like an image")
    assert rewritten.left == (LeftImage("x.yaml:4", "quay.io/a/b:v1"),)


def test_what_was_applied_last_is_a_past_state_and_leaves_nothing_open() -> None:
    content = (
        b"apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n"
        b"    kubectl.kubernetes.io/last-applied-configuration: |\n"
        b'      {"spec": {"containers": [{"image": "q.io/old/a:1"}]}}\n'
        b"spec: {containers: [{image: 'q.io/new/a:2'}]}\n"
    )
    files = [(ResourceFile("x.yaml", "x.yaml", content), scan(content, "x.yaml"))]
    targets = {Reference.parse("q.io/new/a:2"): Reference.parse("t.example/a:2")}
    events: list[Event] = []
    (rewritten,) = rewrite_files(files, targets.get, guesses=False, emit=events.append)
    assert rewritten.after == content.replace(b"q.io/new/a:2", b"t.example/a:2")
    assert [type(event) for event in events] == [Noted]
    assert rewritten.left == ()
