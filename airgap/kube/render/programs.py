# SPDX-License-Identifier: Apache-2.0
"""Run ``helm``, and ``kubectl kustomize`` or ``kustomize``, to render charts and kustomizations.

The programs are found on the PATH and run with a time limit, without a shell and without standard input. Errors
contain their last message. Only paths that the user names are rendered, not charts found inside a folder.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence

from airgap import child_program, limits
from airgap.errors import ResourceError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import Record, replace

#: The kinds of paths that are rendered: a chart on disk or in a registry, and a folder with a kustomization.
CHART, KUSTOMIZATION = "chart", "kustomization"
#: The names of the file that makes a folder a kustomization.
KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_TIMEOUT_SECONDS = 300
_LONGEST_MESSAGE = 600
_MOST_VERSION = 16 * 1024


class Rendering(Record):
    """The user's options for ``helm template``."""

    values: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    #: Whether the pods of ``helm test`` are left out.
    no_tests: bool = False

    @property
    def arguments(self) -> list[str]:
        """The command line options. Later values files override earlier ones, and ``--set`` overrides all files."""
        options = [f"--values={path}" for path in self.values]
        options += [f"--set={text}" for text in self.set]
        options += [f"--set-string={text}" for text in self.set_string]
        options += [f"--api-versions={text}" for text in self.api_versions]
        if self.namespace:
            options.append(f"--namespace={self.namespace}")
        if self.kube_version:
            options.append(f"--kube-version={self.kube_version}")
        if self.no_tests:
            options.append("--skip-tests")
        return options

    def over(self, values_file: str) -> Rendering:
        """Return the options with one more values file, which overrides the others."""
        return replace(self, values=(*self.values, values_file))


def renderable_kind(path: str) -> str:
    """Return ``CHART``, ``KUSTOMIZATION``, or an empty string for any other path."""
    if path.startswith("oci://"):
        return CHART
    if os.path.isdir(path):
        if os.path.exists(os.path.join(path, "Chart.yaml")):
            return CHART
        if any(os.path.exists(os.path.join(path, name)) for name in KUSTOMIZATION_NAMES):
            return KUSTOMIZATION
        return ""
    return CHART if path.endswith((".tgz", ".tar.gz")) and os.path.isfile(path) else ""


def chart_name(path: str) -> str:
    """Return the name in Chart.yaml as helm reads it. Raises ResourceError if it is not valid."""
    import yaml

    output = run_program(_helm(path), ["show", "chart", _as_path(path)], path)
    try:
        metadata = yaml.safe_load(output)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ResourceError(tr("Chart.yaml is no YAML"), where=path) from error
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", name):
        raise ResourceError(tr("Chart.yaml gives no name that a file could have: {name!r}", name=name), where=path)
    return name


def template(path: str, name: str, rendering: Rendering, only: str = "") -> bytes:
    """Return the output of ``helm template`` for the chart at ``path``, with hooks and CRDs.

    ``only`` is a single template to render. Raises ResourceError with helm's message, and a hint where its
    dependencies are missing.
    """
    release = re.sub(r"[^a-z0-9]+", "-", name.lower())[:53].strip("-") or "release"
    arguments = ["template", release, _as_path(path), "--include-crds", *rendering.arguments]
    if only:
        arguments.append(f"--show-only={only}")
    return run_program(_helm(path), arguments, path)


def pull(address: str, folder: str, options: Sequence[str]) -> str:
    """Download ``oci://HOST/PATH[:VERSION]`` into ``folder`` with ``helm pull``; return the archive's path."""
    name, colon, version = address.rpartition(":")
    if not colon or "/" in version:
        name, version = address, ""
    arguments = ["pull", name, f"--destination={folder}", *options]
    if version:
        arguments.append(f"--version={version}")
    run_program(_helm(address), arguments, address)
    archives = [entry.path for entry in os.scandir(folder) if entry.name.endswith(".tgz")]
    if len(archives) != 1:
        raise ResourceError(tr("helm pull brought no chart"), where=address)
    return archives[0]


