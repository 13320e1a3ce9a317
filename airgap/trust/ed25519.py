# SPDX-License-Identifier: Apache-2.0
"""Verification of Ed25519 signatures (RFC 8032, 5.1.7), by the package ``cryptography`` or in pure Python.

``airgap.pyz`` contains no compiled code, so it verifies in pure Python. Both give the same verdicts. There is no
signing here: Python's integers do not protect a secret key from being timed.
"""

from __future__ import annotations

import hashlib

#: RFC 8032, 5.1: the field, the order of the base point, and the curve's constant.
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_1 = pow(2, (_P - 1) // 4, _P)

#: A point in extended coordinates (RFC 8032, 5.1.4): x = X/Z, y = Y/Z, x * y = T/Z.
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (64 bytes) is one of ``message`` by ``public_key`` (32 bytes)."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return verify_in_python(public_key, message, signature)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_in_python(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """As :func:`verify`, without a library."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key = _decode(public_key)
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or scalar >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    # R = S·B - k·A, compared as bytes, so that no other encoding of R is accepted.
    negated = (_P - key[0], key[1], key[2], _P - key[3])
    return _encode(_add(_multiply(scalar, _BASE), _multiply(challenge, negated))) == signature[:32]


def _add(p: _Point, q: _Point) -> _Point:
    """Add two points (RFC 8032, 5.1.4)."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    product = _NEUTRAL
    while scalar:
        if scalar & 1:
            product = _add(product, point)
        point = _add(point, point)
        scalar >>= 1
    return product


def _encode(point: _Point) -> bytes:
    """Return the 32 bytes of a point (RFC 8032, 5.1.2)."""
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(encoded: bytes) -> _Point | None:
    """Return the point that 32 bytes encode (RFC 8032, 5.1.3), ``None`` if there is none."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= _P:
        return None
    # x² = (y² - 1) / (d·y² + 1), and its root by one power because p mod 8 is 5.
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * _SQRT_MINUS_1 % _P
    if v * x * x % _P != u or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _base_point() -> _Point:
    # RFC 8032, 5.1: the base point has y = 4/5 and an even x.
    point = _decode((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    return point


_BASE = _base_point()
