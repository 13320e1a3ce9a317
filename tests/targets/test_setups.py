# SPDX-License-Identifier: Apache-2.0
"""``airgap doctor`` before every set-up of ``setups``: the one true cause first, with a remedy that would work."""

from __future__ import annotations

import contextlib
import functools
import re
import ssl
from pathlib import Path

import pytest

from airgap.registry.http.retry import RetryPolicy
from airgap.targets.doctor import tls_probe
from tests.parts.certificates import Authority
from tests.targets.setups import SETUPS, SetUp
from tests.targets.yard import Yard


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is worth another try is tried at once."""
    monkeypatch.setattr("airgap.registry.registries.RetryPolicy", functools.partial(RetryPolicy, base=0.01))


@pytest.fixture
def yard(services: contextlib.ExitStack, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Yard:
    return Yard(services, tmp_path, authority, monkeypatch)


@pytest.mark.requires("nginx", "openssl")
@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_the_true_cause_comes_first(yard: Yard, setup: SetUp) -> None:
    place = setup.build(yard)
    said = place.examine()
    if place.double is not None:
        assert sum(failed + refused for _, failed, refused in place.double.tries.values()) <= 1
    wrong = [finding for finding in said.findings if finding.level == "problem"]
    wrong += [finding for finding in said.findings if finding.level == "warning"]
    if not setup.says:
        assert wrong == []
        return
    assert wrong, said.findings
    assert re.search(setup.says, wrong[0].what), wrong[0]
    assert re.search(setup.helps, "\n".join((wrong[0].hint, *wrong[0].run))), wrong[0]


def test_there_are_96_of_them_at_least() -> None:
    assert len({setup.name for setup in SETUPS}) == len(SETUPS) >= 96


def test_a_failure_without_a_name_in_python_has_the_name_of_openssl() -> None:
    error = ssl.SSLError(1, "[SSL] legacy sigalg disallowed or unsupported (_ssl.c:992)")
    error.reason = None  # type: ignore[assignment] # as Python 3.11.2 gives it
    assert tls_probe.reason_of(error) == "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED"
    error.reason = "UNSUPPORTED_PROTOCOL"
    assert tls_probe.reason_of(error) == "UNSUPPORTED_PROTOCOL"
    assert tls_probe.reason_of(ssl.SSLError("closed")) == ""
