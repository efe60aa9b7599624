"""The header traceparent (W3C Trace Context, level 1): one trace through several services.

Nothing is remembered. A header is read when the correlation id or `ctx.traceparent` needs it, and
any client can send it: the caller must check the peer.
"""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple, Self

# Section 3.2.2: version, trace, span, flags. No id is all zero, version ff is invalid, and version
# 00 has nothing after the flags.
_TRACEPARENT = re.compile(
    r"(?!ff|00.{53}-)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-[!-+\--~]*)?"
)
_DEFINED_FLAGS = 0b11
"""Sampled, and random (level 2). The others must be sent as zero (section 3.2.2.5.2)."""


class Trace(NamedTuple):
    """The id of a trace, 32 hexadecimal digits, and its flags."""

    id: str
    flags: int

    @classmethod
    def read(cls, value: str) -> Self | None:
        """Return the trace that a header names, None if the header is invalid."""
        match = _TRACEPARENT.fullmatch(value)
        return cls(match[1], int(match[2], 16) & _DEFINED_FLAGS) if match else None

    @classmethod
    def start(cls) -> Self:
        """Return a new trace. It is not sampled: nothing is recorded here."""
        return cls(_random_id(16), 0)

    def traceparent(self) -> str:
        """Return the header with a new span, in version 00."""
        return f"00-{self.id}-{_random_id(8)}-{self.flags:02x}"


def _random_id(size: int) -> str:
    return secrets.token_hex(size)
