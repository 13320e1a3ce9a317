# SPDX-License-Identifier: Apache-2.0
"""Set-ups of a node and a registry, generated from a seed: most of them with something wrong, some with more than one.

Each has an image, the node's files, what the registry holds, and a login. All is at one address that is no loopback's:
``PLAIN`` speaks HTTP and ``SECURE`` HTTPS, over the same content; nothing listens at ``DEAD``.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from airgap.oci import Descriptor
from tests.doubles.registry import Shelf
from tests.doubles.registry.shelf import asks_basic
from tests.parts.images import Images

ADDRESS = "172.25.0.84"
PLAIN, SECURE, DEAD = f"{ADDRESS}:30018", f"{ADDRESS}:30443", f"{ADDRESS}:30999"
USER, PASSWORD = "puller", "pw"
CERTS = "/etc/containerd/certs.d"
#: The architecture that the runtimes here pull for.
HERE, OTHER = "linux/amd64", "linux/arm64"


@dataclass
class Setup:
    """``image`` is as a pod names it; ``login`` is what a pull secret for its registry holds."""

    name: str
    image: str
    files: dict[str, str]
    shelf: Shelf
    login: tuple[str, str] | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Way:
    """How the node is told where to pull: the files, and how the image is called there and at the registry.

    ``registry`` begins the image's name; ``prefix`` is before its repository in the shelf."""

    name: str
    files: dict[str, str]
    registry: str = PLAIN
    prefix: str = ""
    repository: str = "team/web"
    #: Whether the image is named without its registry.
    short: bool = False
    #: The repository at the registry, where it is not the prefix and the image's own.
    at: str = ""


@dataclass
class Content:
    """What was made for a set-up: its index or manifest, and what to take away again."""

    images: Images
    root: Descriptor
    lost: list[str] = field(default_factory=list)


def _whole(images: Images) -> Content:
    return Content(images, images.two_platforms())


def _docker_list(images: Images) -> Content:
    return Content(images, images.two_platforms(docker=True))


def _single(images: Images) -> Content:
    return Content(images, images.image(HERE))


def _other_only(images: Images) -> Content:
    return Content(images, images.index([images.image(OTHER)]))


def _attested(images: Images) -> Content:
    return Content(images, images.two_platforms(attested=True))


def _of_child(images: Images, root: Descriptor, what: Callable[[list[Descriptor]], list[Descriptor]]) -> Content:
    child = next(d for d in images.needed(root) if d.platform and str(d.platform) == HERE)
    return Content(images, root, [lost.digest for lost in what([*images.needed(child)[:-1], child])])


def _lost_child(images: Images) -> Content:
    return _of_child(images, images.two_platforms(), lambda needed: needed[-1:])


def _lost_layer(images: Images) -> Content:
    return _of_child(images, images.two_platforms(), lambda needed: [d for d in needed if "layer" in d.media_type][:1])


def _lost_config(images: Images) -> Content:
    return _of_child(images, images.two_platforms(), lambda needed: [d for d in needed if "config" in d.media_type])


def _lost_other_child(images: Images) -> Content:
    root = images.two_platforms()
    other = next(d for d in images.needed(root) if d.platform and str(d.platform) == OTHER)
    return Content(images, root, [other.digest])


CONTENTS = [
    _whole, _docker_list, _single, _other_only, _attested, _lost_child, _lost_layer, _lost_config, _lost_other_child,
]  # fmt: skip
#: By which name the image is asked for: its tag, its digest, both, a tag or a digest that is not there.
NAMES = ["tag", "digest", "both", "tag", "no-tag", "no-digest"]
#: What the registry asks for, and what the pod has.
LOGINS = ["none", "none", "right", "wrong", "missing"]


#: Ways by which nothing is pulled, whatever the registry holds.
BROKEN = {
    "plain-untold", "plain-server-only", "mirror-no-override", "secure-untrusted", "secure-ca-missing", "pull-only",
    "not-toml", "wrong-scheme", "not-mirrored", "no-search", "contradiction", "blocked", "other-network",
    "secure-mirror-untrusted", "quay-is-not-mirrored",
}  # fmt: skip


def generated(ways: list[Way], seed: int, count: int) -> list[Setup]:
    """``count`` set-ups: each of ``ways`` with nothing else wrong, then those that work with whatever else comes."""
    chance = random.Random(seed)
    working = [way for way in ways if way.name not in BROKEN]
    setups = []
    for number in range(count):
        plain = number < len(ways)
        way = ways[number] if plain else chance.choice(working)
        make = _whole if plain else chance.choice(CONTENTS)
        content = make(Images(seed * 1000 + number))
        name = "tag" if plain else chance.choice(NAMES)
        login = "none" if plain else chance.choice(LOGINS)
        setups.append(_setup(f"{number:02}-{way.name}-{make.__name__.strip('_')}", way, content, name, login, number))
    return setups


