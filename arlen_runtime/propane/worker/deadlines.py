"""Deadlines of connections.

Connections are kept in buckets of one second. When a bucket is due, those whose deadline has moved
on are put into the bucket of the new one. So setting a later deadline costs one attribute store,
and ten thousand idle connections cost nothing while no bucket is due.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

NEVER = float("inf")


class HasDeadline(Protocol):
    """Something with a deadline. Both attributes are seconds of the monotonic clock."""

    deadline: float
    check_at: float
    """The second of its bucket, at which the deadline is checked."""


W = TypeVar("W", bound=HasDeadline)


class Deadlines(Generic[W]):
    """The deadlines of one reactor. Only the leading thread calls its methods.

    Another thread that owns a connection may store its `deadline`. If that is earlier than
    `check_at`, it must give the connection back to the leader, which calls `set`.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, list[W]] = {}
        self._next_check: float = NEVER

    def set(self, item: W, deadline: float) -> None:
        """Let `item` expire at `deadline`, which replaces its previous deadline."""
        item.deadline = deadline
        # Otherwise its bucket is early enough.
        if deadline < item.check_at and int(deadline) + 1 < item.check_at:
            self._add_to_bucket(item, deadline)

    def _add_to_bucket(self, item: W, deadline: float) -> None:
        second = int(deadline) + 1
        item.check_at = second
        self._buckets.setdefault(second, []).append(item)
        self._next_check = min(self._next_check, second)

    def timeout(self, now: float) -> float | None:
        """Return the seconds until the next bucket is due, None without deadlines."""
        return None if self._next_check is NEVER else max(self._next_check - now, 0.0)

    def expired(self, now: float) -> list[W]:
        """Remove and return what has expired; move the rest of the due buckets on."""
        if now < self._next_check:
            return []
        due: list[W] = []
        for second in sorted(bucket for bucket in self._buckets if bucket <= now):
            for item in self._buckets.pop(second):
                if item.check_at != second:
                    continue  # it was in an earlier bucket as well, or was checked since
                item.check_at = NEVER
                if item.deadline <= now:
                    due.append(item)
                elif item.deadline is not NEVER:
                    self._add_to_bucket(item, item.deadline)
        self._next_check = min(self._buckets, default=NEVER)
        return due
