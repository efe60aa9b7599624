"""What is closed once, whoever asks and however often. One rule: PEP 3333 lets a server call `close` one time only.

Servers close a body at its end, and again when the connection goes; to a file that is nothing, but an application of
WSGI takes each call for the end of a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class CloseOnce:
    """Closes its owner the first time that it is closed itself. An owner without a `close` needs none."""

    def __init__(self, owner: object) -> None:
        """Take who is to be closed."""
        self._owner: object = owner

    def close(self) -> None:
        """Close the owner, unless that was done before. Raises what the owner raises."""
        owner, self._owner = self._owner, None
        close = getattr(owner, "close", None)
        if close is not None:
            close()


class ClosingIterator(CloseOnce):
    """Pieces, and an owner that is closed with them, also when not one of them was fetched."""

    def __init__(self, pieces: Iterable[bytes], owner: object) -> None:
        """Take the pieces and who is to be closed."""
        super().__init__(owner)
        self._pieces = iter(pieces)

    def __iter__(self) -> Iterator[bytes]:
        """Return itself: the pieces can be fetched once."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece."""
        return next(self._pieces)