def _setup(label: str, way: Way, content: Content, name: str, login: str, number: int) -> Setup:
    shelf = Shelf()
    shelf.put(way.at or f"{way.prefix}{way.repository}", content.images, v1=content.root)
    for digest in content.lost:
        for blobs in shelf.blobs.values():
            blobs.pop(digest, None)
        shelf.manifests = {key: value for key, value in shelf.manifests.items() if key[1] != digest}
    absent = "sha256:" + f"{number:02}" * 32
    text = {
        "tag": ":v1",
        "digest": f"@{content.root.digest}",
        "both": f":v1@{content.root.digest}",
        "no-tag": ":v9",
        "no-digest": f"@{absent}",
    }[name]
    if login != "none":
        shelf.guard = asks_basic(USER, PASSWORD)
    given = {"right": (USER, PASSWORD), "wrong": (USER, "other")}.get(login)
    image = f"{way.repository}{text}" if way.short else f"{way.registry}/{way.repository}{text}"
    return Setup(f"{label}-{name}-{login}", image, dict(way.files), shelf, given)


def hosts(registry: str, text: str) -> dict[str, str]:
    return {f"{CERTS}/{registry}/hosts.toml": text}


def containerd_ways(ca: str) -> list[Way]:
    both = '  capabilities = ["pull", "resolve"]\n'
    mirror = f'[host."http://{PLAIN}/v2/k8s"]\n{both}'
    first_dead = f'[host."http://{DEAD}"]\n{both}[host."http://{PLAIN}"]\n{both}'
    secure_with_ca = {
        **hosts(SECURE, f'[host."https://{SECURE}"]\n{both}  ca = "ca.crt"\n'),
        f"{CERTS}/{SECURE}/ca.crt": ca,
    }
    return [
        Way("plain-untold", {}),
        Way("plain-server-only", hosts(PLAIN, f'server = "http://{PLAIN}"\n')),
        Way("plain-told", hosts(PLAIN, f'[host."http://{PLAIN}"]\n{both}')),
        Way("mirror-no-override", hosts("quay.io", mirror), "quay.io", "k8s/"),
        Way("mirror-override", hosts("quay.io", f"{mirror}  override_path = true\n"), "quay.io", "k8s/"),
        Way("secure-untrusted", {}, SECURE),
        Way("secure-ca", secure_with_ca, SECURE),
        Way("secure-folder", {f"{CERTS}/{SECURE}/ca.crt": ca}, SECURE),
        Way("secure-skip", hosts(SECURE, f'[host."https://{SECURE}"]\n{both}  skip_verify = true\n'), SECURE),
        Way("secure-ca-missing", hosts(SECURE, f'[host."https://{SECURE}"]\n{both}  ca = "ca.crt"\n'), SECURE),
        Way("default", hosts("_default", f'[host."http://{PLAIN}"]\n{both}'), "registry.k8s.io"),
        Way("port-folder", hosts(f"{ADDRESS}_30018_", f'[host."http://{PLAIN}"]\n{both}')),
        Way("second-mirror", hosts("docker.io", first_dead), "docker.io"),
        Way("pull-only", hosts("quay.io", f'[host."http://{PLAIN}"]\n  capabilities = ["pull"]\n'), "quay.io"),
        Way("not-toml", hosts(PLAIN, "server = http://oops\n")),
        Way("fallback", hosts(PLAIN, f'[host."http://{PLAIN}"]\n{both}  skip_verify = true\n')),
        Way("wrong-scheme", hosts(SECURE, f'server = "http://{SECURE}"\n[host."http://{SECURE}"]\n{both}'), SECURE),
        Way("not-mirrored", hosts(PLAIN, f'[host."http://{PLAIN}"]\n{both}'), "quay.io"),
    ]


def conf(text: str) -> dict[str, str]:
    return {"/etc/containers/registries.conf": text}


