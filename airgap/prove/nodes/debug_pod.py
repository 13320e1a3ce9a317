# SPDX-License-Identifier: Apache-2.0
"""The files of a node, read through ``kubectl debug node/NODE``: its pod mounts the node's root at ``/host``.

The usual folders come in one tar; what else a configuration names is fetched when it is asked for. Archives are read in
memory, so that nothing in them is ever a path of this machine.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterator

from airgap import limits
from airgap.errors import ResourceError
from airgap.i18n import tr
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.prove.nodes.kubectl import Kubectl, KubectlError
from airgap.prove.nodes.pods import trouble_of
from airgap.records import Record, field

#: What runtimes and the kubelet read. What is not below one of these is asked for by itself.
_USUAL = (
    "etc/containerd", "etc/crio", "etc/docker", "etc/containers", "etc/rancher", "root/.docker",
    "root/.config/containers", "run/containers/0", "var/cache/containers", "var/lib/kubelet/config.json",
    "config.json", ".docker",
    "etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs", "etc/pki/ca-trust/extracted/pem", "etc/ssl/ca-bundle.pem",
    "var/lib/ca-certificates/ca-bundle.pem", "etc/ssl/cert.pem",
)  # fmt: skip
_POD = re.compile(rb"\bnode-debugger-[a-z0-9.-]+")
#: Prints an archive of those of the paths that exist.
_FETCH = """\
cd /host || exit 9
count=$#
for path in "$@"; do if [ -e "$path" ] || [ -L "$path" ]; then set -- "$@" "$path"; fi; done
shift "$count"
[ $# -gt 0 ] || exit 0
exec tar -cf - "$@"
"""
#: Prints an archive of one file or link, and for a folder this word and its names.
_LOOK = """\
cd /host || exit 9
if [ -L "$1" ] || [ -f "$1" ]; then exec tar -cf - "$1"; fi
if [ -d "$1" ]; then echo folder; exec ls -A "$1"; fi
"""
_FOLDER = b"folder\n"


class DebugPodTree(Record, frozen=False, eq=False):
    """The files, links and folders that a debug pod has shown, by their paths."""

    kubectl: Kubectl
    pod: str
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, set[str]] = field(default_factory=dict)
    #: Paths that were fetched with all below them, and folders whose names are complete.
    _known: set[str] = field(default_factory=set)
    _listed: set[str] = field(default_factory=set)

    @property
    def is_this_machine(self) -> bool:
        """False: what it trusts is in its own files."""
        return False

    def link(self, path: str) -> str:
        """Return the target of a link. Raises FileNotFoundError for a path that the node does not have."""
        self._ensure(path)
        if path in self.links:
            return self.links[path]
        if path in self.files or path in self.folders:
            return ""
        raise _missing()

    def content(self, path: str, limit: int) -> bytes:
        """Return the content of a file."""
        self._ensure(path)
        if path not in self.files:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) if path in self.folders else _missing()
        return self.files[path][: limit + 1]

    def names(self, path: str, limit: int) -> list[str]:
        """Return the names in a folder."""
        self._ensure(path)
        is_complete = path in self._listed or any(path == k or path.startswith(f"{k}/") for k in self._known)
        if path in self.folders and not is_complete:
            self._look(path)
        if path not in self.folders:
            raise _missing()
        return sorted(self.folders[path])[: limit + 1]

    def fetch(self, paths: tuple[str, ...]) -> None:
        """Fetch ``paths``, relative to the root, with all that is below. Raises :class:`KubectlError`."""
        archive = self.kubectl.run("exec", self.pod, "--", "sh", "-c", _FETCH, "sh", *paths, seconds=120)
        self._known.update(f"/{path}" for path in paths)
        if archive:
            self._read(archive)

    def _ensure(self, path: str) -> None:
        """Look at a path of which nothing is known yet."""
        parent, name = posixpath.split(path)
        is_seen = path in self.folders or path in self.files or path in self.links
        is_missing = parent in self._listed and name not in self.folders[parent]
        if is_seen or is_missing or any(path == known or path.startswith(f"{known}/") for known in self._known):
            return
        self._look(path)

    def _look(self, path: str) -> None:
        output = self.kubectl.run("exec", self.pod, "--", "sh", "-c", _LOOK, "sh", path.lstrip("/") or ".")
        if output.startswith(_FOLDER):
            names = output[len(_FOLDER) :].decode("utf-8", "surrogateescape").splitlines()
            self.folders.setdefault(path, set()).update(names)
            self._listed.add(path)
        elif output:
            self._read(output)
        else:
            self._known.add(path)

    def _read(self, archive: bytes) -> None:
        most = limits.value("node-folder-entries")
        try:
            with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
                for number, member in enumerate(tar):
                    if number > most:
                        raise NodeFileError(
                            tr("this folder has more than {most:,} entries", most=most),
                            where=self.pod,
                            hint=limits.hint("node-folder-entries"),
                        )
                    self._add(tar, member)
        except tarfile.TarError as error:
            raise NodeFileError(tr("the debug pod sent no archive ({error})", error=error), where=self.pod) from error

    def _add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = posixpath.normpath(f"/{member.name}")
        parts = path.strip("/").split("/")
        for depth in range(len(parts)):
            above = "/" + "/".join(parts[:depth])
            self.folders.setdefault(above, set()).add(parts[depth])
        if member.issym():
            self.links[path] = member.linkname
        elif member.isdir():
            self.folders.setdefault(path, set())
        elif member.isreg() and (stream := tar.extractfile(member)) is not None:
            self.files[path] = stream.read(limits.value("node-file-bytes") + 1)
        elif member.islnk():
            self.files[path] = self.files.get(posixpath.normpath(f"/{member.linkname}"), b"")


@contextlib.contextmanager
def files_of_node(kubectl: Kubectl, node: str, image: str) -> Iterator[NodeFiles]:
    """Yield the files of ``node``, read through a pod of ``image``, which is deleted at the end.

    Raises :class:`KubectlError` if the pod does not start, or ``image`` lacks ``sh``, ``sleep`` or ``tar``.
    """
    pod = _start(kubectl, node, image)
    try:
        _wait(kubectl, pod, image)
        tree = DebugPodTree(kubectl, pod)
        try:
            tree.fetch(_USUAL)
        except KubectlError as error:
            error.hint = tr("the image of the debug pod needs sh, sleep and tar, and to run as root: --image busybox")
            raise
        yield NodeFiles(tree, f"{node}:")
    finally:
        kubectl.run("delete", "pod", pod, "--wait=false", "--grace-period=1", "--ignore-not-found")


def _start(kubectl: Kubectl, node: str, image: str) -> str:
    """Create the debug pod and return its name."""
    words = ["debug", f"node/{node}", f"--image={image}", "--profile=general", "--quiet=false"]
    command = ["--", "sh", "-c", "sleep 600"]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as custom:
        json.dump({"securityContext": {"runAsUser": 0}}, custom)
        custom.flush()
        try:
            printed = kubectl.run(*words, f"--custom={custom.name}", *command)
        except KubectlError as error:
            if "unknown flag" not in error.what:
                raise
            printed = kubectl.run(*words, *command)  # before Kubernetes 1.31
    found = _POD.search(printed)
    if found is None:
        raise KubectlError(tr("kubectl debug did not say which pod it has made"), where=node)
    return found[0].decode().rstrip(".")


def _wait(kubectl: Kubectl, pod: str, image: str) -> None:
    seconds = limits.value("node-pod-time")
    try:
        wait = ("wait", "--for=condition=Ready", f"pod/{pod}", f"--timeout={seconds}s")
        kubectl.run(*wait, seconds=seconds + 30)
    except KubectlError as error:
        trouble = trouble_of(kubectl.get(f"pod/{pod}"))
        raise ResourceError(
            tr("the debug pod of {image} does not start: {reason}", image=image, reason=trouble or error.what),
            where=pod,
            hint=tr("--image takes an image that the node has or can pull, with sh, sleep and tar"),
        ) from error


def _missing() -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
