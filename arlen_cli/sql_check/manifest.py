"""The statements of a release, kept so that a later schema can be checked against them.

During a rollout the old code runs on the new schema. So a release keeps what its code says about
each statement, and how its schema described it: `parse_manifest` reads the file, and
`check_release` reports what a new schema breaks in the old code. Every value in the file is
checked for its type before it is used.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from arlen_cli.sql_check.arguments import Argument
from arlen_cli.sql_check.check import CheckReport, Finding, check
from arlen_cli.sql_check.methods import METHODS
from arlen_cli.sql_check.row_classes import RowClass, RowField, find_mismatch
from arlen_cli.sql_check.schema import ANY, StatementDescription
from arlen_cli.sql_check.source import Call, CheckedSource
from arlen_cli.sql_check.sql_literals import LiteralText, SourcePosition
from arlen_runtime.errors import ArlenError

FORMAT = "arlen statements 1"

STILL_ACCEPTED = {("int", "float"), ("int", "Decimal"), ("str", "UUID"), ("bool", "int")}
"""Type changes of a parameter (before, after) that do not break the old code."""

REMEDIES = {
    "parameter_changed": "add a column of the new type now, and drop the old one when the old code no longer runs",
    "column_changed": "add a column of the new type now, and drop the old one when the old code no longer runs",
    "columns_changed": "add or drop the column when the old code no longer runs",
    "column_gone": "drop it in a migration of the next release, when the old code no longer runs",
}
"""Code to hint. The old code cannot be fixed any more, but the migration can."""

T = TypeVar("T")


class ManifestError(ArlenError):
    """A file is not a valid manifest. The detail names the part that is wrong."""

    code = "manifest_unreadable"


class ReleasedStatement(NamedTuple):
    """How the release's schema described a statement: parameter types, column names and types."""

    params: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]


class Release(NamedTuple):
    """The statements of a release and their descriptions, in the same order."""

    source: CheckedSource
    statements: tuple[ReleasedStatement, ...]


def dump_manifest(source: CheckedSource, report: CheckReport) -> str:
    """Return the checked statements as JSON, one per line.

    Literal rows are left out: they were right.
    """
    lines = [
        json.dumps(_entry(call, report.descriptions[call.sql]))
        for call in source.calls
        if call.sql in report.descriptions
    ]
    return f'{{"format": {json.dumps(FORMAT)}, "statements": [\n' + ",\n".join(lines) + "\n]}\n"


