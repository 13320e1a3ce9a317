# SPDX-License-Identifier: Apache-2.0
"""Entries of ``artifacts:`` in airgap.yaml, and which keys a format's entries have.

``config.artifacts_yaml`` reads them; this module knows no YAML.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from airgap.durable import missing_file, read_hint
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record, field


class EntryForm(Record):
    """One form of an entry: the ``keys`` that it must have, and those that only it may have (``optional``).

    ``offline`` says that resolving it asks nobody: it is then resolved again in spite of a lock, which checks it.
    """

    keys: tuple[str, ...]
    optional: tuple[str, ...] = ()
    offline: bool = False


class EntryShape(Record):
    """What the entries of a format look like.

    An entry has exactly one of ``forms``, told by the form's first key. ``optional`` keys may stand beside each form.
    ``lists`` are the keys whose value is a list of texts, ``paths`` those that name a file or folder, relative to the
    folder of airgap.yaml.
    """

    forms: tuple[EntryForm, ...]
    optional: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key, each once."""
        in_forms = (key for form in self.forms for key in (*form.keys, *form.optional))
        return tuple(dict.fromkeys((*in_forms, *self.optional)))


class ArtifactEntry(Record):
    """One item of ``artifacts: FORMAT:``. ``values`` are texts and tuples of texts; ``where`` is its ``file:line``.

    Paths among the values are joined to the folder of airgap.yaml.
    """

    format: str
    form: EntryForm
    values: Mapping[str, str | tuple[str, ...]] = field(compare=False)
    where: str = ""
    paths: frozenset[str] = frozenset()

    @property
    def summary(self) -> str:
        """What it names, for lists: the values of its form's keys, without passwords."""
        text = " ".join(self.text(key) or ", ".join(self.texts(key)) for key in self.form.keys)
        return re.sub(r"://[^/\s]*@", "://", text)

    def text(self, key: str, default: str = "") -> str:
        """Return a text, or ``default`` if the entry does not have the key."""
        value = self.values.get(key, default)
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty if the entry does not have the key."""
        value = self.values.get(key, ())
        return (value,) if isinstance(value, str) else value

    def path(self, key: str) -> Path:
        """Return the path of a file or folder that exists. Raises :class:`UsageError` otherwise."""
        path = Path(self.text(key))
        if not path.exists():
            raise missing_file(path, hint=tr("{where} names it", where=self.where))
        return path

    def read(self, key: str, *, limit: int = 16 * 1024 * 1024) -> bytes:
        """Return the content of a file of at most ``limit`` bytes. Raises :class:`UsageError`."""
        path = self.path(key)
        try:
            with path.open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise UsageError(
                tr("cannot read it: {strerror}", strerror=error.strerror),
                where=str(path),
                hint=read_hint(error, path) or tr("{where} names it", where=self.where),
            ) from error
        if len(content) > limit:
            raise UsageError(tr("it has more than {limit} bytes", limit=limit), where=str(path))
        return content

    def fingerprint(self) -> str:
        """Return a digest of what the entry asks for: its values, and the content of the files that it names.

        A lock holds it: another one means that the lock was written for other artifacts.
        """
        document = {key: list(value) if isinstance(value, tuple) else value for key, value in self.values.items()}
        for key in self.paths & self.values.keys():
            # Of an offline entry the lock has the digest of what it names. Folders are no part of a request.
            path = self.path(key)
            document[key] = path.name if self.form.offline else hashlib.sha256(self.read(key)).hexdigest()
        return json.dumps(document, sort_keys=True, ensure_ascii=False)


def fingerprint_of(entries: list[ArtifactEntry]) -> str:
    """Return the digest of all entries of one format, in any order."""
    texts = sorted(entry.fingerprint() for entry in entries)
    return f"sha256:{hashlib.sha256(json.dumps(texts).encode()).hexdigest()}"
