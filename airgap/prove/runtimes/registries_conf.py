# SPDX-License-Identifier: Apache-2.0
"""``registries.conf`` and ``registries.conf.d`` of podman and CRI-O (containers-registries.conf(5))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airgap.i18n import tr
from airgap.nodes.model import ROOT_HOME
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.records import Record

_HOME = f"{ROOT_HOME}/.config/containers"
_SYSTEM = "/etc/containers"
#: Where podman notes what a user has chosen for a short name.
_CHOSEN_ALIASES = "/var/cache/containers/short-name-aliases.conf"
ENFORCING, PERMISSIVE, DISABLED = "enforcing", "permissive", "disabled"
_PULLS = ("", "all", "digest-only", "tag-only")


class Location(Record):
    """A place to pull from: ``host[:port][/path]``. ``pulls`` is ``pull-from-mirror``."""

    location: str
    insecure: bool = False
    pulls: str = ""


class RegistryEntry(Record):
    """One ``[[registry]]``."""

    prefix: str
    primary: Location
    mirrors: tuple[Location, ...] = ()
    blocked: bool = False
    digest_only: bool = False


class RegistriesConf(Record):
    """All files together. ``search`` are the unqualified-search registries, ``origin`` the main file."""

    origin: str
    entries: Mapping[str, RegistryEntry]
    search: tuple[str, ...]
    aliases: Mapping[str, str]
    mode: str

    def entry_for(self, name: str) -> RegistryEntry | None:
        """Return the entry with the longest prefix that matches ``registry/repository``."""
        matching = [entry for entry in self.entries.values() if match_prefix(name, entry.prefix) >= 0]
        return max(matching, key=lambda entry: len(entry.prefix), default=None)


def match_prefix(name: str, prefix: str) -> int:
    """Return how many characters of ``name`` the prefix stands for, -1 if it does not match."""
    if prefix.startswith("*."):
        suffix = prefix[1:]
        index = name.find(suffix)
        if index < 0 or "/" in name[:index]:
            return -1
        end = index + len(suffix)
    elif name.startswith(prefix):
        end = len(prefix)
    else:
        return -1
    return end if end == len(name) or name[end] in ":/@" else -1


def load(files: NodeFiles) -> RegistriesConf:
    """Read the files of root in their order: a file in the home of root replaces that of the system.

    Raises :class:`NodeFileError` for one with which nothing can be pulled.
    """
    own = f"{_HOME}/registries.conf"
    main, folders = (own, [f"{_HOME}/registries.conf.d"]) if files.has(own) else (
        f"{_SYSTEM}/registries.conf", [f"{_SYSTEM}/registries.conf.d", f"{_HOME}/registries.conf.d"],
    )  # fmt: skip
    paths = [main]
    for folder in folders:
        paths += [f"{folder}/{name}" for name in files.names(folder) if name.endswith(".conf")]
    entries: dict[str, RegistryEntry] = {}
    aliases: dict[str, str] = {}
    search: tuple[str, ...] = ()
    mode = PERMISSIVE
    for path in paths:
        document = files.toml(path)
        if document is None:
            continue
        where = files.place(path)
        if isinstance(document.get("registries"), dict):
            document = _from_version_1(document["registries"])
        for item in _tables(document, "registry", where):
            entry = _entry(item, where)
            entries[entry.prefix] = entry
        if isinstance(document.get("unqualified-search-registries"), list):
            search = tuple(str(name).rstrip("/") for name in document["unqualified-search-registries"])
        if document.get("short-name-mode"):
            mode = str(document["short-name-mode"])
        aliases.update(_aliases(document))
    aliases.update(_aliases(files.toml(_CHOSEN_ALIASES) or {}))
    if mode not in (ENFORCING, PERMISSIVE, DISABLED):
        raise NodeFileError(tr("short-name-mode {mode!r} is unknown", mode=mode), where=files.place(main))
    _refuse_conflicts(list(entries.values()), files.place(main))
    return RegistriesConf(files.place(main), entries, search, aliases, mode)


def _entry(item: Mapping[str, Any], where: str) -> RegistryEntry:
    primary = _location(item, where)
    prefix = _trimmed(item.get("prefix"), where) or primary.location
    if not prefix or (not primary.location and not prefix.startswith("*.")):
        raise NodeFileError(tr("a [[registry]] has neither location nor prefix"), where=where)
    if primary.pulls:
        raise NodeFileError(tr("pull-from-mirror stands at {prefix}, which is no mirror", prefix=prefix), where=where)
    mirrors = tuple(_location(mirror, where) for mirror in _tables(item, "mirror", where))
    digest_only = item.get("mirror-by-digest-only") is True
    for mirror in mirrors:
        if not mirror.location or mirror.pulls not in _PULLS or (digest_only and mirror.pulls):
            raise NodeFileError(tr("a mirror of {prefix} is not valid", prefix=prefix), where=where)
    return RegistryEntry(prefix, primary, mirrors, item.get("blocked") is True, digest_only)


def _location(item: Mapping[str, Any], where: str) -> Location:
    pulls = str(item.get("pull-from-mirror") or "")
    return Location(_trimmed(item.get("location"), where), item.get("insecure") is True, pulls)


def _trimmed(value: Any, where: str) -> str:
    text = str(value or "").rstrip("/")
    if text.startswith(("http://", "https://")):
        raise NodeFileError(tr("the location {text} begins with a scheme", text=text[:200]), where=where)
    return text


def _refuse_conflicts(entries: Sequence[RegistryEntry], where: str) -> None:
    """Raise for one location that is both insecure and not, or blocked and not: nothing is pulled then."""
    known: dict[str, RegistryEntry] = {}
    for entry in entries:
        location = entry.primary.location or entry.prefix
        first = known.setdefault(location, entry)
        if (first.primary.insecure, first.blocked) != (entry.primary.insecure, entry.blocked):
            raise NodeFileError(tr("{location} has two settings that contradict", location=location), where=where)


def _from_version_1(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file in the old format as those of the new one."""

    def names(key: str) -> list[str]:
        table = tables.get(key)
        found = table.get("registries") if isinstance(table, dict) else None
        return [str(name).rstrip("/") for name in found] if isinstance(found, list) else []

    insecure, blocked = names("insecure"), names("block")
    registries = [
        {"location": name, "insecure": name in insecure, "blocked": name in blocked}
        for name in dict.fromkeys((*insecure, *blocked))
    ]
    return {"registry": registries, "unqualified-search-registries": names("search")}


def _tables(document: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value = document.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise NodeFileError(tr("{key} is no array of tables", key=key), where=where)
    return value


def _aliases(document: Mapping[str, Any]) -> dict[str, str]:
    table = document.get("aliases")
    return {str(k): str(v) for k, v in table.items()} if isinstance(table, dict) else {}
