# SPDX-License-Identifier: Apache-2.0
"""The limits on what comes from outside, in one table: from registries and what stands beside them, and from files.

``airgap.yaml`` (``limits:``) and the variable ``AIRGAP_LIMITS`` change them; the variable takes precedence. Like the
language they hold for the whole process, and are set before its work begins. ``tools/limits`` writes the table into
``docs/security.md``. The limits of ``airgap serve`` are in ``airgap/server/limits.py``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from airgap.errors import UsageError
from airgap.i18n import tr

#: Pairs ``NAME=NUMBER``, with commas or blanks between them.
VARIABLE = "AIRGAP_LIMITS"
_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3
_NUMBER = re.compile(r"([0-9]{1,15}) ?(KiB|MiB|GiB)?", re.ASCII)
_FACTORS = {None: 1, "KiB": _KIB, "MiB": _MIB, "GiB": _GIB}


class Limit(NamedTuple):
    """One limit: its name, default, unit, what it bounds, and what happens past it."""

    name: str
    value: int
    unit: str
    bounds: str
    past: str


#: What registries, token servers, REST APIs and credential helpers send.
NETWORK: tuple[Limit, ...] = (
    Limit("manifest-bytes", 4 * _MIB, "bytes", tr("a manifest or index"), tr("20; 30 for one in a file")),
    Limit("manifest-values", 131_072, "values", tr("the JSON values of a manifest"), "30"),
    Limit("config-bytes", 4 * _MIB, "bytes", tr("the config of an image"), "30"),
    Limit(
        "config-values",
        65_536,
        "values",
        tr("the JSON values of a config"),
        tr("the image counts as one without a platform"),
    ),
    Limit("list-page-bytes", 4 * _MIB, "bytes", tr("a page of a list (tags, catalog, referrers)"), "20"),
    Limit("list-page-values", 131_072, "values", tr("the JSON values of a page"), "20"),
    Limit("list-pages", 20_000, "pages", tr("the pages of a list"), "20"),
    Limit("list-entries", 150_000, "entries", tr("the entries of a list"), "20"),
    Limit("list-characters", 16 * _MIB, "characters", tr("the names in a list together"), "20"),
    Limit("list-time", 1800, "seconds", tr("the time for all pages of a list"), "20"),
    Limit("rest-bytes", 4 * _MIB, "bytes", tr("an answer of the API of Nexus or Harbor"), "20"),
    Limit("rest-values", 131_072, "values", tr("the JSON values of such an answer"), "20"),
    Limit("token-bytes", 64 * _KIB, "bytes", tr("the answer of a token server"), "20"),
    Limit("error-bytes", 64 * _KIB, "bytes", tr("the body of an error"), tr("the rest is not read")),
    Limit("helper-bytes", 64 * _KIB, "bytes", tr("the output of a credential helper"), "21"),
    Limit("header-bytes", 64 * _KIB, "bytes", tr("the headers of an answer, with those of interim ones"), "24"),
    Limit(
        "answer-time",
        18,
        "seconds",
        tr("a small answer, with the connection that it needs; 1 s more for each 64 KiB; lists from their first byte"),
        tr("it is asked for once more; after two such answers the registry is given up (24)"),
    ),
    Limit(
        "minimum-rate",
        1024,
        "bytes/s",
        tr("the transfer of a body in either direction, over rate-period"),
        tr("the transfer goes on over a new connection; the second time in a row it ends (24)"),
    ),
    Limit("rate-period", 30, "seconds", tr("the time over which minimum-rate is measured"), tr("see minimum-rate")),
    Limit("helper-time", 60, "seconds", tr("the time until a credential helper has answered"), "21"),
    Limit("plan-bytes", 16 * _MIB, "bytes", tr("the manifests of all images together, as they lie in memory"), "30"),
    Limit("plan-image-bytes", _MIB, "bytes", tr("what each image adds to plan-bytes"), tr("see plan-bytes")),
    Limit(
        "transfer-failures",
        20,
        "failures",
        tr("the failures of one transfer, or below one index"),
        tr("the rest is not tried, and listed as failed"),
    ),
    Limit(
        "download-bytes",
        32 * _MIB,
        "bytes",
        tr("a file that is read into memory: a resource file from an address, an index of artifacts"),
        "20",
    ),
    Limit("image-signatures", 100, "signatures", tr("the signatures of one image that verify_images: reads"), "43"),
    Limit("download-values", 1_048_576, "values", tr("the JSON values of an index of artifacts"), "30"),
)

#: What lies in files.
FILES: tuple[Limit, ...] = (
    Limit("resource-bytes", 16 * _MIB, "bytes", tr("a resource file, or standard input"), tr("10; 3 in a folder")),
    Limit(
        "resources-bytes", 256 * _MIB, "bytes", tr("all resource files of a command together"), tr("10; 3 in a folder")
    ),
    Limit(
        "resource-memory",
        32 * _MIB,
        "bytes",
        tr("what the scan of one resource file keeps: images, and values that may be images"),
        tr("10; 3 in a folder"),
    ),
    Limit(
        "resource-work",
        48 * _MIB,
        "steps",
        tr("the scan of one resource file: characters of documents inside values, 16 for each node of YAML"),
        tr("10; 3 in a folder"),
    ),
    Limit("project-bytes", _MIB, "bytes", "airgap.yaml", "2"),
    Limit("project-values", 32_768, "values", tr("the keys and values of airgap.yaml"), "2"),
    Limit(
        "node-settings-bytes",
        64 * _KIB,
        "bytes",
        tr("a settings file of a node that hosts changes"),
        "42",
    ),
    Limit("journal-bytes", 64 * _MIB, "bytes", tr("a journal of a command that was stopped"), "42"),
    Limit("json-depth", 32, "levels", tr("the nesting of JSON, also from the network"), tr("as for bytes")),
    Limit("document-bytes", 32 * _MIB, "bytes", tr("bundle.json, a receipt, a lock or release.json"), "40"),
    Limit("document-values", 1_500_000, "values", tr("the JSON values of such a document"), "40"),
    Limit("document-entry-bytes", _MIB, "bytes", tr("one entry of a list or object in it"), "40"),
    Limit("document-entry-values", 131_072, "values", tr("the JSON values of such an entry"), "40"),
    Limit("document-memory", 48 * _MIB, "bytes", tr("what is kept of such a document"), "40"),
    Limit(
        "recoded-layer-bytes",
        64 * _GIB,
        "bytes",
        tr("the uncompressed tar of a recoded layer, which is made again as a stream"),
        tr("40; at export the layer crosses whole"),
    ),
    Limit(
        "recoded-prefix-bytes",
        16 * _GIB,
        "bytes",
        tr("the uncompressed tar of an older layer, which lies on the disk while a layer is restored from it"),
        tr("40; at export the layer is recoded without it"),
    ),
    Limit("record-bytes", 8 * _MIB, "bytes", tr("a record of rewriting, .airgap-rewrite.log"), "10"),
    Limit("lockfile-bytes", 64 * _MIB, "bytes", tr("a lock file of npm or NuGet"), "2"),
    Limit("lockfile-values", 4_194_304, "values", tr("the JSON values of such a lock file"), "30"),
    Limit("index-bytes", 16 * _MIB, "bytes", tr("index.json of a bundle"), "30"),
    Limit("index-values", 400_000, "values", tr("the JSON values of index.json"), "30"),
    Limit("node-file-bytes", 4 * _MIB, "bytes", tr("a file of a node that prove reads"), "10"),
    Limit("kubectl-bytes", 64 * _MIB, "bytes", tr("what kubectl prints about a node"), "10"),
    Limit("cluster-bytes", 256 * _MIB, "bytes", tr("what kubectl prints about the objects of a cluster"), "10"),
    Limit(
        "program-bytes",
        16 * _MIB,
        "bytes",
        tr("what another program prints: helm, kustomize, ctr, rpm, openssl, apt-config"),
        tr("as where the program fails"),
    ),
    Limit(
        "resolver-bytes",
        64 * _MIB,
        "bytes",
        tr("what pip, npm, mvn, apt-get or helm prints while it resolves dependencies"),
        "10",
    ),
    Limit("needs-bytes", 32 * _MIB, "bytes", tr("the list that prove hands to nodes"), "10"),
    Limit("needs-values", 1_048_576, "values", tr("the JSON values of that list"), "10"),
    Limit("node-pod-time", 120, "seconds", tr("the time until a debug pod runs"), "10"),
    Limit(
        "nodes-time",
        900,
        "seconds",
        tr("the time until all nodes have answered"),
        tr("the others count as not ready (51)"),
    ),
    Limit("node-folder-entries", 10_000, "entries", tr("a folder of a node that prove reads"), "10"),
    Limit(
        "package-metadata-bytes",
        4 * _MIB,
        "bytes",
        tr("what a package says of itself: the control archive of a .deb, the .nuspec of a .nupkg"),
        "30",
    ),
    Limit("archive-entries", 2_000_000, "entries", tr("what a layer or another archive of a bundle has in it"), "44"),
    Limit("archive-bytes", 256 * _GIB, "bytes", tr("what it unpacks to, all archives in it together"), "44"),
    Limit("archive-ratio", 2000, "times", tr("the same by its own size, from 64 MiB on"), "44"),
    Limit("archive-name-bytes", 4096, "bytes", tr("a name in it"), "44"),
    Limit("archive-memory", 128 * _MIB, "bytes", tr("the window of a decompressor"), "44"),
    Limit("attached-bytes", 64 * _MIB, "bytes", tr("the documents that export --attach carries, together"), "2"),
    Limit("attached-files", 1000, "files", tr("how many these are"), "2"),
    Limit("kept-files", 10_000, "files", tr("the files of a folder that prune --keep names"), "2"),
    Limit("scan-result-bytes", 8 * _MIB, "bytes", tr("scan.json, the result of a scan"), "40"),
    Limit("scan-result-values", 262_144, "values", tr("its JSON values"), "40"),
    Limit("scan-depth", 16, "levels", tr("archives in each other that a scan unpacks"), "44"),
    Limit("scan-file-bytes", 4 * _GIB, "bytes", tr("a file that a scan gives to the engine"), "44"),
    Limit("scan-time", 600, "seconds", tr("the time until the engine has scanned a file"), "44"),
    Limit(
        "package-database-bytes",
        64 * _MIB,
        "bytes",
        tr("a database of installed packages in a layer"),
        tr("the dossier says that the layer cannot be read"),
    ),
    Limit("dossier-bytes", 64 * _MIB, "bytes", tr("the JSON document of a dossier that is approved"), "2"),
    Limit("dossier-values", 8_000_000, "values", tr("the JSON values of such a document"), "2"),
    Limit(
        "package-entries",
        100_000,
        "packages",
        tr("the packages of an image in the dossier"),
        tr("the rest is left out"),
    ),
    Limit(
        "rpm-time",
        60,
        "seconds",
        tr("the time until rpm has listed a database"),
        tr("the dossier says that rpm's packages are not known"),
    ),
    Limit("credentials-bytes", _MIB, "bytes", tr("docker's and helm's config.json and containers' auth.json"), "21"),
)

TABLE = (*NETWORK, *FILES)
_DEFAULTS = {limit.name: limit.value for limit in TABLE}
_from_project: dict[str, int] = {}
_from_environment: dict[str, int] = {}
_values = dict(_DEFAULTS)


def value(name: str) -> int:
    """Return the limit in force. Raises KeyError for a name that is not in the table."""
    return _values[name]


def has(name: str) -> bool:
    """Whether the table has a limit of this name."""
    return name in _values


def hint(name: str) -> str:
    """Return the hint of an error for what exceeds a limit: how to raise it."""
    return tr(
        "the limit {name} is {value:,}; for a source that you trust, {variable}={name}=NUMBER raises it",
        name=name,
        value=_values[name],
        variable=VARIABLE,
    )


def use_environment(environment: Mapping[str, str]) -> None:
    """Take the limits of ``AIRGAP_LIMITS``, and forget those of a project. Raises :class:`UsageError`."""
    changes = {}
    for setting in environment.get(VARIABLE, "").replace(",", " ").split():
        name, _, number = setting.partition("=")
        changes[name] = parse(name, number, where=VARIABLE)
    _from_project.clear()
    _replace(_from_environment, changes)


def use_project(changes: Mapping[str, int]) -> None:
    """Take the limits of ``airgap.yaml``, as :func:`parse` returns them, where ``AIRGAP_LIMITS`` has no others."""
    _replace(_from_project, changes)


def parse(name: str, number: str, *, where: str) -> int:
    """Return the value for the limit ``name``: digits, perhaps with KiB, MiB or GiB. Raises :class:`UsageError`."""
    if name not in _DEFAULTS:
        import difflib

        similar = difflib.get_close_matches(name, _DEFAULTS, 1)
        raise UsageError(
            tr("there is no limit {name!r}", name=name[:80]),
            where=where,
            hint=tr("did you mean {similar}?", similar=similar[0])
            if similar
            else tr("the limits are {names}", names=", ".join(_DEFAULTS)),
        )
    match = _NUMBER.fullmatch(number)
    result = int(match[1]) * _FACTORS[match[2]] if match else 0
    if not result:
        raise UsageError(
            tr("{number!r} is no value for the limit {name}", number=number[:80], name=name),
            where=where,
            hint=tr("write a number of 1 or more, such as {value}; KiB, MiB and GiB are known", value=_DEFAULTS[name]),
        )
    return result


@contextlib.contextmanager
def changed(changes: Mapping[str, int]) -> Iterator[None]:
    """Change limits for the block, in all threads. For programs that use this package, and for tests."""
    before = dict(_values)
    unknown = set(changes) - set(_DEFAULTS)
    if unknown:
        raise KeyError(*unknown)
    _values.update(changes)
    try:
        yield
    finally:
        _values.update(before)


def _replace(values: dict[str, int], changes: Mapping[str, int]) -> None:
    values.clear()
    values.update(changes)
    _values.update(_DEFAULTS)
    _values.update(_from_project)
    _values.update(_from_environment)