def podman_ways(ca: str) -> list[Way]:
    def mirror(more: str = "", also: str = "") -> dict[str, str]:
        at = f'[[registry.mirror]]\nlocation = "{PLAIN}/k8s"\ninsecure = true\n'
        return conf(f'[[registry]]\nlocation = "quay.io"\n{more}{at}{also}')

    ca_file = {f"/etc/containers/certs.d/{SECURE}/ca.crt": ca}
    aliases = f'[aliases]\n"web" = "{PLAIN}/team/web"\n[[registry]]\nlocation = "{PLAIN}"\ninsecure = true\n'
    search = f'unqualified-search-registries = ["{DEAD}", "{PLAIN}"]\n' + "".join(
        f'[[registry]]\nlocation = "{at}"\ninsecure = true\n' for at in (PLAIN, DEAD)
    )
    prefixed = f'[[registry]]\nprefix = "corp.test/apps"\nlocation = "{PLAIN}/k8s"\ninsecure = true\n'
    return [
        Way("plain-untold", {}),
        Way("insecure", conf(f'[[registry]]\nlocation = "{PLAIN}"\ninsecure = true\n')),
        Way("secure-untrusted", {}, SECURE),
        Way("secure-ca", ca_file, SECURE),
        Way("secure-skip", conf(f'[[registry]]\nlocation = "{SECURE}"\ninsecure = true\n'), SECURE),
        Way("mirror", mirror(), "quay.io", "k8s/"),
        Way("mirror-digest-only", mirror("mirror-by-digest-only = true\n"), "quay.io",
            "k8s/"),
        Way("mirror-tag-only", mirror(also='pull-from-mirror = "tag-only"\n'), "quay.io",
            "k8s/"),
        Way("blocked", conf(f'[[registry]]\nlocation = "{PLAIN}"\ninsecure = true\nblocked = true\n')),
        Way("blocked-mirrored", mirror("blocked = true\n"), "quay.io", "k8s/"),
        Way("prefix", conf(prefixed), "corp.test", repository="apps/web", at="k8s/web"),
        Way("alias", conf(aliases), repository="web", prefix="team/", short=True),
        Way("search", {**conf(search), "/etc/containers/registries.conf.d/9.conf": "short-name-mode = 'disabled'\n"},
            repository="lib/web", short=True),
        Way("no-search", conf("unqualified-search-registries = []\n"), repository="lib/web", short=True),
        Way("contradiction", conf("".join(f'[[registry]]\nprefix = "{p}"\nlocation = "{PLAIN}"\ninsecure = {i}\n'
                                          for p, i in (("a.test", "true"), (PLAIN, "false"))))),
        Way("drop-in", {"/etc/containers/registries.conf.d/50.conf": f'[[registry]]\nlocation = "{PLAIN}"\n'
                        "insecure = true\n"}),
    ]  # fmt: skip


def daemon(**settings: object) -> dict[str, str]:
    return {"/etc/docker/daemon.json": json.dumps(settings)}


def docker_ways(ca: str) -> list[Way]:
    certificates = {f"/etc/docker/certs.d/{SECURE}/ca.crt": ca}
    mirrors = {"registry-mirrors": [f"http://{PLAIN}"]}
    return [
        Way("plain-untold", {}),
        Way("insecure", daemon(**{"insecure-registries": [PLAIN]})),
        Way("network", daemon(**{"insecure-registries": ["172.25.0.0/16"]})),
        Way("other-network", daemon(**{"insecure-registries": ["10.0.0.0/8"]})),
        Way("secure-untrusted", {}, SECURE),
        Way("secure-ca", certificates, SECURE),
        Way("secure-insecure", daemon(**{"insecure-registries": [SECURE]}), SECURE),
        Way("hub-mirror", daemon(**mirrors), "docker.io", repository="library/web"),
        Way("hub-mirror-short", daemon(**mirrors), "docker.io", prefix="library/", repository="web", short=True),
        Way("second-mirror", daemon(**{"registry-mirrors": [f"http://{DEAD}", f"http://{PLAIN}"]}), "docker.io",
            repository="team/web"),
        Way("secure-mirror-untrusted", daemon(**{"registry-mirrors": [f"https://{SECURE}"]}), "docker.io",
            repository="team/web"),
        Way("secure-mirror-ca", {**daemon(**{"registry-mirrors": [f"https://{SECURE}"]}), **certificates}, "docker.io",
            repository="team/web"),
        Way("quay-is-not-mirrored", daemon(**mirrors), "quay.io"),
    ]  # fmt: skip


def at_two_mirrors() -> Setup:
    """Two mirrors of quay.io: the first lacks a layer of the image."""
    shelf = Shelf()
    content = _lost_layer(Images(9))
    for prefix in ("part", "whole"):
        shelf.put(f"{prefix}/team/web", content.images, v1=content.root)
    for digest in content.lost:
        del shelf.blobs["part/team/web"][digest]
    told = "".join(
        f'[host."http://{PLAIN}/v2/{prefix}"]\n  capabilities = ["pull", "resolve"]\n  override_path = true\n'
        for prefix in ("part", "whole")
    )
    mirrors = "".join(
        f'[[registry.mirror]]\nlocation = "{PLAIN}/{prefix}"\ninsecure = true\n' for prefix in ("part", "whole")
    )
    files = {**hosts("quay.io", told), **conf(f'[[registry]]\nlocation = "quay.io"\n{mirrors}')}
    return Setup("at-two-mirrors", "quay.io/team/web:v1", files, shelf)


def auth_file(registry: str, login: tuple[str, str] | None) -> str:
    """An ``auth.json`` or ``config.json`` with one login."""
    if login is None:
        return json.dumps({"auths": {}})
    return json.dumps({"auths": {registry: {"auth": base64.b64encode(":".join(login).encode()).decode()}}})
