"""Input that is not exactly a value of its type is refused; nothing is guessed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal

import pytest

from arlen_runtime.web import readers
from arlen_runtime.web.readers import Refusal

ID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("read", "raw", "value"),
    [
        (readers.string, "é", "é"),
        (readers.integer, "-12", -12),
        (readers.integer, " 12 ", 12),
        (readers.integer, "\x1c12\x1f", 12),  # white space for str.strip(), but not for int()
        (readers.integer, 2**70, 2**70),
        (readers.number, "1.50", Decimal("1.50")),
        (readers.number, ".5", Decimal("0.5")),
        (readers.number, 0.1, Decimal("0.1")),
        (readers.number, 3, Decimal(3)),
        (readers.number, 0.00001, Decimal("0.00001")),
        (readers.number, -1e16, Decimal(-(10**16))),
        (readers.number, 12345678901234567890, Decimal(12345678901234567890)),
        (readers.boolean, "on", True),
        (readers.boolean, "FALSE", False),
        (readers.boolean, True, True),
        (readers.date, "2024-02-29", dt.date(2024, 2, 29)),
        (readers.datetime, "2026-01-31T18:30", dt.datetime(2026, 1, 31, 18, 30)),  # noqa: DTZ001 - a form sends no time zone
        (readers.datetime, "2026-01-31 18:30:15.5Z", dt.datetime(2026, 1, 31, 18, 30, 15, 500000, dt.UTC)),
        (readers.email, " a.b+c@example.co.uk ", "a.b+c@example.co.uk"),
        (readers.uuid, str(ID).upper(), ID),
    ],
)
def test_an_exact_value_is_read(read: Callable[[object], object], raw: object, value: object) -> None:
    assert read(raw) == value


@pytest.mark.parametrize(
    ("read", "code", "refused"),
    [
        (readers.string, "invalid_string", [1, None, b"x", ["a"], "a\0b", "\ud800"]),
        (
            readers.integer,
            "invalid_integer",
            ["", "1.0", "1e3", "0x1", "1_0", "٣", "1 2", 1.0, True, None, [1], "9" * 41],
        ),
        (
            readers.number,
            "invalid_decimal",
            ["", ".", "1e3", "NaN", "Infinity", "1,5", True, None, float("nan"), float("-inf"), 1e300, 1e-300, "--1"],
        ),
        (readers.boolean, "invalid_boolean", ["", "yes", "2", 1, 0, None, []]),
        (
            readers.date,
            "invalid_date",
            ["2026-02-30", "2026-1-1", "20260101", "31.01.2026", 20260101, None, "0000-01-01"],
        ),
        (
            readers.datetime,
            "invalid_datetime",
            ["2026-01-31", "2026-01-31T25:00", "2026-01-31T10:00+99:00", "now", 1, None],
        ),
        (
            readers.email,
            "invalid_email",
            [
                "",
                "a",
                "a@",
                "@b.c",
                "a@b",
                "a b@c.de",
                "a@b..de",
                "a@-b.de",
                "a@b.de\n.x",
                f"{'a' * 65}@b.de",
                1,
                "a@b.d1",
            ],
        ),
        (readers.uuid, "invalid_uuid", ["", ID.hex, f"{{{ID}}}", f"urn:uuid:{ID}", 7, None]),
    ],
)
def test_anything_else_is_refused_with_its_code(
    read: Callable[[object], object], code: str, refused: list[object]
) -> None:
    for raw in refused:
        with pytest.raises(Refusal) as caught:
            read(raw)
        assert caught.value.code == code, raw
