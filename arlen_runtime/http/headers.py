"""Header fields of a request: ordered, case-insensitive, repeated names kept, bytes unchanged.

Names are lower-case bytes, values are bytes without surrounding white space (RFC 9110 section 5.5).
Text is decoded as latin-1 on demand, so a request whose headers are not read costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

D = TypeVar("D")
Pairs = list[tuple[bytes, bytes]]


class Headers:
    """A read-only, case-insensitive view of a request's fields.

    `headers["host"]`, `.get`, `.get_all`, `in`, iteration.
    """

    __slots__ = ("first", "raw")

    def __init__(self, raw: Pairs, first: dict[bytes, bytes] | None = None) -> None:
        """Build from (lower-case name, value) pairs.

        `first` maps a name to its first value, if the parser already has that.
        """
        self.raw = raw
        self.first = first if first is not None else dict(reversed(raw))

    def get(self, name: str, default: D = None) -> str | D:  # type: ignore[assignment] # None is the default D
        """Return the first value of the field, or the default."""
        value = self.first.get(name.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def get_bytes(self, name: bytes) -> bytes | None:
        """Return the first value for a lower-case name, undecoded. For the hot path."""
        return self.first.get(name)

    def get_all(self, name: str) -> list[str]:
        """Return every value of the field, in the order in which they came."""
        lower_name = name.lower().encode("latin-1")
        return [value.decode("latin-1") for field, value in self.raw if field == lower_name]

    def get_list(self, name: str) -> str:
        """Return all lines of a list field as one list, "" if none (RFC 9110 section 5.3)."""
        return ",".join(self.get_all(name))

    def __getitem__(self, name: str) -> str:
        """Return the first value; KeyError if the field is missing."""
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        return name.lower().encode("latin-1") in self.first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield (lower-case name, value) in the order in which they came, repeated names too."""
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw)

    def __len__(self) -> int:
        """Count the fields, repeated ones too."""
        return len(self.raw)
