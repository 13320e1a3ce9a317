# SPDX-License-Identifier: Apache-2.0
"""``dist/airgap-oci_VERSION_all.deb``, by dpkg-buildpackage and debhelper, on Debian 13 or later.

    python tools/deb.py

The sources are copied aside with what the package holds besides them: manual pages, completion scripts, ``airgap.pyz``
for ``export --with-self``, and a changelog with the version and its date. The same tree gives the same bytes. One
package is for all architectures, so the compiled encoders of ``airgap/recode`` are not in it.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
from email.utils import format_datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import vendored  # noqa: E402 - found by the line before, as python tools/deb.py starts elsewhere

SHELLS = ("bash", "zsh", "fish")
COPIED = ("LICENSE", "CHANGELOG.md")


def build(output: Path) -> Path:
    """Build the package into ``output`` and return its path."""
    if shutil.which("dpkg-buildpackage") is None or shutil.which("dh") is None:
        raise SystemExit("needs Debian's dpkg-dev, debhelper and dh-python")
    os.umask(0o022)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="airgap-deb-") as scratch:
        version, released = release()
        source = Path(scratch) / f"airgap-oci-{version}"
        unused = shutil.ignore_patterns("__pycache__", "*.pyc", "*.po", "*.pot", "*.so", "*.c", "*.h")
        for name in ("airgap", "debian"):
            shutil.copytree(ROOT / name, source / name, ignore=unused)
        for name in COPIED:
            shutil.copyfile(ROOT / name, source / name)
        run("tools/man.py", "--output", str(source / "man"))
        run("tools/pyz.py", "--output", str(source / "airgap.pyz"))
        for name in vendored.VENDORED:
            for path, content in vendored.modules_of(name).items():
                target = source / "vendored" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        (source / "completions").mkdir()
        for shell in SHELLS:
            (source / "completions" / shell).write_text(run("-m", "airgap", "completion", shell), encoding="utf-8")
        (source / "debian/changelog").write_text(changelog(version, released), encoding="utf-8")
        command = ["dpkg-buildpackage", "--build=binary", "--no-sign"]
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"dpkg-buildpackage failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        (package,) = Path(scratch).glob("*.deb")
        return Path(shutil.move(package, output / package.name))


def release() -> tuple[str, datetime.datetime]:
    """The version of the tree, and the day on which CHANGELOG.md says that it was released."""
    code = (ROOT / "airgap/__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.*)"$', code, re.MULTILINE)
    assert version is not None
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## \[{re.escape(version[1])}\] - (\S+)$", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"CHANGELOG.md has no date for {version[1]}")
    return version[1], datetime.datetime.fromisoformat(found[1]).replace(tzinfo=datetime.timezone.utc)


def changelog(version: str, released: datetime.datetime) -> str:
    """``debian/changelog`` with one entry."""
    control = (ROOT / "debian/control").read_text(encoding="utf-8")
    maintainer = re.search(r"^Maintainer: (.*)$", control, re.MULTILINE)
    assert maintainer is not None
    lines = [f"airgap-oci ({version}) unstable; urgency=medium", ""]
    lines += ["  * What changed for users is in CHANGELOG.md.", ""]
    lines += [f" -- {maintainer[1]}  {format_datetime(released)}"]
    return "\n".join(lines) + "\n"


def run(*arguments: str) -> str:
    """Run this Python in the tree and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AIRGAP_LANG": "en"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    print(build(parser.parse_args().output.resolve()))
