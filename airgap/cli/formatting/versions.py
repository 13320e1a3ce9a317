# SPDX-License-Identifier: Apache-2.0
"""What ``airgap --version --verbose`` shows: whether a security update of something else concerns this airgap."""

from __future__ import annotations

import platform
import ssl
import sys
from importlib import metadata

from airgap import __version__
from airgap.bundle.portable import installed_packages
from airgap.cli.formatting.columns import display_width, left
from airgap.i18n import tr

#: The distributions that airgap runs with.
_DEPENDENCIES = ("click", "PyYAML", "rich", "cheroot", "zstandard")


def version_lines() -> list[str]:
    """The versions of airgap, Python, OpenSSL and the dependencies; in a portable folder those of all Debian packages
    that it was made of."""
    lines = [f"airgap {__version__}"]
    packages = installed_packages()
    lines.append(f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}")
    if packages is None:
        lines.append(tr("run by {program}", program=sys.executable))
        return [*lines, *(f"  {name} {_version_of(name)}" for name in _DEPENDENCIES)]
    lines.append(
        tr("portable, for {architecture}, of these Debian packages:", architecture=f"linux-{packages.architecture}")
    )
    width = max((display_width(one.name) for one in packages.packages), default=0)
    return [*lines, *(f"  {left(one.name, width)} {one.version}" for one in packages.packages)]


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return tr("not installed")
