# SPDX-License-Identifier: Apache-2.0
"""The logins that the kubelet itself has on a node, beside those of pull secrets.

Kubernetes documents ``config.json`` in the kubelet's folder, in its working folder (``/``) and below ``/.docker``. The
home of root is used only where the kubelet's service sets HOME, so it is left out. Credential provider plugins are
programs of the node and are not run.
"""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import ContentError
from airgap.oci import Reference
from airgap.prove.model import Login
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.prove.pull_secrets import PullSecret, lookup, parse_entries
from airgap.records import replace

CONFIG_FILES = ("/var/lib/kubelet/config.json", "/config.json", "/.docker/config.json")


def kubelet_logins(files: NodeFiles, reference: Reference, paths: Sequence[str] = CONFIG_FILES) -> list[Login]:
    """Return the logins in the first of ``paths`` that exists. Raises :class:`NodeFileError` for a damaged file."""
    for path in paths:
        document = files.json(path)
        if document is not None:
            try:
                secret = PullSecret("", path, tuple(parse_entries(document, files.place(path))))
            except ContentError as error:
                raise NodeFileError(error.what, where=files.place(path)) from None
            return [replace(login, origin=files.place(path)) for login in lookup([secret], reference)]
    return []
