# SPDX-License-Identifier: Apache-2.0
"""Classes with named fields, like ``dataclasses``, but thirty times faster to define.

``dataclass`` generates and compiles source code for each class. That takes 0.4 ms per class, a quarter of the processor
time of a small import (``bench/startup.py``, ADR 0014). Here all classes share their methods. There are no slots: a
class with very many instances is written without :class:`Record`.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform  # in typing since Python 3.11; only type checkers read this
else:

    def dataclass_transform(**_: object) -> Callable[[type], type]:
        """Return a decorator that changes nothing."""
        return lambda cls: cls


R = TypeVar("R", bound="Record")
_set = object.__setattr__


class _Field:
    """The options of a field."""

    __slots__ = ("compare", "default", "factory", "init", "repr")

    def __init__(self, default: Any, factory: Any, init: bool, compare: bool, repr: bool) -> None:
        self.default, self.factory, self.init, self.compare, self.repr = default, factory, init, compare, repr


_MISSING: Any = object()


def field(
    *, default: Any = _MISSING, default_factory: Any = None, init: bool = True, compare: bool = True, repr: bool = True
) -> Any:
    """Return the options of a field, for use as its class attribute.

    ``default_factory`` is called for each instance. ``init=False`` is for a field that ``__post_init__`` sets.
    ``compare=False`` leaves a field out of equality and order, ``repr=False`` out of the ``repr``.
    """
    return _Field(default, default_factory, init, compare, repr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """The base of classes whose annotations are their fields, in order; the fields of a base class come first.

    ``frozen=False`` allows changes of the fields; instances are then not hashable. ``eq=False`` compares by identity.
    ``order=True`` adds ordering by the fields. Raises TypeError if a field without a default follows one with a
    default, and for a list, dict or set as a default, which all instances would share.
    """

    #: All fields, and those that the constructor accepts, in order.
    _names: ClassVar[tuple[str, ...]] = ()
    _parameters: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _factories: ClassVar[dict[str, Callable[[], Any]]] = {}
    _not_in_repr: ClassVar[frozenset[str]] = frozenset()
    _not_compared: ClassVar[frozenset[str]] = frozenset()
    _key: ClassVar[Callable[[Any], Any]] = staticmethod(lambda _: ())

    def __init_subclass__(cls, *, frozen: bool = True, eq: bool = True, order: bool = False) -> None:
        options = {
            name: _as_field(cls.__dict__.get(name, _MISSING), name)
            for name, kind in cls.__annotations__.items()
            if not _is_class_variable(str(kind), cls.__module__)
        }
        cls._names += tuple(name for name in options if name not in cls._names)
        cls._parameters += tuple(
            name for name, option in options.items() if option.init and name not in cls._parameters
        )
        cls._defaults = cls._defaults | {
            n: option.default for n, option in options.items() if option.default is not _MISSING
        }
        cls._factories = cls._factories | {
            n: option.factory for n, option in options.items() if option.factory is not None
        }
        cls._not_in_repr |= {name for name, option in options.items() if not option.repr}
        cls._not_compared |= {name for name, option in options.items() if not option.compare}
        for name, option in options.items():
            if option.default is not _MISSING:
                setattr(cls, name, option.default)
            elif name in cls.__dict__:
                delattr(cls, name)
        has_default = [name in cls._defaults or name in cls._factories for name in cls._parameters]
        if has_default != sorted(has_default):
            raise TypeError(f"{cls.__name__}: a field without a default follows one that has one")
        if compared := [name for name in cls._names if name not in cls._not_compared]:
            cls._key = attrgetter(*compared)
        attributes: dict[str, Any] = {"__match_args__": cls._parameters}
        if not frozen:
            attributes |= {"__setattr__": _set, "__delattr__": object.__delattr__, "__hash__": None}
        if not eq:
            attributes |= {"__eq__": object.__eq__, "__hash__": object.__hash__}
        if order:
            attributes |= {"__lt__": _lt, "__le__": _le, "__gt__": _gt, "__ge__": _ge}
        for name, value in attributes.items():
            setattr(cls, name, value)

    def __init__(self, *values: Any, **named: Any) -> None:
        cls = type(self)
        for name, value in zip(cls._parameters, values):  # noqa: B905 - the lengths are compared next
            _set(self, name, value)
        if named or len(values) != len(cls._names):
            self._fill(values, named)
        self.__post_init__()

    def _fill(self, values: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Set the fields that were not given by position."""
        cls = type(self)
        if len(values) > len(cls._parameters):
            raise TypeError(f"{cls.__name__} takes {len(cls._parameters)} fields and was given {len(values)}")
        by_position, missing = set(cls._parameters[: len(values)]), []
        for name in cls._names:
            if name in by_position:
                continue
            if name in named and name in cls._parameters:
                _set(self, name, named.pop(name))
            elif name in cls._factories:
                _set(self, name, cls._factories[name]())
            elif name in cls._defaults:
                _set(self, name, cls._defaults[name])
            elif name in cls._parameters:
                missing.append(name)
        if missing or named:
            problems = [*(f"lacks {name}" for name in missing), *(f"was given {name} for nothing" for name in named)]
            raise TypeError(f"{cls.__name__} {', '.join(problems)}")

    def __post_init__(self) -> None:
        """Check or complete the fields. Classes override this."""

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
        fields = (f"{name}={getattr(self, name)!r}" for name in self._names if name not in self._not_in_repr)
        return f"{type(self).__qualname__}({', '.join(fields)})"


def _is_class_variable(annotation: str, module: str) -> bool:
    """Whether an annotation is ``ClassVar``, also if ``module`` imports it or ``typing`` under another name."""
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


def _comparison(operation: Callable[[Any, Any], bool]) -> Callable[[Record, object], bool]:
    def method(self: Record, other: object) -> bool:
        key = type(self)._key
        return operation(key(self), key(other)) if type(other) is type(self) else NotImplemented

    return method


_lt, _le, _gt, _ge = map(_comparison, (operator.lt, operator.le, operator.gt, operator.ge))


def as_dict(record: Record) -> dict[str, Any]:
    """Return the fields by name. The values are not copied."""
    return {name: getattr(record, name) for name in record._names}


def replace(record: R, **changes: Any) -> R:
    """Return a copy with some fields changed."""
    return type(record)(**{name: getattr(record, name) for name in record._parameters} | changes)
