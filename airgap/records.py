# SPDX-License-Identifier: Apache-2.0
"""Classes of named fields, as ``dataclasses`` makes them, at a thirtieth of what defining one costs.

``dataclass`` writes and compiles source for every class: 0.4 ms each, a quarter of a small import's processor time
(``bench/startup.py``, ADR 0014). Here all classes share their methods. There are no slots: a class of which there are
very many instances at once is written out.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform  # in typing since 3.11; nothing but type checkers reads it
else:

    def dataclass_transform(**_: object) -> Callable[[type], type]:
        return lambda cls: cls


R = TypeVar("R", bound="Record")
_set = object.__setattr__


class _Field:
    """What a field's default, equality and text are where they are not the usual ones."""

    __slots__ = ("compare", "default", "factory", "init", "repr")

    def __init__(self, default: Any, factory: Any, init: bool, compare: bool, repr: bool) -> None:
        self.default, self.factory, self.init, self.compare, self.repr = default, factory, init, compare, repr


_NONE: Any = object()


def field(
    *, default: Any = _NONE, default_factory: Any = None, init: bool = True, compare: bool = True, repr: bool = True
) -> Any:
    """A field that is not like the others: with a ``default_factory`` that is called for each instance, set by
    ``__post_init__`` and not by whoever makes one, left out of equality and order, or left out of the text."""
    return _Field(default, default_factory, init, compare, repr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """Base of classes whose annotations are their fields, in order, those of a base first.

    ``frozen=False`` makes instances that may change, and that are then not hashable; ``eq=False`` leaves equality to
    identity; ``order=True`` compares by the fields in turn. Raises TypeError where a field with no default follows
    one that has one, and for a list, dict or set as a default, which all instances would share.
    """

    #: All fields; those that are given, in order; what the rest are where they are not given.
    _names: ClassVar[tuple[str, ...]] = ()
    _given: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _factories: ClassVar[dict[str, Callable[[], Any]]] = {}
    _quiet: ClassVar[frozenset[str]] = frozenset()
    _uncompared: ClassVar[frozenset[str]] = frozenset()
    _key: ClassVar[Callable[[Any], Any]] = staticmethod(lambda _: ())

    def __init_subclass__(cls, *, frozen: bool = True, eq: bool = True, order: bool = False) -> None:
        own = {
            name: _as_field(cls.__dict__.get(name, _NONE), name)
            for name, kind in cls.__annotations__.items()
            if not _is_class_variable(str(kind), cls.__module__)
        }
        cls._names += tuple(name for name in own if name not in cls._names)
        cls._given += tuple(name for name, one in own.items() if one.init and name not in cls._given)
        cls._defaults = cls._defaults | {n: one.default for n, one in own.items() if one.default is not _NONE}
        cls._factories = cls._factories | {n: one.factory for n, one in own.items() if one.factory is not None}
        cls._quiet |= {name for name, one in own.items() if not one.repr}
        cls._uncompared |= {name for name, one in own.items() if not one.compare}
        for name, one in own.items():
            if one.default is not _NONE:
                setattr(cls, name, one.default)
            elif name in cls.__dict__:
                delattr(cls, name)
        may_lack = [name in cls._defaults or name in cls._factories for name in cls._given]
        if may_lack != sorted(may_lack):
            raise TypeError(f"{cls.__name__}: a field without a default follows one that has one")
        if compared := [name for name in cls._names if name not in cls._uncompared]:
            cls._key = attrgetter(*compared)
        shared: dict[str, Any] = {"__match_args__": cls._given}
        if not frozen:
            shared |= {"__setattr__": _set, "__delattr__": object.__delattr__, "__hash__": None}
        if not eq:
            shared |= {"__eq__": object.__eq__, "__hash__": object.__hash__}
        if order:
            shared |= {"__lt__": _lt, "__le__": _le, "__gt__": _gt, "__ge__": _ge}
        for name, value in shared.items():
            setattr(cls, name, value)

    def __init__(self, *values: Any, **named: Any) -> None:
        cls = type(self)
        for name, value in zip(cls._given, values):  # noqa: B905 - the lengths are compared next
            _set(self, name, value)
        if named or len(values) != len(cls._names):
            self._fill(values, named)
        self.__post_init__()

    def _fill(self, values: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Set what was not given by position."""
        cls = type(self)
        if len(values) > len(cls._given):
            raise TypeError(f"{cls.__name__} takes {len(cls._given)} fields and was given {len(values)}")
        before, missing = set(cls._given[: len(values)]), []
        for name in cls._names:
            if name in before:
                continue
            if name in named and name in cls._given:
                _set(self, name, named.pop(name))
            elif name in cls._factories:
                _set(self, name, cls._factories[name]())
            elif name in cls._defaults:
                _set(self, name, cls._defaults[name])
            elif name in cls._given:
                missing.append(name)
        if missing or named:
            wrong = [*(f"lacks {name}" for name in missing), *(f"was given {name} for nothing" for name in named)]
            raise TypeError(f"{cls.__name__} {', '.join(wrong)}")

    def __post_init__(self) -> None:
        """Where a class checks or completes what it was given."""

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} does not change: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} does not change: {name}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(type(self)._key(self) == type(self)._key(other))

    def __hash__(self) -> int:
        return hash(type(self)._key(self))

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._names if name not in self._quiet)
        return f"{type(self).__qualname__}({', '.join(shown)})"


def _is_class_variable(annotation: str, module: str) -> bool:
    """Whether an annotation is ``ClassVar``, under whatever name ``module`` imports it or ``typing``."""
    scope, _, name = annotation.partition("[")[0].strip().rpartition(".")
    if name == "ClassVar":
        return True
    return not scope and getattr(sys.modules.get(module), name, None) is ClassVar


def _as_field(value: Any, name: str) -> _Field:
    if isinstance(value, _Field):
        return value
    if isinstance(value, (list, dict, set)):
        raise TypeError(f"{name}: all instances would share this default: give field(default_factory=…)")
    return _Field(value, None, True, True, True)


def _compared(how: Callable[[Any, Any], bool]) -> Callable[[Record, object], bool]:
    def method(self: Record, other: object) -> bool:
        key = type(self)._key
        return how(key(self), key(other)) if type(other) is type(self) else NotImplemented

    return method


_lt, _le, _gt, _ge = map(_compared, (operator.lt, operator.le, operator.gt, operator.ge))


def as_dict(record: Record) -> dict[str, Any]:
    """Its fields by name; values as they are, not copied."""
    return {name: getattr(record, name) for name in record._names}


def replace(record: R, **changes: Any) -> R:
    """The same with some of the fields that it was made of changed."""
    return type(record)(**{name: getattr(record, name) for name in record._given} | changes)
