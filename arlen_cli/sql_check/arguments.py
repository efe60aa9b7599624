"""Reads what the source says about the arguments of a call.

Only literals, and annotated parameters that are never reassigned, are known.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from arlen_cli.sql_check.modules import Module, dotted_name
from arlen_cli.sql_check.row_classes import SCALARS

BUILTINS = frozenset({"str", "int", "float", "bool", "bytes", "list", "dict", "Decimal", "UUID"})
"""Types whose call returns a value of that type."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Argument(NamedTuple):
    """What is known of an argument: its type ("": unknown), and its text if it is a literal."""

    type: str = ""
    literal: str = ""


class ArgumentRow(NamedTuple):
    """One of many parameter sets, with its arguments as in `Call`.

    `number` counts from 1; 0 means that the number is unknown, or that it stands for every row.
    """

    line: int
    number: int
    arguments: tuple[Argument, ...] | None
    named_arguments: dict[str, Argument] | None = None


class ArgumentReader:
    """Reads the arguments of calls inside one function of a module."""

    def __init__(self, module: Module, function: Function | None) -> None:
        self._module = module
        self._function = function

    def read_all(self, params: Sequence[ast.expr]) -> tuple[Argument, ...] | None:
        """Return what is known of each argument; None if their number is unknown."""
        if any(isinstance(param, ast.Starred) for param in params):
            return None
        return tuple(map(self.read_one, params))

    def read_mapping(self, params: Sequence[ast.expr]) -> dict[str, Argument] | None:
        """Return the arguments of one dict literal by key; None if a key is not a literal."""
        if len(params) != 1 or not isinstance(params[0], ast.Dict):
            return None
        pairs = list(zip(params[0].keys, params[0].values, strict=True))
        if not all(isinstance(key, ast.Constant) for key, _ in pairs):
            return None
        return {str(key.value): self.read_one(value) for key, value in pairs if isinstance(key, ast.Constant)}

    def read_rows(self, node: ast.expr | None) -> Iterator[ArgumentRow]:
        """Yield the parameter sets of a list literal, or the one row of a comprehension."""
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            yield from self._read_row(node.elt, 0)
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            has_star = any(isinstance(row, ast.Starred) for row in node.elts)
            for number, row in enumerate(node.elts, start=1):
                yield from self._read_row(row, 0 if has_star else number)

    def _read_row(self, node: ast.expr, number: int) -> Iterator[ArgumentRow]:
        if isinstance(node, ast.Dict):
            yield ArgumentRow(node.lineno, number, None, self.read_mapping([node]))
        elif isinstance(node, ast.List | ast.Tuple):
            yield ArgumentRow(node.lineno, number, self.read_all(node.elts))

    def read_one(self, node: ast.expr) -> Argument:
        """Return what is known of one argument."""
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError):
            return Argument(self._infer_type(node))
        return Argument(type(value).__name__, ast.unparse(node))

    def _infer_type(self, node: ast.expr) -> str:
        if isinstance(node, ast.JoinedStr):
            return "str"
        if isinstance(node, ast.List | ast.ListComp):
            return "list"
        if isinstance(node, ast.Dict | ast.DictComp):
            return "dict"
        if isinstance(node, ast.Call):
            name = dotted_name(node.func).rpartition(".")[2]
            return name if name in BUILTINS and name not in self._module.definitions else ""
        if isinstance(node, ast.Name) and self._function:
            return _annotated_type(self._function, node.id)
        return ""


def _annotated_type(function: Function, name: str) -> str:
    """Return the annotated type of a parameter that is never reassigned in the function."""
    assignments = Counter(_assigned_names(function))
    for parameter in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        if parameter.arg == name and assignments[name] == 1 and parameter.annotation is not None:
            annotation = ast.unparse(parameter.annotation).removesuffix(" | None").partition("[")[0].rpartition(".")[2]
            return annotation if annotation in SCALARS | {"list", "dict"} else ""
    return ""


def _assigned_names(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
