# SPDX-License-Identifier: Apache-2.0
"""Credential helpers: the programs ``docker-credential-NAME`` that keep passwords for docker.

A helper gets its request on standard input and answers on standard output. Neither its output nor its time is
unlimited, and no error shows any of the output, which may be the secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airgap import bounded_json, child_program, limits
from airgap.errors import ContentError, Unauthorized
from airgap.i18n import tr


def helper_for(document: Mapping[str, Any], *keys: str) -> str:
    """Return the name of the helper that docker's configuration ``document`` has for a registry, or an empty string."""
    helpers = document.get("credHelpers")
    if isinstance(helpers, dict):
        for key in keys:
            if isinstance(helpers.get(key), str):
                return str(helpers[key])
    store = document.get("credsStore")
    return store if isinstance(store, str) else ""


def ask_helper(helper: str, key: str) -> tuple[str, str, str] | None:
    """Return user, password and identity token that a helper keeps for ``key``; ``None`` if it has no entry.

    Raises :class:`Unauthorized` for a helper that fails, or whose answer cannot be used.
    """
    answer = run_helper(helper, "get", key)
    if answer is None:
        return None
    try:
        document = bounded_json.parse(answer, "helper")
        username, secret = str(document["Username"]), str(document["Secret"])
    except (ContentError, KeyError, TypeError):
        # "from None", because the cause contains the output of the helper, and that the secret.
        raise Unauthorized(
            tr("the credential helper docker-credential-{helper} answered nonsense", helper=helper)
        ) from None
    if username == "<token>":
        return "", "", secret
    return (username, secret, "") if username or secret else None


def run_helper(helper: str, verb: str, text: str) -> bytes | None:
    """Run ``docker-credential-HELPER VERB`` with ``text`` as its input; return its output, ``None`` for no entry.

    Raises :class:`Unauthorized` if it cannot be run, fails, or exceeds ``helper-bytes`` or ``helper-time``.
    """
    program = f"docker-credential-{helper}"
    if "/" in helper:
        raise Unauthorized(tr("{program!r} is no name of a credential helper", program=program))
    seconds = limits.value("helper-time")
    try:
        done = child_program.run(
            [program, verb], most=limits.value("helper-bytes"), seconds=seconds, stdin=text.encode()
        )
    except FileNotFoundError as error:
        hint = tr("install it, or remove it from docker's config.json")
        raise Unauthorized(
            tr("the credential helper {program} is not on the PATH", program=program), hint=hint
        ) from error
    except OSError as error:
        raise Unauthorized(
            tr("the credential helper {program} cannot be run: {strerror}", program=program, strerror=error.strerror)
        ) from error
    except child_program.TooMuchOutput as error:
        raise Unauthorized(
            tr("the credential helper {program} printed more than {most:,} bytes", program=program, most=error.most),
            hint=limits.hint("helper-bytes"),
        ) from None
    except child_program.TooSlow:
        raise Unauthorized(
            tr("the credential helper {program} did not answer within {seconds} s", program=program, seconds=seconds),
            hint=limits.hint("helper-time"),
        ) from None
    if done.returncode == 0:
        return done.stdout
    if b"credentials not found" in done.stdout + done.stderr:
        return None
    raise Unauthorized(
        tr(
            "the credential helper {program} failed with exit code {returncode}",
            program=program,
            returncode=done.returncode,
        )
    )
