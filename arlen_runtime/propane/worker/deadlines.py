"""Deadlines of connections. One rule: setting a later deadline costs one attribute store, however often it is done.

Connections lie in buckets of a second. A bucket that comes due is looked through: whoever's deadline has moved on goes
to the bucket of its new item. So ten thousand idle connections cost nothing while nothing is due.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

NEVER = float("inf")


class HasDeadline(Protocol):
    """What has a deadline. `deadline` and `looked_at` are seconds of the monotonic clock."""

    deadline: float
    check_at: float
    """The second at which this one will be looked at: never later than its deadline."""


W = TypeVar("W", bound=HasDeadline)


class Deadlines(Generic[W]):
    """The deadlines of one reactor, touched only by the thread that holds the baton."""

    def __init__(self) -> None:
        """Begin with none."""
        self._buckets: dict[int, list[W]] = {}
        self._next_check: float = NEVER

    def set(self, item: W, deadline: float) -> None:
        """Let `one` expire at `deadline`, in place of what was set before."""
        item.deadline = deadline
        if deadline < item.check_at and int(deadline) + 1 < item.check_at:  # else it is looked at in time already
            self._add_to_bucket(item, deadline)

    def _add_to_bucket(self, item: W, deadline: float) -> None:
        second = int(deadline) + 1
        item.check_at = second
        self._buckets.setdefault(second, []).append(item)
        self._next_check = min(self._next_check, second)

    def timeout(self, now: float) -> float | None:
        """Return the seconds until the next look is due, None when nothing has a deadline."""
        return None if self._next_check is NEVER else max(self._next_check - now, 0.0)

    def expired(self, now: float) -> list[W]:
        """Take those whose deadline has passed; file the others of the due buckets anew."""
        if now < self._next_check:
            return []
        due: list[W] = []
        for second in sorted(bucket for bucket in self._buckets if bucket <= now):
            for item in self._buckets.pop(second):
                if item.check_at != second:
                    continue  # it lies in an earlier bucket too, or has been looked at since
                item.check_at = NEVER
                if item.deadline <= now:
                    due.append(item)
                elif item.deadline is not NEVER:
                    self._add_to_bucket(item, item.deadline)
        self._next_check = min(self._buckets, default=NEVER)
        return due
