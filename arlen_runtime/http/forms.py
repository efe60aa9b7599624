"""The two kinds of form bodies, and the query of an address.

Invariant: every count and size has a limit, and nothing beyond a limit is kept.

`read_multipart` reads from a file or from a body that still arrives, so an upload is never in
memory as a whole. Text is UTF-8, as in the WHATWG's forms; a form that names another charset is
refused, not misread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

from arlen_runtime.errors import BadRequest, InvalidBody, PayloadTooLarge, UnsupportedMediaType
from arlen_runtime.http.media_types import essence, parameter
from arlen_runtime.http.multipart_parts import PartEvent, PartHead, read_parts
from arlen_runtime.http.percent import decode_plus
from arlen_runtime.http.request import BodyStream

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046 section 5.1.1
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})  # us-ascii is a subset of utf-8
_CHARSET = re.compile(r";[ \t]*charset", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f]")

Values = dict[str, list[str]]


class FormLimits(NamedTuple):
    """Limits of a form; parts are fields and files together. Sizes in bytes.

    The size of the whole body is limited by the route. Files have a limit of their own because
    each may hold a descriptor; the fields together have one because they are in memory.
    """

    parts: int = 1000
    files: int = 100
    name_bytes: int = 512
    field_bytes: int = 1_048_576
    fields_bytes: int = 10_485_760
    file_bytes: int = 1 << 40


_DEFAULT = FormLimits()


class Upload(NamedTuple):
    """A file of a form: the client's name for it (never a path), declared type, size, content.

    Name and type are input of the client: show or check them, but never open or trust them.
    `file` is at its start.
    """

    filename: str
    content_type: str
    size: int
    file: BinaryIO


class Form(NamedTuple):
    """The fields and the files of a form by name, in the order in which they came."""

    fields: Values
    files: dict[str, list[Upload]]

    def close(self) -> None:
        """Close the files; files that `spool` opened may then be deleted."""
        for uploads in self.files.values():
            for upload in uploads:
                upload.file.close()


def read_query(query: str, limits: FormLimits = _DEFAULT) -> Values:
    """Read the query of an address: names to their values in order.

    Raises BadRequest if it is malformed or beyond a limit.
    """
    try:
        return _read_pairs(query, limits)
    except PayloadTooLarge as error:
        # There may be no body, so 413 (RFC 9110 section 15.5.14) would name the wrong part.
        raise BadRequest(f"The query is not acceptable: {error.detail}") from None


def read_urlencoded_body(body: bytes, content_type: str = "", limits: FormLimits = _DEFAULT) -> Values:
    """Read an application/x-www-form-urlencoded body.

    Raises InvalidBody if it is malformed, PayloadTooLarge beyond a limit, UnsupportedMediaType
    for another charset.
    """
    _check_charset(content_type)
    try:
        values = _read_pairs(body.decode(), limits)
    except UnicodeDecodeError:
        raise InvalidBody("The form is not valid UTF-8.") from None
    except BadRequest as error:
        raise InvalidBody(f"The form is not valid: {error.detail}") from None
    _check_declared_charset(values)
    return values


def _read_pairs(text: str, limits: FormLimits) -> Values:
    """Raise BadRequest for bad percent-encoding, PayloadTooLarge beyond a limit."""
    values: Values = {}
    if not text:
        return values
    if text.count("&") >= limits.parts:
        raise PayloadTooLarge(f"At most {limits.parts} fields are allowed.")
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            _check_size("name of a field", len(name), limits.name_bytes)
            _check_size("value of a field", len(value), limits.field_bytes)
            values.setdefault(decode_plus(name), []).append(decode_plus(value))
    return values


def read_multipart(
    body: BodyStream, content_type: str, limits: FormLimits = _DEFAULT, spool: Callable[[], BinaryIO] = BytesIO
) -> Form:
    """Read a multipart/form-data body (RFC 7578). Each file goes to what `spool` opens.

    Raises UnsupportedMediaType for another type or charset, InvalidBody if it is malformed,
    PayloadTooLarge beyond a limit.
    """
    form = Form({}, {})
    boundary = parameter(content_type, "boundary") or ""
    if essence(content_type) != "multipart/form-data":
        raise UnsupportedMediaType("The body must be a form, sent as multipart/form-data.")
    _check_charset(content_type)
    if not _BOUNDARY.fullmatch(boundary):
        raise InvalidBody("The form's boundary is missing or malformed.")
    _read_parts(read_parts(body, boundary, limits.parts), form, limits, spool)
    return form


def _read_parts(events: Iterator[PartEvent], form: Form, limits: FormLimits, spool: Callable[[], BinaryIO]) -> None:
    """Read the parts into the form; on any error, close everything that was opened."""
    part: _Part | None = None
    files = field_bytes = 0
    try:
        for event in events:
            if isinstance(event, PartHead):
                files += event.filename is not None
                _check_files(files, limits)
                part = _Part(event, limits, spool)
            elif part is not None and event is not None:
                part.write(event)
                field_bytes += len(event) if part.filename is None else 0
                _check_size("sum of all fields", field_bytes, limits.fields_bytes)
            elif part is not None:
                part.finish(form)
        _check_declared_charset(form.fields)
    except BaseException:
        form.close()
        if part is not None:
            part.file.close()
        raise


class _Part:
    """One part while it arrives: a field, or a file if it has a file name."""

    def __init__(self, head: PartHead, limits: FormLimits, spool: Callable[[], BinaryIO]) -> None:
        """Check the header before any content is kept."""
        if not head.name or _NOT_IN_NAMES.search(head.name):
            raise InvalidBody("A part of the form has no name, or its name contains a control character.")
        _check_size("name of a field", len(head.name.encode()), limits.name_bytes)
        if head.filename is None:
            _check_charset(head.content_type)
        self.name = head.name
        self.filename = None if head.filename is None else _plain_name(head.filename)
        self.content_type = head.content_type or "application/octet-stream"
        self.file = BytesIO() if self.filename is None else spool()
        self.size = 0
        self.limit = limits.field_bytes if self.filename is None else limits.file_bytes

    def write(self, data: bytes) -> None:
        self.size += len(data)
        _check_size(f"field {self.name!r}", self.size, self.limit)
        self.file.write(data)

    def finish(self, form: Form) -> None:
        """Add the part to the form."""
        self.file.seek(0)
        if self.filename is None:
            form.fields.setdefault(self.name, []).append(self._text())
        elif self.filename or self.size:  # an empty file field has neither
            upload = Upload(self.filename, self.content_type, self.size, self.file)
            form.files.setdefault(self.name, []).append(upload)

    def _text(self) -> str:
        try:
            return self.file.read().decode()
        except UnicodeDecodeError:
            raise InvalidBody(f"The field {self.name!r} of the form is not valid UTF-8.") from None


def _plain_name(filename: str) -> str:
    """Return the last part of a path of either kind, without control characters."""
    return _NOT_IN_NAMES.sub("", filename.replace("\\", "/").rpartition("/")[2])


def _check_charset(content_type: str) -> None:
    """Raise UnsupportedMediaType for a charset other than UTF-8.

    The parameter name is case-insensitive (RFC 9110 section 5.6.6).
    """
    if _CHARSET.search(content_type):
        charset = parameter(content_type, "charset") or ""  # None if named twice: ambiguous, so refused
        if charset.lower() not in _CHARSETS:
            raise UnsupportedMediaType(
                f"A form must be UTF-8: send charset=utf-8 once or no charset, not {content_type[:80]!r}."
            )


def _check_declared_charset(values: Values) -> None:
    """Raise UnsupportedMediaType if the form says by _charset_ that it is not in UTF-8.

    RFC 7578 section 4.6; WHATWG HTML fills in such a field.
    """
    for charset in values.get("_charset_", ()):
        if charset.lower() not in {"", *_CHARSETS}:
            raise UnsupportedMediaType(f"A form must be UTF-8: its field _charset_ says {charset[:80]!r}.")


def _check_files(count: int, limits: FormLimits) -> None:
    if count > limits.files:
        raise PayloadTooLarge(f"The form has more than {limits.files} files.")


def _check_size(subject: str, size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLarge(f"The {subject} is larger than {limit} bytes.")
