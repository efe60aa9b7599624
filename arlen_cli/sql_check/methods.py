"""ALNPg's methods as source calls them. One rule: a method that goes where its calls cannot be followed is told.

A method may bear another name (`ask = pg.query`). Where that name stands for nothing else, its calls are those of the method;
a method that is given away (an argument, an attribute, a result) is called by nobody knows whom.
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
"""The methods that take a statement, or a table to copy into, and what their arguments are called."""

VARIADIC = frozenset({"query", "query_one", "query_value", "execute", "stream"})
"""The methods whose further arguments are the parameters."""

DATABASE_NAMES = frozenset({"pg", "replica", "database", "db"})
"""What a database is called: of other things that have an `execute`, what cannot be read is not worth telling."""

METHOD_ACCESS = rf"\.\s*(?:{'|'.join(METHODS)})\b"
"""What a text has that calls a method, or names one."""

_METHOD_REFERENCE = re.compile(rf"\b(?:{'|'.join(sorted(DATABASE_NAMES))})\s*{METHOD_ACCESS}(?!\s*\()")


def bind_arguments(call: ast.Call, names: Sequence[str]) -> dict[str, ast.expr]:
    """Return the arguments of a call by their names, as far as it says which is which."""
    positional = takewhile(lambda argument: not isinstance(argument, ast.Starred), call.args)
    by_name = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return dict(zip(names, positional, strict=False)) | by_name


def has_unpacking(call: ast.Call) -> bool:
    """Say whether some arguments come out of a sequence or a mapping."""
    return any(isinstance(arg, ast.Starred) for arg in call.args) or any(
        keyword.arg is None for keyword in call.keywords
    )


def is_database_method(method: ast.Attribute) -> bool:
    """Say whether what has the method is called as databases are."""
    return dotted_name(method.value).rpartition(".")[2] in DATABASE_NAMES


def method_aliases(module: Module) -> dict[str, ast.Attribute]:
    """Return the names that stand for a database's method, and nothing else, in the module."""
    if not _METHOD_REFERENCE.search(module.source):
        return {}
    return {name: value for name, value in module.definitions.items() if _is_method(value)}


def escaping_methods(module: Module) -> Iterator[ast.expr]:
    """Yield where a database's method, or another name of it, is neither called nor given its one name."""
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
