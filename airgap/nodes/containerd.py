# SPDX-License-Identifier: Apache-2.0
"""containerd and nerdctl: ``certs.d/HOST/hosts.toml`` and ``config_path`` (containerd docs/hosts.md).

containerd asks a mirror for an image's whole original path. It can add a prefix to that path (``override_path``) but
not remove a part of it. An image that lost path elements at the target therefore cannot be mirrored, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from airgap.errors import OutputError, TargetError
from airgap.i18n import tr
from airgap.nodes import toml
from airgap.nodes.model import Create, MirroredRegistry, NodeFile, NodeSetup, PullEndpoint, replace_with

CERTS_FOLDER = "/etc/containerd/certs.d"
CONFIG_FILE = "/etc/containerd/config.toml"
#: The table with the registry settings, by the version of containerd's configuration.
REGISTRY_TABLES = {
    1: ("plugins", "cri", "registry"),
    2: ("plugins", "io.containerd.grpc.v1.cri", "registry"),
    3: ("plugins", "io.containerd.cri.v1.images", "registry"),
}
#: The name of the certificate beside hosts.toml. hosts.toml names it relatively, so that the folder can be copied.
_CA_FILE = "ca.crt"
_PULL_AND_PUSH, _PULL = ("pull", "resolve", "push"), ("pull", "resolve")
#: Keys that say how to connect. Those that an earlier run set and this one does not are removed.
_CONNECTION_KEYS = {("ca",), ("skip_verify",), ("override_path",)}
_NOTES = (
    tr(
        'containerd must look there: config_path = "{certs_folder}" in {config_file} (containerd-1.x.toml and '
        "containerd-2.x.toml beside the files show where); on a node itself, --root / sets it",
        certs_folder=CERTS_FOLDER,
        config_file=CONFIG_FILE,
    ),
    tr("nerdctl reads the same folder; without root it is ~/.config/containerd/certs.d"),
)
_MIRROR_NOTE = tr(
    "under its original name an image is pulled without the target's pull secret: let nodes read anonymously"
)


def setup(endpoint: PullEndpoint, mirrors: Sequence[MirroredRegistry], runtime: str = "containerd") -> NodeSetup:
    """Return a hosts.toml for the target and one for each mirrored registry, and the ``config_path`` setting.

    Raises :class:`TargetError` if the target changed the path of an image by more than a prefix.
    """
    files = [*_host_files(endpoint.address, _target_settings(endpoint), endpoint)]
    for mirror in mirrors:
        files += _host_files(mirror.registry, _mirror_settings(endpoint, mirror), endpoint)
    config = NodeFile(CONFIG_FILE, with_config_path(b""), with_config_path, Create.ON_NODE)
    snippets = {
        f"containerd-{name}.toml": toml.format_document(
            {(): {"version": version}, REGISTRY_TABLES[version]: {"config_path": CERTS_FOLDER}}
        )
        for version, name in ((2, "1.x"), (3, "2.x"))
    }
    return NodeSetup(
        (*files, config),
        tr(
            "hosts.toml counts from the next pull on, without a restart; if config_path was changed: "
            "systemctl restart containerd (running containers go on)"
        ),
        {name: text.encode() for name, text in snippets.items()},
        (*_NOTES, _MIRROR_NOTE) if mirrors else _NOTES,
    )


def with_config_path(config: bytes) -> bytes:
    """Return containerd's configuration with ``CERTS_FOLDER`` added to its ``config_path``.

    Raises :class:`OutputError` for a configuration with which containerd's image service would then fail to start.
    """
    text = config.decode("utf-8", "surrogateescape")
    statements = list(toml.statements(text))
    if not statements:
        text, version = f"{text}version = 2\n", 2  # both containerd 1.x and 2.x read version 2
    else:
        version = _config_version(statements)
    table = REGISTRY_TABLES[version]
    _refuse_old_settings(statements, table)
    path = (*table, "config_path")
    value = next((statement.value for statement in statements if statement.path == path), '""')
    config_path = toml.parse_string(value)
    if config_path is None:
        raise OutputError(tr("its config_path is {value}, which is no text", value=value), where=CONFIG_FILE)
    folders = [folder for folder in config_path.split(":") if folder]
    if CERTS_FOLDER in folders:
        return config
    settings: toml.Settings = {table: {"config_path": ":".join([*folders, CERTS_FOLDER])}}
    return toml.set_keys(text, settings).encode("utf-8", "surrogateescape")


def _config_version(statements: Sequence[toml.Statement]) -> int:
    value = next((statement.value for statement in statements if statement.path == ("version",)), "1")
    version = int(value) if value.isdecimal() else 0
    if version not in REGISTRY_TABLES:
        raise OutputError(
            tr(
                "its version is {value}, and airgap knows {versions}",
                value=value,
                versions=", ".join(map(str, REGISTRY_TABLES)),
            ),
            where=CONFIG_FILE,
            hint=tr(
                'set config_path = "{certs_folder}" under its registry settings by hand', certs_folder=CERTS_FOLDER
            ),
        )
    return version


def _refuse_old_settings(statements: Sequence[toml.Statement], table: toml.Path) -> None:
    """Raise :class:`OutputError` for ``registry.mirrors`` and ``registry.configs.*.tls``.

    containerd does not accept them together with ``config_path``: the node would no longer be ready.
    """
    depth = len(table)
    for statement in statements:
        if statement.path[:depth] != table or len(statement.path) < depth + 2:
            continue
        kind, rest = statement.path[depth], statement.path[depth + 1 :]
        if kind == "mirrors" or (kind == "configs" and "tls" in rest[1:]):
            raise OutputError(
                tr(
                    "{config_file} has registry.{kind}.{rest!r}, with which containerd takes no config_path",
                    config_file=CONFIG_FILE,
                    kind=kind,
                    rest=rest[0],
                ),
                where=CONFIG_FILE,
                hint=tr("move what it says into certs.d/HOST/hosts.toml and remove it, then run this again"),
            )


def _target_settings(endpoint: PullEndpoint) -> toml.Settings:
    """The hosts.toml of the target itself."""
    trust = _trust_keys(endpoint)
    host = {"capabilities": _PULL_AND_PUSH, **trust}
    # containerd asks ``server`` after the host has failed. With HTTPS it needs the same trust to fail the same way.
    server_keys = {} if endpoint.plain_http else trust
    return {(): {"server": endpoint.url, **server_keys}, ("host", endpoint.url): host}


def _mirror_settings(endpoint: PullEndpoint, mirror: MirroredRegistry) -> toml.Settings:
    """The hosts.toml of an original registry.

    ``server`` is the target too. With the original registry there, containerd would ask that one last, and its
    connection error is what the user of a closed network would see.
    """
    prefix = mirror.prefix
    if prefix is None:
        source, target = mirror.example
        raise TargetError(
            tr(
                "containerd cannot pull {registry}/{source} from {address}/{target}: it asks a mirror for "
                "the whole original path, and can put something before it but take nothing away",
                registry=mirror.registry,
                source=source,
                address=endpoint.address,
                target=target,
            ),
            hint=tr(
                "import with --mapping path or full, or leave --from out and let nodes pull by the rewritten names; "
                "podman, crio, k3s and rke2 can follow"
            ),
        )
    url = f"{endpoint.url}/v2/{prefix}" if prefix else endpoint.url
    keys: dict[str, toml.Value] = {"capabilities": _PULL, **_trust_keys(endpoint)}
    if prefix:
        keys["override_path"] = True
    return {(): {"server": url, **keys}, ("host", url): keys}


def _trust_keys(endpoint: PullEndpoint) -> dict[str, toml.Value]:
    if endpoint.unverified:
        return {"skip_verify": True}
    return {"ca": _CA_FILE} if endpoint.ca else {}


def _host_files(host: str, settings: toml.Settings, endpoint: PullEndpoint) -> Iterator[NodeFile]:
    """The files in ``certs.d/HOST``: hosts.toml, and the certificate if there is one."""
    if endpoint.ca:
        yield NodeFile(f"{CERTS_FOLDER}/{host}/{_CA_FILE}", endpoint.ca, replace_with(endpoint.ca))

    def merge(existing: bytes) -> bytes:
        text = toml.remove(existing.decode("utf-8", "surrogateescape"), _is_outdated(settings, endpoint.address))
        return toml.set_keys(text, settings).encode("utf-8", "surrogateescape")

    yield NodeFile(f"{CERTS_FOLDER}/{host}/hosts.toml", toml.format_document(settings).encode(), merge)


def _is_outdated(settings: toml.Settings, address: str) -> Callable[[toml.Statement], bool]:
    """A test for statements about ``address`` that an earlier run wrote and that ``settings`` no longer has.

    These are a host with another scheme or prefix, and connection keys. The important one is ``skip_verify``, once
    there is a certificate authority.
    """

    def is_outdated(statement: toml.Statement) -> bool:
        table = statement.table
        if table[:1] == ("host",) and len(table) > 1 and table[:2] not in settings:
            return urlsplit(table[1]).netloc == address
        if statement.key[:1] not in _CONNECTION_KEYS or table not in settings:
            return False
        return statement.key[0] not in settings[table]

    return is_outdated
