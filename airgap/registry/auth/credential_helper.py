# SPDX-License-Identifier: Apache-2.0
"""Credential helpers: the programs ``docker-credential-NAME`` that keep passwords for docker.

A helper gets its request on standard input and answers on standard output. Neither its output nor its time is
unlimited, and no error shows any of the output, which may be the secret.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airgap import bounded_json, limits
from airgap.errors import ContentError, Unauthorized
from airgap.i18n import tr

if TYPE_CHECKING:
    import subprocess

_PIECE = 16 * 1024


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
    import subprocess

    program = f"docker-credential-{helper}"
    if "/" in helper:
        raise Unauthorized(tr("{program!r} is no name of a credential helper", program=program))
    try:
        pipe = subprocess.PIPE
        process = subprocess.Popen([program, verb], stdin=pipe, stdout=pipe, stderr=pipe)
    except FileNotFoundError as error:
        hint = tr("install it, or remove it from docker's config.json")
        raise Unauthorized(
            tr("the credential helper {program} is not on the PATH", program=program), hint=hint
        ) from error
    except OSError as error:
        raise Unauthorized(
            tr("the credential helper {program} cannot be run: {strerror}", program=program, strerror=error.strerror)
        ) from error
    with process:
        try:
            output, messages = _exchange(process, text.encode(), program)
        except BaseException:
            process.kill()
            raise
    if process.returncode == 0:
        return output
    if b"credentials not found" in output + messages:
        return None
    raise Unauthorized(
        tr(
            "the credential helper {program} failed with exit code {returncode}",
            program=program,
            returncode=process.returncode,
        )
    )


def _exchange(process: subprocess.Popen[bytes], text: bytes, program: str) -> tuple[bytes, bytes]:
    """Send ``text``, and return standard output and standard error once the program has ended."""
    import subprocess

    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    seconds, most = limits.value("helper-time"), limits.value("helper-bytes")
    deadline = time.monotonic() + seconds
    outputs = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    os.set_blocking(process.stdin.fileno(), False)
    unsent = memoryview(text)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        for stream in (process.stdout, process.stderr):
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise _too_slow(program, seconds)
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    unsent = unsent[_write(key.fd, unsent) :]
                    if not unsent:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif piece := os.read(key.fd, _PIECE):
                    outputs[key.fd] += piece
                    if len(outputs[key.fd]) > most:
                        raise Unauthorized(
                            tr("the credential helper {program} printed more than {most:,} bytes",
                               program=program, most=most),
                            hint=limits.hint("helper-bytes"),
                        )  # fmt: skip
                else:
                    selector.unregister(key.fileobj)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _too_slow(program, seconds) from error
    output, messages = outputs.values()
    return bytes(output), bytes(messages)


def _write(fd: int, text: memoryview) -> int:
    """Write a part of ``text``; return its length. A program that reads nothing more has taken all of it."""
    try:
        return os.write(fd, text)
    except BrokenPipeError:
        return len(text)


def _too_slow(program: str, seconds: int) -> Unauthorized:
    return Unauthorized(
        tr("the credential helper {program} did not answer within {seconds} s", program=program, seconds=seconds),
        hint=limits.hint("helper-time"),
    )
