"""Deadlines expire in time, are cheap to move, and cost nothing while none is due."""

from __future__ import annotations

from dataclasses import dataclass

from arlen_runtime.propane.worker.deadlines import NEVER, Deadlines


@dataclass
class Item:
    """Something with a deadline."""

    name: str
    deadline: float = NEVER
    check_at: float = NEVER


def test_an_item_expires_once_at_the_end_of_its_second() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    item = Item("a")
    deadlines.set(item, 10.5)

    assert deadlines.expired(10.4) == []
    assert deadlines.expired(11.0) == [item]
    assert deadlines.expired(99.0) == []


def test_a_later_deadline_does_not_expire_at_the_old_time() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    item = Item("a")
    deadlines.set(item, 10.0)
    item.deadline = 20.0  # what the hot path does

    assert deadlines.expired(15.0) == []
    assert deadlines.expired(21.0) == [item]


def test_an_earlier_deadline_expires_at_the_new_time() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    item = Item("a")
    deadlines.set(item, 60.0)
    deadlines.set(item, 5.0)

    assert deadlines.expired(6.0) == [item]
    assert deadlines.expired(61.0) == []


def test_the_timeout_is_until_the_next_bucket_and_none_without_deadlines() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    assert deadlines.timeout(0.0) is None

    deadlines.set(Item("a"), 3.2)
    deadlines.set(Item("b"), 7.0)

    assert deadlines.timeout(1.0) == 3.0


def test_an_item_that_never_expires_leaves_the_buckets() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    item = Item("a")
    deadlines.set(item, 1.0)
    item.deadline = NEVER

    assert deadlines.expired(5.0) == []
    assert deadlines.timeout(5.0) is None


def test_a_deadline_that_moves_within_its_second_is_filed_once() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    item = Item("a")
    for step in range(9):
        deadlines.set(item, 10.1 + step / 10)

    assert [len(bucket) for bucket in deadlines._buckets.values()] == [1]
    assert deadlines.expired(11.0) == [item]
