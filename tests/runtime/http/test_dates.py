"""Dates: one form is written, three are read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.http import dates

MOMENT = 784111777


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_of_the_rfc_are_read(text: str) -> None:
    assert dates.read(text) == MOMENT


def test_the_preferred_form_is_written() -> None:
    assert dates.write(MOMENT) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert dates.write(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert dates.write(MOMENT + 0.999) == dates.write(MOMENT)


@given(st.integers(0, 253402300799))
def test_what_is_written_is_read(seconds: int) -> None:
    assert dates.read(dates.write(seconds)) == seconds


@pytest.mark.parametrize("ahead", [-49, 0, 1, 50])
def test_a_two_digit_year_is_at_most_fifty_years_ahead(ahead: int) -> None:
    year = datetime.now(UTC).year + ahead
    assert dates.write(dates.read(f"Sunday, 06-Nov-{year % 100:02} 08:49:37 GMT") or 0).split()[3] == str(year)


def test_a_leap_second_is_the_second_before() -> None:
    assert dates.read("Sat, 31 Dec 2016 23:59:60 GMT") == dates.read("Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "1994-11-06T08:49:37Z",
        "Sun, 0\u0666 Nov 1994 08:49:37 GMT",
    ],
)
def test_anything_else_is_not_a_date(text: str) -> None:
    assert dates.read(text) is None
