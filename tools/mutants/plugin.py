# SPDX-License-Identifier: Apache-2.0
"""The plugin of pytest that runs in a copy of the tree: it selects and orders tests, or says what each of them runs."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

import airgap

ROOT = Path(__file__).parent
TRACED = ROOT / ".traced"
SELECTED = ROOT / ".selected.json"


def pytest_configure(config: pytest.Config) -> None:
    if Path(airgap.__file__).parent.parent != ROOT:
        raise pytest.UsageError("the tests would run against another tree")
    if TRACED.is_dir():
        config.pluginmanager.register(_Tracing())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if TRACED.is_dir():
        return
    wanted = {name: number for number, name in enumerate(json.loads(SELECTED.read_text()))}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = sorted((item for item in items if item.nodeid in wanted), key=lambda item: wanted[item.nodeid])


class _Tracing:
    def __init__(self) -> None:
        self._test: dict[str, Any] = {}
        self._count = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._count += 1
        fixtures = [f"fixture-{name}" for name in getattr(item, "fixturenames", ())]
        self._test = {"test": item.nodeid, "notes": [f"test-{self._count}", *fixtures], "seconds": 0.0}
        _note_in(self._test["notes"][0])
        try:
            return (yield)
        finally:
            with (TRACED / "tests.jsonl").open("a") as file:
                file.write(json.dumps(self._test) + "\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """What a fixture of several tests runs is run by all that use it."""
        if fixturedef.scope == "function":
            return (yield)
        _note_in(f"fixture-{fixturedef.argname}")
        try:
            return (yield)
        finally:
            _note_in(self._test["notes"][0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._test["seconds"] += report.duration
        if not report.passed:
            self._test["outcome"] = report.outcome


def _note_in(name: str) -> None:
    import sitecustomize  # type: ignore[import-not-found] # the tracer, in a copy

    sitecustomize.switch(name)
