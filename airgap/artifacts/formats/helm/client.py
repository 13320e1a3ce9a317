# SPDX-License-Identifier: Apache-2.0
"""helm's settings: each user's own list of repositories (helm's "helm repo add"), and the command that adds one."""

from __future__ import annotations

import re
from typing import Any

from airgap.errors import ContentError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.nodes.model import ROOT_HOME, Create, NodeFile, NodeSetup

_NAME = "airgap"
#: The list of root, who sets up machines.
_PATH = f"{ROOT_HOME}/.config/helm/repositories.yaml"


class HelmSettings:
    """The repository is called ``airgap``."""

    client = "helm"

    def setup(self, repository_url: str) -> NodeSetup:
        """Merge into root's list on a machine; else the command for each user."""
        command = " ".join(["helm", "repo", "add", _NAME, quoted(repository_url), "--force-update"])

        def merge(content: bytes) -> bytes:
            return _merged(content, repository_url)

        file = NodeFile(_PATH, merge(b""), merge, Create.ON_NODE)
        note = tr(
            "helm has a list of repositories for each user: --root changes root's, and helm repo update then reads the "
            "index; other users run the command"
        )
        return NodeSetup((file,), "", {"helm": f"{command}\n".encode()}, notes=(note,))


def _merged(old: bytes, url: str) -> bytes:
    """Set the address of the repository in a list, or add it as the first one. Other bytes are kept.

    Raises :class:`ContentError` for a file that is no such list.
    """
    try:
        text = old.decode()
    except UnicodeDecodeError as error:
        raise _no_list() from error
    pairs = [f"{key}: {value}" for key, value in {"name": _NAME, "url": _yaml(url)}.items()]
    item = "- {}\n  {}\n".format(*pairs)
    if not text.strip():
        return f'apiVersion: ""\ngenerated: "0001-01-01T00:00:00Z"\nrepositories:\n{item}'.encode()
    root = _compose(text)
    repositories = _values(root).get("repositories")
    if repositories is None:
        raise _no_list()
    known = [node for node in _items(repositories) if _values(node).get("name", node).value == _NAME]
    if known:
        place = _values(known[0]).get("url")
        if place is None:
            raise _no_list()
        return f"{text[: place.start_mark.index]}{_yaml(url)}{text[place.end_mark.index :]}".encode()
    start, end = repositories.start_mark.index, repositories.end_mark.index
    if not _items(repositories):
        # "[]" or "null", which helm writes where there are none.
        return f"{text[:start].rstrip()}\n{item.rstrip()}{text[end:] or chr(10)}".encode()
    if repositories.flow_style:
        return f"{text[: start + 1]}{{{', '.join(pairs)}}}, {text[start + 1 :]}".encode()
    margin = " " * repositories.start_mark.column
    lines = item.replace("\n  ", f"\n{margin}  ")
    return f"{text[:start]}{lines}{margin}{text[start:]}".encode()


def _compose(text: str) -> Any:
    import yaml

    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise _no_list() from error


def _values(node: Any) -> dict[str, Any]:
    """The nodes of a mapping by their keys; nothing of another node."""
    return {key.value: value for key, value in node.value} if getattr(node, "id", "") == "mapping" else {}


def _items(node: Any) -> list[Any]:
    return list(node.value) if node.id == "sequence" else []


def _yaml(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9:/._-]+", text) else "'" + text.replace("'", "''") + "'"


def _no_list() -> ContentError:
    return ContentError(tr("this is no list of helm's repositories"), where=_PATH, hint=tr("mend or remove it"))
