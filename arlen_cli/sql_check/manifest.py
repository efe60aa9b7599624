"""The statements of a release, kept to be checked later. One rule: what is read from a file is believed only in its own shape.

While a release is rolled out, the old code runs on the new schema. So a release keeps what its code says of each statement,
and what its schema said: `from_manifest` reads it again, `check_release` tells what of the old code a new schema breaks.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from arlen_cli.sql_check.arguments import Argument
from arlen_cli.sql_check.check import CheckReport, Finding, check
from arlen_cli.sql_check.methods import METHODS
from arlen_cli.sql_check.row_classes import RowClass, RowField, misfit
from arlen_cli.sql_check.schema import ANY, Described
from arlen_cli.sql_check.source import Call, CheckedSource
from arlen_cli.sql_check.sql_literals import LiteralText, Mark
from arlen_runtime.errors import ArlenError

FORMAT = "arlen statements 1"

STILL_TAKEN = {("int", "float"), ("int", "Decimal"), ("str", "UUID"), ("bool", "int")}
"""What a parameter took, and what it may take now without any harm to the old code."""

REMEDIES = {
    "parameter_changed": "add a column of the new type now, and drop the old one when no old code runs any more",
    "column_changed": "add a column of the new type now, and drop the old one when no old code runs any more",
    "columns_changed": "add or drop the column when no old code runs any more",
    "column_gone": "drop it by a migration of the next release, when no old code runs any more",
}
"""What to do about a change that the old code would not expect: it cannot be mended, the migration can."""

T = TypeVar("T")


class ManifestError(ArlenError):
    """A file is no manifest of statements. The detail says which part of it is not."""

    code = "manifest_unreadable"


class ReleasedStatement(NamedTuple):
    """What the schema of the release said of a statement: the types of the parameters, names and types of the columns."""

    params: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]


class Release(NamedTuple):
    """A release: its statements, and what its schema said of each, in the same order."""

    source: CheckedSource
    statements: tuple[ReleasedStatement, ...]


def manifest(source: CheckedSource, report: CheckReport) -> str:
    """Return the checked statements as JSON, one a line; rows that are written out were right, and are not kept."""
    lines = [
        json.dumps(_entry(call, report.described[call.sql])) for call in source.calls if call.sql in report.described
    ]
    return f'{{"format": {json.dumps(FORMAT)}, "statements": [\n' + ",\n".join(lines) + "\n]}\n"


def from_manifest(text: str) -> Release:
    """Read a manifest again. Raises ManifestError, which names the part that is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"it is no JSON ({error})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ManifestError(f'it is no manifest: "format" is not {json.dumps(FORMAT)}')
    read = [_read(_Part(each, f"statement {number}")) for number, each in enumerate(_statements(document), start=1)]
    return Release(CheckedSource(tuple(call for call, _ in read)), tuple(was for _, was in read))


def check_release(url: str, release: Release) -> CheckReport:
    """Check an older release's statements against the schema at `url`, and compare it with what that release saw.

    Raises DatabaseCommandError when the database cannot be reached.
    """
    report = check(url, release.source)
    found = list(report.findings)
    for call, was in zip(release.source.calls, release.statements, strict=True):
        if call.sql in report.described:
            found += _changes(call, was, report.described[call.sql])
    return CheckReport(tuple(dict.fromkeys(found)), report.described)


def _changes(call: Call, was: ReleasedStatement, now: Described) -> Iterator[Finding]:
    """Tell what the old code would not expect."""
    types = (param.type for param in now.params)
    for number, (before, after) in enumerate(zip(was.params, types, strict=False), start=1):
        if not _still_takes(before, after):
            yield _change(call, "parameter_changed", f"${number} was {before} and is {after} now")
    columns = {column.name: column.type for column in now.columns}
    if call.as_tuple and len(was.columns) != len(now.columns):
        yield _change(call, "columns_changed", f"a row had {len(was.columns)} columns and has {len(now.columns)} now")
    for name, before in was.columns:
        if name not in columns:
            yield _change(call, "column_gone", f"the column {name} is gone")
        elif not _still_gives(before, columns[name]):
            yield _change(call, "column_changed", f"the column {name} was {before} and is {columns[name]} now")


