# SPDX-License-Identifier: Apache-2.0
"""Masks what was sent to sign in, where a server repeats it in the text of an error.

Only what was sent can come back, so the secrets are taken from the requests. They are masked in what servers say,
not in airgap's own words: a password such as ``registry`` would show by its absence there. Headers are masked when they
arrive, so that an address with the password in it is neither shown nor followed.
"""

from __future__ import annotations

import base64
import binascii
import email.message
import html
import json
import re
import threading
from urllib.parse import quote, quote_plus

_MASK = b"***"
#: Characters of a secret that is masked inside of words, too.
_MIN_INSIDE_WORDS = 4
#: Characters of a secret that is masked in headers: addresses there may contain what shorter ones are by chance.
_MIN_IN_HEADERS = 6


class Secrets:
    """The passwords and tokens that one run has sent. Thread-safe."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._pattern: re.Pattern[bytes] | None = None
        self._lock = threading.Lock()

    def add_header(self, authorization: str) -> None:
        """Note the secrets in the value of an Authorization header: Basic, or a token of any scheme."""
        scheme, _, value = authorization.partition(" ")
        self.add(value)
        if scheme.lower() == "basic":
            try:
                self.add(base64.b64decode(value).decode().partition(":")[2])
            except (binascii.Error, UnicodeDecodeError):
                return

    def add(self, secret: str) -> None:
        """Note a secret."""
        if not secret or secret in self._texts:
            return
        with self._lock:
            self._texts[secret] = None
            forms = {form for text in self._texts for form in _forms(text)}
            self._pattern = re.compile(b"|".join(map(_expression, sorted(forms, key=len, reverse=True))))

    def mask(self, content: bytes) -> bytes:
        """Return ``content`` with ``***`` in place of each secret, as it is or in a usual encoding."""
        return self._pattern.sub(_MASK, content) if self._pattern is not None else content

    def mask_headers(self, headers: email.message.Message, url: str) -> None:
        """Replace the secrets in the values of ``headers``, those excepted that the request's ``url`` contains."""
        if self._pattern is None:
            return
        requested = url.encode()

        def masked(match: re.Match[bytes]) -> bytes:
            return match[0] if len(match[0]) < _MIN_IN_HEADERS or match[0] in requested else _MASK

        for name in {name.lower() for name in headers}:
            values = [str(value).encode("latin-1", "replace") for value in headers.get_all(name, ())]
            shown = [self._pattern.sub(masked, value) for value in values]
            if shown != values:
                del headers[name]
                for value in shown:
                    headers[name] = value.decode("latin-1")


def _forms(secret: str) -> set[bytes]:
    """Return the ways in which a server may write a secret."""
    texts = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    encoded = base64.b64encode(secret.encode())
    return {
        *(text.encode() for text in texts),
        encoded,
        encoded.rstrip(b"="),
        base64.urlsafe_b64encode(secret.encode()),
    }


def _expression(form: bytes) -> bytes:
    expression = re.escape(form)
    return expression if len(form) >= _MIN_INSIDE_WORDS else rb"(?<!\w)" + expression + rb"(?!\w)"
