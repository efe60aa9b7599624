"""Row classes and their annotations, compared with columns.

Supported are dataclasses and NamedTuples of the application, with all inherited fields. A class
that is only partly known is not checked, nor is an annotation with an unknown part.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from arlen_cli.sql_check.modules import Definition, Module, Modules, dotted_name

COMPATIBLE = {"int": {"float", "complex"}, "bool": {"int", "float"}, "datetime": {"date"}, "Literal": {"str"}}
"""Type to other types that its values are valid for (PEP 484, and subclasses)."""

SCALARS = frozenset(
    {"int", "float", "complex", "Decimal", "bool", "str", "bytes", "UUID", "date", "time", "datetime", "timedelta"}
)

_SUPPORTED = SCALARS | {"list", "Literal", "None"}


class RowField(NamedTuple):
    """One field: name, annotation as written, and whether it has no default."""

    name: str
    annotation: str
    required: bool


class RowClass(NamedTuple):
    """A class for rows."""

    name: str
    fields: tuple[RowField, ...]


def row_class(modules: Modules, module: Module, name: ast.expr) -> RowClass | None:
    """Return the class that a name stands for; None if not all of it is known."""
    definition = modules.find(module, name)
    fields = _fields(modules, definition) if definition else None
    return RowClass(dotted_name(name).rpartition(".")[2], tuple(fields.values())) if fields else None


def find_mismatch(annotation: str, column: str, *, nullable: bool | None) -> str:
    """Return how a column does not fit an annotation: "null", "type", or "" if it fits.

    Both types are Python annotations. An annotation with an unknown part always fits.
    """
    try:
        expected = _alternatives(ast.parse(annotation, mode="eval").body)
        actual = ast.parse(column, mode="eval").body
    except SyntaxError:
        return ""
    if not any(_is_compatible(actual, alternative) for alternative in expected):
        return "type"
    names = {_type_name(alternative) for alternative in expected}
    return "null" if nullable and names <= _SUPPORTED - {"None"} else ""


def _is_compatible(actual: ast.expr, expected: ast.expr) -> bool:
    """Return True if a value of the actual type is valid for the expected one, or unknown."""
    actual_name, expected_name = _type_name(actual), _type_name(expected)
    if not {actual_name, expected_name} <= _SUPPORTED or (expected_name, actual_name) == ("Literal", "str"):
        return True
    if expected_name != actual_name:
        return expected_name in COMPATIBLE.get(actual_name, ())
    if actual_name == "Literal":
        return _labels(actual) <= _labels(expected)
    if isinstance(actual, ast.Subscript) and isinstance(expected, ast.Subscript):  # list[...]
        items = _alternatives(expected.slice)
        return any(_is_compatible(actual if _type_name(item) == "list" else actual.slice, item) for item in items)
    return True


def _labels(literal: ast.expr) -> set[object]:
    return {node.value for node in ast.walk(literal) if isinstance(node, ast.Constant)}


def _alternatives(annotation: ast.expr) -> list[ast.expr]:
    """Return the alternatives of a union annotation."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _alternatives(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return [*_alternatives(annotation.left), *_alternatives(annotation.right)]
    if isinstance(annotation, ast.Subscript) and _type_name(annotation) == "Optional":
        return [*_alternatives(annotation.slice), ast.Constant(None)]
    if isinstance(annotation, ast.Subscript) and _type_name(annotation) == "Union":
        members = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        return [part for member in members for part in _alternatives(member)]
    return [annotation]


def _type_name(annotation: ast.expr) -> str:
    """Return the name of a type; "?" if it has none."""
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return "None"
    name = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return dotted_name(name).rpartition(".")[2] or "?"


def _fields(modules: Modules, definition: Definition) -> dict[str, RowField] | None:
    """Return the fields of a dataclass or NamedTuple, inherited ones first.

    None if some of them are unknown.
    """
    node = definition.node
    if not isinstance(node, ast.ClassDef):
        return None
    named_tuple = [dotted_name(base).rpartition(".")[2] for base in node.bases] == ["NamedTuple"]
    if not named_tuple and not any(_is_dataclass(decorator) for decorator in node.decorator_list):
        return None
    fields: dict[str, RowField] = {}
    for base in () if named_tuple else reversed(node.bases):
        parent = modules.find(definition.module, base)
        inherited = _fields(modules, parent) if parent and parent.node is not node else None
        if inherited is None:
            return None
        fields |= inherited
    return fields | {field.name: field for field in _own_fields(node)}


def _own_fields(node: ast.ClassDef) -> Iterator[RowField]:
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if _type_name(statement.annotation) in {"ClassVar", "KW_ONLY"}:
            continue
        options = _field_options(statement.value)
        if options is None:
            yield RowField(statement.target.id, ast.unparse(statement.annotation), statement.value is None)
        elif options.get("init") is not False:
            defaults = {"default", "default_factory"} & options.keys()
            yield RowField(statement.target.id, ast.unparse(statement.annotation), not defaults)


def _field_options(value: ast.expr | None) -> dict[str, object] | None:
    """Return the keyword arguments of `field(...)`; None if there is no such call."""
    if not isinstance(value, ast.Call) or dotted_name(value.func).rpartition(".")[2] != "field":
        return None
    return {keyword.arg: getattr(keyword.value, "value", keyword.value) for keyword in value.keywords if keyword.arg}


def _is_dataclass(decorator: ast.expr) -> bool:
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return dotted_name(name).rpartition(".")[2] == "dataclass"
