"""Finds the SQL statements in the source of an application. The source is parsed, never imported.

A statement is every call of an ALNPg method whose SQL is a literal, in the call or under a name.
The call also gives its arguments and its row class. A statement that is built at run time is
reported as unchecked, and so is a method that is passed on. A line with `# sql: unchecked` is
skipped: its statement needs something that exists only at run time (a temporary table), or is wrong
on purpose.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

from arlen_cli.sql_check.arguments import Argument, ArgumentReader, ArgumentRow, Function
from arlen_cli.sql_check.methods import (
    METHOD_ACCESS,
    METHODS,
    VARIADIC,
    bind_arguments,
    escaping_methods,
    has_unpacking,
    is_database_method,
    method_aliases,
)
from arlen_cli.sql_check.modules import Module, Modules, UnreadableFile, dotted_name
from arlen_cli.sql_check.row_classes import RowClass, row_class
from arlen_cli.sql_check.sql_literals import LiteralText, copy_statement, resolve_text
from arlen_runtime.alnpg.sql_text import blank

UNCHECKED = re.compile(r"#\s*sql:\s*unchecked\b")

_WORDS = "select|insert|update|delete|merge|with|values|table|call"

_SQL = re.compile(
    rf"""
    [\s(;]*
    (?: explain \b \s* (?: (?:analyze|analyse|verbose) \b \s* )* (?: \([^)]*\) )? \s* \(* \s* )?
    (?: {_WORDS} ) \b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Start of the statements that PostgreSQL analyses when it prepares them; for others it checks only
the syntax."""

_PSYCOPG_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sbt]\b")
"""Placeholders of psycopg: valid on a connection from `pg.connection()`, but not in PostgreSQL."""

AT_RUN_TIME = "the statement is built at run time"
PSYCOPG_PLACEHOLDERS = "it has psycopg placeholders, which PostgreSQL does not support"
METHOD_ESCAPES = "the method is passed on, so its calls are not seen: call it where the statement is"
"""Reasons why a statement is not checked."""


class Call(NamedTuple):
    """One statement in the source.

    `arguments` are its parameters (None: their number is unknown), `named_arguments` those of a
    dict literal (None: there is none), `rows` the literal parameter sets of a statement that runs
    many times. `into` is the row class if it is known, `into_name` its name in the call, `function`
    the function that contains the call.
    """

    file: str
    line: int
    method: str
    text: LiteralText
    arguments: tuple[Argument, ...] | None = None
    named_arguments: dict[str, Argument] | None = None
    into: RowClass | None = None
    into_name: str = ""
    function: str = ""
    rows: tuple[ArgumentRow, ...] = ()

    @property
    def sql(self) -> str:
        """The text of the statement."""
        return self.text.sql

    @property
    def as_tuple(self) -> bool:
        """True if rows are tuples; then columns have no names."""
        return self.into_name == "tuple"


class UncheckedCall(NamedTuple):
    """A statement that is not checked: where, and why."""

    file: str
    line: int
    reason: str = AT_RUN_TIME


class CheckedSource(NamedTuple):
    """The calls with known statements, the calls without, and files that cannot be parsed."""

    calls: tuple[Call, ...]
    unchecked: tuple[UncheckedCall, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()


def read(folder: Path) -> CheckedSource:
    """Read every Python file below `folder`, except in hidden and installed folders."""
    modules = Modules(folder)
    names = {name for module in modules.all for name in method_aliases(module)}
    calling = re.compile("|".join([METHOD_ACCESS, *(rf"\b{name}\b" for name in sorted(names))]))
    calls: list[Call] = []
    unchecked: list[UncheckedCall] = []
    for module in modules.all:
        if not calling.search(module.source):
            continue
        reader = _Reader(module, modules, follow=bool(names))
        reader.visit(module.tree)
        calls += sorted(reader.calls, key=lambda call: call.line)
        unchecked += sorted([*reader.unchecked, *reader.escaping_methods()], key=lambda call: call.line)
    return CheckedSource(tuple(calls), tuple(unchecked), tuple(modules.unreadable))


class _Reader(ast.NodeVisitor):
    """Reads one module."""

    def __init__(self, module: Module, modules: Modules, *, follow: bool) -> None:
        self.calls: list[Call] = []
        self.unchecked: list[UncheckedCall] = []
        self._module = module
        self._modules = modules
        self._has_aliases = follow
        self._functions: list[Function] = []

    def escaping_methods(self) -> list[UncheckedCall]:
        nodes = [node for node in escaping_methods(self._module) if not self._is_marked_unchecked(node)]
        return [UncheckedCall(self._module.file, node.lineno, METHOD_ESCAPES) for node in nodes]

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        method = self._method(node.func)
        if method is None or self._is_marked_unchecked(node):
            return
        arguments = bind_arguments(node, METHODS[method.attr])
        if method.attr == "copy_rows":
            self._add_copy(node, method, arguments)
        elif "sql" in arguments:
            self._add_statement(node, method, arguments)
        elif has_unpacking(node):
            self._add_unchecked(method, node)

    def _method(self, called: ast.expr) -> ast.Attribute | None:
        """Return the method that is called, directly or through an alias."""
        if (
            self._has_aliases
            and (definition := self._modules.find(self._module, called))
            and isinstance(definition.node, ast.Attribute)
        ):
            called = definition.node
        return called if isinstance(called, ast.Attribute) and called.attr in METHODS else None

    def _add_statement(self, node: ast.Call, method: ast.Attribute, arguments: dict[str, ast.expr]) -> None:
        statement = arguments["sql"]
        text = resolve_text(self._modules, self._module, self._prepared_sql(statement))
        if text is None:
            self._add_unchecked(method, statement)
        elif not _SQL.match(blank(text.sql, "comment")):
            return  # a method of that name that takes something else
        elif _PSYCOPG_PLACEHOLDER.search(text.sql):
            self.unchecked.append(UncheckedCall(self._module.file, statement.lineno, PSYCOPG_PLACEHOLDERS))
        else:
            call = self._call(method.attr, statement, text, arguments)
            if method.attr in VARIADIC:
                call = call._replace(
                    arguments=self._argument_reader.read_all(node.args[1:]),
                    named_arguments=self._argument_reader.read_mapping(node.args[1:]),
                )
            self.calls.append(call)

    def _add_copy(self, node: ast.Call, method: ast.Attribute, arguments: dict[str, ast.expr]) -> None:
        """Add the statement of `copy_rows` if it is called on a database; others copy rows too."""
        if not is_database_method(method):
            return
        table, columns = arguments.get("table"), arguments.get("columns")
        text = copy_statement(self._modules, self._module, table, columns) if table and columns else None
        if table is None or text is None:
            self._add_unchecked(method, node)
        else:
            self.calls.append(self._call(method.attr, table, text, arguments))

    def _is_marked_unchecked(self, node: ast.expr) -> bool:
        return any(map(UNCHECKED.search, self._module.lines[node.lineno - 1 : node.end_lineno]))

    def _prepared_sql(self, node: ast.expr) -> ast.expr:
        """Return the SQL of a statement that `prepare` returned."""
        definition = self._modules.find(self._module, node)
        value = definition.node if definition else None
        if isinstance(value, ast.Call) and (method := self._method(value.func)) and method.attr == "prepare":
            return bind_arguments(value, METHODS["prepare"]).get("sql", node)
        return node

    def _add_unchecked(self, method: ast.Attribute, statement: ast.expr) -> None:
        """Note a statement that is not known, if it is certainly one of a database."""
        if is_database_method(method) or isinstance(statement, ast.JoinedStr | ast.BinOp):
            self.unchecked.append(UncheckedCall(self._module.file, statement.lineno))

    @property
    def _argument_reader(self) -> ArgumentReader:
        return ArgumentReader(self._module, self._functions[-1] if self._functions else None)

    def _call(self, method: str, statement: ast.expr, text: LiteralText, arguments: dict[str, ast.expr]) -> Call:
        """Return the call with what all methods have in common."""
        into = arguments.get("into")
        return Call(
            file=self._module.file,
            line=statement.lineno,
            method=method,
            text=text,
            into=row_class(self._modules, self._module, into) if into is not None else None,
            into_name=dotted_name(into).rpartition(".")[2] if into is not None else "",
            function=self._functions[-1].name if self._functions else "",
            rows=tuple(self._argument_reader.read_rows(arguments.get("rows", arguments.get("params_list")))),
        )
