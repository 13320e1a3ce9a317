# SPDX-License-Identifier: Apache-2.0
"""What a client is told when it does not get what it asked for (distribution-spec, "Error Codes").

A :class:`Problem` is raised anywhere in this room and turned into its JSON body in one place. It carries
only what the client sent or may know: no path of this machine, no traceback, no credential.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """An answer other than success: HTTP status, one code of the specification, words, and a detail."""

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
        error: Mapping[str, Any] = {"code": self.code, "message": self.message, "detail": self.detail}
        return json.dumps({"errors": [error]}).encode()


def blob_unknown(digest: str) -> Problem:
    return Problem(404, "BLOB_UNKNOWN", "blob unknown to this registry", {"digest": digest})


def manifest_unknown(reference: str) -> Problem:
    return Problem(404, "MANIFEST_UNKNOWN", "manifest unknown to this repository", {"reference": reference})


def digest_invalid(digest: str, reason: str) -> Problem:
    return Problem(400, "DIGEST_INVALID", reason, {"digest": digest[:160]})


def read_only() -> Problem:
    return Problem(405, "UNSUPPORTED", "this registry is read-only", headers=[("Allow", "GET, HEAD")])
