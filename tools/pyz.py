# SPDX-License-Identifier: Apache-2.0
"""``dist/airgap.pyz``, the file that ``airgap export --with-self`` carries, out of this environment."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from airgap.bundle.zipapp import build_zipapp

ROOT = Path(__file__).resolve().parent.parent


def build(target: Path) -> Path:
    """Write the file beside ``target`` and rename it there, so that a half-made one is never found."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    partial.write_bytes(build_zipapp())
    partial.chmod(0o755)
    os.replace(partial, target)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "airgap.pyz", metavar="FILE")
    print(build(parser.parse_args().output))
