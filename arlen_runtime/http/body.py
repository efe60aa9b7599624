"""The body of a request while it arrives: in memory, or in a temporary file above `spool_bytes`.

Invariant: a body never exceeds its limit, in memory or on disk.

The file has no name. Writing to it can take long: a caller that has other connections to serve uses
`take` and lets another thread call `spool` when `is_due`.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import IO, BinaryIO, cast

from arlen_runtime.errors import PayloadTooLarge

_WRITE_BYTES = 262_144


class IncomingBody:
    """Collect a body piece by piece.

    `failed` is the exception that kept its last pieces from being written to the file.
    """

    __slots__ = ("_buffered", "_file", "_limit", "_pieces", "_spool_bytes", "failed", "received")

    def __init__(self, limit: int, spool_bytes: int, declared_length: int | None) -> None:
        """Raise PayloadTooLarge if `declared_length` is above the endpoint's `limit`.

        A file is used above `spool_bytes`.
        """
        self._limit = limit
        self._spool_bytes = spool_bytes
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._buffered = 0
        self.received = 0
        self.failed: Exception | None = None
        if declared_length is not None and declared_length > limit:
            raise PayloadTooLarge(f"The body has {declared_length} bytes; this address takes {limit}.")

    def write(self, piece: bytes) -> None:
        """Add a piece, and write to the file when that is due.

        Raises PayloadTooLarge beyond the limit, OSError if the disk has no space.
        """
        self.take(piece)
        if self.is_due(whole=False):
            self.spool()

    def take(self, piece: bytes) -> None:
        """Add a piece in memory; raise PayloadTooLarge beyond the limit."""
        self.received += len(piece)
        if self.received > self._limit:
            self.close()
            raise PayloadTooLarge(f"The body is larger than the {self._limit} bytes that this address takes.")
        self._pieces.append(piece)
        self._buffered += len(piece)

    def is_due(self, *, whole: bool) -> bool:
        """Return True if the bytes in memory must go to the file.

        That is so when there are enough for one write, or when the body is complete
        (`whole`).
        """
        return self.received > self._spool_bytes and self._buffered >= (1 if whole else _WRITE_BYTES)

    def spool(self) -> None:
        """Write the bytes in memory to the file. Raises OSError if the disk has no space."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the request
        self._file.writelines(self._pieces)
        self._file.flush()
        self._pieces.clear()
        self._buffered = 0

    def whole(self) -> tuple[bytes, BinaryIO | None]:
        """Return the body: its bytes, or the file that holds it, at its start.

        Raises OSError as `spool` does.
        """
        if self.is_due(whole=True):
            self.spool()
        if self._file is None:
            return b"".join(self._pieces), None
        self._file.seek(0)
        return b"", cast("BinaryIO", self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):  # if the disk is full, closing tries the failed write again
                self._file.close()
