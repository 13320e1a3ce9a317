# SPDX-License-Identifier: Apache-2.0
"""A repository's settings in Nexus, as its REST API returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airgap.records import Record


class RepositorySettings(Record):
    """The settings of one repository. ``None`` is what the API did not return to this user.

    ``type`` is ``hosted``, ``group`` or ``proxy``; ``policy`` the deployment policy: ``ALLOW``, ``ALLOW_ONCE`` or
    ``DENY``. ``signature_enforcement`` of format ``oci`` (3.94 and later) is ``KEYLESS`` where every pull needs a
    cosign signature as a referrer, else ``NONE``. ``distribution`` is the suite of a repository of format ``apt``.
    ``latest_exempt`` says that the tag ``latest`` may be moved in spite of ALLOW_ONCE.
    """

    name: str
    format: str
    type: str
    online: bool | None = None
    policy: str = ""
    latest_exempt: bool = False
    force_basic: bool | None = None
    http_port: int | None = None
    https_port: int | None = None
    subdomain: str = ""
    path_enabled: bool = False
    blob_store: str = ""
    signature_enforcement: str = ""
    distribution: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RepositorySettings:
        """Read an item of ``/repositorySettings`` or, with fewer fields, of ``/repositories``."""
        repository_format = str(document.get("format"))
        storage, docker = (
            value if isinstance(value := document.get(key), dict) else {} for key in ("storage", repository_format)
        )
        cosign = document.get("cosign")
        force_basic, online = docker.get("forceBasicAuth"), document.get("online")
        return cls(
            str(document.get("name")),
            repository_format,
            str(document.get("type")),
            online if isinstance(online, bool) else None,
            str(storage.get("writePolicy") or "").upper(),
            storage.get("latestPolicy") is True,
            force_basic if isinstance(force_basic, bool) else None,
            docker.get("httpPort") if isinstance(docker.get("httpPort"), int) else None,
            docker.get("httpsPort") if isinstance(docker.get("httpsPort"), int) else None,
            str(docker.get("subdomain") or ""),
            docker.get("pathEnabled") is True,
            str(storage.get("blobStoreName") or ""),
            str(cosign.get("enforcement") or "").upper() if isinstance(cosign, dict) else "",
            str(docker.get("distribution") or "") if repository_format == "apt" else "",
        )

    @property
    def is_registry(self) -> bool:
        """Whether it holds container images."""
        return self.format in ("docker", "oci")

    @property
    def has_details(self) -> bool:
        """Whether this user sees its connectors and policies, and not only that it exists."""
        return self.force_basic is not None

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of its connectors."""
        return tuple(port for port in (self.http_port, self.https_port) if port)
