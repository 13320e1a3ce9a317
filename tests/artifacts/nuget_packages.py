# SPDX-License-Identifier: Apache-2.0
"""Small NuGet packages, a source of the V3 API that has them, and what a client asks of one to restore a package."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence

import httpx

from tests.doubles.registry import Answer, Double, Request

#: The files of packages by id and version, as they are written.
Packages = dict[tuple[str, str], bytes]
#: A dependency: an id and a range of versions.
Needs = Sequence[tuple[str, str]]


def package(
    name: str, version: str, groups: Mapping[str, Needs] | None = None, *, flat: Needs = (), value: str = "",
    nuspec: str = "",
) -> Packages:  # fmt: skip
    """A package. ``groups`` are dependencies by target framework, ``flat`` those of the old form without."""

    def inner(needs: Needs) -> str:
        return "".join(f'<dependency id="{one}" version="{versions}" exclude="Build" />' for one, versions in needs)

    text = "".join(
        f'<group targetFramework="{framework}">{inner(needs)}</group>'
        if framework
        else f"<group>{inner(needs)}</group>"
        for framework, needs in (groups or {}).items()
    )
    text = nuspec or (
        '\ufeff<?xml version="1.0" encoding="utf-8"?>\n'
        '<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"><metadata>'
        f"<id>{name}</id><version>{version}</version><authors>Demo</authors><description>A &amp; B</description>"
        f"<dependencies>{text}{inner(flat)}</dependencies></metadata></package>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"lib/netstandard2.0/{name}.dll"), f"{name} {version} {value}")
        archive.writestr(zipfile.ZipInfo(f"{name}.nuspec"), text)
    return {(name, version): buffer.getvalue()}


@contextlib.contextmanager
def source(
    packages: Packages, *, nuspecs: bool = True, hashes: bool = True, lie: bytes = b"", authorization: str = "",
    resources: Mapping[str, str] | None = None, api_key: str = "",
) -> Iterator[Double]:  # fmt: skip
    """A source below ``/feed``, read while it runs. Its registrations are compressed, as those of 3.6.0 are; ``lie`` is
    the content whose hash they tell. A PUT to ``/feed/push`` adds a package, with the ``api_key``."""

    def answer(request: Request) -> Answer:
        if authorization and request.authorization != authorization:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="nuget"'})
        path = request.path.partition("?")[0]
        if request.method == "PUT" and path == "/feed/push":
            return _push(request, packages, api_key)
        base = f"{server.url}/feed"
        if path == "/feed/v3/index.json":
            named = resources if resources is not None else {
                "PackageBaseAddress/3.0.0": f"{base}/flat/", "RegistrationsBaseUrl/3.6.0": f"{base}/registration/",
                "PackagePublish/2.0.0": f"{base}/push",
            }  # fmt: skip
            return _json(
                {"version": "3.0.0", "resources": [{"@id": url, "@type": kind} for kind, url in named.items()]}
            )
        by_path = {(name.lower(), version.lower()): data for (name, version), data in packages.items()}
        words = path.removeprefix("/feed/").split("/")
        if words[0] == "flat" and words[2:] == ["index.json"]:
            versions = [version for name, version in by_path if name == words[1]]
            return _json({"versions": versions}) if versions else Answer(404)
        key = (words[1], words[2].removesuffix(".json")) if len(words) > 2 else ("", "")
        if key not in by_path:
            return Answer(404)
        if words[0] == "flat" and words[3] == f"{key[0]}.{key[1]}.nupkg":
            return Answer(200, by_path[key])
        if words[0] == "flat" and words[3] == f"{key[0]}.nuspec" and nuspecs:
            return Answer(200, nuspec_of(by_path[key]))
        if words[0] == "registration" and hashes:
            return _json({"catalogEntry": f"{base}/catalog/{key[0]}/{key[1]}.json"}, packed=True)
        if words[0] == "catalog" and hashes:
            digest = base64.b64encode(hashlib.sha512(lie or by_path[key]).digest()).decode()
            return _json({"packageHash": digest, "packageHashAlgorithm": "SHA512"})
        return Answer(404)

    server = Double(answer)
    try:
        yield server
    finally:
        server.stop()


def _push(request: Request, packages: Packages, api_key: str) -> Answer:
    if request.headers.get("X-NuGet-ApiKey", "") != api_key:
        return Answer(403)
    match = re.search(rb"\r\n\r\n(PK.*)\r\n--", request.read(), re.DOTALL)
    assert match is not None
    text = nuspec_of(match[1]).decode()
    key = (_value(text, "id"), _value(text, "version"))
    if key in packages:
        return Answer(409)
    packages[key] = match[1]
    return Answer(201)


def _json(document: object, *, packed: bool = False) -> Answer:
    content = json.dumps(document).encode()
    if packed:
        return Answer(200, gzip.compress(content), {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    return Answer(200, content, {"Content-Type": "application/json"})


def nuspec_of(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".nuspec")))


def _value(text: str, name: str) -> str:
    match = re.search(rf"<{name}>(.*?)</{name}>", text)
    assert match is not None
    return match[1]


def restore(index: str, name: str, version: str) -> dict[str, str]:
    """Ask as NuGet does: the service index, the versions, the package, and the same for what its nuspec names."""
    restored: dict[str, str] = {}
    with httpx.Client() as client:

        def get(url: str) -> httpx.Response:
            response = client.get(url)
            assert response.status_code == 200, url
            return response

        resources = {entry["@type"]: entry["@id"] for entry in get(index).json()["resources"]}
        base = resources["PackageBaseAddress/3.0.0"].rstrip("/")
        wanted = [(name, version)]
        while wanted:
            package_id, bound = wanted.pop()
            lower = package_id.lower()
            versions = get(f"{base}/{lower}/index.json").json()["versions"]
            lowest = min((one for one in versions if _order(one) >= _order(bound)), key=_order)
            text = nuspec_of(get(f"{base}/{lower}/{lowest}/{lower}.{lowest}.nupkg").content).decode("utf-8-sig")
            assert (_value(text, "id").lower(), _value(text, "version")) == (lower, lowest)
            restored[_value(text, "id")] = lowest
            wanted += re.findall(r'<dependency id="([^"]+)" version="([^"]+)"', text)
    return restored


def _order(text: str) -> list[int]:
    """The numbers of a version, or of the lower bound of a range; those of these tests need no more."""
    return [int(number) for number in re.findall(r"\d+", text.partition(",")[0])] + [0] * (4 - text.count("."))
