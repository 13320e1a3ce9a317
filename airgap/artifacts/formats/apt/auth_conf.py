# SPDX-License-Identifier: Apache-2.0
"""Users and passwords as apt keeps them: ``auth.conf`` and the files of ``auth.conf.d`` (apt_auth.conf(5)).

Where they are is a setting of apt. Files that cannot be read are left out, as apt leaves them out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from airgap import child_program, limits
from airgap.artifacts.web import address_or_none
from airgap.records import Record
from airgap.registry import Credential

_MAX_FILE = 1024 * 1024
_SECONDS = 20


class _Machine(Record):
    """An entry: ``place`` is ``HOST[:PORT][/PATH]``; without a ``scheme`` it is for https alone."""

    scheme: str
    place: str
    credential: Credential


class AptCredentials:
    """Those of the ``mirrors``' own addresses, and of apt's files."""

    def __init__(self, environment: Mapping[str, str], mirrors: Sequence[str]) -> None:
        self._environment = environment
        self._own = {
            str(a): a.credential for url in mirrors if (a := address_or_none(url)) and a.credential is not None
        }

    def find(self, url: str) -> Credential | None:
        """Return the credential for an address: the first entry that it is in."""
        address = address_or_none(url)
        if address is None:
            return None
        if address.credential is not None:
            return address.credential
        for place, own in self._own.items():
            if _inside(str(address), place):
                return own
        scheme, _, rest = str(address).partition("://")
        return next(
            (m.credential for m in self._machines if scheme == (m.scheme or "https") and _inside(rest, m.place)), None
        )

    @cached_property
    def _machines(self) -> list[_Machine]:
        return [machine for path in self._files() for machine in _read(path)]

    def _files(self) -> list[Path]:
        command = ["apt-config", "shell", "FILE", "Dir::Etc::netrc/f", "FOLDER", "Dir::Etc::netrcparts/d"]
        try:
            done = child_program.run(
                command, most=limits.value("program-bytes"), seconds=_SECONDS, environment=self._environment
            )
            values = dict(word.partition("=")[::2] for word in shlex.split(done.stdout.decode()))
        except (OSError, child_program.TooSlow, child_program.TooMuchOutput, ValueError):
            return []
        if done.returncode:
            return []
        parts = Path(values.get("FOLDER") or "/nonexistent")
        try:
            more = sorted(path for path in parts.iterdir() if path.suffix in ("", ".conf"))
        except OSError:
            more = []
        return [Path(values.get("FILE") or "/nonexistent"), *more]


def _read(path: Path) -> Iterator[_Machine]:
    try:
        with path.open("rb") as file:
            lines = file.read(_MAX_FILE).decode("utf-8", "replace").splitlines()
    except OSError:
        return
    words = " ".join(line for line in lines if not line.lstrip().startswith("#")).split()
    values: dict[str, str] = {}
    for key, value in [*zip(words[::2], words[1::2], strict=False), ("machine", "")]:
        if key == "machine" and values.get("machine") and values.get("login"):
            scheme, separator, place = values["machine"].rpartition("://")
            credential = Credential(values["login"], values.get("password", ""))
            yield _Machine(scheme if separator else "", place.rstrip("/"), credential)
        values = {"machine": value} if key == "machine" else {**values, key: value}


def _inside(address: str, place: str) -> bool:
    """Whether an address is at a place or below it. A place with only a host is for every port, as apt has it."""
    if f"{address}/".startswith(f"{place}/"):
        return True
    host = address.partition("/")[0]
    return "/" not in place and ":" not in place and host.rpartition(":")[0] == place
