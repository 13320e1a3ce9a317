# SPDX-License-Identifier: Apache-2.0
"""Reads the key ``verify_images`` of ``airgap.yaml``: who must have signed which images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.trust.image_rules import ImageRule

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectReader

_KEYLESS = ("identity", "issuer", "trusted_root")


def read_image_rules(reader: ProjectReader, node: Any) -> list[ImageRule]:
    """Read the list of rules; files are relative to the folder of ``airgap.yaml``. Raises :class:`UsageError`."""
    return [_read_rule(reader, item) for item in reader.items(node)]


def _read_rule(reader: ProjectReader, node: Any) -> ImageRule:
    texts = reader.texts(node, ("image", "key", *_KEYLESS), ("image",))
    needed = ("key",) if "key" in texts else _KEYLESS
    if set(texts) != {"image", *needed}:
        raise UsageError(
            tr("this rule does not say who must have signed"),
            where=reader.where(node),
            hint=tr("it needs image and either key, or identity, issuer and trusted_root"),
        )
    texts |= {key: str(reader.folder / texts[key]) for key in ("key", "trusted_root") if key in texts}
    return ImageRule(**texts, where=reader.where(node))
