# SPDX-License-Identifier: Apache-2.0
"""The exit codes are a contract with scripts: unique, documented where they are defined, the same as in the design."""

from __future__ import annotations

import inspect
import re

import pytest

from airgap import errors
from airgap.errors import AirgapError, Failures, NotFound, Unavailable, raise_all

CODES = {
    "AirgapError": 1,
    "UsageError": 2,
    "Incomplete": 3,
    "WouldChange": 4,
    "ResourceError": 10,
    "InvalidReference": 11,
    "RegistryError": 20,
    "Unauthorized": 21,
    "NotFound": 22,
    "Rejected": 23,
    "Unavailable": 24,
    "ContentError": 30,
    "DigestMismatch": 31,
    "ContentMissing": 32,
    "BundleError": 40,
    "UnsupportedBundle": 41,
    "OutputError": 42,
    "SignatureFailure": 43,
    "ScanFailure": 44,
    "TargetError": 50,
    "NotReady": 51,
    "Interrupted": 130,
}


def classes() -> dict[str, type[AirgapError]]:
    found = inspect.getmembers(errors, lambda value: isinstance(value, type) and issubclass(value, AirgapError))
    return {name: kind for name, kind in found if kind is not Failures}


def documented() -> list[tuple[str, int, int]]:
    """Name, code and depth of each line of the tree in the module's own words."""
    lines = re.findall(r"^    ([│ ├└─]*)(\w+) +(\d+) ", errors.__doc__ or "", re.MULTILINE)
    return [(name, int(code), len(drawn) // 3) for drawn, name, code in lines]


def test_codes_are_those_of_the_design() -> None:
    assert {name: kind.exit_code for name, kind in classes().items()} == CODES


def test_every_class_owns_its_code() -> None:
    for name, kind in classes().items():
        assert "exit_code" in vars(kind), f"{name} only inherits its code"
    assert len(set(CODES.values())) == len(CODES)


def test_the_documented_tree_is_the_real_one() -> None:
    told = documented()
    assert {name: code for name, code, _ in told} == CODES
    parents: list[str] = []
    for name, _, depth in told:
        del parents[depth:]
        if parents:
            assert classes()[name].__base__ is classes()[parents[-1]]
        parents.append(name)


def test_an_error_is_one_line_where_then_what() -> None:
    error = NotFound("no such tag", where="quay.io/a/x:1", hint="look at the tags")
    assert str(error) == "quay.io/a/x:1: no such tag"
    assert error.hint == "look at the tags"
    assert str(NotFound("no such tag")) == "no such tag"


def test_several_errors_end_with_the_first_ones_code_and_all_are_listed() -> None:
    raise_all([])
    one = NotFound("one")
    with pytest.raises(NotFound) as single:
        raise_all([one])
    assert single.value is one
    with pytest.raises(Failures) as several:
        raise_all([one, Unavailable("two")])
    assert several.value.exit_code == 22
    assert [str(error) for error in several.value.errors] == ["one", "two"]
    assert str(several.value) == "one; two"
