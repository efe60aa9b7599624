"""Events to lines, as text or JSON.

Invariant: no input of a client can forge a line, a field or a colour.

Pure functions. Characters that are not printable are escaped, so a line ends where its event ends.
In text, the lines of a traceback begin with four spaces, which no event does.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class EndpointFields:
    """The fields of an access line that all requests of an endpoint have in common.

    `text` and `json` are these fields as both formats write them, so that no request formats them.
    """

    text: str = ""
    json: str = ""
    fields: Fields = field(default_factory=dict)

    @classmethod
    def of(cls, **fields: object) -> EndpointFields:
        """Write the fields in both formats."""
        text = "".join(f"{_word(key)}={_word(value)} " for key, value in fields.items())
        return cls(text, _encode_ascii(fields)[1:-1] + "," if fields else "", fields)


NO_ENDPOINT = EndpointFields()
"""For requests that reached no endpoint, and for applications that do not describe theirs."""

Access = tuple[str, str, int, int, float, str, str, Fields | None, EndpointFields]
"""Method, target, status, length in bytes, seconds, request id, client, additional fields,
fields of the endpoint.
"""

RESERVED = frozenset({"time", "level", "event", "traceback", "request_id", "correlation_id"}) | frozenset(
    {"method", "target", "route", "action", "status", "length", "ms", "client"}
)
"""Names of fields that every line or every access line has; the application binds none of them."""

LONGEST = 2048
"""Characters of a target in an access line: the whole line then fits one write to a pipe."""

SERVER_ERROR = 500

_RED = "\x1b[31m"
_RESET = "\x1b[0m"
_COLOURS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": _RED}
"""Dim, green, yellow, red (ECMA-48, SGR)."""

TEN_MS = 0.01
_BELOW_TEN_MS = tuple(f"{step / 100:.2f}" for step in range(1000))  # a lookup takes a third of formatting

_BARE = re.compile(r"[!#-\[\]-~]+")  # printable ASCII without space, quote and backslash
_encode = json.JSONEncoder(ensure_ascii=False).encode
_encode_ascii = json.JSONEncoder(allow_nan=False, default=str, separators=(",", ":")).encode


class LineFormat(Protocol):
    """A way to write lines; each ends with its newline. `time` is a formatted time stamp."""

    def event(self, time: str, level: str, event: str, fields: Fields, traceback: str = "") -> str:
        """Format an event."""
        ...

    def accesses(self, time: str, requests: Sequence[Access]) -> list[str]:
        """Format access lines as `event` would, on a fast path if every value is harmless."""
        ...


def stamp(seconds: float) -> str:
    """Format seconds since the epoch as RFC 3339 with milliseconds, in UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


class TextLines:
    """`time level event key=value …`: for people, and easy to parse by a regular expression."""

    def event(self, time: str, level: str, event: str, fields: Fields, traceback: str = "") -> str:
        """Format an event; the traceback follows on lines of its own."""
        words = [time, level, _word(event), *(f"{_word(key)}={_word(value)}" for key, value in fields.items())]
        below = [f"    {_printable(line)}\n" for line in traceback.splitlines()]
        return " ".join(words) + "\n" + "".join(below)

    def accesses(self, time: str, requests: Sequence[Access]) -> list[str]:
        """Format access lines."""
        lines = []
        for request in requests:
            method, target, status, length, seconds, request_id, client, extra, endpoint = request
            sent = f"{method}{target}{request_id}{client}"
            if extra or not sent.isascii() or not sent.isprintable() or '"' in sent or "\\" in sent or " " in sent:
                lines.append(self.event(time, "info", "request", _access_fields(request)))
                continue
            ms = _BELOW_TEN_MS[int(seconds * 100_000)] if 0 <= seconds < TEN_MS else f"{seconds * 1000:.2f}"
            lines.append(
                f"{time} info request method={method} target={target[:LONGEST]} {endpoint.text}status={status} "
                f"length={length} ms={ms} request_id={request_id} client={client}\n"
            )
        return lines


