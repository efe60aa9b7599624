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

from arlen_cli.sql_check.arguments import Argument, ArgumentRow, Function, Values
from arlen_cli.sql_check.methods import (
    CALLS,
    METHODS,
    ONE_BY_ONE,
    aliases,
    bound,
    given_away,
    is_spread,
    of_database,
)
from arlen_cli.sql_check.modules import Module, Modules, UnreadableFile, dotted_name
from arlen_cli.sql_check.row_classes import RowClass, row_class
from arlen_cli.sql_check.sql_literals import LiteralText, copied_into, text_of

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

_OF_PSYCOPG = re.compile(r"%(?:\(\w+\))?[sbt]\b")
"""psycopg's own placeholders: what `pg.connection()` lends takes them, PostgreSQL does not."""

AT_RUN_TIME = "the statement is put together at run time"
OF_PSYCOPG = "its placeholders are psycopg's, which PostgreSQL does not read"
GIVEN_AWAY = "the method is given away, and its calls are not seen: call it where the statement is"
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
    given: tuple[Argument, ...] | None = None
    names: dict[str, Argument] | None = None
    into: RowClass | None = None
    named: str = ""
    within: str = ""
    rows: tuple[ArgumentRow, ...] = ()

    @property
    def sql(self) -> str:
        """The statement."""
        return self.text.sql

    @property
    def as_tuple(self) -> bool:
        """Whether rows are tuples, whose columns have no names."""
        return self.named == "tuple"


class UncheckedCall(NamedTuple):
    """A place whose statement is not known: where, and why."""

    file: str
    line: int
    reason: str = AT_RUN_TIME


class CheckedSource(NamedTuple):
    """What was found: the calls, the places whose statement is not known, the files that are no Python."""

    calls: tuple[Call, ...]
    unread: tuple[UncheckedCall, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()


def read(folder: Path) -> CheckedSource:
    """Read every Python file below `folder`, but for hidden folders and what is installed there."""
    modules = Modules(folder)
    names = {name for module in modules.all for name in aliases(module)}
    calling = re.compile("|".join([CALLS, *(rf"\b{name}\b" for name in sorted(names))]))
    calls: list[Call] = []
    unread: list[UncheckedCall] = []
    for module in modules.all:
        if not calling.search(module.source):
            continue
        reader = _Reader(module, modules, follow=bool(names))
        reader.visit(module.tree)
        calls += sorted(reader.calls, key=lambda each: each.line)
        unread += sorted([*reader.unread, *reader.given_away()], key=lambda each: each.line)
    return CheckedSource(tuple(calls), tuple(unread), tuple(modules.unreadable))


class _Reader(ast.NodeVisitor):
    """Reads one module."""

    def __init__(self, module: Module, modules: Modules, *, follow: bool) -> None:
        """Take the module, all modules, where its imports lead, and whether a method has another name in one of them."""
        self.calls: list[Call] = []
        self.unread: list[UncheckedCall] = []
        self._module = module
        self._modules = modules
        self._follow = follow
        self._functions: list[Function] = []

    def given_away(self) -> list[UncheckedCall]:
        """Return where methods are given away."""
        found = [node for node in given_away(self._module) if not self._is_unchecked(node)]
        return [UncheckedCall(self._module.file, node.lineno, GIVEN_AWAY) for node in found]

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
        if method is None or self._is_unchecked(node):
            return
        arguments = bound(node, METHODS[method.attr])
        if method.attr == "copy_rows":
            self._take_copy(node, method, arguments)
        elif "sql" in arguments:
            self._take(node, method, arguments)
        elif is_spread(node):
            self._leave(method, node)

    def _method(self, called: ast.expr) -> ast.Attribute | None:
        """Return the method that is called, also under another name."""
        if (
            self._follow
            and (found := self._modules.find(self._module, called))
            and isinstance(found.node, ast.Attribute)
        ):
            called = found.node
        return called if isinstance(called, ast.Attribute) and called.attr in METHODS else None

    def _take(self, node: ast.Call, method: ast.Attribute, arguments: dict[str, ast.expr]) -> None:
        statement = arguments["sql"]
        text = text_of(self._modules, self._module, self._unwrapped(statement))
        if text is None:
            self._leave(method, statement)
        elif _SQL.match(text.sql) and _OF_PSYCOPG.search(text.sql):
            self.unread.append(UncheckedCall(self._module.file, statement.lineno, OF_PSYCOPG))
        elif _SQL.match(text.sql):
            call = self._call(method.attr, statement, text, arguments)
            if method.attr in ONE_BY_ONE:
                call = call._replace(given=self._values.all(node.args[1:]), names=self._values.names(node.args[1:]))
            self.calls.append(call)

    def _take_copy(self, node: ast.Call, method: ast.Attribute, arguments: dict[str, ast.expr]) -> None:
        """Take the statement that `copy_rows` makes; others than databases copy rows too, and not into tables."""
        if not of_database(method):
            return
        table, columns = arguments.get("table"), arguments.get("columns")
        text = copied_into(self._modules, self._module, table, columns) if table and columns else None
        if table is None or text is None:
            self._leave(method, node)
        else:
            self.calls.append(self._call(method.attr, table, text, arguments))

    def _is_unchecked(self, node: ast.expr) -> bool:
        return any(map(UNCHECKED.search, self._module.lines[node.lineno - 1 : node.end_lineno]))

    def _unwrapped(self, node: ast.expr) -> ast.expr:
        """Return the statement itself of what `prepare` was given."""
        found = self._modules.find(self._module, node)
        made = found.node if found else None
        if isinstance(made, ast.Call) and (method := self._method(made.func)) and method.attr == "prepare":
            return bound(made, METHODS["prepare"]).get("sql", node)
        return node

    def _leave(self, method: ast.Attribute, statement: ast.expr) -> None:
        """Note a statement that is not known here."""
        if of_database(method) or isinstance(statement, ast.JoinedStr | ast.BinOp):
            self.unread.append(UncheckedCall(self._module.file, statement.lineno))

    @property
    def _values(self) -> Values:
        return Values(self._module, self._functions[-1] if self._functions else None)

    def _call(self, method: str, statement: ast.expr, text: LiteralText, arguments: dict[str, ast.expr]) -> Call:
        """Return the call, with what all of the methods take."""
        into = arguments.get("into")
        return Call(
            file=self._module.file,
            line=statement.lineno,
            method=method,
            text=text,
            into=row_class(self._modules, self._module, into) if into is not None else None,
            named=dotted_name(into).rpartition(".")[2] if into is not None else "",
            within=self._functions[-1].name if self._functions else "",
            rows=tuple(self._values.rows(arguments.get("rows", arguments.get("params_list")))),
        )