def parse_manifest(text: str) -> Release:
    """Parse a manifest. Raises ManifestError, which names the part that is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"not valid JSON ({error})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ManifestError(f'not a manifest: "format" is not {json.dumps(FORMAT)}')
    statements = [
        _parse_statement(_Node(entry, f"statement {number}"))
        for number, entry in enumerate(_statements(document), start=1)
    ]
    return Release(CheckedSource(tuple(call for call, _ in statements)), tuple(released for _, released in statements))


def check_release(url: str, release: Release) -> CheckReport:
    """Check the statements of an older release against the schema at `url`.

    Also compare the schema with the one that the release had. Raises DatabaseCommandError if the
    database cannot be reached.
    """
    report = check(url, release.source)
    findings = list(report.findings)
    for call, released in zip(release.source.calls, release.statements, strict=True):
        if call.sql in report.descriptions:
            findings += _changes(call, released, report.descriptions[call.sql])
    return CheckReport(tuple(dict.fromkeys(findings)), report.descriptions)


def _changes(call: Call, released: ReleasedStatement, current: StatementDescription) -> Iterator[Finding]:
    """Yield the changes that the old code does not expect."""
    types = (param.type for param in current.params)
    for number, (before, after) in enumerate(zip(released.params, types, strict=False), start=1):
        if not _still_accepts(before, after):
            yield _change(call, "parameter_changed", f"${number} was {before} and is {after} now")
    columns = {column.name: column.type for column in current.columns}
    if call.as_tuple and len(released.columns) != len(current.columns):
        yield _change(
            call, "columns_changed", f"a row had {len(released.columns)} columns and has {len(current.columns)} now"
        )
    for name, before in released.columns:
        if name not in columns:
            yield _change(call, "column_gone", f"the column {name} is gone")
        elif not _still_returns(before, columns[name]):
            yield _change(call, "column_changed", f"the column {name} was {before} and is {columns[name]} now")


def _change(call: Call, code: str, message: str) -> Finding:
    return Finding(call.file, call.line, code, message, hint=REMEDIES[code])


def _still_accepts(before: str, after: str) -> bool:
    """Return True if a parameter accepts every value that it accepted before.

    For types without a Python name this is not known; then the answer is True.
    """
    if before.startswith("list[") and after.startswith("list["):
        return _still_accepts(before[5:-1], after[5:-1])
    if before == after or ANY in {before, after} or (before, after) in STILL_ACCEPTED:
        return True
    if "Literal" in before or "Literal" in after:
        return not find_mismatch(after, before, nullable=False)
    return False


def _still_returns(before: str, after: str) -> bool:
    """Return True if a column returns what it returned before.

    A new enum label is not reported, because the old code may know it.
    """
    if before.startswith("Literal") and after.startswith("Literal"):
        return True
    return not find_mismatch(before, after, nullable=False)


def _entry(call: Call, description: StatementDescription) -> dict[str, Any]:
    return {
        "file": call.file,
        "line": call.line,
        "method": call.method,
        "sql": call.sql,
        "given": call.arguments,
        "names": call.named_arguments,
        "into": call.into,
        "named": call.into_name,
        "params": [param.type for param in description.params],
        "columns": [[column.name, column.type] for column in description.columns],
    }


class _Node:
    """A part of the document, with its path for error messages."""

    def __init__(self, value: object, path: str) -> None:
        self.value = value
        self._path = path

    def __getitem__(self, key: str) -> _Node:
        """Return a member of an object."""
        members = self.expect(dict)
        if key not in members:
            raise ManifestError(f'{self._path} has no "{key}"')
        return _Node(members[key], f"{self._path}, {key}")

    def expect(self, kind: type[T]) -> T:
        """Return the value if it has this type."""
        if not isinstance(self.value, kind):
            raise ManifestError(f"{self._path}: {json.dumps(self.value)[:60]} is not of type {kind.__name__}")
        return self.value

    def members(self) -> list[_Node]:
        """Return the members of a list."""
        return [_Node(member, f"{self._path} {number}") for number, member in enumerate(self.expect(list), start=1)]

    def members_exactly(self, count: int) -> list[_Node]:
        """Return the members of a list with exactly `count` members."""
        members = self.members()
        if len(members) != count:
            raise ManifestError(f"{self._path} has {len(members)} entries, expected {count}")
        return members

    def literal(self) -> str:
        """Return the text of a literal; "" if there is none."""
        try:
            ast.literal_eval(self.expect(str) or "0")
        except (ValueError, SyntaxError):
            raise ManifestError(f"{self._path}: {json.dumps(self.value)[:60]} is not a literal") from None
        return self.expect(str)


def _statements(document: dict[str, object]) -> list[object]:
    return _Node(document, "the manifest")["statements"].expect(list)


def _parse_statement(entry: _Node) -> tuple[Call, ReleasedStatement]:
    file, line, sql = entry["file"].expect(str), entry["line"].expect(int), entry["sql"].expect(str)
    if entry["method"].expect(str) not in METHODS:
        raise ManifestError(f"{file}:{line}: {entry['method'].value} is not a method that accepts a statement")
    arguments, names, into = entry["given"], entry["names"], entry["into"]
    call = Call(
        file=file,
        line=line,
        method=entry["method"].expect(str),
        text=LiteralText(sql, (SourcePosition(0, file, line),)),
        arguments=None if arguments.value is None else tuple(map(_parse_argument, arguments.members())),
        named_arguments=None
        if names.value is None
        else {name: _parse_argument(names[name]) for name in names.expect(dict)},
        into=None if into.value is None else _parse_row_class(into),
        into_name=entry["named"].expect(str),
    )
    columns = tuple(
        (name.expect(str), kind.expect(str))
        for name, kind in (column.members_exactly(2) for column in entry["columns"].members())
    )
    return call, ReleasedStatement(tuple(param.expect(str) for param in entry["params"].members()), columns)


def _parse_argument(node: _Node) -> Argument:
    kind, literal = node.members_exactly(2)
    return Argument(kind.expect(str), literal.literal())


def _parse_row_class(node: _Node) -> RowClass:
    name, fields = node.members_exactly(2)
    return RowClass(name.expect(str), tuple(map(_parse_field, fields.members())))


def _parse_field(node: _Node) -> RowField:
    name, annotation, required = node.members_exactly(3)
    return RowField(name.expect(str), annotation.expect(str), required.expect(bool))
