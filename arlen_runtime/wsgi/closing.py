"""Close an object exactly once: PEP 3333 allows a server only one call of `close`.

Servers close a body at its end, and again when the connection ends. A file does not mind, but a
WSGI application takes each call for the end of a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class CloseOnce:
    """Close the owner on the first call of `close`, do nothing on later ones.

    An owner without a `close` is not closed.
    """

    def __init__(self, owner: object) -> None:
        self._owner: object = owner

    def close(self) -> None:
        """Close the owner, unless that was done before. Raises what the owner raises."""
        owner, self._owner = self._owner, None
        close = getattr(owner, "close", None)
        if close is not None:
            close()


class ClosingIterator(CloseOnce):
    """Pieces with an owner that is closed with them, even if no piece was fetched."""

    def __init__(self, pieces: Iterable[bytes], owner: object) -> None:
        super().__init__(owner)
        self._pieces = iter(pieces)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)
