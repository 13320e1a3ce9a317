# SPDX-License-Identifier: Apache-2.0
"""Charts and kustomizations, rendered by the user's own ``helm`` and ``kubectl kustomize`` or ``kustomize``.

The programs are looked for on the PATH and run with a time limit, without a shell and without standard input. What
they refuse is told in their own last words. Nothing is rendered by this program itself, and only what was given by
name is rendered: inside a walk a chart is a folder like any other.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from airgap.errors import ResourceError
from airgap.records import Record

#: What a PATH may be besides files and folders: a chart on disk or in a registry, a folder with a kustomization.
CHART, KUSTOMIZATION = "chart", "kustomization"
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SECONDS = 300
_SAID = 600


class Rendering(Record):
    """What the user wants passed on to ``helm template``, in helm's own words."""

    values: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """Options for helm; values files given later win, and ``--set`` wins over all files."""
        options = [f"--values={path}" for path in self.values]
        options += [f"--set={text}" for text in self.set]
        options += [f"--set-string={text}" for text in self.set_string]
        options += [f"--api-versions={text}" for text in self.api_versions]
        if self.namespace:
            options.append(f"--namespace={self.namespace}")
        if self.kube_version:
            options.append(f"--kube-version={self.kube_version}")
        return options

    def over(self, values_file: str) -> Rendering:
        """The same with one more values file, which wins over the others."""
        return Rendering(
            (*self.values, values_file),
            self.set,
            self.set_string,
            self.namespace,
            self.kube_version,
            self.api_versions,
        )


def what_is(path: str) -> str:
    """``CHART`` or ``KUSTOMIZATION``, or an empty string for what is no such thing."""
    if path.startswith("oci://"):
        return CHART
    if os.path.isdir(path):
        if os.path.exists(os.path.join(path, "Chart.yaml")):
            return CHART
        if any(os.path.exists(os.path.join(path, name)) for name in _KUSTOMIZATIONS):
            return KUSTOMIZATION
        return ""
    return CHART if path.endswith((".tgz", ".tar.gz")) and os.path.isfile(path) else ""


def chart_name(path: str) -> str:
    """The name in Chart.yaml, read by helm; raises ResourceError where it is no name."""
    import yaml

    said = _run(_helm(path), ["show", "chart", _as_path(path)], path)
    try:
        read = yaml.safe_load(said)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ResourceError("Chart.yaml is no YAML", where=path) from error
    name = read.get("name") if isinstance(read, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", name):
        raise ResourceError(f"Chart.yaml gives no name that a file could have: {name!r}", where=path)
    return name


def template(path: str, name: str, rendering: Rendering, only: str = "") -> bytes:
    """The chart at ``path`` as ``helm template`` gives it, hooks and CRDs too; ``only`` is one template of it.

    Raises ResourceError with helm's words; for a chart whose dependencies are missing, with what brings them.
    """
    release = re.sub(r"[^a-z0-9]+", "-", name.lower())[:53].strip("-") or "release"
    arguments = ["template", release, _as_path(path), "--include-crds", *rendering.arguments]
    if only:
        arguments.append(f"--show-only={only}")
    return _run(_helm(path), arguments, path)


def pull(address: str, folder: str, options: Sequence[str]) -> str:
    """Fetch ``oci://HOST/PATH[:VERSION]`` into ``folder`` with ``helm pull``; the archive's path."""
    name, colon, version = address.rpartition(":")
    if not colon or "/" in version:
        name, version = address, ""
    arguments = ["pull", name, f"--destination={folder}", *options]
    if version:
        arguments.append(f"--version={version}")
    _run(_helm(address), arguments, address)
    found = [entry.path for entry in os.scandir(folder) if entry.name.endswith(".tgz")]
    if len(found) != 1:
        raise ResourceError("helm pull brought no chart", where=address)
    return found[0]


def kustomize(folder: str) -> bytes:
    """The kustomization in ``folder``, rendered; raises ResourceError with the program's words."""
    if kubectl := shutil.which("kubectl"):
        return _run(kubectl, ["kustomize", _as_path(folder)], folder)
    if program := shutil.which("kustomize"):
        return _run(program, ["build", _as_path(folder)], folder)
    raise ResourceError(
        "this folder is a kustomization, and neither kubectl nor kustomize is on the PATH to render it",
        where=folder,
        hint=f"install one of them, or where they are: kubectl kustomize {folder} | airgap images -",
    )


def _helm(path: str) -> str:
    found = shutil.which("helm")
    if found is None:
        raise ResourceError(
            "this is a Helm chart, whose templates name no images until they are rendered, and helm is not on the PATH",
            where=path,
            hint=f"install helm, or where it is: helm template NAME {path} --include-crds | airgap images -",
        )
    return found


def _as_path(path: str) -> str:
    """So that a name which begins with ``-`` is no option, and one without a slash no chart of a repository."""
    return path if path.startswith("oci://") else os.path.join(".", path)


def _run(program: str, arguments: Sequence[str], where: str) -> bytes:
    try:
        done = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ResourceError(f"{_called(program)} was not done after {_SECONDS} seconds", where=where) from error
    except OSError as error:
        raise ResourceError(f"{program} cannot be run: {error.strerror or error}", where=where) from error
    if done.returncode == 0:
        return done.stdout
    said = _last_words(done.stderr.decode("utf-8", "replace")) or f"it ended with exit code {done.returncode}"
    hint = None
    if "missing in charts/ directory" in said or "dependency build" in said:
        hint = f"helm dependency build {where}"
    raise ResourceError(f"{_called(program)} says: {said}", where=where, hint=hint)


def _last_words(text: str) -> str:
    """From the last line that says ``Error:`` on, as one line without advice for helm's own developers."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Use --debug flag")]
    starts = [number for number, line in enumerate(lines) if line.lower().startswith("error:")]
    if starts:
        lines = lines[starts[-1] :]
        lines[0] = lines[0][len("error:") :].strip()
    else:
        lines = lines[-1:]
    said = " ".join(line for line in lines if line.isprintable())
    return said if len(said) <= _SAID else said[: _SAID - 1] + "…"


def _called(program: str) -> str:
    """The program with its version, asked for only where something went wrong."""
    name = os.path.basename(program)
    arguments = {"kubectl": ["version", "--client"], "helm": ["version", "--short"]}.get(name, ["version"])
    try:
        done = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return name
    version = re.search(rb"v[0-9]+\.[0-9]+\.[0-9]+", done.stdout)
    return f"{name} {version[0].decode()}" if version else name
