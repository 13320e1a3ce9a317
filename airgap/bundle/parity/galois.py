# SPDX-License-Identifier: Apache-2.0
"""Reed-Solomon over GF(256) by a Cauchy matrix: any rows that are as many as the data volumes determine the data.

Multiplying bytes by a constant is a translation by a table, and adding is an exclusive or of long integers; both run
at more than a gigabyte a second in Python itself. The polynomial is x^8 + x^4 + x^3 + x^2 + 1, as in RAID 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

_POLYNOMIAL = 0x11D
#: Data and parity volumes together: each has an element of the field of its own.
MOST_VOLUMES = 256


def _tables() -> tuple[list[int], list[int]]:
    powers, logarithms, value = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logarithms[value] = exponent
        value = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
    return powers, logarithms


_POWERS, _LOGARITHMS = _tables()


def multiply(left: int, right: int) -> int:
    """Return the product of two elements."""
    return _POWERS[_LOGARITHMS[left] + _LOGARITHMS[right]] if left and right else 0


def inverse(element: int) -> int:
    """Return the inverse of an element that is not zero."""
    return _POWERS[255 - _LOGARITHMS[element]]


@lru_cache(maxsize=256)
def _translation(factor: int) -> bytes:
    return bytes(multiply(factor, value) for value in range(256))


@lru_cache(maxsize=8)
def coefficients(data: int, parity: int) -> tuple[tuple[int, ...], ...]:
    """Return the matrix: a row for each parity volume, with a factor for each data volume.

    Its columns are scaled so that the first row is all ones: one parity volume is an exclusive or.
    """
    rows = [[inverse((data + row) ^ column) for column in range(data)] for row in range(parity)]
    return tuple(tuple(multiply(row[column], inverse(rows[0][column])) for column in range(data)) for row in rows)


def combination(terms: Iterable[tuple[int, bytes]], size: int) -> bytes:
    """Return the sum of each block times its factor, of ``size`` bytes. Shorter blocks count as if zeros followed."""
    total = 0
    for factor, block in terms:
        if factor:
            total ^= int.from_bytes(block if factor == 1 else block.translate(_translation(factor)), "little")
    return total.to_bytes(size, "little")


def inverted(matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the inverse of a square matrix, which for a part of a Cauchy matrix exists (Gauss-Jordan)."""
    size = len(matrix)
    rows = [[*row, *(int(column == number) for column in range(size))] for number, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(number for number in range(column, size) if rows[number][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        factor = inverse(rows[column][column])
        rows[column] = [multiply(factor, value) for value in rows[column]]
        for number in range(size):
            if number != column and (factor := rows[number][column]):
                rows[number] = [
                    value ^ multiply(factor, other) for value, other in zip(rows[number], rows[column], strict=True)
                ]
    return [row[size:] for row in rows]
