"""Refuses a value of the right type that PostgreSQL cannot hold."""

from __future__ import annotations

MAX_VALUE_BYTES = 2**30 - 2**20
"""The largest value that is sent: 1 GB, less room for the rest of its message.

PostgreSQL ends the connection at a message of 1 GB (pq_getmessage in pqcomm.c), without a reason.
"""


class DoesNotFitError(ValueError):
    """The Python type is right, but the server's type cannot hold the value.

    Its text never contains the value.
    """


def check_size(size: int) -> None:
    """Raise DoesNotFitError if a value of `size` bytes is too large to be sent."""
    if size > MAX_VALUE_BYTES:
        raise DoesNotFitError(
            f"it has {size:,} bytes, and a value of PostgreSQL has less than 1 GB: split it, or store it as a file"
        )
