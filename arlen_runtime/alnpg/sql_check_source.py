"""The statements that an application's source holds. One rule: the source is read, never imported.

Found is every call of one of ALNPg's methods whose statement is written out, there or under a name. With it comes what the
call says about the statement: how many parameters, what is known of each, and the class that its rows become. A statement
that is put together at run time is not checked, and said so. A line with `# sql: unchecked` is left alone: its statement
needs what only the running program makes (a temporary table), or is wrong on purpose.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.alnpg.sql_check_classes import PLAIN, RowClass, row_class
from arlen_runtime.alnpg.sql_check_modules import Module, Modules, Unreadable, dotted_name
from arlen_runtime.alnpg.sql_check_text import Mark, Text, text_of

METHODS = {
    "query": True,
    "query_one": True,
    "query_value": True,
    "execute": True,
    "stream": True,
    "query_many": False,
    "execute_many": False,
    "prepare": False,
}
"""ALNPg's methods that take a statement; whether the arguments after it are its parameters, one by one."""

DATABASES = frozenset({"pg", "replica", "database", "db"})
"""What a database is called: of other things that have an `execute`, what cannot be read is not worth telling."""

BUILTINS = frozenset({"str", "int", "float", "bool", "bytes", "list", "dict", "Decimal", "UUID"})
"""Types whose calls give a value of theirs."""

UNCHECKED = re.compile(r"#\s*sql:\s*unchecked\b")

_CALLS = re.compile(rf"\.\s*({'|'.join(METHODS)})\b")

_SQL = re.compile(
    r"\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|insert|update|delete|merge|with|values|table|call)\b",
    re.IGNORECASE | re.DOTALL,
)

_OF_PSYCOPG = re.compile(r"%(?:\(\w+\))?[sbt]\b")
"""psycopg's own placeholders: what `pg.connection()` lends takes them, PostgreSQL does not."""


class Given(NamedTuple):
    """What is known of a parameter: its type ("": nothing), and its text where it is a literal."""

    type: str = ""
    literal: str = ""


class Call(NamedTuple):
    """One statement in the source, and what is said of it there.

    `given` are its parameters (None: not known how many), `names` those of a mapping written out (None: no such). `into`
    is the class of the rows where it is known, `named` what the call calls it; `within` is the function that it is in.
    """

    file: str
    line: int
    method: str
    text: Text
    given: tuple[Given, ...] | None = None
    names: dict[str, Given] | None = None
    into: RowClass | None = None
    named: str = ""
    within: str = ""

    @property
    def sql(self) -> str:
        """The statement."""
        return self.text.sql

    @property
    def as_tuple(self) -> bool:
        """Whether rows are tuples, whose columns have no names."""
        return self.named == "tuple"


class Source(NamedTuple):
    """What was found: the calls, the calls whose statement is put together at run time, the files that are no Python."""

    calls: tuple[Call, ...]
    unread: tuple[Mark, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


def read(folder: Path) -> Source:
    """Read every Python file below `folder`, but for hidden folders and what is installed there."""
    modules = Modules(folder)
    calls: list[Call] = []
    unread: list[Mark] = []
    for module in modules.all:
        if not _CALLS.search(module.source):
            continue
        reader = _Reader(module, modules)
        reader.visit(module.tree)
        calls += sorted(reader.calls, key=lambda each: each.line)
        unread += reader.unread
    return Source(tuple(calls), tuple(unread), tuple(modules.unreadable))


class _Reader(ast.NodeVisitor):
    """Reads one module."""

    def __init__(self, module: Module, modules: Modules) -> None:
        """Take the module, and all modules, where its imports lead."""
        self.calls: list[Call] = []
        self.unread: list[Mark] = []
        self._module = module
        self._modules = modules
        self._functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []

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
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS or self._is_unchecked(node):
            return
        written = node.args[1:] if node.func.attr == "prepare" else node.args
        if not written:
            return
        text = text_of(self._modules, self._module, self._unwrapped(written[0]))
        if text is None:
            self._leave(node.func, written[0])
        elif _SQL.match(text.sql) and _OF_PSYCOPG.search(text.sql):
            self.unread.append(Mark(0, self._module.file, written[0].lineno))
        elif _SQL.match(text.sql):
            self.calls.append(self._call(node, node.func.attr, text, written))

    def _is_unchecked(self, node: ast.Call) -> bool:
        return any(map(UNCHECKED.search, self._module.lines[node.lineno - 1 : node.end_lineno]))

    def _unwrapped(self, node: ast.expr) -> ast.expr:
        """Return the statement itself of what `prepare` was given."""
        found = self._modules.find(self._module, node)
        made = found.node if found else None
        if isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute) and made.func.attr == "prepare":
            return made.args[1] if len(made.args) > 1 else node
        return node

    def _leave(self, method: ast.Attribute, statement: ast.expr) -> None:
        """Note a statement that is not known here."""
        database = dotted_name(method.value).rpartition(".")[2] in DATABASES
        if database or isinstance(statement, ast.JoinedStr | ast.BinOp):
            self.unread.append(Mark(0, self._module.file, statement.lineno))

    def _call(self, node: ast.Call, method: str, text: Text, written: Sequence[ast.expr]) -> Call:
        params = written[1:]
        into = next((each.value for each in node.keywords if each.arg == "into"), None)
        known = METHODS[method] and not any(isinstance(each, ast.Starred) for each in params)
        return Call(
            file=self._module.file,
            line=written[0].lineno,
            method=method,
            text=text,
            given=tuple(map(self._given, params)) if known else None,
            names=self._names(params) if known else None,
            into=row_class(self._modules, self._module, into) if into is not None else None,
            named=dotted_name(into).rpartition(".")[2] if into is not None else "",
            within=self._functions[-1].name if self._functions else "",
        )

    def _names(self, params: Sequence[ast.expr]) -> dict[str, Given] | None:
        """Return what is known of the one mapping, by its keys, where all of them are written out."""
        if len(params) != 1 or not isinstance(params[0], ast.Dict):
            return None
        pairs = list(zip(params[0].keys, params[0].values, strict=True))
        if not all(isinstance(key, ast.Constant) for key, _ in pairs):
            return None
        return {str(key.value): self._given(value) for key, value in pairs if isinstance(key, ast.Constant)}

    def _given(self, node: ast.expr) -> Given:
        """Return what is known of a parameter."""
        try:
            value = ast.literal_eval(node)
        except ValueError:
            return Given(self._type(node))
        return Given(type(value).__name__, ast.unparse(node))

    def _type(self, node: ast.expr) -> str:
        if isinstance(node, ast.JoinedStr):
            return "str"
        if isinstance(node, ast.List | ast.ListComp):
            return "list"
        if isinstance(node, ast.Dict | ast.DictComp):
            return "dict"
        if isinstance(node, ast.Call):
            name = dotted_name(node.func).rpartition(".")[2]
            return name if name in BUILTINS and name not in self._module.definitions else ""
        if isinstance(node, ast.Name) and self._functions:
            return _annotated(self._functions[-1], node.id)
        return ""


def _annotated(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> str:
    """Return the plain type of a function's parameter, where nothing in the function gives the name another value."""
    counted = Counter(_names_given(function))
    for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        if each.arg == name and counted[name] == 1 and each.annotation is not None:
            annotation = ast.unparse(each.annotation).removesuffix(" | None").partition("[")[0].rpartition(".")[2]
            return annotation if annotation in PLAIN | {"list", "dict"} else ""
    return ""


def _names_given(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
