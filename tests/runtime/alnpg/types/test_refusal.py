"""A value that is too large is refused, before it is copied and before it is sent."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import OutOfRange
from arlen_runtime.alnpg.types.refusal import MAX_VALUE_BYTES, DoesNotFitError, check_size


@pytest.mark.parametrize("size", [2**30 - 2**20 + 1, 2**31])
def test_a_value_of_more_than_a_gigabyte_is_refused_before_it_is_copied(pg: ALNPg, size: int) -> None:
    """The server closes the connection at such a message. The map's pages are never touched."""
    with mmap.mmap(-1, size) as pages, memoryview(pages) as view:
        calls: list[Callable[[Any], object]] = [
            lambda value: pg.query("select length($1::bytea)", value),
            lambda value: pg.query("select $1::bytea[]", [value]),
            lambda value: pg.execute_many("select $1::bytea", [(b"",), (value,)]),
        ]
        for call in calls:
            with pytest.raises(
                OutOfRange, match=f"it has {size:,} bytes, and a value of PostgreSQL has less than 1 GB"
            ):
                call(view)
            assert pg.query_value("select 42") == 42


def test_the_last_size_that_fits_leaves_room_for_the_rest_of_the_message() -> None:
    check_size(MAX_VALUE_BYTES)
    assert 2**30 - MAX_VALUE_BYTES > 65_535 * 8  # a length and a format for each parameter, and what else Bind has
    with pytest.raises(DoesNotFitError, match="less than 1 GB"):
        check_size(MAX_VALUE_BYTES + 1)
