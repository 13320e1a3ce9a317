# SPDX-License-Identifier: Apache-2.0
"""Error responses (distribution-spec "Error Codes").

Handlers raise a :class:`Problem`, and the application turns it into a JSON response. It contains only what the client
has sent or may know: no path of this machine, no traceback, no credential.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """An error response: HTTP status, an error code of the specification, a message, and a detail."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: Any = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = tuple(headers)

    def body(self) -> bytes:
        """Return the error document."""
        error: Mapping[str, Any] = {"code": self.code, "message": self.message, "detail": self.detail}
        return json.dumps({"errors": [error]}).encode()


def blob_unknown(digest: str) -> Problem:
    """Return the problem BLOB_UNKNOWN."""
    return Problem(404, "BLOB_UNKNOWN", "blob unknown to this registry", {"digest": digest})


def manifest_unknown(reference: str) -> Problem:
    """Return the problem MANIFEST_UNKNOWN."""
    return Problem(404, "MANIFEST_UNKNOWN", "manifest unknown to this repository", {"reference": reference})


def digest_invalid(digest: str, reason: str) -> Problem:
    """Return the problem DIGEST_INVALID."""
    return Problem(400, "DIGEST_INVALID", reason, {"digest": digest[:160]})


def read_only() -> Problem:
    """Return the problem of a write request to a read-only registry."""
    return Problem(405, "UNSUPPORTED", "this registry is read-only", headers=[("Allow", "GET, HEAD")])
