# SPDX-License-Identifier: Apache-2.0
"""A text that an image shares with something else by an anchor: only the image changes."""

from __future__ import annotations

import textwrap

import pytest

from airgap.events import Event, Warned
from airgap.kube import ResourceFile, revert_content, scan
from airgap.kube.rewrite.file_set import rewrite_files
from airgap.oci import Reference

TARGET = "reg.example/k/app:1"
HEAD = "apiVersion: v1\nkind: Pod\n"


def rewritten(content: str) -> tuple[str, list[str]]:
    """The content with all its images at the target, and the warnings; what is reverted is what was there."""
    events: list[Event] = []
    before = content.encode()
    found = scan(before, "a.yaml")
    assert found.sites
    files = [(ResourceFile("a.yaml", "a.yaml", before), found)]
    (file,) = rewrite_files(files, lambda _: Reference.parse(TARGET), emit=events.append)
    assert revert_content(file.after, file.edits) == before
    return file.after.decode(), [event.text for event in events if isinstance(event, Warned)]


#: What is before, what is after with ``NEW`` as the new text, and the lines of the warnings.
CASES: dict[str, tuple[str, str, list[int]]] = {
    "an alias in a label": (
        """
        metadata: {labels: {first: 1}, name: p}
        spec:
          containers:
          - image: &app nginx   # kept
            name: *app
          - image:   *app
        """,
        """
        metadata: {labels: {first: 1}, name: p}
        spec:
          containers:
          - image: &app NEW   # kept
            name: nginx
          - image:   *app
        """,
        [7],
    ),
    "the anchor in a label": (
        """
        metadata:
          labels: {app: &app "nginx", other: *app}
        spec:
          containers:
          - image: *app
          - {name: *app, image: *app}
        """,
        """
        metadata:
          labels: {app: &app "nginx", other: *app}
        spec:
          containers:
          - image: "NEW"
          - {name: *app, image: "NEW"}
        """,
        [4],
    ),
    "quotes and a tag": (
        """
        spec:
          containers: [{image: &a 'nginx', name: *a}, {image: &b !!str nginx, name: *b }]
        """,
        """
        spec:
          containers: [{image: &a 'NEW', name: 'nginx'}, {image: &b !!str NEW, name: 'nginx' }]
        """,
        [4, 4],
    ),
    "an anchor that means something else from then on": (
        """
        metadata: {name: &a x, labels: {l: *a}}
        spec:
          containers:
          - {image: &a nginx, name: *a}
          - {image: busybox, name: &a y, tty: *a}
        """,
        """
        metadata: {name: &a x, labels: {l: *a}}
        spec:
          containers:
          - {image: &a NEW, name: nginx}
          - {image: NEW, name: &a y, tty: *a}
        """,
        [6],
    ),
    "images alone": (
        "spec: {containers: [{image: &a nginx}, {image: *a}]}\n",
        "spec: {containers: [{image: &a NEW}, {image: *a}]}\n",
        [],
    ),
    "letters of several bytes": (
        """
        metadata: {annotations: {n: 한국어}}
        spec:
          containers:
          - {name: &x 이름, image: busybox, note: 가나}
          - {image: &a nginx, note: *x, name: *a, other: 다라}
        """,
        """
        metadata: {annotations: {n: 한국어}}
        spec:
          containers:
          - {name: &x 이름, image: NEW, note: 가나}
          - {image: &a NEW, note: *x, name: nginx, other: 다라}
        """,
        [7],
    ),
}


@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "bom"])
@pytest.mark.parametrize("name", CASES)
def test_only_the_image_changes(name: str, bom: str) -> None:
    before, expected, lines = CASES[name]
    after, warnings = rewritten(bom + HEAD + textwrap.dedent(before).lstrip("\n"))
    assert after == bom + HEAD + textwrap.dedent(expected).lstrip("\n").replace("NEW", TARGET)
    assert [int(warning.split(":")[1]) for warning in warnings] == lines
    assert all("by &" in warning for warning in warnings)


def test_a_tag_that_stays_is_shared_as_before() -> None:
    values = "image: {repository: nginx, tag: &version '1'}\nlabels: {version: *version}\n"
    after, warnings = rewritten(values)
    assert after == values.replace("nginx", "reg.example/k/app")
    assert warnings == []
