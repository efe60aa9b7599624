"""Dates of HTTP (RFC 9110 section 5.6.7) to seconds since 1970 and back. The only zone is GMT.

Writes IMF-fixdate. Reads also the two obsolete forms, as the RFC requires.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "(?P<month>" + "|".join(_MONTHS) + ")"
_TIME = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
_SHORT = "(?:" + "|".join(_DAYS) + ")"
_LONG = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_FORMS = (
    re.compile(rf"{_SHORT}, (?P<day>\d{{2}}) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT", re.ASCII),
    re.compile(rf"{_LONG}, (?P<day>\d{{2}})-{_MONTH}-(?P<year>\d{{2}}) {_TIME} GMT", re.ASCII),
    re.compile(rf"{_SHORT} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})", re.ASCII),
)
_CENTURY = 100
_FARTHEST = 50  # years from now that two digits may mean (RFC 9110 section 5.6.7)


def write(seconds: float) -> str:
    """Return the date as IMF-fixdate in whole seconds: `Sun, 06 Nov 1994 08:49:37 GMT`.

    It is English in every locale.
    """
    at = _EPOCH + timedelta(seconds=int(seconds))
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02} {month} {at.year:04} {at.hour:02}:{at.minute:02}:{at.second:02} GMT"


def read(text: str) -> int | None:
    """Return the seconds since 1970 of a date in any of the three forms, None for anything else."""
    match = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    if match is None:
        return None
    year = int(match["year"])
    if year < _CENTURY:
        farthest = datetime.now(UTC).year + _FARTHEST
        year = farthest - (farthest - year) % _CENTURY  # the latest year up to then with these last digits
    # A leap second is a valid 60, which no clock here can show: use the second before it.
    parts = int(match["hour"]), int(match["minute"]), min(int(match["second"]), 59)
    try:
        at = datetime(year, _MONTHS.index(match["month"]) + 1, int(match["day"]), *parts, tzinfo=UTC)
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(seconds=1)
