# SPDX-License-Identifier: Apache-2.0
"""Runs apt-get in a folder of its own: no package installed, no setting, cache or source of the machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from airgap.artifacts.formats.apt.control import format_paragraph, parse_paragraphs
from airgap.artifacts.workspace import ResolverFailed, Workspace
from airgap.errors import ContentError, UsageError
from airgap.i18n import tr
from airgap.records import Record

#: apt's own folders lie below the folder in which it is run, so no path needs quoting.
_SETTINGS = """\
Dir "./";
Dir::State "state";
Dir::State::status "status";
Dir::Cache "cache";
Dir::Log "log";
Dir::Etc "etc";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Default-Release "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::http::Proxy "DIRECT";
Debug::NoLocking "true";
Dpkg::Use-Pty "false";
"""
_FOLDERS = (
    "state/lists/partial", "cache/archives/partial", "log", "etc/apt.conf.d", "etc/preferences.d",
    "etc/sources.list.d", "etc/trusted.gpg.d", "etc/auth.conf.d",
)  # fmt: skip
_CHOSEN = re.compile(r"^Inst ([^\s:]+)(?::\S+)? (?:\[[^\]\n]*\] )?\((\S+) ", re.MULTILINE)
#: Packages in one command line.
_AT_ONCE = 500


class Chosen(Record):
    """A package that apt-get would install: ``path`` is its file's below the mirror, ``digest`` is the sha256."""

    name: str
    version: str
    architecture: str
    path: str
    digest: str
    size: int


class AptFolder:
    """``folder`` is made anew. ``mirror`` has ``dists/``; ``keyring`` verifies it, ``None`` trusts it."""

    def __init__(self, folder: Path, workspace: Workspace, architecture: str, *, where: str) -> None:
        self._folder = folder
        self._workspace = workspace
        self._where = where
        shutil.rmtree(folder, ignore_errors=True)
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        (folder / "apt.conf").write_text(_SETTINGS.format(architecture=architecture))

    def read_indexes(self, mirror: Path, suite: str, components: Sequence[str], keyring: Path | None) -> None:
        """Let apt-get verify and read the suite of a mirror on this machine. Raises :class:`ResolverFailed`."""
        trust = {"Trusted": "yes"}
        if keyring is not None:
            # A copy, since the path of a key cannot be quoted.
            copied = f"key{'.asc' if _is_armoured(keyring) else '.gpg'}"
            shutil.copyfile(keyring, self._folder / copied)
            trust = {"Signed-By": str(self._folder / copied)}
            if re.search(r"[\s,]", str(self._folder)):
                shutil.copyfile(keyring, self._folder / "etc/trusted.gpg.d" / copied)
                trust = {}
        source = {"Types": "deb", "URIs": f"file:{quote(str(mirror))}", "Suites": suite,
                  "Components": " ".join(components), **trust}  # fmt: skip
        (self._folder / "etc/sources.list.d/mirror.sources").write_text(format_paragraph(source))
        try:
            self._run("apt-get", "--quiet", "update")
        except ResolverFailed as error:
            raise _explained(error) from error

    def resolve(self, packages: Sequence[str]) -> list[Chosen]:
        """Return everything that an empty system needs to install ``packages``, without what is only recommended.

        Raises :class:`UsageError` for a package that the suite does not have, and :class:`ResolverFailed`.
        """
        try:
            told = self._run("apt-get", "--simulate", "--yes", "install", "--", *packages)
        except ResolverFailed as error:
            raise _explained(error) from error
        chosen = _CHOSEN.findall(told)
        entries: dict[tuple[str, str], Chosen] = {}
        known: set[str] = set()
        for start in range(0, len(chosen), _AT_ONCE):
            words = [f"{name}={version}" for name, version in chosen[start : start + _AT_ONCE]]
            for fields in parse_paragraphs(self._run("apt-cache", "show", "--", *words)):
                entry = _entry(fields, self._where)
                entries.setdefault((entry.name, entry.version), entry)
                known |= {entry.name, *re.findall(r"(?:^|,)\s*([^\s,(]+)", fields.get("Provides", ""))}
        # What is no package's name, apt-get takes for a pattern.
        for package in packages:
            if package.partition("=")[0] not in known:
                raise UsageError(
                    tr("the suite has no package {name}", name=package), where=self._where, hint=_check_names()
                )
        return [entries[key] for key in chosen]

    def _run(self, program: str, *arguments: str) -> str:
        environment = {"APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C", "LANGUAGE": ""}
        output = self._workspace.run(
            [program, *arguments], where=self._where, environment=environment, folder=self._folder
        )
        return output.decode("utf-8", "replace")


def _entry(fields: Mapping[str, str], where: str) -> Chosen:
    name, digest, size = fields.get("Package", ""), fields.get("SHA256", "").lower(), fields.get("Size", "")
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or not size.isdecimal() or not fields.get("Filename"):
        raise ContentError(tr("the index of the mirror has no file and SHA256 of {name}", name=name), where=where)
    path = fields["Filename"].removeprefix("./")
    return Chosen(name, fields.get("Version", ""), fields.get("Architecture", ""), path, digest, int(size))


def _is_armoured(keyring: Path) -> bool:
    with keyring.open("rb") as file:
        return file.read(11) == b"-----BEGIN "


def _check_names() -> str:
    return tr("check its name and components:; apt-cache madison NAME shows the versions of a package")


def _explained(error: ResolverFailed) -> ResolverFailed:
    said = error.output
    if "Unable to locate package" in said or "has no installation candidate" in said or "was not found" in said:
        error.hint = _check_names()
    elif "NO_PUBKEY" in said or "not signed" in said or "Missing key" in said or "couldn't be verified" in said:
        error.hint = tr(
            "keyring: names the file with the mirror's public key (Debian's is in the package debian-archive-keyring); "
            'trusted: "yes" takes a mirror of your own without a signature'
        )
    elif "expired" in said or "not valid yet" in said:
        error.hint = tr("its Release file is too old or too new: update the mirror, or check this machine's clock")
    elif "unmet dependencies" in said:
        needed = [line for line in said.splitlines() if "Depends:" in line]
        error.what = tr("apt-get finds no set of packages that fits together: {needed}", needed="; ".join(needed)[:600])
        error.hint = tr("the suite alone has not all that they need: check components: and mirror:")
    else:
        error.hint = tr("check mirror: and suites:")
    return error
