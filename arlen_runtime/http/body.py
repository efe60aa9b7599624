"""The body of a request while it arrives. One rule: it never exceeds its limit, in memory or on disk.

Small ones stay in memory; above `spool_bytes` they go to an unnamed temporary file. To write to it may take long: who has
others to serve takes the pieces in, and has them written elsewhere once they are due.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import IO, BinaryIO, cast

from arlen_runtime.errors import PayloadTooLarge

_WRITE_BYTES = 262_144


class IncomingBody:
    """Collects a body piece by piece. `failed` is what kept its last pieces from the file, for who asks for it whole."""

    __slots__ = ("_buffered", "_file", "_limit", "_pieces", "_spool_bytes", "failed", "received")

    def __init__(self, limit: int, spool_bytes: int, declared_length: int | None) -> None:
        """Take the endpoint's limit and the size above which a file is used. Raise PayloadTooLarge when `announced` is."""
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
        """Add a piece; raise PayloadTooLarge beyond the limit, OSError where there is no room for a file."""
        self.take(piece)
        if self.is_due(whole=False):
            self.spool()

    def take(self, piece: bytes) -> None:
        """Add a piece, in memory; raise PayloadTooLarge beyond the limit."""
        self.received += len(piece)
        if self.received > self._limit:
            self.close()
            raise PayloadTooLarge(f"The body is larger than the {self._limit} bytes that this address takes.")
        self._pieces.append(piece)
        self._buffered += len(piece)

    def is_due(self, *, whole: bool) -> bool:
        """Say whether what is in memory belongs in the file: enough for a write, or the last of a body that is `whole`."""
        return self.received > self._spool_bytes and self._buffered >= (1 if whole else _WRITE_BYTES)

    def spool(self) -> None:
        """Write what is in memory to the file. Raises OSError where there is no room."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the request
        self._file.writelines(self._pieces)
        self._file.flush()
        self._pieces.clear()
        self._buffered = 0

    def whole(self) -> tuple[bytes, BinaryIO | None]:
        """Return the body: its bytes, or the file that holds it, at its start. Raises OSError as `spool`."""
        if self.is_due(whole=True):
            self.spool()
        if self._file is None:
            return b"".join(self._pieces), None
        self._file.seek(0)
        return b"", cast("BinaryIO", self._file)

    def close(self) -> None:
        """Drop the file."""
        if self._file is not None:
            with suppress(OSError):  # a full disk: closing tries to write once more what could not be written
                self._file.close()
