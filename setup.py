# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: with a C compiler, a wheel has the encoders of ``airgap/recode`` and is one for this
platform and every Python; without, it is one for every platform. An editable installation uses what ``make setup`` has
compiled in the tree.
"""

import functools
import importlib.util
import os
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
INSIDE = "airgap/recode/native/librecode.so"


@functools.cache
def library() -> bytes | None:
    """The compiled encoders, or ``None`` without a compiler, or where ``AIRGAP_PURE_WHEEL`` asks for none."""
    if os.environ.get("AIRGAP_PURE_WHEEL"):
        return None
    spec = importlib.util.spec_from_file_location("native", ROOT / "tools" / "native.py")
    assert spec
    assert spec.loader
    native = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(native)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "librecode.so"
        try:
            native.compile_library(target)
        except native.NoCompiler as error:
            print(f"without the encoders for recoded bundles: {error}")
            return None
        return target.read_bytes()


class BuildPy(build_py):
    """Puts the library beside the modules."""

    def run(self) -> None:
        super().run()
        compiled = None if self.editable_mode else library()
        if compiled is not None:
            target = Path(self.build_lib) / INSIDE
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(compiled)
            target.chmod(0o644)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        own = [] if self.editable_mode or library() is None else [str(Path(self.build_lib) / INSIDE)]
        return [*super().get_outputs(include_bytecode), *own]


class Wheel(bdist_wheel):
    """Knows nothing of Python's ABI."""

    def finalize_options(self) -> None:
        # Other commands ask it for metadata alone.
        if "bdist_wheel" in self.distribution.commands and library() is not None:
            self.distribution.has_ext_modules = lambda: True
        super().finalize_options()

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(cmdclass={"build_py": BuildPy, "bdist_wheel": Wheel})
