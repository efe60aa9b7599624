"""The classes that rows become, and what their annotations hold. One rule: of a class that is half known nothing is said.

Known are dataclasses and NamedTuples of the application, to the last field that they inherit. `misfit` compares an
annotation with a column where every part of the annotation is known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from arlen_cli.sql_check.modules import Definition, Module, Modules, dotted_name

FITTING = {"int": {"float", "complex"}, "bool": {"int", "float"}, "datetime": {"date"}, "Literal": {"str"}}
"""What a value of a type may be called besides its own name (PEP 484, and subclasses)."""

PLAIN = frozenset(
    {"int", "float", "complex", "Decimal", "bool", "str", "bytes", "UUID", "date", "time", "datetime", "timedelta"}
)

_KNOWN = PLAIN | {"list", "Literal", "None"}


class RowField(NamedTuple):
    """One field: its name, its annotation as written, whether it must be given."""

    name: str
    annotation: str
    required: bool


class RowClass(NamedTuple):
    """A class that rows become."""

    name: str
    fields: tuple[RowField, ...]


def row_class(modules: Modules, module: Module, name: ast.expr) -> RowClass | None:
    """Return the class that a name means, where its source is at hand and says all of it."""
    found = modules.find(module, name)
    fields = _fields(modules, found) if found else None
    return RowClass(dotted_name(name).rpartition(".")[2], tuple(fields.values())) if fields else None


def misfit(annotation: str, column: str, *, nullable: bool | None) -> str:
    """Say how a column of the type `column` does not fit an annotation: "null", "type", or "" where it does.

    Both are annotations as Python writes them. Whatever has a part that is not known fits.
    """
    try:
        wanted = _split(ast.parse(annotation, mode="eval").body)
        given = ast.parse(column, mode="eval").body
    except SyntaxError:
        return ""
    if not any(_fits(given, each) for each in wanted):
        return "type"
    names = {_base(each) for each in wanted}
    return "null" if nullable and names <= _KNOWN - {"None"} else ""


def _fits(given: ast.expr, wanted: ast.expr) -> bool:
    """Say whether values of one type may be called values of another; what is not known may."""
    base, name = _base(given), _base(wanted)
    if not {base, name} <= _KNOWN or (name, base) == ("Literal", "str"):
        return True
    if name != base:
        return name in FITTING.get(base, ())
    if base == "Literal":
        return _labels(given) <= _labels(wanted)
    if isinstance(given, ast.Subscript) and isinstance(wanted, ast.Subscript):  # of a list
        return any(_fits(given if _base(each) == "list" else given.slice, each) for each in _split(wanted.slice))
    return True


def _labels(literal: ast.expr) -> set[object]:
    return {node.value for node in ast.walk(literal) if isinstance(node, ast.Constant)}


def _split(annotation: ast.expr) -> list[ast.expr]:
    """Return the alternatives of an annotation."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _split(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return [*_split(annotation.left), *_split(annotation.right)]
    if isinstance(annotation, ast.Subscript) and _base(annotation) == "Optional":
        return [*_split(annotation.slice), ast.Constant(None)]
    if isinstance(annotation, ast.Subscript) and _base(annotation) == "Union":
        inside = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        return [part for each in inside for part in _split(each)]
    return [annotation]


def _base(annotation: ast.expr) -> str:
    """Return the name of a type; "?" for what has none."""
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return "None"
    named = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return dotted_name(named).rpartition(".")[2] or "?"


def _fields(modules: Modules, found: Definition) -> dict[str, RowField] | None:
    """Return the fields of a dataclass or NamedTuple, those that it inherits first; None where some are not known."""
    node = found.node
    if not isinstance(node, ast.ClassDef):
        return None
    named_tuple = [dotted_name(base).rpartition(".")[2] for base in node.bases] == ["NamedTuple"]
    if not named_tuple and not any(_is_dataclass(each) for each in node.decorator_list):
        return None
    fields: dict[str, RowField] = {}
    for base in () if named_tuple else reversed(node.bases):
        above = modules.find(found.module, base)
        inherited = _fields(modules, above) if above and above.node is not node else None
        if inherited is None:
            return None
        fields |= inherited
    return fields | {field.name: field for field in _own_fields(node)}


def _own_fields(node: ast.ClassDef) -> Iterator[RowField]:
    for line in node.body:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        if _base(line.annotation) in {"ClassVar", "KW_ONLY"}:
            continue
        options = _options(line.value)
        if options is None:
            yield RowField(line.target.id, ast.unparse(line.annotation), line.value is None)
        elif options.get("init") is not False:
            given = {"default", "default_factory"} & options.keys()
            yield RowField(line.target.id, ast.unparse(line.annotation), not given)


def _options(value: ast.expr | None) -> dict[str, object] | None:
    """Return what `field(...)` says; None where there is none."""
    if not isinstance(value, ast.Call) or dotted_name(value.func).rpartition(".")[2] != "field":
        return None
    return {keyword.arg: getattr(keyword.value, "value", keyword.value) for keyword in value.keywords if keyword.arg}


def _is_dataclass(decorator: ast.expr) -> bool:
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return dotted_name(name).rpartition(".")[2] == "dataclass"
