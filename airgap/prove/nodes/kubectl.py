# SPDX-License-Identifier: Apache-2.0
"""Runs ``kubectl``: its output is read up to a limit, and it is ended after a time."""

from __future__ import annotations

import shutil
import subprocess
import threading
from typing import IO, Any

from airgap import bounded_json, limits
from airgap.errors import ContentError, ResourceError, UsageError
from airgap.i18n import tr
from airgap.records import Record

#: Characters of a message of kubectl that are shown.
#: JSON values, and levels, of what kubectl prints.
MAX_VALUES, MAX_DEPTH = 4_194_304, 100
_LONGEST_MESSAGE = 400
_ERROR_BYTES = 64 * 1024


class KubectlError(ResourceError):
    """kubectl has failed, or has printed something unusable."""


class Kubectl(Record):
    """``kubectl`` for one context and one namespace; "" is that of the kubeconfig."""

    context: str = ""
    namespace: str = ""

    def run(self, *arguments: str, stdin: bytes = b"", seconds: float = 60) -> bytes:
        """Return what kubectl prints. Raises :class:`KubectlError` with its message."""
        program = shutil.which("kubectl")
        if program is None:
            raise UsageError(
                tr("nodes of a cluster are reached by kubectl, and it is not on the PATH"),
                hint=tr("install kubectl, or run airgap prove on the node with --root /"),
            )
        options = [f"--context={self.context}"] if self.context else []
        options += [f"--namespace={self.namespace}"] if self.namespace else []
        # Options stand before the words, since those after -- belong to a command in a container.
        command = [program, *options, *arguments]
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise KubectlError(
                tr("{program} cannot be run: {strerror}", program="kubectl", strerror=error.strerror or error)
            ) from error
        with process:
            output, problem, in_time = _communicate(process, stdin, seconds)
        said = _message(problem)
        if not in_time:
            raise KubectlError(
                tr("kubectl {verb} was not done after {seconds} seconds", verb=arguments[0], seconds=int(seconds))
            )
        if output is None:
            most = limits.value("kubectl-bytes")
            raise KubectlError(
                tr("kubectl {verb} prints more than {most:,} bytes", verb=arguments[0], most=most),
                hint=limits.hint("kubectl-bytes"),
            )
        if process.returncode:
            message = said or tr("it ended with exit code {returncode}", returncode=process.returncode)
            raise KubectlError(tr("kubectl {verb} says: {message}", verb=arguments[0], message=message))
        return output

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return the object that ``kubectl get … -o json`` prints. Raises :class:`KubectlError`."""
        output = self.run("get", *arguments, "--output=json")
        try:
            document = bounded_json.loads(output, values=MAX_VALUES, depth=MAX_DEPTH)
        except ContentError:
            document = None
        if not isinstance(document, dict):
            raise KubectlError(tr("kubectl did not print an object"), where=arguments[0])
        return document

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects of the list that ``kubectl get`` prints. Raises :class:`KubectlError`."""
        items = self.get(*arguments).get("items")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, seconds: float) -> tuple[bytes | None, bytes, bool]:
    """Return the output, ``None`` if it is too large, the errors, and whether the process ended in time."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[bytes] = []
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    helpers = [
        threading.Thread(target=_read_errors, args=(process.stderr, errors), daemon=True),
        threading.Thread(target=_write, args=(process.stdin, stdin), daemon=True),
    ]
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    try:
        for thread in (*helpers, timer):
            thread.start()
        most = limits.value("kubectl-bytes")
        output: bytes | None = process.stdout.read(most + 1)
        if output is not None and len(output) > most:
            output = None
            process.kill()
        for thread in helpers:
            thread.join()
        process.wait()
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()
    return output, b"".join(errors), not late.is_set()


def _read_errors(stream: IO[bytes], errors: list[bytes]) -> None:
    errors.append(stream.read(_ERROR_BYTES))
    while stream.read(_ERROR_BYTES):
        pass


def _write(stream: IO[bytes], content: bytes) -> None:
    try:
        with stream:
            stream.write(content)
    except OSError:
        return  # kubectl has ended, and says why


def _message(errors: bytes) -> str:
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    text = " ".join(line for line in lines[-3:] if line.isprintable())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
