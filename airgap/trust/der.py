# SPDX-License-Identifier: Apache-2.0
"""The frame of a CMS signature (RFC 5652), checked byte by byte before ``openssl`` verifies what is in it.

``openssl`` ignores version numbers, lists of algorithms and unsigned attributes, so that a changed bit in them would
stay unnoticed. Here the parts that are protected by the signature or by a certificate are put into the frame that they
must have, and the result is compared with the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

#: The longest list of certificates, signers or algorithms that is read.
_MAX_ITEMS = 32
_SEQUENCE, _SET, _INTEGER, _OBJECT_IDENTIFIER, _CONTEXT_0 = 0x30, 0x31, 0x02, 0x06, 0xA0
_NULL = b"\x05\x00"
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_DATA = bytes.fromhex("06092a864886f70d010701")
_RSA, _RSA_PSS = "2a864886f70d010101", "2a864886f70d01010a"
#: The digests that may be signed (SHA-256, SHA-384 and SHA-512), each with the signature algorithms that go with it
#: (RSA, RSA-PSS, ECDSA, Ed25519), as the bodies of their object identifiers.
_ALGORITHMS = {
    "608648016503040201": {_RSA, _RSA_PSS, "2a864886f70d01010b", "2a8648ce3d040302"},
    "608648016503040202": {_RSA, _RSA_PSS, "2a864886f70d01010c", "2a8648ce3d040303"},
    "608648016503040203": {_RSA, _RSA_PSS, "2a864886f70d01010d", "2a8648ce3d040304", "2b6570"},
}


def is_detached_signature(content: bytes) -> bool:
    """Whether this is a CMS signature without its content, in DER and in the only form that its parts allow."""
    try:
        return _frame(content) == content
    except (ValueError, IndexError):
        return False


def certificate_fingerprints(content: bytes) -> list[str]:
    """Return the sha256 in hexadecimal of each certificate in a signature that :func:`is_detached_signature`."""
    signed_data = _items(_only(_only(_items(_only(content, _SEQUENCE))[1], _CONTEXT_0), _SEQUENCE))
    return [hashlib.sha256(certificate).hexdigest() for certificate in _items(_only(signed_data[3], _CONTEXT_0))]


def _frame(content: bytes) -> bytes:
    """Return the signature put together again. Raises :class:`ValueError` where a part is missing or unknown."""
    content_type, wrapped = _items(_only(content, _SEQUENCE))
    if content_type != _SIGNED_DATA:
        raise ValueError("no SignedData")
    parts = _items(_only(_only(wrapped, _CONTEXT_0), _SEQUENCE))
    if len(parts) != 5:
        raise ValueError("SignedData without certificates, or with CRLs")
    _, _, _, certificates, signer_set = parts
    names = {_issuer_and_serial(certificate) for certificate in _items(_only(certificates, _CONTEXT_0))}
    signers = [_signer(item, names) for item in _items(_only(signer_set, _SET))]
    if not signers:
        raise ValueError("no signer")
    # RFC 5652, 5.1: version 3 where a signer is named by a key identifier, else 1.
    version = max(version for version, _, _ in signers)
    algorithms = sorted({algorithm for _, algorithm, _ in signers})
    signed_data = (
        _integer(version)
        + _value(_SET, b"".join(algorithms))
        + _value(_SEQUENCE, _DATA)
        + certificates
        + _value(_SET, b"".join(info for _, _, info in signers))
    )
    return _value(_SEQUENCE, _SIGNED_DATA + _value(_CONTEXT_0, _value(_SEQUENCE, signed_data)))


def _issuer_and_serial(certificate: bytes) -> bytes:
    """Return the issuer and the serial number of an X.509 certificate as CMS writes them (RFC 5652, 10.2.4)."""
    fields = _items(_only(_items(_only(certificate, _SEQUENCE))[0], _SEQUENCE))
    # RFC 5280, 4.1: the version is left out where it is 1.
    serial, _, issuer = fields[1:4] if fields[0][0] == _CONTEXT_0 else fields[:3]
    return _value(_SEQUENCE, issuer + serial)


def _signer(signer_info: bytes, names: Collection[bytes]) -> tuple[int, bytes, bytes]:
    """Return the version, the digest algorithm and the frame of a SignerInfo (RFC 5652, 5.3).

    ``names`` are the issuers and serial numbers of the certificates.
    """
    _, signer, digest, *others = _items(_only(signer_info, _SEQUENCE))
    if signer not in names and signer[0] != 0x80:
        raise ValueError("a signer without a certificate")
    attributes = others.pop(0) if others and others[0][0] == _CONTEXT_0 else b""
    if len(others) != 2:
        raise ValueError("unsigned attributes")
    for attribute in _items(_only(attributes, _CONTEXT_0)) if attributes else ():
        kind, values = _items(_only(attribute, _SEQUENCE))
        _only(kind, _OBJECT_IDENTIFIER)
        _only(values, _SET)
    algorithm, signature = others
    # The parameters of RSA-PSS decide how it is verified; those of the others are NULL or missing.
    is_pss, plain = _object_identifier(algorithm) == _RSA_PSS, (b"", _NULL)
    if _parameters(digest) not in plain or not (is_pss or _parameters(algorithm) in plain):
        raise ValueError("parameters of an algorithm")
    if _object_identifier(algorithm) not in _ALGORITHMS.get(_object_identifier(digest), ()):
        raise ValueError("an algorithm that is not accepted")
    version = 1 if signer[0] == _SEQUENCE else 3
    return version, digest, _value(_SEQUENCE, _integer(version) + signer + digest + attributes + algorithm + signature)


def _object_identifier(algorithm: bytes) -> str:
    """Return the body of an algorithm's object identifier in hexadecimal (RFC 5280, 4.1.1.2)."""
    return _only(_items(_only(algorithm, _SEQUENCE))[0], _OBJECT_IDENTIFIER).hex()


def _parameters(algorithm: bytes) -> bytes:
    return b"".join(_items(_only(algorithm, _SEQUENCE))[1:])


def _integer(number: int) -> bytes:
    return bytes((_INTEGER, 1, number))


def _value(tag: int, body: bytes) -> bytes:
    """Return a value in DER (X.690, 8.1.3): the shortest form of its length."""
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _only(encoded: bytes, tag: int) -> bytes:
    """Return the body of the one value that ``encoded`` consists of. Raises :class:`ValueError`."""
    (item,) = _items(encoded)
    if item[0] != tag:
        raise ValueError("another tag")
    return item[_header_size(item) :]


def _items(encoded: bytes) -> list[bytes]:
    """Split values that follow each other, each with its header. Raises :class:`ValueError`."""
    items = list(_split(encoded))
    if len(items) > _MAX_ITEMS:
        raise ValueError("too many parts")
    return items


def _split(encoded: bytes) -> Iterator[bytes]:
    offset = 0
    while offset < len(encoded):
        start = offset + _header_size(encoded[offset : offset + 8])
        size = encoded[offset + 1]
        if size & 0x80:
            size = int.from_bytes(encoded[offset + 2 : start], "big")
        end = start + size
        if end > len(encoded):
            raise ValueError("cut short")
        yield encoded[offset:end]
        offset = end


def _header_size(encoded: bytes) -> int:
    """Return the bytes of tag and length. Raises :class:`ValueError` for tags above 30 and indefinite lengths."""
    if len(encoded) < 2 or encoded[0] & 0x1F == 0x1F or encoded[1] == 0x80 or encoded[1] > 0x84:
        raise ValueError("no DER")
    return 2 + (encoded[1] & 0x7F if encoded[1] & 0x80 else 0)
