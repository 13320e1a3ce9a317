# SPDX-License-Identifier: Apache-2.0
"""The shared library with the encoders: where it is, whether it can be used, and why not.

``tools/native.py`` compiles it out of ``native/``. It knows nothing of Python, so one file serves every version of
Python. Calls release the interpreter lock.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

from airgap.errors import AirgapError
from airgap.i18n import tr

ABI_VERSION = 1
OK, MORE = 0, 1
PATH = Path(__file__).parent / "native" / "librecode.so"


class CodecFailure(AirgapError):
    """A codec that cannot be used on this machine, or does not give the bytes that it should."""


@functools.cache
def _loaded(path: Path) -> ctypes.CDLL | str:
    """The library, or a sentence that says why it cannot be used."""
    if not path.is_file():
        return tr("the encoders for recoded layers are not part of this installation: {path} is missing", path=path)
    try:
        library = ctypes.CDLL(str(path))
        version = library.recode_abi_version()
    except (OSError, AttributeError) as error:
        return tr("the encoders for recoded layers cannot be loaded: {error}", error=error)
    if version != ABI_VERSION:
        return tr("the encoders for recoded layers are of another version of airgap: {path}", path=path)
    size, sizes, buffer = ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t), ctypes.c_void_p
    library.recode_context_size.restype = size
    library.recode_knows.argtypes = [ctypes.c_char_p]
    library.recode_new.argtypes = [ctypes.c_char_p]
    library.recode_new.restype = buffer
    library.recode_write.argtypes = [buffer, buffer, size, buffer, size, sizes, sizes]
    library.recode_finish.argtypes = [buffer, buffer, size, sizes]
    library.recode_free.argtypes = [buffer]
    library.recode_free.restype = None
    return library


def library_available() -> bool:
    """The shared library is here and fits this version of airgap."""
    return not isinstance(_loaded(PATH), str)


def why_unavailable() -> str:
    """A sentence for people: why the library cannot be used. Empty if it can."""
    loaded = _loaded(PATH)
    return loaded if isinstance(loaded, str) else ""


def load() -> ctypes.CDLL:
    """Return the library. Raises :class:`CodecFailure` if it cannot be used."""
    loaded = _loaded(PATH)
    if isinstance(loaded, str):
        raise CodecFailure(loaded, hint=tr("install airgap's wheel for this platform, or its portable folder"))
    return loaded
