# SPDX-License-Identifier: Apache-2.0
"""A disk that fails while the network works: 40 for a bundle that cannot be read, 42 for what cannot be written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import TRACEBACK, Airgap, Registry, pod, settings
from tests.parts import failing_disk
from tests.parts.certificates import Authority
from tests.parts.forking import prepared
from tests.parts.images import Images
from tests.parts.need import need

IMAGE = "quay.io/a/x:1"
MIB = 1024 * 1024

#: Loaded before the C library: bytes FAULT_FROM to FAULT_TO of the file FAULT_FILE cannot be read.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/* How many of count bytes at offset can be read before the fault; -1 where none can. */
static ssize_t before_fault(int fd, off_t offset, size_t count) {
    const char *file = getenv("FAULT_FILE");
    struct stat mine, theirs;
    if (!file || fstat(fd, &mine) || stat(file, &theirs) || mine.st_ino != theirs.st_ino) return count;
    off_t from = atoll(getenv("FAULT_FROM")), to = atoll(getenv("FAULT_TO"));
    if (offset >= to || offset + (off_t)count <= from) return count;
    if (offset >= from) { errno = EIO; return -1; }
    return from - offset;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pread64(int fd, void *buffer, size_t count, off_t offset) {
    REAL(pread64);
    ssize_t good = before_fault(fd, offset, count);
    return good < 0 ? -1 : real(fd, buffer, good, offset);
}

ssize_t preadv64v2(int fd, const struct iovec *pieces, int number, off_t offset, int flags) {
    REAL(preadv64v2);
    ssize_t good = before_fault(fd, offset, pieces[0].iov_len);
    if (good < 0) return -1;
    struct iovec first = {pieces[0].iov_base, good};
    return real(fd, number == 1 ? &first : pieces, number, offset, flags);
}

ssize_t preadv64(int fd, const struct iovec *pieces, int number, off_t offset) {
    return preadv64v2(fd, pieces, number, offset, 0);
}

ssize_t sendfile64(int out, int in, off_t *offset, size_t count) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real) real = (ssize_t (*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile64");
    ssize_t good = before_fault(in, *offset, count);
    return good < 0 ? -1 : real(out, in, offset, good);
}
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    command = [need("gcc"), "-shared", "-fPIC", "-D_FILE_OFFSET_BITS=64", "-o", "shim.so", "shim.c", "-ldl"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "shim.so"


@pytest.fixture
def ready(airgap: Airgap) -> Iterator[Airgap]:
    """A folder with ``b.tar``, which holds one image with one large layer, and the registry that it came from."""
    images = Images(91)
    with Registry() as registry:
        registry.fill(images, {IMAGE.removeprefix("quay.io/"): images.image(layers=1, size=12 * MIB)})
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        airgap.write("pod.yaml", pod(IMAGE))
        airgap.run("export", "pod.yaml", "-o", "b.tar")
        yield airgap


@pytest.fixture(params=["plain", "tls"])
def target(request: pytest.FixtureRequest, authority: Authority) -> Iterator[tuple[Registry, list[str]]]:
    """A registry, and how it is named."""
    pair = authority.good()
    tls = (pair.certificate, pair.key) if request.param == "tls" else None
    with Registry(tls=tls) as registry:
        yield registry, ["--to", f"{registry.url}/p", *(["--ca-file", str(authority.ca)] if tls else [])]


def test_a_bundle_that_cannot_be_read(ready: Airgap, target: tuple[Registry, list[str]], shim: Path) -> None:
    registry, to = target
    bundle, fault = ready.folder / "b.tar", 8 * MIB
    environment = {
        "LD_PRELOAD": str(shim), "FAULT_FILE": str(bundle), "FAULT_FROM": str(fault), "FAULT_TO": str(fault + 4096)
    }  # fmt: skip
    ready.fresh = True
    said = ready.fails(40, "import", bundle, *to, environment=environment)
    assert said.errors == [f"{bundle}: cannot read it at byte {fault:,}: Input/output error"]
    assert "trying again" not in said.stderr
    assert sum("POST" in request and "/uploads/" in request for request in registry.requests()) <= 2
    ready.run("import", bundle, *to)
    assert registry.names() == ["p/x:1"]


def limited(airgap: Airgap, *arguments: str | Path, **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run where no file may become larger than a MiB."""
    command = ["sh", "-c", 'ulimit -f 2048; exec "$@"', "sh", *airgap.command(*arguments)]
    return subprocess.run(  # type: ignore[call-overload,no-any-return] # passed on
        command, capture_output=True, cwd=airgap.folder, env=airgap.whole_environment(), timeout=60, check=False, **more
    )


def test_a_temporary_file_that_cannot_grow(ready: Airgap, target: tuple[Registry, list[str]]) -> None:
    """What passes through a pipe is kept for another attempt: this is no failure of the connection."""
    registry, to = target
    done = limited(ready, "import", "-", *to, input=(ready.folder / "b.tar").read_bytes())
    said = done.stderr.decode()
    assert done.returncode == 42, said
    assert "cannot be kept in a temporary file: File too large" in said
    assert "trying again" not in said
    assert not TRACEBACK.search(said)
    assert registry.names() == []


def test_a_bundle_that_cannot_grow(ready: Airgap) -> None:
    done = limited(ready, "export", "pod.yaml", "-o", "c.tar")
    said = done.stderr.decode()
    assert done.returncode == 42, said
    assert "cannot hold a file of this size" in said
    assert not (ready.folder / "c.tar").exists()


def test_standard_error_on_a_full_disk(ready: Airgap, target: tuple[Registry, list[str]]) -> None:
    """Nobody can be told, but the exit code says that it was no registry."""
    registry, to = target
    with open("/dev/full", "wb") as full:
        code = subprocess.run(
            ready.command("import", "b.tar", *to, "--progress", "json"),
            stderr=full, cwd=ready.folder, env=ready.whole_environment(), timeout=60, check=False,
        ).returncode  # fmt: skip
    assert code == 42
    assert registry.names() == []


def test_a_disk_that_is_full_after_the_push(ready: Airgap, tmp_path: Path) -> None:
    """Whatever call of writing the files fails, the hint says that the images are pushed already; and they are."""
    found = 0
    for count in range(1, 40):
        marker = tmp_path / f"broken-{count}"
        with Registry() as registry:
            arguments = ("import", "b.tar", "--to", f"{registry.url}/p", "--force", "--state", f"state-{count}")
            done = prepared().run(
                ["full", str(count), str(marker), *arguments],
                module=failing_disk.__name__,
                environment=ready.whole_environment(),
                folder=ready.folder,
            )
            pushed = registry.names()
        if not marker.exists():
            break
        if b"airgap-out" in done.stderr and done.returncode == 42 and pushed:
            found += 1
            assert b"the images are pushed already" in done.stderr, done.stderr
    assert found >= 2
