"""Header fields of a request: ordered, case-insensitive, repeated names kept. One rule: the wire's bytes stay as they came.

Names are lower-case bytes, values bytes without surrounding white space (RFC 9110 section 5.5). Text is decoded as
latin-1 when it is asked for, so a request that asks for nothing pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

Pairs = list[tuple[bytes, bytes]]


class Headers:
    """A read-only, case-insensitive view of the fields that came: `headers["host"]`, `.get`, `.get_all`, `in`, iteration."""

    __slots__ = ("first", "raw")

    def __init__(self, raw: Pairs, first: dict[bytes, bytes] | None = None) -> None:
        """Take (lower-case name, value) pairs; `first` is name to first value when the parser has it already."""
        self.raw = raw
        self.first = first if first is not None else dict(reversed(raw))

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of the field, or the default."""
        value = self.first.get(name.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def get_bytes(self, name: bytes) -> bytes | None:
        """Return the first value by its lower-case name, undecoded: the hot path's way."""
        return self.first.get(name)

    def get_all(self, name: str) -> list[str]:
        """Return every value of the field, in the order they came."""
        lower_name = name.lower().encode("latin-1")
        return [value.decode("latin-1") for field, value in self.raw if field == lower_name]

    def get_list(self, name: str) -> str:
        """Return all lines of a field that is a list as the one list that they are (RFC 9110 section 5.3), empty if none."""
        return ",".join(self.get_all(name))

    def __getitem__(self, name: str) -> str:
        """Return the first value; KeyError when the field did not come."""
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        """Say whether the field came."""
        return name.lower().encode("latin-1") in self.first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield (lower-case name, value) in the order they came, repeated names too."""
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw)

    def __len__(self) -> int:
        """Count the fields, repeated ones too."""
        return len(self.raw)
