# SPDX-License-Identifier: Apache-2.0
"""Runs ``kubectl``: its output is read up to a limit, and it is ended after a time."""

from __future__ import annotations

import shutil
from typing import Any

from airgap import bounded_json, child_program, limits
from airgap.errors import ContentError, ResourceError, UsageError
from airgap.i18n import tr
from airgap.records import Record

#: JSON values, and levels, of what kubectl prints.
MAX_VALUES, MAX_DEPTH = 4_194_304, 100
#: Characters of a message of kubectl that are shown.
_LONGEST_MESSAGE = 400


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
            done = child_program.run(command, most=limits.value("kubectl-bytes"), seconds=seconds, stdin=stdin)
        except OSError as error:
            raise KubectlError(
                tr("{program} cannot be run: {strerror}", program="kubectl", strerror=error.strerror or error)
            ) from error
        except child_program.TooSlow:
            raise KubectlError(
                tr("kubectl {verb} was not done after {seconds} seconds", verb=arguments[0], seconds=int(seconds))
            ) from None
        except child_program.TooMuchOutput as error:
            raise KubectlError(
                tr("kubectl {verb} prints more than {most:,} bytes", verb=arguments[0], most=error.most),
                hint=limits.hint("kubectl-bytes"),
            ) from None
        if done.returncode:
            said = _message(done.stderr) or tr("it ended with exit code {returncode}", returncode=done.returncode)
            raise KubectlError(tr("kubectl {verb} says: {message}", verb=arguments[0], message=said))
        return done.stdout

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


def _message(errors: bytes) -> str:
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    text = " ".join(line for line in lines[-3:] if line.isprintable())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
