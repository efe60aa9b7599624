"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"). One rule: the kernel sends what reading would.

So it sends plain files on disk only, and of them no more than Content-Length. Whatever reads in another way (a GzipFile
has a descriptor too, but of other bytes) is read.
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
"""What `open` returns for bytes; of exactly these kinds, for a subclass may read in a way of its own."""


class FileWrapper(CloseOnce):
    """A file that the kernel sends where it can, and pieces of it elsewhere."""

    def __init__(self, file: BinaryIO, piece: int = _PIECE) -> None:
        """Take an open file, at the place from which on it is to be sent, and how many bytes are read at a time."""
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
        """Go to a place of the file."""
        return self._file.seek(offset)

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def part(self, declared_length: int | None) -> FileBody | None:
        """Return what is to be sent as a part of a file on disk; None when it must be read to be known.

        `announced` is the Content-Length in bytes, if there is one. A file without bytes is read too: there are some,
        as in /proc, that have a size of 0 and a content.
        """
        try:
            if type(self._file) not in _PLAIN or type(getattr(self._file, "raw", self._file)) is not FileIO:
                return None
            self._file.flush()  # what was written and is still in the buffer would be read, but not sent
            offset = self._file.tell()
            available = os.fstat(self._file.fileno()).st_size - offset
        except (OSError, ValueError):  # a pipe has no place; a closed or detached file fails when it is read
            return None
        length = available if declared_length is None else declared_length
        if not 0 < length <= available:
            return None
        # The wrapper itself, which closes only once; it has the three methods that FileBody uses.
        return FileBody(cast("BinaryIO", self), offset, length)
