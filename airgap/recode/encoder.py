# SPDX-License-Identifier: Apache-2.0
"""One gzip file, written by a codec as its content comes."""

from __future__ import annotations

import ctypes
import weakref
from types import TracebackType

from airgap.i18n import tr
from airgap.recode.codecs import CODECS, UnknownCodec
from airgap.recode.library import MORE, OK, CodecFailure, load

#: Input and output of one call of the library: between two of them, the interpreter handles signals.
_CHUNK = 1 << 18


class Encoder:
    """Makes the gzip file of what is given to :meth:`update`, as the writer that ``codec`` names would.

    It takes about 1.8 MB of memory, whatever the size of the content. An encoder belongs to one thread at a time; many
    encoders run at the same time, since the work is done without the interpreter lock.

    Raises :class:`UnknownCodec`, and :class:`CodecFailure` if the library cannot be used.
    """

    def __init__(self, codec: str) -> None:
        if codec not in CODECS:
            raise UnknownCodec(codec)
        self.codec = codec
        self._library = load()
        self._context: int | None = self._library.recode_new(codec.encode())
        if not self._context:
            if not self._library.recode_knows(codec.encode()):
                raise UnknownCodec(codec)
            raise MemoryError
        self._free = weakref.finalize(self, self._library.recode_free, self._context)
        self._output = ctypes.create_string_buffer(_CHUNK)
        self._consumed, self._produced = ctypes.c_size_t(), ctypes.c_size_t()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def update(self, data: bytes | memoryview) -> bytes:
        """Take more of the content; return what of the gzip file follows from it, its header at first."""
        made: list[bytes] = []
        if isinstance(data, bytes):
            address = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
            assert address is not None
            for position in range(0, max(len(data), 1), _CHUNK):
                self._write(address + position, min(_CHUNK, len(data) - position), made)
        else:
            with memoryview(data).cast("B") as view:
                starts = range(0, max(len(view), 1), _CHUNK)
                made.extend(self.update(bytes(view[start : start + _CHUNK])) for start in starts)
        return b"".join(made)

    def finish(self) -> bytes:
        """The content is complete: return the rest of the gzip file."""
        made: list[bytes] = []
        code = MORE
        while code == MORE:
            produced = ctypes.byref(self._produced)
            code = self._library.recode_finish(self._open(), self._output, _CHUNK, produced)
            made.append(ctypes.string_at(self._output, self._produced.value))
        self._check(code)
        return b"".join(made)

    def close(self) -> None:
        """Free the memory. What was not finished is lost."""
        self._context = None
        self._free()

    def _write(self, start: int, size: int, made: list[bytes]) -> None:
        """Take the ``size`` bytes at the address ``start``."""
        produced = _CHUNK
        while size > 0 or produced == _CHUNK:
            code = self._library.recode_write(
                self._open(),
                start,
                size,
                self._output,
                _CHUNK,
                ctypes.byref(self._consumed),
                ctypes.byref(self._produced),
            )
            self._check(code)
            start += self._consumed.value
            size -= self._consumed.value
            produced = self._produced.value
            made.append(ctypes.string_at(self._output, produced))

    def _open(self) -> int:
        if self._context is None:
            raise RuntimeError("the encoder is closed")
        return self._context

    def _check(self, code: int) -> None:
        if code != OK:
            raise CodecFailure(tr("the encoder {codec} failed with code {code}", codec=self.codec, code=code))
