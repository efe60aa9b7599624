"""The body of a request while it arrives. One rule: it never exceeds its limit, in memory or on disk.

Small ones stay in memory; above `spool_bytes` they go to an unnamed temporary file.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import IO, BinaryIO, cast

from arlen_runtime.errors import PayloadTooLarge


class IncomingBody:
    """Collects a body piece by piece."""

    __slots__ = ("_file", "_limit", "_pieces", "_spool_bytes", "received")

    def __init__(self, limit: int, spool_bytes: int, announced: int | None) -> None:
        """Take the endpoint's limit and the size above which a file is used. Raise PayloadTooLarge when `announced` is."""
        self._limit = limit
        self._spool_bytes = spool_bytes
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.received = 0
        if announced is not None and announced > limit:
            raise PayloadTooLarge(f"The body has {announced} bytes; this address takes {limit}.")

    def write(self, piece: bytes) -> None:
        """Add a piece; raise PayloadTooLarge beyond the limit, OSError where there is no room for a file."""
        self.received += len(piece)
        if self.received > self._limit:
            self.close()
            raise PayloadTooLarge(f"The body is larger than the {self._limit} bytes that this address takes.")
        if self._file is not None:
            self._file.write(piece)
            return
        self._pieces.append(piece)
        if self.received > self._spool_bytes:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the request
            self._file.writelines(self._pieces)
            self._pieces.clear()

    def whole(self) -> tuple[bytes, BinaryIO | None]:
        """Return the body: its bytes, or the file that holds it, at its start."""
        if self._file is None:
            return b"".join(self._pieces), None
        self._file.seek(0)
        return b"", cast("BinaryIO", self._file)

    def close(self) -> None:
        """Drop the file."""
        if self._file is not None:
            with suppress(OSError):  # a full disk: closing tries to write once more what could not be written
                self._file.close()
