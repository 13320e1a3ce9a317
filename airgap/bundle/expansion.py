# SPDX-License-Identifier: Apache-2.0
"""What is said where recoded layers are needed as they were, and nothing restores them."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle.inventory import Inventory
from airgap.errors import UnsupportedBundle
from airgap.formatting import quoted
from airgap.i18n import tr


def expand_command(path: Path, inventory: Inventory) -> str:
    """Return the command that makes the plain bundle of the recoded one in ``path``."""
    old = any(layer.prefix for layer in inventory.recoded.values())
    plain = path.with_name(path.name.replace(".recoded.", ".", 1))
    plain = plain if plain != path else path.with_name(f"plain-{path.name}")
    return " ".join(["airgap", "expand", quoted(path), *["--base", "OLD"] * old, "-o", quoted(plain)])


def recoded_error(path: Path, inventory: Inventory) -> UnsupportedBundle:
    """Return the error to raise."""
    what = tr("its layers are recoded, and this needs them as they were")
    return UnsupportedBundle(what, where=str(path), hint=expand_command(path, inventory))
