# SPDX-License-Identifier: Apache-2.0
"""The formats beside docker and oci, one module each: fields of an upload, path of a file, indexes, native uploads.

A module has ``FORMAT``; :data:`MODULES` names them all. What all formats share (policies, users, groups) is in
``rest_uploads``. Numbers and sources are those of section 7.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.content import Content

MODULES = ("raw", "maven2", "apt", "yum", "pypi", "helm", "npm", "nuget")


class Refused(Exception):
    """A file or a form that Nexus does not take: 400 with this message."""


@dataclass(frozen=True)
class Upload:
    """One file of an upload: ``values`` are the fields without the format's prefix and the asset's name; ``sent`` is
    the name that the client gave to the file."""

    values: dict[str, str]
    sent: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class FileFormat:
    """``component`` and ``asset`` are the names of fields, ``*`` behind those that are optional. ``path`` gives where
    an upload goes, or raises :class:`Refused`.

    ``index`` answers a GET of what is no file; ``receive`` a PUT or POST: it gives the files to keep by their paths,
    ``None`` for what it does not take, or an answer. ``puts`` says that any path takes a PUT.
    """

    name: str
    path: Callable[[Upload], str]
    multiple: bool = False
    component: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()
    puts: bool = False
    index: Callable[[Content, str, str], Answer | None] = lambda content, inner, base: None
    receive: Callable[[Request, str], dict[str, bytes] | Answer | None] = lambda request, inner: None
    media_type: str = "application/octet-stream"

    def spec(self) -> dict[str, Any]:
        """As ``formats/upload-specs`` lists it."""

        def fields(names: tuple[str, ...]) -> list[dict[str, Any]]:
            return [{"name": name.rstrip("*"), "type": "STRING", "optional": name.endswith("*")} for name in names]

        own = {"componentFields": fields(self.component), "assetFields": fields(self.asset)}
        return {"format": self.name, "multipleUpload": self.multiple, **own}


@functools.cache
def formats() -> dict[str, FileFormat]:
    """Every format by its name."""
    return {name: importlib.import_module(f"{__name__}.{name}").FORMAT for name in MODULES}
