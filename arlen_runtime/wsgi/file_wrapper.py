"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"). One rule: the kernel sends what reading would.

A file on disk is sent by the kernel, anything else is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from arlen_runtime.http.response import FileBody

_PIECE = 65536


class FileWrapper:
    """`wsgi.file_wrapper`: a file that the kernel sends where it can, and pieces of it elsewhere."""

    def __init__(self, file: BinaryIO, piece: int = _PIECE) -> None:
        """Take an open file, at the place from which on it is to be sent."""
        self.file = file
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces."""
        return iter(lambda: self.file.read(self._piece), b"")

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def whole(self) -> FileBody | None:
        """Return the rest of the file as a body, None when it is no file on disk."""
        try:
            size = os.fstat(self.file.fileno()).st_size
            return FileBody(self.file, self.file.tell(), size - self.file.tell())
        except (AttributeError, OSError, ValueError):
            return None
