# SPDX-License-Identifier: Apache-2.0
"""What TLS connections rely on: the system's authorities, one file more, or nothing at all."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from airgap.errors import UsageError


@dataclass(frozen=True)
class Trust:
    """What a TLS connection relies on."""

    ca_file: str = ""
    insecure: bool = False


def make_context(trust: Trust) -> ssl.SSLContext:
    """One context for each kind of trust. Raises :class:`UsageError` for a CA file that is none."""
    context = ssl.create_default_context()
    if trust.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    # As Go's programs and older Pythons do, certificates without key identifiers are taken, which many a company's
    # authority issues; and --ca-file may name an intermediate authority, as there.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if trust.ca_file:
        try:
            context.load_verify_locations(cafile=trust.ca_file)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror if isinstance(error, FileNotFoundError) else "it holds no PEM certificate"
            raise UsageError(f"cannot use the CA file: {reason}", where=trust.ca_file) from error
    return context
