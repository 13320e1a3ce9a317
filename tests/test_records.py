# SPDX-License-Identifier: Apache-2.0
"""Records behave as dataclasses do: each law is held by one of either kind, side by side."""

from __future__ import annotations

import dataclasses
import typing
import typing as t
from collections.abc import Mapping
from typing import Any, ClassVar
from typing import ClassVar as Constant

import pytest

from airgap.records import Record, as_dict, field, replace


class Point(Record, order=True):
    """A point."""

    unit: ClassVar[str] = "m"
    x: int
    y: int = 0
    seen: Mapping[str, int] = field(default_factory=dict, compare=False)
    note: str = field(default="", compare=False, repr=False)

    def doubled(self) -> Point:
        return replace(self, x=self.x * 2)


@dataclasses.dataclass(frozen=True, order=True)
class Model:
    unit: ClassVar[str] = "m"
    x: int
    y: int = 0
    seen: Mapping[str, int] = dataclasses.field(default_factory=dict, compare=False)
    note: str = dataclasses.field(default="", compare=False, repr=False)


class Named(Point):
    name: str = "origin"


class Basket(Record, frozen=False):
    items: list[int] = field(default_factory=list)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = sum(self.items)


class Service(Record, frozen=False, eq=False):
    address: str


class ClassVariety:
    """A type whose name begins with ``ClassVar``."""


class Counted(Record):
    """Class variables in every spelling, and a field whose type has a similar name."""

    plain: ClassVar = 1
    qualified: typing.ClassVar[int] = 2
    module_alias: t.ClassVar[int] = 3
    alias: Constant[int] = 4
    variety: ClassVariety


@dataclasses.dataclass(frozen=True)
class CountedModel:
    plain: ClassVar = 1
    qualified: typing.ClassVar[int] = 2
    module_alias: t.ClassVar[int] = 3
    alias: Constant[int] = 4
    variety: ClassVariety


class Nothing(Record):
    """No fields."""


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, {"a": 1}, "n"), {}),
    ((), {"x": 1, "note": "n"}),
    ((1,), {"y": 5, "seen": {}}),
    ((), {}),
    ((1, 2, {}, "n", 5), {}),
    ((1,), {"x": 2}),
    ((1,), {"z": 2}),
]


@pytest.mark.parametrize(("values", "named"), CALLS)
def test_is_made_or_refused_as_a_dataclass_is(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        model = Model(*values, **named)
    except TypeError:
        with pytest.raises(TypeError, match="Point"):
            Point(*values, **named)
        return
    made = Point(*values, **named)
    assert as_dict(made) == dataclasses.asdict(model)
    assert repr(made) == repr(model).replace("Model", "Point")


def test_equality_order_and_hash_go_by_what_is_compared() -> None:
    one, same, other = Point(1, 2, {"a": 1}), Point(1, 2, {}, "told"), Point(1, 3)
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one < other <= other
    assert other > one >= same
    assert sorted([other, one]) == [one, other]
    assert one != Model(1, 2)
    assert one != Named(1, 2)
    with pytest.raises(TypeError):
        one < (1, 3)  # noqa: B015 - that it is refused is the point
    assert Nothing() == Nothing()
    assert repr(Nothing()).endswith("Nothing()")


def test_does_not_change_unless_it_may() -> None:
    with pytest.raises(AttributeError, match="x"):
        Point(1).x = 2
    with pytest.raises(AttributeError, match="x"):
        del Point(1).x
    basket = Basket([1, 2])
    basket.items = []
    assert basket.items == []
    with pytest.raises(TypeError):
        hash(basket)
    assert Basket([1]) == Basket([1]) != Basket([2])


def test_a_default_is_made_for_each() -> None:
    one, other = Basket(), Basket()
    one.items.append(1)
    assert other.items == []
    assert not hasattr(Basket, "items")


def test_what_is_not_given_is_completed_afterwards() -> None:
    assert Basket([1, 2]).total == 3
    with pytest.raises(TypeError, match="total"):
        Basket([1], total=3)


def test_class_variables_are_no_fields_however_they_are_spelled() -> None:
    variety = ClassVariety()
    assert list(as_dict(Counted(variety))) == [one.name for one in dataclasses.fields(CountedModel)] == ["variety"]
    assert (Counted.plain, Counted.qualified, Counted.module_alias, Counted.alias) == (1, 2, 3, 4)


def test_class_variables_are_no_fields_where_annotations_are_objects() -> None:
    annotations = {"limit": ClassVar[int], "qualified": typing.ClassVar, "size": int}
    made: Any = type("Limited", (Record,), {"__annotations__": annotations, "limit": 5, "qualified": 6})
    assert as_dict(made(3)) == {"size": 3}


def test_identity_where_that_is_asked() -> None:
    one, other = Service("a"), Service("a")
    assert one != other
    assert len({one, other}) == 2


def test_fields_of_a_base_come_first() -> None:
    made = Named(1, 2, {}, "", "there")
    assert (made.x, made.name) == (1, "there")
    assert Named(1).name == "origin"
    match made:
        case Point(x, y):
            assert (x, y) == (1, 2)
    assert made.doubled() == Named(2, 2, name="there")
    assert type(made.doubled()) is Named


def test_a_class_that_could_not_be_made_is_refused() -> None:
    with pytest.raises(TypeError, match="default"):

        class Late(Record):
            first: int = 0
            second: str

    with pytest.raises(TypeError, match="share"):

        class Shared(Record):
            items: list[int] = []  # noqa: RUF012 - that it is refused is the point
