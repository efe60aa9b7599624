"""Methods in source code: their arguments, and where a method is passed on."""

from __future__ import annotations

import ast
import inspect

import pytest

from arlen_cli.sql_check.methods import (
    METHODS,
    VARIADIC,
    bind_arguments,
    escaping_methods,
    has_unpacking,
    method_aliases,
)
from arlen_cli.sql_check.modules import Module
from arlen_runtime.alnpg import ALNPg


def call(text: str) -> ast.Call:
    node = ast.parse(text, mode="eval").body
    assert isinstance(node, ast.Call)
    return node


@pytest.mark.parametrize("method", METHODS)
def test_the_argument_names_are_those_of_the_methods(method: str) -> None:
    parameters = list(inspect.signature(getattr(ALNPg, method)).parameters.values())[1:]
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert tuple(parameter.name for parameter in parameters if parameter.kind in kinds) == METHODS[method]
    assert (method in VARIADIC) == any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)


@pytest.mark.parametrize(
    ("text", "arguments", "spread"),
    [
        ("f('n', s)", {"name": "'n'", "sql": "s"}, False),
        ("f(sql=s, name='n')", {"name": "'n'", "sql": "s"}, False),
        ("f('n', *rest)", {"name": "'n'"}, True),
        ("f(*rest, s)", {}, True),
        ("f('n', **more)", {"name": "'n'"}, True),
        ("f('n', s, x, y)", {"name": "'n'", "sql": "s"}, False),
    ],
)
def test_arguments_are_bound_as_far_as_they_can_be(text: str, arguments: dict[str, str], *, spread: bool) -> None:
    assert {
        name: ast.unparse(value) for name, value in bind_arguments(call(text), ("name", "sql")).items()
    } == arguments
    assert has_unpacking(call(text)) is spread


@pytest.mark.parametrize(
    ("text", "aliases", "escaping"),
    [
        ("pg.query('select 1')", [], []),
        ("q = pg.query\nq('select 1')", ["q"], []),
        ("q = pg.query\nq = pg.execute", [], ["pg.query", "pg.execute"]),
        ("q = pg.query\nsend(q)", ["q"], ["q"]),
        ("send(ctx.pg.stream)", [], ["ctx.pg.stream"]),
        ("q = request.query\nsend(request.query)", [], []),
        ("pg.query = fake", [], []),
    ],
)
def test_aliases_and_escaping_methods_are_found(text: str, aliases: list[str], escaping: list[str]) -> None:
    module = Module("users.py", text)
    assert list(method_aliases(module)) == aliases
    assert [ast.unparse(node) for node in escaping_methods(module)] == escaping
