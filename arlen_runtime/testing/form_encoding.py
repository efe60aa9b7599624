"""Bodies of forms as a browser writes them (WHATWG HTML, "Form control infrastructure").

    multipart(of_form(entries({"title": "One", "tags": ["a", "b"]}, {"photo": Path("a.png")})))

An entry is a name with a value or a file, in the order in which it is sent.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import re
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from arlen_runtime.http import media_types
from arlen_runtime.testing.url import to_utf8

URLENCODED = "application/x-www-form-urlencoded"

FileContent = bytes | str | IO[bytes]
FileInput = Path | bytes | IO[bytes] | tuple[str] | tuple[str, FileContent] | tuple[str, FileContent, str] | None
"""A file to upload: a path, its content, or a tuple of its name, its content and its media type.

None is a file input in which no file was chosen.
"""

Fields = Mapping[str, object] | Iterable[tuple[str, object]]
Files = Mapping[str, FileInput | Sequence[FileInput]]

# URL Standard, "application/x-www-form-urlencoded percent-encode set": all but these is encoded.
_PLAIN = frozenset(b"*-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_OCTETS = [chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in range(256)]
_OCTETS[ord(" ")] = "+"

_LINE_END = re.compile(rb"\r\n|\r|\n")
_IN_QUOTES = {ord("\n"): "%0A", ord("\r"): "%0D", ord('"'): "%22"}  # "multipart/form-data encoding algorithm"


class FileEntry(NamedTuple):
    """A file of a form. An empty name with no content is an input in which none was chosen."""

    name: str
    content: bytes
    content_type: str


Entry = tuple[str, bytes | FileEntry]


def entries(data: Fields | None, files: Files | None = None) -> list[Entry]:
    """Return the entries of a form: first the fields, then the files.

    A list holds several values of one name; a field that is None is not sent, like a box that is
    not ticked. Raises TypeError for a value that no form can hold.
    """
    pairs = data.items() if isinstance(data, Mapping) else data or ()
    fields = [(name, content) for name, value in pairs for content in _contents(name, value)]
    return fields + [(name, file) for name, value in (files or {}).items() for file in _files(name, value)]


def urlencode(form: Iterable[Entry]) -> str:
    """Return the entries as a query ("urlencoded serializing"); a file is sent as its name."""
    return "&".join(f"{_quote(to_utf8(name))}={_quote(_content(value))}" for name, value in form)


def of_form(entries_of_controls: Iterable[Entry]) -> list[Entry]:
    """Return the entries that a form sends ("Constructing the entry list").

    A field named _charset_ holds the name of the encoding.
    """
    return [
        (name, b"UTF-8" if name.lower() == "_charset_" and isinstance(value, bytes) else value)
        for name, value in entries_of_controls
    ]


def normalized(form: Iterable[Entry]) -> list[Entry]:
    """Return the entries with CR LF as the only line end of names and values, not of files."""
    return [
        (_normalize(to_utf8(name)).decode(), value if isinstance(value, FileEntry) else _normalize(value))
        for name, value in form
    ]


def multipart(form: Iterable[Entry]) -> tuple[str, bytes]:
    """Return the media type and the bytes of a form with files (RFC 7578)."""
    boundary = f"----FormBoundary{secrets.token_hex(16)}"
    body = b"".join(f"--{boundary}\r\n".encode() + _part(name, value) + b"\r\n" for name, value in normalized(form))
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def _content(value: bytes | FileEntry) -> bytes:
    return to_utf8(value.name) if isinstance(value, FileEntry) else value


def _quote(data: bytes) -> str:
    return "".join(map(_OCTETS.__getitem__, data))


def _normalize(text: bytes) -> bytes:
    return _LINE_END.sub(b"\r\n", text)


def _part(name: str, value: bytes | FileEntry) -> bytes:
    head = f'Content-Disposition: form-data; name="{name.translate(_IN_QUOTES)}"'
    if isinstance(value, FileEntry):
        filename = to_utf8(value.name).decode().translate(_IN_QUOTES)
        head += f'; filename="{filename}"\r\nContent-Type: {value.content_type}'
        value = value.content
    return f"{head}\r\n\r\n".encode() + value


def _contents(name: str, value: object) -> Iterator[bytes]:
    """Yield the values that a field is sent with: none, one or several."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _contents(name, item)
    elif value is not None:
        yield _field(name, value)


def _field(name: str, value: object) -> bytes:
    """Return one value as text in UTF-8. Bytes are sent as they are: they may be no valid text."""
    if isinstance(value, enum.Enum):
        return _field(name, value.value)
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat().encode()  # the format of date, time and datetime-local inputs
    if isinstance(value, decimal.Decimal):
        return format(value, "f").encode()
    if isinstance(value, str | int | float | uuid.UUID):
        return to_utf8(str(value))
    raise TypeError(
        f"the form field {name!r} cannot be a {type(value).__name__}: "
        "use text, a number, a date, an Enum, bytes, or a list of these; send anything else with json="
    )


def _files(name: str, value: object) -> list[FileEntry]:
    """Return the files of one input; a list is an input that takes several."""
    return [_file(name, file) for file in value] if isinstance(value, list) else [_file(name, value)]


def _file(name: str, file: object) -> FileEntry:
    match file:
        case None:
            return FileEntry("", b"", media_types.UNKNOWN)
        case Path():
            return _named(file.name, file.read_bytes())
        case bytes():
            return _named(name, file)
        case (str(filename), *content) if len(content) <= 1:
            return _named(filename, _read(name, *content))
        case (str(filename), content, str(content_type)):
            return FileEntry(filename, _read(name, content), content_type)
        case _ if hasattr(file, "read"):
            return _named(Path(str(getattr(file, "name", name))).name, _read(name, file))
    raise TypeError(
        f"the file {name!r} cannot be {file!r}: use a Path, bytes, an open file, a tuple of name, content and media "
        "type, or None if no file was chosen"
    )


def _read(name: str, content: object = b"") -> bytes:
    """Return the bytes of a file's content; text is UTF-8."""
    data = content.read() if hasattr(content, "read") else content
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes):
        return data
    raise TypeError(f"the content of the file {name!r} must be bytes, text or an open file, not {data!r}")


def _named(name: str, content: bytes) -> FileEntry:
    return FileEntry(name, content, media_types.by_extension(name) or media_types.UNKNOWN)
