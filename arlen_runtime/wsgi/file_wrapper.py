"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling").

Invariant: the kernel sends exactly the bytes that reading would give.

So it sends only plain files on disk, and not more of them than Content-Length. Other objects are
read: a GzipFile has a descriptor too, but its bytes are different ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BufferedRandom, BufferedReader, FileIO
from typing import BinaryIO, cast

from arlen_runtime.http.response import FileBody
from arlen_runtime.wsgi.closing import CloseOnce

_PIECE = 65536
_PLAIN = frozenset({FileIO, BufferedReader, BufferedRandom})
"""What `open` returns for bytes. Exactly these types: a subclass may read differently."""


class FileWrapper(CloseOnce):
    """A file that the kernel sends if it can; otherwise it is read in pieces."""

    def __init__(self, file: BinaryIO, piece: int = _PIECE) -> None:
        """Wrap an open file at the position to send from; `piece` is the read size."""
        super().__init__(file)
        self._file = file
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces."""
        while piece := self._file.read(self._piece):
            yield piece

    def read(self, size: int = -1) -> bytes:
        """Read from the file."""
        return self._file.read(size)

    def seek(self, offset: int) -> int:
        """Move to a position of the file."""
        return self._file.seek(offset)

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def part(self, declared_length: int | None) -> FileBody | None:
        """Return the part of a file on disk to send; None if it must be read.

        `declared_length` is the Content-Length in bytes, if there is one. A file of size 0
        is read too: some files, as in /proc, have a size of 0 and content.
        """
        try:
            if type(self._file) not in _PLAIN or type(getattr(self._file, "raw", self._file)) is not FileIO:
                return None
            self._file.flush()  # buffered writes would be read, but not sent by the kernel
            offset = self._file.tell()
            available = os.fstat(self._file.fileno()).st_size - offset
        except (OSError, ValueError):  # a pipe has no position; a closed or detached file fails when read
            return None
        length = available if declared_length is None else declared_length
        if not 0 < length <= available:
            return None
        # The wrapper itself, which closes only once; it has the three methods that FileBody uses.
        return FileBody(cast("BinaryIO", self), offset, length)