def kustomize(folder: str) -> bytes:
    """Return the rendered kustomization in ``folder``. Raises ResourceError with the program's message."""
    if kubectl := shutil.which("kubectl"):
        return run_program(kubectl, ["kustomize", _as_path(folder)], folder)
    if program := shutil.which("kustomize"):
        return run_program(program, ["build", _as_path(folder)], folder)
    raise ResourceError(
        tr("this folder is a kustomization, and neither kubectl nor kustomize is on the PATH to render it"),
        where=folder,
        hint=tr(
            "install one of them, or where they are: kubectl kustomize {folder} | airgap images -",
            folder=quoted(folder),
        ),
    )


def _helm(path: str) -> str:
    program = shutil.which("helm")
    if program is None:
        raise ResourceError(
            tr(
                "this is a Helm chart, whose templates name no images until they are rendered, and helm is not "
                "on the PATH"
            ),
            where=path,
            hint=tr(
                "install helm, or where it is: helm template NAME {path} --include-crds | airgap images -",
                path=quoted(path),
            ),
        )
    return program


def _as_path(path: str) -> str:
    """The path with ``./`` before it: otherwise ``-x`` would be an option, and ``x`` a chart of a repository."""
    return path if path.startswith("oci://") else os.path.join(".", path)


def run_program(program: str, arguments: Sequence[str], where: str, limit: str = "program-bytes") -> bytes:
    """Return what a program prints, up to ``limit``. Raises ResourceError with its last message."""
    output, error = try_program(program, arguments, where, limit)
    if error is not None:
        raise error
    return output


def try_program(
    program: str, arguments: Sequence[str], where: str, limit: str = "program-bytes"
) -> tuple[bytes, ResourceError | None]:
    """Return what a program prints, up to ``limit``, and an error with its last message if it fails."""
    try:
        completed = child_program.run([program, *arguments], most=limits.value(limit), seconds=_TIMEOUT_SECONDS)
    except child_program.TooSlow:
        raise ResourceError(
            tr(
                "{name_and_version} was not done after {timeout_seconds} seconds",
                name_and_version=_name_and_version(program),
                timeout_seconds=_TIMEOUT_SECONDS,
            ),
            where=where,
        ) from None
    except child_program.TooMuchOutput as error:
        raise ResourceError(
            tr("{program} prints more than {most:,} bytes", program=os.path.basename(program), most=error.most),
            where=where,
            hint=limits.hint(limit),
        ) from None
    except OSError as error:
        raise ResourceError(
            tr("{program} cannot be run: {strerror}", program=program, strerror=error.strerror or error), where=where
        ) from error
    if completed.returncode == 0:
        return completed.stdout, None
    message = _last_message(completed.stderr.decode("utf-8", "replace"))
    message = message or tr("it ended with exit code {returncode}", returncode=completed.returncode)
    hint = None
    if "missing in charts/ directory" in message or "dependency build" in message:
        hint = f"helm dependency build {where}"
    return completed.stdout, ResourceError(
        tr("{name_and_version} says: {message}", name_and_version=_name_and_version(program), message=message),
        where=where,
        hint=hint,
    )


def _last_message(text: str) -> str:
    """The last message that begins with ``Error:``, or else the last line, as one line of limited length."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Use --debug flag")]
    starts = [number for number, line in enumerate(lines) if line.lower().startswith("error:")]
    if starts:
        lines = lines[starts[-1] :]
        lines[0] = lines[0][len("error:") :].strip()
    else:
        lines = lines[-1:]
    message = " ".join(line for line in lines if line.isprintable())
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


def _name_and_version(program: str) -> str:
    """The program's name and version, for error messages."""
    name = os.path.basename(program)
    arguments = {"kubectl": ["version", "--client"], "helm": ["version", "--short"]}.get(name, ["version"])
    try:
        completed = child_program.run([program, *arguments], most=_MOST_VERSION, seconds=20)
    except (OSError, child_program.TooSlow, child_program.TooMuchOutput):
        return name
    version = re.search(rb"v[0-9]+\.[0-9]+\.[0-9]+", completed.stdout)
    return f"{name} {version[0].decode()}" if version else name
