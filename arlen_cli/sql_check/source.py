"""The statements that an application's source holds. One rule: the source is read, never imported.

Found is every call of one of ALNPg's methods whose statement is written out, there or under a name. With it comes what the
call says about the statement: how many parameters, what is known of each, and the class that its rows become. A statement
that is put together at run time is not checked, and said so, as is a method that is given away. A line with
`# sql: unchecked` is left alone: its statement needs what only the running program makes (a temporary table), or is wrong
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

UNCHECKED = re.compile(r"#\s*sql:\s*unchecked\b")

_WORDS = "select|insert|update|delete|merge|with|values|table|call"

_SQL = re.compile(
    rf"""
    (?: \s | \( | --[^\n]*\n | /\* (?: [^*] | \*(?!/) )* \*/ )*
    (?: explain \b \s* (?: (?:analyze|analyse|verbose) \b \s* )* (?: \([^)]*\) )? \s* \(* \s* )?
    (?: {_WORDS} ) \b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""How statements begin that PostgreSQL looks through when it prepares them; of others it reads no more than the syntax."""

_PSYCOPG_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sbt]\b")
"""psycopg's own placeholders: what `pg.connection()` lends takes them, PostgreSQL does not."""

AT_RUN_TIME = "the statement is put together at run time"
PSYCOPG_PLACEHOLDERS = "its placeholders are psycopg's, which PostgreSQL does not read"
METHOD_ESCAPES = "the method is given away, and its calls are not seen: call it where the statement is"
"""Why a statement is not checked."""


class Call(NamedTuple):
    """One statement in the source, and what is said of it there.

    `given` are its parameters (None: not known how many), `names` those of a mapping written out (None: no such), `rows`
    the sets of parameters that are written out where it runs many times. `into` is the class of the rows where it is known,
    `named` what the call calls it; `within` is the function that it is in.
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
        """The statement."""
        return self.text.sql

    @property
    def as_tuple(self) -> bool:
        """Whether rows are tuples, whose columns have no names."""
        return self.into_name == "tuple"


class UncheckedCall(NamedTuple):
    """A place whose statement is not known: where, and why."""

    file: str
    line: int
    reason: str = AT_RUN_TIME


class CheckedSource(NamedTuple):
    """What was found: the calls, the places whose statement is not known, the files that are no Python."""

    calls: tuple[Call, ...]
    unchecked: tuple[UncheckedCall, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()


def read(folder: Path) -> CheckedSource:
    """Read every Python file below `folder`, but for hidden folders and what is installed there."""
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
        """Take the module, all modules, where its imports lead, and whether a method has another name in one of them."""
        self.calls: list[Call] = []
        self.unchecked: list[UncheckedCall] = []
        self._module = module
        self._modules = modules
        self._has_aliases = follow
        self._functions: list[Function] = []

    def escaping_methods(self) -> list[UncheckedCall]:
        """Return where methods are given away."""
        nodes = [node for node in escaping_methods(self._module) if not self._is_marked_unchecked(node)]
        return [UncheckedCall(self._module.file, node.lineno, METHOD_ESCAPES) for node in nodes]

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Remember in which function a call stands."""
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Do the same for what is wrong here, but is there."""
        self.visit_FunctionDef(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Take a call of one of the methods."""
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
        """Return the method that is called, also under another name."""
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
        elif _SQL.match(text.sql) and _PSYCOPG_PLACEHOLDER.search(text.sql):
            self.unchecked.append(UncheckedCall(self._module.file, statement.lineno, PSYCOPG_PLACEHOLDERS))
        elif _SQL.match(text.sql):
            call = self._call(method.attr, statement, text, arguments)
            if method.attr in VARIADIC:
                call = call._replace(
                    arguments=self._argument_reader.read_all(node.args[1:]),
                    named_arguments=self._argument_reader.read_mapping(node.args[1:]),
                )
            self.calls.append(call)

    def _add_copy(self, node: ast.Call, method: ast.Attribute, arguments: dict[str, ast.expr]) -> None:
        """Take the statement that `copy_rows` makes; others than databases copy rows too, and not into tables."""
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
        """Return the statement itself of what `prepare` was given."""
        definition = self._modules.find(self._module, node)
        value = definition.node if definition else None
        if isinstance(value, ast.Call) and (method := self._method(value.func)) and method.attr == "prepare":
            return bind_arguments(value, METHODS["prepare"]).get("sql", node)
        return node

    def _add_unchecked(self, method: ast.Attribute, statement: ast.expr) -> None:
        """Note a statement that is not known here."""
        if is_database_method(method) or isinstance(statement, ast.JoinedStr | ast.BinOp):
            self.unchecked.append(UncheckedCall(self._module.file, statement.lineno))

    @property
    def _argument_reader(self) -> ArgumentReader:
        return ArgumentReader(self._module, self._functions[-1] if self._functions else None)

    def _call(self, method: str, statement: ast.expr, text: LiteralText, arguments: dict[str, ast.expr]) -> Call:
        """Return the call, with what all of the methods take."""
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
