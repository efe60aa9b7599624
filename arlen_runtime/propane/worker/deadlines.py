"""Deadlines of connections. One rule: setting a later deadline costs one attribute store, however often it is done.

Connections lie in buckets of a second. A bucket that comes due is looked through: whoever's deadline has moved on goes
to the bucket of its new one. So ten thousand idle connections cost nothing while nothing is due.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

NEVER = float("inf")


class Watched(Protocol):
    """What has a deadline. `deadline` and `looked_at` are seconds of the monotonic clock."""

    deadline: float
    looked_at: float
    """The second at which this one will be looked at: never later than its deadline."""


W = TypeVar("W", bound=Watched)


class Deadlines(Generic[W]):
    """The deadlines of one reactor, touched only by the thread that holds the baton."""

    def __init__(self) -> None:
        """Begin with none."""
        self._buckets: dict[int, list[W]] = {}
        self._next: float = NEVER

    def set(self, one: W, deadline: float) -> None:
        """Let `one` expire at `deadline`, in place of what was set before."""
        one.deadline = deadline
        if deadline < one.looked_at and int(deadline) + 1 < one.looked_at:  # else it is looked at in time already
            self._file(one, deadline)

    def _file(self, one: W, deadline: float) -> None:
        second = int(deadline) + 1
        one.looked_at = second
        self._buckets.setdefault(second, []).append(one)
        self._next = min(self._next, second)

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next look is due, None when nothing has a deadline."""
        return None if self._next is NEVER else max(self._next - now, 0.0)

    def expired(self, now: float) -> list[W]:
        """Take those whose deadline has passed; file the others of the due buckets anew."""
        if now < self._next:
            return []
        gone: list[W] = []
        for second in sorted(bucket for bucket in self._buckets if bucket <= now):
            for one in self._buckets.pop(second):
                if one.looked_at != second:
                    continue  # it lies in an earlier bucket too, or has been looked at since
                one.looked_at = NEVER
                if one.deadline <= now:
                    gone.append(one)
                elif one.deadline is not NEVER:
                    self._file(one, one.deadline)
        self._next = min(self._buckets, default=NEVER)
        return gone
