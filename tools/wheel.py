# SPDX-License-Identifier: Apache-2.0
"""``dist/airgap_oci-VERSION-py3-none-PLATFORM.whl`` where a C compiler is, else ``any``.

The same tree and compiler give the same bytes, wherever they are. The sources are copied aside with fixed modes first,
since a wheel keeps those, and a ``build/`` folder left in the tree would bring files back that are no longer there.
Nothing is fetched: the back end is the environment's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: The earliest moment that a zip entry can hold, so that the same tree gives the same bytes on any day.
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH") or 315532800)


def build(folder: Path, pure: bool) -> Path:
    """Build the wheel into ``folder`` and return its path. A ``pure`` one has no compiled part."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="airgap-wheel-") as scratch:
        source, made = Path(scratch) / "source", Path(scratch) / "wheel"
        shutil.copytree(
            ROOT / "airgap", source / "airgap", ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.so")
        )
        for name in ("pyproject.toml", "setup.py", "tools/native.py", "README.md", "LICENSE"):
            (source / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
        for path in source.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-index", "--no-build-isolation", "--no-cache-dir", "--wheel-dir", str(made), str(source)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "AIRGAP_PURE_WHEEL": "1" if pure else ""}
        subprocess.run(command, check=True, umask=0o022, env=environment)
        (wheel,) = made.glob("*.whl")
        return Path(shutil.move(wheel, folder / wheel.name))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--pure", action="store_true", help="without the compiled encoders")
    given = parser.parse_args()
    print(build(given.output, given.pure))
