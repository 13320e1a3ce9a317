# SPDX-License-Identifier: Apache-2.0
"""containerd, and with it nerdctl: ``certs.d/HOST/hosts.toml`` (containerd docs/hosts.md) and its ``config_path``.

containerd asks a host for an image's whole original path. It can put something before that path (``override_path``)
and never take something away: images that lost path elements cannot be mirrored here, and that is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from airgap.errors import OutputError, TargetError
from airgap.nodes import toml
from airgap.nodes.model import Endpoint, Moved, NodeFile, Setup, replaced

CERTS = "/etc/containerd/certs.d"
CONFIG = "/etc/containerd/config.toml"
#: Where each version of containerd's configuration has its registry settings.
TABLES = {
    1: ("plugins", "cri", "registry"),
    2: ("plugins", "io.containerd.grpc.v1.cri", "registry"),
    3: ("plugins", "io.containerd.cri.v1.images", "registry"),
}
#: Beside hosts.toml in each folder, so that a folder can be copied anywhere: paths there are relative to it.
_CA = "ca.crt"
_EVERYTHING, _READ = ("pull", "resolve", "push"), ("pull", "resolve")
#: Keys that decide how a host is reached: what an earlier run left of them must not outlive this one.
_OURS = {("ca",), ("skip_verify",), ("override_path",)}
_NOTES = (
    f'containerd must look there: config_path = "{CERTS}" in {CONFIG} (containerd-1.x.toml and containerd-2.x.toml '
    "beside the files show where); on a node itself, --root / sets it",
    "nerdctl reads the same folder; without root it is ~/.config/containerd/certs.d",
)
_MIRRORED = "under its original name an image is pulled without the target's pull secret: let nodes read anonymously"


def setup(endpoint: Endpoint, moved: Sequence[Moved], runtime: str = "containerd") -> Setup:
    """Raises :class:`TargetError` where an image's path changed on the way."""
    files = [*_folder(endpoint.address, _own(endpoint), endpoint)]
    for one in moved:
        files += _folder(one.registry, _mirror(endpoint, one), endpoint)
    config = NodeFile(CONFIG, configured(b""), configured, node_only=True)
    snippets = {
        f"containerd-{name}.toml": toml.document({(): {"version": version}, TABLES[version]: {"config_path": CERTS}})
        for version, name in ((2, "1.x"), (3, "2.x"))
    }
    return Setup(
        (*files, config),
        "hosts.toml counts from the next pull on, without a restart; if config_path was changed: "
        "systemctl restart containerd (running containers go on)",
        {name: text.encode() for name, text in snippets.items()},
        (*_NOTES, _MIRRORED) if moved else _NOTES,
    )


def configured(there: bytes) -> bytes:
    """containerd's configuration with ``config_path`` in it. Raises :class:`OutputError` for one that would keep
    containerd's image service from starting then."""
    text = there.decode("utf-8", "surrogateescape")
    found = list(toml.statements(text))
    if not found:
        text, version = f"{text}version = 2\n", 2  # read by 1.x and 2.x alike
    else:
        version = _version(found)
    table = TABLES[version]
    _refuse_old_settings(found, table)
    stated = next((one.value for one in found if one.path == (*table, "config_path")), '""')
    paths = toml.string(stated)
    if paths is None:
        raise OutputError(f"its config_path is {stated}, which is no text", where=CONFIG)
    folders = [folder for folder in paths.split(":") if folder]
    if CERTS in folders:
        return there
    return toml.merged(text, {table: {"config_path": ":".join([*folders, CERTS])}}).encode("utf-8", "surrogateescape")


def _version(found: Sequence[toml.Statement]) -> int:
    stated = next((one.value for one in found if one.path == ("version",)), "1")
    version = int(stated) if stated.isdecimal() else 0
    if version not in TABLES:
        raise OutputError(
            f"its version is {stated}, and airgap knows {', '.join(map(str, TABLES))}",
            where=CONFIG,
            hint=f'set config_path = "{CERTS}" under its registry settings by hand',
        )
    return version


def _refuse_old_settings(found: Sequence[toml.Statement], table: toml.Path) -> None:
    """With ``config_path``, containerd refuses ``registry.mirrors`` and ``registry.configs.*.tls``, and the node with
    it stops being ready."""
    deep = len(table)
    for one in found:
        if one.path[:deep] != table or len(one.path) < deep + 2:
            continue
        kind, rest = one.path[deep], one.path[deep + 1 :]
        if kind == "mirrors" or (kind == "configs" and "tls" in rest[1:]):
            raise OutputError(
                f"{CONFIG} has registry.{kind}.{rest[0]!r}, with which containerd takes no config_path",
                where=CONFIG,
                hint="move what it says into certs.d/HOST/hosts.toml and remove it, then run this again",
            )


def _own(endpoint: Endpoint) -> toml.Settings:
    trust = _trust(endpoint)
    host = {"capabilities": _EVERYTHING, **trust}
    # The root is asked when the host has failed; where it is HTTPS, it needs the same trust to fail the same way.
    root = {} if endpoint.plain_http else trust
    return {(): {"server": endpoint.url, **root}, ("host", endpoint.url): host}


def _mirror(endpoint: Endpoint, moved: Moved) -> toml.Settings:
    """``server`` is the target again: else the original registry would be asked last, and what cannot be reached in a
    closed network would be the failure that people see."""
    prefix = moved.prefix
    if prefix is None:
        source, target = moved.example
        raise TargetError(
            f"containerd cannot pull {moved.registry}/{source} from {endpoint.address}/{target}: it asks a mirror for "
            "the whole original path, and can put something before it but take nothing away",
            hint="import with --mapping path or full, or leave --from out and let nodes pull by the rewritten names; "
            "podman, crio, k3s and rke2 can follow",
        )
    url = f"{endpoint.url}/v2/{prefix}" if prefix else endpoint.url
    keys: dict[str, toml.Value] = {"capabilities": _READ, **_trust(endpoint)}
    if prefix:
        keys["override_path"] = True
    return {(): {"server": url, **keys}, ("host", url): keys}


def _trust(endpoint: Endpoint) -> dict[str, toml.Value]:
    if endpoint.unverified:
        return {"skip_verify": True}
    return {"ca": _CA} if endpoint.ca else {}


def _outdated(settings: toml.Settings, address: str) -> Callable[[toml.Statement], bool]:
    """What an earlier run said of this registry and this one does not: an old scheme or prefix, and above all
    ``skip_verify`` where there is a certificate authority now."""

    def outdated(one: toml.Statement) -> bool:
        if one.table[:1] == ("host",) and len(one.table) > 1 and one.table[:2] not in settings:
            return urlsplit(one.table[1]).netloc == address
        return one.key[:1] in _OURS and one.table in settings and one.key[0] not in settings[one.table]

    return outdated


def _folder(host: str, settings: toml.Settings, endpoint: Endpoint) -> Iterator[NodeFile]:
    if endpoint.ca:
        yield NodeFile(f"{CERTS}/{host}/{_CA}", endpoint.ca, replaced(endpoint.ca))

    def merge(there: bytes) -> bytes:
        text = toml.without(there.decode("utf-8", "surrogateescape"), _outdated(settings, endpoint.address))
        return toml.merged(text, settings).encode("utf-8", "surrogateescape")

    yield NodeFile(f"{CERTS}/{host}/hosts.toml", toml.document(settings).encode(), merge)
