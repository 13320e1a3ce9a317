# SPDX-License-Identifier: Apache-2.0
"""``airgap/recode/native/librecode.so`` out of the C beside it, by whatever C compiler is here.

    python tools/native.py            # beside its sources, for this tree
    python tools/native.py --output FILE

``CC`` and ``CFLAGS`` choose the compiler and add options. Without a compiler it says so, and ends well: airgap works
without the library, but neither makes nor reads recoded bundles. The same sources and compiler give the same bytes,
wherever and whenever they are compiled.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "airgap" / "recode" / "native"
LIBRARY = ROOT / "airgap" / "recode" / "native" / "librecode.so"
#: The codecs need each operation on floats rounded by itself, so neither fused operations nor the x87.
OPTIONS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra")
WITHOUT_X87 = ("-msse2", "-mfpmath=sse")


class NoCompiler(Exception):
    """There is no C compiler, or it could not compile the sources."""


def compiler_for(architecture: str) -> list[str]:
    """The command of a compiler for an architecture, as ``uname -m`` calls it. Raises :class:`NoCompiler`."""
    if architecture != platform.machine():
        names = (f"{architecture}-linux-gnu-gcc",)
    elif chosen := shlex.split(os.environ.get("CC", "")):
        return chosen
    else:
        names = ("cc", "gcc", "clang")
    for name in names:
        if shutil.which(name):
            return [name]
    raise NoCompiler(f"no C compiler ({', '.join(names)}) is here")


def compile_library(
    target: Path, *options: str, compiler: Sequence[str] = (), strip: bool = True, sources: Path = SOURCES
) -> None:
    """Compile ``sources`` into ``target``. Raises :class:`NoCompiler`."""
    chosen = [*(compiler or compiler_for(platform.machine())), *OPTIONS]
    if platform.machine() in ("i386", "i486", "i586", "i686"):
        chosen += WITHOUT_X87
    chosen += [*options, *shlex.split(os.environ.get("CFLAGS", ""))]
    # Names without folders: the compiler writes them into what it makes.
    names = sorted(path.name for path in sources.glob("*.c"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="airgap-native-") as scratch:
        made = Path(scratch) / target.name
        command = [*chosen, *(["-s"] if strip else []), "-o", str(made), *names, "-lm"]
        try:
            done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
        except OSError as error:
            raise NoCompiler(f"{shlex.join(chosen)}: {error.strerror}") from error
        if done.returncode or done.stderr:
            raise NoCompiler(f"{shlex.join(chosen)} failed:\n{done.stderr[-3000:]}")
        partial = target.with_name(f"{target.name}.partial")
        shutil.copyfile(made, partial)
        partial.chmod(0o644)
        os.replace(partial, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=LIBRARY, metavar="FILE")
    try:
        compile_library(parser.parse_args().output)
    except NoCompiler as error:
        print(f"airgap set-up: {error}: recoded bundles are not available", file=sys.stderr)
