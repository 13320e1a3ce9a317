# SPDX-License-Identifier: Apache-2.0
"""The folder itself: which files of the packages go where, the byte code, the licences, the launcher.

airgap           the launcher, a script for any POSIX sh
packages.json    what the folder was made of
bin/             CPython
lib/             its libraries and their loader; lib/python3.X is the standard library
app/             airgap and its dependencies
licences/        the licence of each package
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from airgap.bundle.portable import LAUNCHER, PACKAGES, Package, PackageList
from tools import native, pyz, vendored
from tools.portable import elf
from tools.portable.packages import DebianPackage

ROOT = Path(__file__).resolve().parents[2]
#: What airgap imports of others, by where its paths in dist-packages begin. The packages that rich needs to show source
#: code and Markdown are left out, as in airgap.pyz.
DEPENDENCIES = {
    "python3-bcrypt": "bcrypt/",
    "python3-cffi-backend": "_cffi_backend.",
    "python3-cheroot": "cheroot/",
    "python3-click": "click/",
    "python3-cryptography": "cryptography/",
    "python3-jaraco.functools": "jaraco/",
    "python3-more-itertools": "more_itertools/",
    "python3-pyzstd": "pyzstd/",
    "python3-rich": "rich/",
    "python3-typing-extensions": "typing_extensions.py",
    "python3-yaml": "yaml/",
    "python3-zstandard": "zstandard/",
}
#: What airgap never imports of the standard library: other programs, tests, other databases, terminals, documentation.
UNUSED = {
    "__phello__", "_pyrepl", "curses", "dbm", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "test", "tkinter", "turtledemo", "unittest", "venv", "wsgiref", "xmlrpc",
    "_aix_support.py", "_ios_support.py", "_android_support.py", "_apple_support.py", "_osx_support.py",
    "antigravity.py", "cProfile.py", "doctest.py", "pdb.py", "profile.py", "pstats.py", "pydoc.py", "this.py",
    "turtle.py",
}  # fmt: skip
UNUSED_MODULES = re.compile(
    r"(_test\w*|_xx\w*|xx\w*|_ctypes_test|_curses\w*|_dbm|_gdbm|_lsprof|_tkinter|_uuid|readline)\."
)
#: Files of airgap that it does not read, and what is compiled anew for the folder's architecture.
UNUSED_SUFFIXES = (".pyc", ".po", ".pot", ".so", ".c", ".h")
#: What the C library loads by itself, when a thread ends in the middle of its work.
LOADED_BY_LIBC = ("libgcc_s.so.1",)
_LAUNCHER = """\
#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts airgap by the CPython and the libraries beside this file. Needs a POSIX sh and nothing else.
self=$0
while [ -h "$self" ]; do
  link=$(readlink "$self") || exit 127
  case $link in
    /*) self=$link ;;
    *) self=${self%/*}/$link ;;
  esac
done
case $self in
  */*) here=${self%/*} ;;
  *) here=. ;;
esac
loader=$here/lib/@LOADER@
# Some shells ask the file system here, and some notice in exec that it is mounted noexec.
trap 'echo "airgap: $loader cannot be executed: the folder is not complete, or is mounted noexec" >&2' EXIT
[ -x "$loader" ] || exit 126
# A library of this machine does not fit the C library beside this file.
unset LD_PRELOAD
exec "$loader" @ARGUMENTS@ "$@"
"""
_COMPILE = """
import pathlib, py_compile, sys
root = pathlib.Path(sys.argv[1])
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
for path in sorted(root.rglob("*.py")):
    name = str(path.relative_to(root))
    library = name.startswith("lib/")
    target = f"{path}c" if library else None
    py_compile.compile(str(path), target, name, doraise=True, invalidation_mode=unchecked)
    if library:
        path.unlink()
"""


def loader_arguments(here: str, python: str) -> list[str]:
    """How the loader in ``here`` starts airgap: without the machine's library cache, with the folder's libraries, by
    CPython without the user's settings and modules, and with UTF-8 whatever the locale is."""
    return [
        *("--inhibit-cache", "--library-path", f"{here}/lib", f"{here}/bin/{python}"),
        *("-I", "-S", "-X", "utf8", f"{here}/app"),
    ]


def launcher(loader: str, python: str) -> str:
    """The script that starts airgap; ``loader`` and ``python`` are file names."""
    arguments = " ".join(f'"{word}"' if "$" in word else word for word in loader_arguments("$here", python))
    return _LAUNCHER.replace("@LOADER@", loader).replace("@ARGUMENTS@", arguments)


class Folder:
    """The portable folder of one architecture, made of ``packages`` at ``path``."""

    def __init__(self, path: Path, architecture: str, packages: Iterable[DebianPackage]) -> None:
        self.path = path
        self.architecture = architecture
        self._by_path: dict[str, tuple[DebianPackage, bytes]] = {}
        self._links: dict[str, str] = {}
        for package in packages:
            self._by_path |= {name: (package, content) for name, content in package.files.items()}
            self._links |= package.links
        self.python = next(
            name.rpartition("/")[2] for name in self._by_path if re.fullmatch(r"usr/bin/python3\.\d+", name)
        )
        self._used: dict[str, DebianPackage] = {}
        self._elf: list[bytes] = []

    def fill(self) -> None:
        """Write all files but the byte code."""
        if self.path.exists():
            shutil.rmtree(self.path)
        self._write(f"bin/{self.python}", f"usr/bin/{self.python}", executable=True)
        for name in self._standard_library():
            self._write(f"lib/{name.removeprefix('usr/lib/')}", name)
        for package, start in DEPENDENCIES.items():
            self._write_dependency(package, f"usr/lib/python3/dist-packages/{start}")
        self._write_vendored()
        self._write_encoders()
        loader = self._write_libraries()
        self._write_airgap()
        self._write_licences()
        self._write_bytes(LAUNCHER, launcher(loader, self.python).encode(), executable=True)
        used = [Package(one.name, one.version, one.source) for _, one in sorted(self._used.items())]
        used += [Package(f"{name} (PyPI)", vendored.version_of(name), name) for name in vendored.VENDORED]
        self._write_bytes(PACKAGES, PackageList(self.architecture, tuple(used)).to_bytes())

    def loader(self) -> Path:
        """The loader of a folder that was filled."""
        (loader,) = (self.path / "lib").glob("ld-linux-*")
        return loader

    def compile(self, runner: Folder) -> None:
        """Compile all modules by the CPython of ``runner``, which may be of another architecture.

        The modules of the standard library stay as byte code alone. airgap and its dependencies keep their sources, for
        the post-renderer and for tracebacks.
        """
        runner.run_python("-c", _COMPILE, str(self.path))

    def run_python(self, *arguments: str) -> None:
        """Run this folder's CPython."""
        here = str(self.path)
        command = [str(self.loader()), "--inhibit-cache", "--library-path", f"{here}/lib", f"{here}/bin/{self.python}"]
        environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}
        for name in ("SOURCE_DATE_EPOCH",):
            environment |= {name: os.environ[name]} if name in os.environ else {}
        subprocess.run([*command, "-E", "-s", "-S", "-B", "-X", "utf8", *arguments], check=True, env=environment)

    def _standard_library(self) -> Iterator[str]:
        root = f"usr/lib/{self.python}/"
        for name in self._by_path:
            if not name.startswith(root):
                continue
            top, _, rest = name.removeprefix(root).partition("/")
            is_module = name.endswith(".py") or (top == "lib-dynload" and not UNUSED_MODULES.match(rest))
            if is_module and top not in UNUSED and not top.startswith("config-") and "/test/" not in name:
                yield name

    def _write_dependency(self, package: str, prefix: str) -> None:
        names = [
            name
            for name, (owner, _) in self._by_path.items()
            if owner.name == package and name.startswith(prefix) and name.endswith((".py", ".so"))
        ]
        if not names:
            raise SystemExit(f"{package} has no files in {prefix}")
        version = self.python.removeprefix("python3.")
        for name in names:
            # One package may hold extension modules for several versions of CPython.
            found = re.search(r"\.cpython-3(\d+)-", name)
            if "/test/" not in name and "/tests/" not in name and (found is None or found[1] == version):
                self._write(f"app/{name.removeprefix('usr/lib/python3/dist-packages/')}", name)

    def _write_libraries(self) -> str:
        """Write the libraries that the files need, and those that they need; return the loader's name."""
        loader = elf.loader(self._elf[0])
        loader_name = loader.rpartition("/")[2]
        done: set[str] = set()
        pending = [*LOADED_BY_LIBC, *(name for content in self._elf for name in elf.needed(content))]
        while pending:
            name = pending.pop()
            if name in done or name == loader_name:
                continue
            done.add(name)
            self._write(f"lib/{name}", self._library(name))
            pending += elf.needed(self._elf[-1])
        self._write(f"lib/{loader_name}", self._library(loader_name), executable=True)
        return loader_name

    def _library(self, name: str) -> str:
        triplet = f"{self.architecture}-linux-gnu"
        for folder in (f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib", "lib"):
            path = f"{folder}/{name}"
            while path in self._links:
                path = self._links[path]
            if path in self._by_path:
                return path
        raise SystemExit(f"no package has the library {name}")

    def _write_airgap(self) -> None:
        package = ROOT / "airgap"
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in UNUSED_SUFFIXES:
                self._write_bytes(f"app/{path.relative_to(ROOT)}", path.read_bytes())
        self._write_bytes("app/__main__.py", (package / "__main__.py").read_bytes())
        pyz.build(self.path / "app/airgap/airgap.pyz").chmod(0o644)
        self._write_bytes("licences/airgap", (ROOT / "LICENSE").read_bytes())

    def _write_encoders(self) -> None:
        compiled = self.path / "app" / native.LIBRARY.relative_to(ROOT)
        try:
            native.compile_library(compiled, compiler=native.compiler_for(self.architecture))
        except native.NoCompiler as error:
            print(f"without the encoders for recoded bundles: {error}")
        else:
            self._elf.append(compiled.read_bytes())

    def _write_vendored(self) -> None:
        for name in vendored.VENDORED:
            for path, content in vendored.modules_of(name).items():
                self._write_bytes(f"app/{path}", content)
            self._write_bytes(f"licences/{name}", vendored.licence_of(name))

    def _write_licences(self) -> None:
        for name in self._used:
            place = f"usr/share/doc/{name}"
            place = f"{self._links.get(place, place)}/copyright"
            self._write_bytes(f"licences/{name}", self._by_path[self._links.get(place, place)][1])
        for name, (package, content) in self._by_path.items():
            if package.name == "base-files" and name.startswith("usr/share/common-licenses/"):
                self._write_bytes(f"licences/common-licenses/{name.rpartition('/')[2]}", content)

    def _write(self, target: str, name: str, *, executable: bool = False) -> None:
        package, content = self._by_path[name]
        self._used[package.name] = package
        if elf.is_elf(content):
            self._elf.append(content)
        self._write_bytes(target, content, executable=executable)

    def _write_bytes(self, target: str, content: bytes, *, executable: bool = False) -> None:
        path = self.path / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o644)


def seeds() -> list[str]:
    """The packages to ask apt for."""
    return ["python3", "base-files", *DEPENDENCIES]


def versions(packages: Iterable[DebianPackage]) -> Mapping[str, str]:
    """Name and version of each package."""
    return {package.name: package.version for package in packages}
