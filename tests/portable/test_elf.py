# SPDX-License-Identifier: Apache-2.0
"""What ELF files need, as binutils reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.parts.need import need
from tools.portable import elf


def test_as_readelf_says() -> None:
    readelf, programs = need("readelf", package="binutils"), [shutil.which("openssl"), shutil.which("bash")]
    libraries = [*Path("/usr/lib").glob("*-linux-gnu/libssl.so.3"), *Path("/usr/lib").glob("*-linux-gnu/libm.so.6")]
    paths = [Path(name) for name in programs if name] + libraries
    assert len(paths) >= 3
    for path in paths:
        content = path.read_bytes()
        assert elf.is_elf(content)
        said = subprocess.run([readelf, "-dlW", path], capture_output=True, text=True, check=True).stdout
        assert elf.needed(content) == re.findall(r"\(NEEDED\).*\[(.*)\]", said), path
        interpreter = re.search(r"program interpreter: (.*)\]", said)
        if path not in libraries:
            assert interpreter is not None
            assert elf.loader(content) == interpreter[1]


def test_scripts_are_none() -> None:
    assert not elf.is_elf(b"#!/bin/sh\n")