def _change(call: Call, code: str, message: str) -> Finding:
    return Finding(call.file, call.line, code, message, hint=REMEDIES[code])


def _still_takes(before: str, after: str) -> bool:
    """Say whether a parameter takes all that it took; it is not known what a type that Python has no name for takes."""
    if before.startswith("list[") and after.startswith("list["):
        return _still_takes(before[5:-1], after[5:-1])
    if before == after or ANY in {before, after} or (before, after) in STILL_TAKEN:
        return True
    if "Literal" in before or "Literal" in after:
        return not misfit(after, before, nullable=False)
    return False


def _still_gives(before: str, after: str) -> bool:
    """Say whether a column gives what it gave; a label more is not told, for the code may know it."""
    if before.startswith("Literal") and after.startswith("Literal"):
        return True
    return not misfit(before, after, nullable=False)


def _entry(call: Call, says: Described) -> dict[str, Any]:
    return {
        "file": call.file,
        "line": call.line,
        "method": call.method,
        "sql": call.sql,
        "given": call.given,
        "names": call.names,
        "into": call.into,
        "named": call.named,
        "params": [param.type for param in says.params],
        "columns": [[column.name, column.type] for column in says.columns],
    }


class _Part:
    """A part of the document, and what to call it when it is not what it should be."""

    def __init__(self, value: object, place: str) -> None:
        """Take any value."""
        self.value = value
        self._place = place

    def __getitem__(self, key: str) -> _Part:
        """Return a member of an object."""
        members = self.of(dict)
        if key not in members:
            raise ManifestError(f'{self._place} has no "{key}"')
        return _Part(members[key], f"{self._place}, {key}")

    def of(self, kind: type[T]) -> T:
        """Return the value, which must be of this kind."""
        if not isinstance(self.value, kind):
            raise ManifestError(f"{self._place}: {json.dumps(self.value)[:60]} is no {kind.__name__}")
        return self.value

    def each(self) -> list[_Part]:
        """Return the members of a list."""
        return [_Part(each, f"{self._place} {number}") for number, each in enumerate(self.of(list), start=1)]

    def exactly(self, count: int) -> list[_Part]:
        """Return the members of a list of so many."""
        found = self.each()
        if len(found) != count:
            raise ManifestError(f"{self._place} has {len(found)} entries and not {count}")
        return found

    def literal(self) -> str:
        """Return the text of a literal; "" where there is none."""
        try:
            ast.literal_eval(self.of(str) or "0")
        except (ValueError, SyntaxError):
            raise ManifestError(f"{self._place}: {json.dumps(self.value)[:60]} is no literal") from None
        return self.of(str)


def _statements(document: dict[str, object]) -> list[object]:
    return _Part(document, "the manifest")["statements"].of(list)


def _read(entry: _Part) -> tuple[Call, ReleasedStatement]:
    file, line, sql = entry["file"].of(str), entry["line"].of(int), entry["sql"].of(str)
    if entry["method"].of(str) not in METHODS:
        raise ManifestError(f"{file}:{line}: {entry['method'].value} is no method that takes a statement")
    given, names, into = entry["given"], entry["names"], entry["into"]
    call = Call(
        file=file,
        line=line,
        method=entry["method"].of(str),
        text=LiteralText(sql, (Mark(0, file, line),)),
        given=None if given.value is None else tuple(_given(each) for each in given.each()),
        names=None if names.value is None else {name: _given(names[name]) for name in names.of(dict)},
        into=None if into.value is None else _row_class(into),
        named=entry["named"].of(str),
    )
    columns = tuple(
        (name.of(str), kind.of(str)) for name, kind in (each.exactly(2) for each in entry["columns"].each())
    )
    return call, ReleasedStatement(tuple(each.of(str) for each in entry["params"].each()), columns)


def _given(part: _Part) -> Argument:
    kind, literal = part.exactly(2)
    return Argument(kind.of(str), literal.literal())


def _row_class(part: _Part) -> RowClass:
    name, fields = part.exactly(2)
    return RowClass(name.of(str), tuple(_field(each) for each in fields.each()))


def _field(part: _Part) -> RowField:
    name, annotation, required = part.exactly(3)
    return RowField(name.of(str), annotation.of(str), required.of(bool))
