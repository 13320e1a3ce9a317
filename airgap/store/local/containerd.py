# SPDX-License-Identifier: Apache-2.0
"""The images of a containerd, read by its own ``ctr``: what a node holds keeps its digests.

A node pulls one platform of an index, so children of an index may be missing. A containerd may also have dropped
compressed layers after unpacking them (``discard_unpacked_layers``); such an image is not held as a whole.
"""

from __future__ import annotations

import shutil
import subprocess

from airgap import child_program, limits
from airgap.errors import ContentError, ContentMissing, UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.local.base import LocalImages, full_reference
from airgap.store.protocols import Reader

#: The namespace of a kubelet's images.
DEFAULT_NAMESPACE = "k8s.io"
_TIMEOUT_SECONDS = 300
_SKIP = 1 << 20


class Containerd(LocalImages):
    """The images in ``namespace`` of the containerd at ``socket``; "" is ctr's own default.

    Raises :class:`UsageError` if ``ctr`` is missing or refuses.
    """

    def __init__(self, label: str, socket: str = "", namespace: str = "") -> None:
        super().__init__(label)
        program = shutil.which("ctr")
        if program is None:
            raise UsageError(
                tr("ctr is not on the PATH to read from containerd"), where=label, hint=tr("it comes with containerd")
            )
        self._command = [program, *(["--address", socket] if socket else [])]
        self._command += ["--namespace", namespace or DEFAULT_NAMESPACE]
        self._digests = frozenset(self._run("content", "ls", "--quiet").split())
        self._sizes: dict[str, int] = {}
        # Columns: REF TYPE DIGEST SIZE PLATFORMS LABELS. The size has a blank in it.
        rows = [line.split() for line in self._run("images", "ls").splitlines()[1:]]
        self._roots = {row[0]: (row[1], row[2]) for row in rows if len(row) > 2 and digests.is_digest(row[2])}
        for name, (media_type, digest) in self._roots.items():
            reference = full_reference(name)
            size = self._manifest_size(digest) if reference and "/" in name else None
            if size is not None:
                self.named[reference] = Descriptor(media_type, digest, size)

    def size_of(self, digest: str) -> int | None:
        """Return the size of a manifest in bytes, or ``None`` if it is not here. Reads it."""
        return self._manifest_size(digest)

    def exists(self, descriptor: Descriptor, /) -> bool:
        """Whether the content is here."""
        return descriptor.digest in self._digests

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Open content at a byte offset; raise :class:`ContentMissing` if it is not here."""
        if descriptor.digest not in self._digests:
            raise ContentMissing(tr("{digest} is not there", digest=descriptor.digest), where=self.label)
        try:
            process = subprocess.Popen(
                [*self._command, "content", "get", descriptor.digest],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            raise ContentError(
                tr("ctr cannot be run: {strerror}", strerror=error.strerror), where=self.label
            ) from error
        reader = _ProcessReader(process, f"{self.label}: {descriptor.digest}", descriptor.size)
        reader.skip(offset)
        return reader

    def _manifest_size(self, digest: str) -> int | None:
        if digest not in self._digests:
            return None
        if digest not in self._sizes:
            size, buffer = 0, memoryview(bytearray(_SKIP))
            limit = limits.value("manifest-bytes")
            reader = self.open(Descriptor("", digest, limit))
            try:
                while size <= limit and (count := reader.readinto(buffer)):
                    size += count
            finally:
                reader.close()
            self._sizes[digest] = size
        return self._sizes[digest]

    def _run(self, *arguments: str) -> str:
        try:
            completed = child_program.run(
                [*self._command, *arguments], most=limits.value("program-bytes"), seconds=_TIMEOUT_SECONDS
            )
        except child_program.TooMuchOutput as error:
            raise UsageError(
                tr("{program} prints more than {most:,} bytes", program="ctr", most=error.most),
                where=self.label,
                hint=limits.hint("program-bytes"),
            ) from None
        except (OSError, child_program.TooSlow) as error:
            raise UsageError(tr("ctr cannot be run: {error}", error=error), where=self.label) from error
        if completed.returncode:
            lines = completed.stderr.decode(errors="replace").strip().splitlines()
            raise UsageError(
                tr("ctr says: {said}", said=lines[-1] if lines else tr("exit code {code}", code=completed.returncode)),
                where=self.label,
                hint=tr("root reads it; another socket: containerd:/run/k3s/containerd/containerd.sock"),
            )
        return completed.stdout.decode(errors="replace")


class _ProcessReader:
    """The standard output of a program that prints ``size`` bytes."""

    def __init__(self, process: subprocess.Popen[bytes], where: str, size: int) -> None:
        self._process = process
        self._where = where
        self._left = size

    def skip(self, count: int) -> None:
        """Read and drop ``count`` bytes."""
        buffer = memoryview(bytearray(min(_SKIP, max(count, 1))))
        while count > 0 and (got := self.readinto(buffer[: min(count, len(buffer))])):
            count -= got

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` or a part of it; raise :class:`ContentError` if the program fails."""
        output = self._process.stdout
        assert output is not None
        count: int = output.readinto(buffer[: max(self._left, 0)]) if self._left > 0 else 0  # type: ignore[attr-defined]
        self._left -= count
        if count == 0 and self._left > 0 and self._process.wait() != 0:
            raise ContentError(tr("ctr could not read it"), where=self._where)
        return count

    def close(self) -> None:
        """End the program."""
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
