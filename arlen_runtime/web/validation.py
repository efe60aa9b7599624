"""Validation of input, field by field. All errors are collected, then raised once.

    def post_form(f: Fields) -> PostForm:
        stars = f.integer("stars", min=1, max=5, default=None)
        return PostForm(title=f.string("title", max=80), stars=stars)

    form = ctx.validate(post_form)  # or: f = ctx.fields(); title = f.string("title"); f.check()

A field without a `default` is required. Blank text counts as absent, because that is what a form
sends. A refused field returns an empty value of its type as a placeholder until `check` raises. If
there is no placeholder for an object, validation ends there.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar
from uuid import UUID

from arlen_runtime.errors import FieldError, ValidationFailed
from arlen_runtime.web import readers
from arlen_runtime.web.readers import Refusal

T = TypeVar("T")
D = TypeVar("D")

REQUIRED: Any = object()
"""The default of a required field."""

_Errors = list[FieldError]  # inside Fields, `list` is a method


class InputSource(Protocol):
    """Where the values come from: the params of a context, or an object like them."""

    def get(self, name: str, /) -> Any:  # noqa: ANN401 - raw input
        """Return the raw value, or None."""
        ...

    def all(self, name: str, /) -> list[Any]:
        """Return every value of the name."""
        ...

    def source(self, name: str, /) -> str:
        """Return where the value came from, or would have: "route", "body" or "query"."""
        ...


class Fields:
    """Reads fields and collects their errors."""

    def __init__(self, source: InputSource, prefix: str = "") -> None:
        """Read from `source`; `prefix` stands before the names in errors (nested fields)."""
        self._source = source
        self._prefix = prefix
        self.errors: _Errors = []

    def string(
        self,
        name: str,
        *,
        min: int = 0,  # noqa: A002 - the usual word, as in HTML
        max: int | None = None,  # noqa: A002 - likewise
        pattern: str | None = None,
        strip: bool = True,
        default: D = REQUIRED,
    ) -> str | D:
        """Read text of `min` to `max` characters that matches `pattern` as a whole.

        With `strip`, white space at both ends is removed.
        """

        def read(raw: object) -> str:
            text = readers.string(raw)
            text = text.strip() if strip else text
            _check_size(len(text), min, max, "characters")
            if pattern is not None and not re.fullmatch(pattern, text):
                raise Refusal("invalid_format", "has the wrong format")
            return text

        return self._read_field(name, read, str, default)

    def integer(
        self,
        name: str,
        *,
        min: int | None = None,  # noqa: A002 - as above
        max: int | None = None,  # noqa: A002 - as above
        default: D = REQUIRED,
    ) -> int | D:
        """Read an integer from `min` to `max`."""
        return self._read_field(name, lambda raw: _check_range(readers.integer(raw), min, max), int, default)

    def decimal(
        self,
        name: str,
        *,
        min: Decimal | int | None = None,  # noqa: A002 - as above
        max: Decimal | int | None = None,  # noqa: A002 - as above
        places: int | None = None,
        default: D = REQUIRED,
    ) -> Decimal | D:
        """Read a decimal number from `min` to `max` with at most `places` decimal places."""

        def read(raw: object) -> Decimal:
            value = readers.number(raw)
            if places is not None and -int(value.as_tuple().exponent) > places:
                raise Refusal("too_precise", f"must have at most {places} decimal places")
            return _check_range(value, min, max)

        return self._read_field(name, read, Decimal, default)

    def boolean(self, name: str, *, default: D = False) -> bool | D:  # type: ignore[assignment] # False is the default D
        """Read a boolean.

        An absent one is false, because that is what an unticked box sends.
        """
        return self._read_field(name, readers.boolean, bool, default)

    def date(
        self,
        name: str,
        *,
        min: dt.date | None = None,  # noqa: A002 - as above
        max: dt.date | None = None,  # noqa: A002 - as above
        default: D = REQUIRED,
    ) -> dt.date | D:
        """Read a date, YYYY-MM-DD."""
        return self._read_field(
            name, lambda raw: _check_range(readers.date(raw), min, max), lambda: dt.date.min, default
        )

    def datetime(self, name: str, *, zone: bool = False, default: D = REQUIRED) -> dt.datetime | D:
        """Read a date and time. With `zone`, the offset from UTC is required."""

        def read(raw: object) -> dt.datetime:
            value = readers.datetime(raw)
            if zone and value.tzinfo is None:
                raise Refusal("missing_offset", "must have an offset from UTC, such as Z or +02:00")
            if zone and not _is_representable_in_utc(value):
                raise Refusal("out_of_range", "must be in the years 1 to 9999, also in UTC")
            return value

        return self._read_field(name, read, lambda: dt.datetime.min, default)  # noqa: DTZ901 - a placeholder, never returned

    def email(self, name: str, *, default: D = REQUIRED) -> str | D:
        """Read an e-mail address."""
        return self._read_field(name, readers.email, str, default)

    def uuid(self, name: str, *, default: D = REQUIRED) -> UUID | D:
        """Read a UUID."""
        return self._read_field(name, readers.uuid, lambda: UUID(int=0), default)

    def choice(self, name: str, choices: Sequence[T] | Mapping[str, T], *, default: D = REQUIRED) -> T | D:
        """Read one of `choices`, by `str(choice)`, or by key if it is a mapping."""
        table = choices if isinstance(choices, Mapping) else {str(choice): choice for choice in choices}

        def read(raw: object) -> T:
            if isinstance(raw, (str, int)) and str(raw) in table:
                return table[str(raw)]
            raise Refusal("invalid_choice", f"must be one of {', '.join(table)}")

        return self._read_field(name, read, lambda: next(iter(table.values())), default)

    def list(self, name: str, read: Callable[[object], T], *, min: int = 0, max: int = 1000) -> Sequence[T]:  # noqa: A002 - as above
        """Read `min` to `max` values of a name.

        `read` converts one value: a function of `readers`, such as `readers.integer`.
        """
        raw = self._source.all(name)
        values = []
        try:
            _check_size(len(raw), min, max, "values")
        except Refusal as refusal:
            self.refuse(name, refusal.code, refusal.message)
        for index, item in enumerate(raw[:max]):
            try:
                values.append(read(item))
            except Refusal as refusal:
                self.refuse(f"{name}[{index}]", refusal.code, refusal.message)
        return values

    def nested(self, name: str, validator: Callable[[Fields], T], *, default: D = REQUIRED) -> T | D:
        """Read an object inside the object (JSON) with its own validator.

        Its errors are named `name.field`. Raise ValidationFailed with the errors so far if the
        object is refused and the validator cannot build a value from empty fields either: then
        there is no placeholder for it.
        """

        def read(raw: object) -> T:
            if not isinstance(raw, Mapping):
                raise Refusal("invalid_object", "must be an object")
            inner = Fields(_Members(raw, self._source.source(name)), f"{self._prefix}{name}.")
            try:
                value = build(validator, inner)
            except ValidationFailed as failure:
                if not failure.errors:
                    raise
                self.errors.extend(failure.errors)
                return self._placeholder(validator)
            self.errors.extend(inner.errors)
            return value

        return self._read_field(name, read, lambda: self._placeholder(validator), default)

    def refuse(self, name: str, code: str, message: str) -> None:
        """Add an error of the application itself.

        f.refuse("ends", "too_early", "must be after the start")
        """
        source = self._source.source(name.partition("[")[0])
        self.errors.append(FieldError(self._prefix + name, code, message, source))

    def check(self) -> None:
        """Raise ValidationFailed if anything was refused."""
        if self.errors:
            raise ValidationFailed(self.errors)

    def _placeholder(self, validator: Callable[[Fields], T]) -> T:
        """Return what a validator builds from empty fields, in place of a refused object.

        Raise ValidationFailed if it cannot build anything.
        """
        try:
            return build(validator, Fields(_Members({}, "")))
        except (TypeError, ValueError, ValidationFailed):
            self.check()
            raise

    def _read_field(self, name: str, read: Callable[[object], T], empty: Callable[[], T], default: D) -> T | D:
        """Return the value of a field or its default; else add an error, return `empty()`."""
        raw = self._source.get(name)
        if raw is None or (isinstance(raw, str) and not raw.strip()):
            if default is not REQUIRED:
                return default
            self.refuse(name, "required", "is required")
            return empty()
        try:
            return read(raw)
        except Refusal as refusal:
            self.refuse(name, refusal.code, refusal.message)
            return empty()


def build(validator: Callable[[Fields], T], fields: Fields) -> T:
    """Return what a validator builds from fields.

    If it raises TypeError or ValueError and a field was refused, raise ValidationFailed. If all
    fields are valid, the error is its own and is raised as it is.
    """
    try:
        return validator(fields)
    except (TypeError, ValueError):
        fields.check()
        raise


class _Members:
    """Members of a JSON object as a source."""

    def __init__(self, members: Mapping[str, Any], source: str) -> None:
        self._members = members
        self._source = source

    def get(self, name: str, /) -> Any:  # noqa: ANN401 - raw input
        return self._members.get(name)

    def all(self, name: str, /) -> list[Any]:
        """Return the member's items, or the member as the only one."""
        value = self._members.get(name)
        return value if isinstance(value, list) else [] if value is None else [value]

    def source(self, name: str, /) -> str:  # noqa: ARG002 - all members have one source
        return self._source


Ordered = TypeVar("Ordered", int, Decimal, dt.date)


def _check_range(value: Ordered, minimum: Any, maximum: Any) -> Ordered:  # noqa: ANN401 - of the value's own type, or an int
    if minimum is not None and value < minimum:
        raise Refusal("too_small", f"must be at least {minimum}")
    if maximum is not None and value > maximum:
        raise Refusal("too_large", f"must be at most {maximum}")
    return value


def _is_representable_in_utc(value: dt.datetime) -> bool:
    """Return True if the time exists in UTC.

    Near both ends of the calendar, the offset may lead outside of it.
    """
    try:
        value.astimezone(dt.UTC)
    except OverflowError:
        return False
    return True


def _check_size(count: int, minimum: int, maximum: int | None, unit: str) -> None:
    if count < minimum:
        raise Refusal("too_short", f"must have at least {minimum} {unit}")
    if maximum is not None and count > maximum:
        raise Refusal("too_long", f"must have at most {maximum} {unit}")
