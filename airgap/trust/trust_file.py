# SPDX-License-Identifier: Apache-2.0
"""``trust.json``: the public keys that this machine trusts, each under a name.

The shape is ``{"format":1,"keys":[{"name","key","signedBy":null|NAME}]}``. ``signedBy`` names the trusted key that
signed this one as its successor.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airgap import bounded_json
from airgap.durable import locked_folder, replace_file, writing
from airgap.errors import ContentError, UsageError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import Record
from airgap.trust.files import read_small_file
from airgap.trust.minisign import PublicKey

FORMAT = 1
_MAX_FILE = 1024 * 1024
_MAX_VALUES = 20_000


class TrustedKey(Record):
    """A key that is trusted under ``name``. ``signed_by`` is the name of the key that signed it, or empty."""

    name: str
    key: PublicKey
    signed_by: str = ""


class TrustFile:
    """The trust file at ``path``. It need not exist: then no key is trusted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def trusted_keys(self) -> tuple[TrustedKey, ...]:
        """Return the trusted keys in the order in which they were added. Raises :class:`UsageError`."""
        if not os.path.lexists(self.path):
            return ()
        content = read_small_file(self.path, _MAX_FILE)
        try:
            document = bounded_json.loads(content, values=_MAX_VALUES)
            if document["format"] != FORMAT:
                raise ValueError(tr("it has format {format}", format=document["format"]))
            return tuple(self._parse(entry) for entry in document["keys"])
        except (ContentError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                tr("this is no trust file that this version can read ({error})", error=error),
                where=str(self.path),
                hint=tr("airgap trust add writes it"),
            ) from error

    def add(self, key: TrustedKey) -> None:
        """Add a key. Raises :class:`UsageError` if its name or the key itself is there already."""

        def with_key(keys: Sequence[TrustedKey]) -> Sequence[TrustedKey]:
            for known in keys:
                if known.key == key.key:
                    raise UsageError(
                        tr("the key {id} is trusted already, as {name}", id=key.key.id, name=known.name),
                        where=str(self.path),
                    )
                if known.name == key.name or known.key.key_id == key.key.key_id:
                    raise UsageError(
                        tr("{name} is the name of another trusted key, {id}", name=known.name, id=known.key.id),
                        where=str(self.path),
                        hint=tr("airgap trust remove {name} removes that one", name=quoted(known.name)),
                    )
            return [*keys, key]

        self._change(with_key)

    def remove(self, name: str) -> TrustedKey:
        """Remove the key with this name or ID, and return it. Raises :class:`UsageError` if there is none."""
        removed: list[TrustedKey] = []

        def without_key(keys: Sequence[TrustedKey]) -> Sequence[TrustedKey]:
            removed.extend(key for key in keys if name in (key.name, key.key.id))
            if not removed:
                raise UsageError(
                    tr("no trusted key is called {name}", name=name),
                    where=str(self.path),
                    hint=tr("airgap trust list shows the names"),
                )
            return [key for key in keys if key not in removed]

        self._change(without_key)
        return removed[0]

    def _change(self, change: Callable[[Sequence[TrustedKey]], Sequence[TrustedKey]]) -> None:
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked_folder(self.path.parent):
                entries = [_to_json(key) for key in change(self.trusted_keys())]
                document = json.dumps({"format": FORMAT, "keys": entries}, indent=2, ensure_ascii=False)
                replace_file(self.path, document.encode() + b"\n", mode=0o644)

    def _parse(self, entry: Mapping[str, Any]) -> TrustedKey:
        key = PublicKey.from_text(str(entry["key"]), where=str(self.path))
        return TrustedKey(check_name(str(entry["name"])), key, str(entry.get("signedBy") or ""))


def default_path(environment: Mapping[str, str]) -> Path:
    """Return ``$XDG_CONFIG_HOME/airgap/trust.json``, by default ``~/.config/airgap/trust.json``.

    A relative ``XDG_CONFIG_HOME`` is ignored, as the XDG base directory specification says.
    """
    home = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".config")
    return Path(home) / "airgap" / "trust.json"


def check_name(name: str) -> str:
    """Return a name that a trusted key may have. Raises :class:`UsageError`."""
    if not name or len(name) > 100 or not name.isprintable() or name != name.strip():
        raise UsageError(tr("{name!r} is no name for a key: one line of at most 100 characters", name=name))
    return name


def _to_json(key: TrustedKey) -> dict[str, Any]:
    return {"name": key.name, "key": key.key.text, "signedBy": key.signed_by or None}
