# SPDX-License-Identifier: Apache-2.0
"""The error of a registry that wants a user and password where none is known; the command line asks for them."""

from __future__ import annotations

from airgap.errors import Unauthorized
from airgap.i18n import tr


class CredentialMissing(Unauthorized):
    """A registry lets only users in, and no user is known for it. ``registry`` is the name that credentials are kept
    under, ``login_arguments`` are those of ``airgap login``."""

    registry = ""
    login_arguments = ""

    @classmethod
    def of(cls, what: str, *, where: str, registry: str, login_arguments: str) -> CredentialMissing:
        """Return the error, with the command that signs in as its hint."""
        hint = tr("sign in once: airgap login {login_arguments}", login_arguments=login_arguments)
        error = cls(what, where=where, hint=hint)
        error.registry, error.login_arguments = registry, login_arguments
        return error
