# SPDX-License-Identifier: Apache-2.0
"""Which certificates a node trusts: its system's, those that a file names, and those in a folder ``certs.d/HOST``."""

from __future__ import annotations

from airgap.i18n import tr
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.registry.http.connect import SYSTEM_BUNDLES, Trust

_CERTIFICATE, _KEY = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"


def system_roots(files: NodeFiles) -> str:
    """Return the certificates that the node's system trusts, as PEM.

    Empty on this machine, whose own are used then, and if the folder has none, as that of a few copied files.
    """
    if files.is_this_machine:
        return ""
    for path in SYSTEM_BUNDLES:
        content = files.read(path)
        if content and _CERTIFICATE in content:
            return content.decode("utf-8", "replace")
    return ""


def trusted_file(files: NodeFiles, path: str) -> str:
    """Return the certificates in a file that a configuration names. Raises :class:`NodeFileError` if there are none."""
    content = files.read(path)
    if content is None:
        raise NodeFileError(tr("there is no such file"), where=files.place(path))
    if _CERTIFICATE not in content:
        raise NodeFileError(tr("there is no certificate in PEM form in it"), where=files.place(path))
    return content.decode("utf-8", "replace")


def client_pair(files: NodeFiles, certificate: str, key: str) -> str:
    """Return a client certificate and its key as PEM; ``key`` is empty if one file holds both.

    Raises :class:`NodeFileError`.
    """
    text = trusted_file(files, certificate)
    if key:
        content = files.read(key)
        if content is None or _KEY not in content:
            raise NodeFileError(tr("there is no private key in it"), where=files.place(key))
        text += "\n" + content.decode("utf-8", "replace")
    return text


def certificate_folder(files: NodeFiles, folder: str, *, insecure: bool = False) -> Trust:
    """Return the trust of a folder as docker lays it out: ``*.crt`` are trusted, ``*.cert`` and ``*.key`` are shown.

    Raises :class:`NodeFileError`.
    """
    names = files.names(folder)
    extra = "".join(trusted_file(files, f"{folder}/{name}") + "\n" for name in names if name.endswith(".crt"))
    client = ""
    for name in names:
        if name.endswith(".cert"):
            key = f"{name[: -len('.cert')]}.key"
            client = client_pair(files, f"{folder}/{name}", f"{folder}/{key}" if key in names else "")
    return Trust(roots=system_roots(files), extra=extra, client=client, insecure=insecure)
