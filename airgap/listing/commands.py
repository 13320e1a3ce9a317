# SPDX-License-Identifier: Apache-2.0
"""The lines that fetch an image or a file from the server, by client.

``{host}`` stands for the address of the server as the browser has it (HOST:PORT) and ``{url}`` for the same with its
scheme; the page fills them in. ``{plain …}`` is shown only if the page itself came by plain HTTP.
"""

from __future__ import annotations

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.apt.names import INDEXES
from airgap.artifacts.web import quote_path
from airgap.formatting import quoted

Line = tuple[str, str]
"""The client, and the line for its user's shell."""


def image_lines(repository: str, identifier: str) -> tuple[Line, ...]:
    """Return the lines for an image of the registry. ``identifier`` is a tag or a digest."""
    name = f"{{host}}/{repository}{'@' if ':' in identifier else ':'}{identifier}"
    file = f"{repository.rpartition('/')[2]}.tar"
    return (
        ("docker", f"docker pull {name}"),
        ("podman", f"podman pull {{plain --tls-verify=false}} {name}"),
        ("nerdctl", f"nerdctl pull {{plain --insecure-registry}} {name}"),
        ("ctr", f"ctr -n k8s.io images pull {{plain --plain-http}} {name}"),
        ("skopeo", f"skopeo copy {{plain --src-tls-verify=false}} docker://{name} oci-archive:{file}"),
    )


def artifact_lines(artifact: Artifact, path: str) -> tuple[Line, ...]:
    """Return the lines for a file of another format; ``path`` is where the server has it."""
    name, version = quoted(artifact.name), quoted(artifact.version)
    curl = ("curl", f"curl -fO {{url}}/{quote_path(path)}")
    if artifact.format == "pypi":
        install = (
            f"pip install --index-url {{url}}/pypi/simple/ {{plain --trusted-host {{hostname}}}} {name}=={version}"
        )
        return ("pip", install), curl
    if artifact.format == "npm":
        return ("npm", f"npm install --registry {{url}}/npm/ {quoted(f'{artifact.name}@{artifact.version}')}"), curl
    if artifact.format == "helm":
        add = "helm repo add airgap {url}/helm"
        return ("helm", f"{add} && helm pull airgap/{name} --version {version}"), curl
    if artifact.format == "nuget":
        source = "{url}/nuget/v3/index.json"
        return ("dotnet", f"dotnet add package {name} --version {version} --source {source}"), curl
    if artifact.format == "apt":
        suite = artifact.properties.get(INDEXES, "").partition("/")[0]
        source = f"echo 'deb [trusted=yes] {{url}}/apt {suite} main' > /etc/apt/sources.list.d/airgap.list"
        install = f"apt-get update && apt-get install {quoted(f'{artifact.name}={artifact.version}')}"
        return ("apt", f"{source} && {install}"), curl
    return (curl,)
