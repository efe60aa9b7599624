"""Reads plain assignments from SET clauses: only `column = NULL` and `column = $n`.

These are the SET clauses of UPDATE, of ON CONFLICT DO UPDATE and of MERGE; a plan does not show
which columns they set. Lexical rules: PostgreSQL manual, section 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from arlen_runtime.alnpg.sql_text import blank

_NAME = r'(?:[^\W\d][\w$]*|"(?:[^"]|"")+")'
_TABLE = rf"(?:(?P<schema>{_NAME})\s*\.\s*)?(?P<table>{_NAME})"

_INTO = re.compile(rf"\binto\s+(?:only\s+)?{_TABLE}", re.IGNORECASE)
_UPDATE = re.compile(
    rf"\bupdate\s+(?:(?:only\s+)?{_TABLE}(?:\s*\*)?(?:\s+(?:as\s+)?{_NAME})?\s+)?(?P<set>set)\b", re.IGNORECASE
)
_EDGE = re.compile(
    r'"(?:[^"]|"")*"|(?P<open>[(\[])|(?P<close>[)\]])|(?P<comma>,)|(?P<end>;|\b(?:where|from|returning)\b)',
    re.IGNORECASE,
)
_TYPE = r"(?:\s*::\s*[^\W\d][\w. ]*(?:\([\d\s,]*\))?(?:\[\d*\])*)*"
_COLUMN = re.compile(rf"\s*(?P<column>{_NAME})\s*")
_VALUE = re.compile(rf"\s*(?:null|(?P<parameter>\$\d+))\b{_TYPE}\s*(?:$|\bwhen\b)", re.IGNORECASE)
_EQUALS = re.compile(r"\s*=")
_ROW = re.compile(r"\s*=\s*(?:row\s*)?(?=\()", re.IGNORECASE)


class Assignment(NamedTuple):
    """A column that is set to NULL (`parameter` is "") or to a parameter (`$n`).

    `position` is 0-based; `schema` is "" if the statement does not name it.
    """

    schema: str
    table: str
    column: str
    parameter: str
    position: int


def assignments(sql: str) -> Iterator[Assignment]:
    """Yield the plain assignments of a statement that has `$n` for its parameters."""
    text = blank(sql, "string", "comment", "unclosed")
    for update in _UPDATE.finditer(text):
        target = update if update["table"] else _last_into(text, update.start())
        if target is None:
            continue
        for column, parameter, position in _set(text, update.end()):
            yield Assignment(_folded(target["schema"]), _folded(target["table"]), column, parameter, position)


def _last_into(text: str, end: int) -> re.Match[str] | None:
    """Return the table of the INSERT or MERGE that the `update set` before `end` belongs to."""
    match = None
    for match in _INTO.finditer(text, 0, end):  # noqa: B007 - the last one
        pass
    return match


def _set(text: str, start: int) -> Iterator[tuple[str, str, int]]:
    """Yield column, parameter ("" for NULL) and position of the plain assignments of one clause."""
    for begin, end in _parts(text, start):
        if text[begin:end].lstrip().startswith("("):
            yield from _set_several(text, text.index("(", begin), end)
        elif (column := _COLUMN.match(text, begin, end)) and (equals := _EQUALS.match(text, column.end(), end)):
            yield from _outright(text, column, (equals.end(), end))


def _set_several(text: str, begin: int, end: int) -> Iterator[tuple[str, str, int]]:
    """Read `(column, column) = (value, value)`."""
    columns = list(_parts(text, begin + 1, end))
    equals = _ROW.match(text, columns[-1][1] + 1, end)
    values = list(_parts(text, equals.end() + 1, end)) if equals else []
    for place, value in zip(columns, values, strict=False):
        if column := _COLUMN.fullmatch(text, *place):
            yield from _outright(text, column, value)


def _outright(text: str, column: re.Match[str], place: tuple[int, int]) -> Iterator[tuple[str, str, int]]:
    if value := _VALUE.match(text[place[0] : place[1]]):
        yield _folded(column["column"]), value["parameter"] or "", column.start("column")


def _parts(text: str, start: int, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the parts between commas, from `start` to the end of the list."""
    depth, begin = 0, start
    end = len(text) if end is None else end
    for edge in _EDGE.finditer(text, start, end):
        depth += bool(edge["open"]) - bool(edge["close"])
        if depth < 0 or (edge["end"] and not depth):
            end = edge.start()
            break
        if edge["comma"] and not depth:
            yield begin, edge.start()
            begin = edge.end()
    yield begin, end


def _folded(name: str | None) -> str:
    """Return a name as it is in the catalog."""
    if name and name.startswith('"'):
        return name[1:-1].replace('""', '"')
    return (name or "").lower()