class JsonLines:
    """One object per line, pure ASCII: for machines."""

    def event(self, time: str, level: str, event: str, fields: Fields, traceback: str = "") -> str:
        """Format an event; the traceback is a field. No field can replace time, level or event."""
        head = {"time": time, "level": level, "event": event}
        last = {"traceback": traceback} if traceback else {}
        record = {**head, **fields, **last, **head}
        try:
            return _encode_ascii(record) + "\n"
        except Exception:  # noqa: BLE001 - any error of a field's __str__; NaN, cycles, keys that JSON lacks
            return _encode_ascii({_plain(key): _member(value) for key, value in record.items()} | head) + "\n"

    def accesses(self, time: str, requests: Sequence[Access]) -> list[str]:
        """Format access lines."""
        lines = []
        for request in requests:
            method, target, status, length, seconds, request_id, client, extra, endpoint = request
            sent = f"{method}{target}{request_id}{client}"
            if extra or not sent.isascii() or not sent.isprintable() or '"' in sent or "\\" in sent:
                lines.append(self.event(time, "info", "request", _access_fields(request)))
                continue
            ms = _BELOW_TEN_MS[int(seconds * 100_000)] if 0 <= seconds < TEN_MS else f"{seconds * 1000:.2f}"
            lines.append(
                f'{{"time":"{time}","level":"info","event":"request","method":"{method}","target":"{target[:LONGEST]}",'
                f'{endpoint.json}"status":{status},"length":{length},"ms":{ms},'
                f'"request_id":"{request_id}","client":"{client}"}}\n'
            )
        return lines


class ColouredLines:
    """Text for a terminal: the level has a colour, and a line of a 5xx status is red."""

    def __init__(self) -> None:
        self._plain = TextLines()

    def event(self, time: str, level: str, event: str, fields: Fields, traceback: str = "") -> str:
        """Format an event. The colour is put in by position: no field can move it."""
        line = self._plain.event(time, level, event, fields, traceback)
        start = len(time) + 1
        return f"{line[:start]}{_COLOURS[level]}{level}{_RESET}{line[start + len(level) :]}"

    def accesses(self, time: str, requests: Sequence[Access]) -> list[str]:
        """Format access lines."""
        lines = self._plain.accesses(time, requests)
        return [
            f"{_RED}{line[:-1]}{_RESET}\n" if request[2] >= SERVER_ERROR else line
            for line, request in zip(lines, requests, strict=True)
        ]


def wants_colours(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Return True if it is a terminal that shows colours, and its user has nothing against them.

    NO_COLOR counts if it is not empty (no-color.org).
    """
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and os.isatty(descriptor)


FORMATS: Mapping[str, LineFormat] = {"text": TextLines(), "json": JsonLines(), "coloured": ColouredLines()}
"""The formats by the names that [log] format uses; `coloured` is text on a terminal."""


def _access_fields(request: Access) -> Fields:
    """Name the fields of an access line; the application's come last and replace none."""
    method, target, status, length, seconds, request_id, client, extra, endpoint = request
    own: dict[str, object] = {
        "method": method,
        "target": target[:LONGEST],
        **endpoint.fields,
        "status": status,
        "length": length,
        "ms": round(seconds * 1000, 2),
        "request_id": request_id,
        "client": client,
    }
    return {**own, **(extra or {}), **own}


def _word(value: object) -> str:
    """Write a harmless single word as it is, other values in quotes with escapes."""
    text = _plain(value)
    return text if _BARE.fullmatch(text) else _printable(_encode(text))


def _member(value: object) -> object:
    """Return a value that has a form in JSON as it is, another one as text."""
    try:
        _encode_ascii(value)
    except Exception:  # noqa: BLE001 - as in `event`
        return _plain(value)
    return value


def _plain(value: object) -> str:
    """Write any value as text; true, false and null as in JSON."""
    if value is None or isinstance(value, bool):
        return _encode(value)
    try:
        return str(value)
    except Exception as failure:  # noqa: BLE001 - a value that cannot be written must not lose its line
        return f"<{type(value).__name__} whose __str__ raised {type(failure).__name__}>"


def _printable(text: str) -> str:
    """Escape control characters, ANSI sequences, line separators, direction marks, surrogates."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
