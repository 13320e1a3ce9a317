# SPDX-License-Identifier: Apache-2.0
"""A registry that does as it is told: :class:`Double` speaks HTTP over bare sockets and can answer anything, at any
moment, or break off; :class:`Shelf` is what it holds when nobody tells it otherwise. It imitates no product."""

from tests.doubles.registry.double import Answer, Double, Request, double
from tests.doubles.registry.shelf import Shelf

__all__ = ["Answer", "Double", "Request", "Shelf", "double"]
