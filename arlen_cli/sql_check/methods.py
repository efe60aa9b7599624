"""Finds ALNPg's methods in source code.

A method can be stored under a name (`ask = pg.query`). If that name has no other meaning, its calls
are checked. A method that is passed on (as argument, attribute or result) is reported: its calls
cannot be followed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import TypeGuard

from arlen_cli.sql_check.modules import Module, dotted_name

METHODS = {
    "query": ("sql",),
    "query_one": ("sql",),
    "query_value": ("sql",),
    "execute": ("sql",),
    "stream": ("sql",),
    "query_many": ("sql", "params_list"),
    "execute_many": ("sql", "rows"),
    "prepare": ("name", "sql"),
    "copy_rows": ("table", "columns", "rows"),
}
"""Method to the names of its arguments. All accept a statement, or a table to copy into."""

VARIADIC = frozenset({"query", "query_one", "query_value", "execute", "stream"})
"""The methods whose positional arguments after `sql` are the parameters."""

DATABASE_NAMES = frozenset({"pg", "replica", "database", "db"})
"""Usual names of databases. Other objects have an `execute` too; for these, unreadable calls are
not reported.
"""

METHOD_ACCESS = rf"\.\s*(?:{'|'.join(METHODS)})\b"
"""Matches a call of a method, or a reference to one."""

_METHOD_REFERENCE = re.compile(rf"\b(?:{'|'.join(sorted(DATABASE_NAMES))})\s*{METHOD_ACCESS}(?!\s*\()")


def bind_arguments(call: ast.Call, names: Sequence[str]) -> dict[str, ast.expr]:
    """Return the arguments of a call by name, as far as the call determines them."""
    positional = takewhile(lambda argument: not isinstance(argument, ast.Starred), call.args)
    by_name = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return dict(zip(names, positional, strict=False)) | by_name


def has_unpacking(call: ast.Call) -> bool:
    """Return True if the call unpacks a sequence or a mapping."""
    return any(isinstance(arg, ast.Starred) for arg in call.args) or any(
        keyword.arg is None for keyword in call.keywords
    )


def is_database_method(method: ast.Attribute) -> bool:
    """Return True if the object with the method is named like a database."""
    return dotted_name(method.value).rpartition(".")[2] in DATABASE_NAMES


def method_aliases(module: Module) -> dict[str, ast.Attribute]:
    """Return the names in the module that stand for a database method and nothing else."""
    if not _METHOD_REFERENCE.search(module.source):
        return {}
    return {name: value for name, value in module.definitions.items() if _is_method(value)}


def escaping_methods(module: Module) -> Iterator[ast.expr]:
    """Yield the places where a database method, or an alias of one, is passed on.

    That is neither a call nor the assignment of its alias.
    """
    if not _METHOD_REFERENCE.search(module.source):
        return
    alias_values = method_aliases(module)
    followed = {id(node.func) for node in module.nodes if isinstance(node, ast.Call)} | set(
        map(id, alias_values.values())
    )
    for node in module.nodes:
        if id(node) in followed:
            continue
        if _is_method(node) or (
            isinstance(node, ast.Name) and node.id in alias_values and isinstance(node.ctx, ast.Load)
        ):
            yield node


def _is_method(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in METHODS
        and isinstance(node.ctx, ast.Load)
        and is_database_method(node)
    )
