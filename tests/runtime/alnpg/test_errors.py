"""The tree of the database's errors."""

from __future__ import annotations

import inspect

import pytest

from arlen_runtime.alnpg import ALNPg, errors
from arlen_runtime.alnpg.errors import ALNPgError
from arlen_runtime.errors import ArlenError


def test_a_syntax_error_shows_the_statement_with_a_caret(pg: ALNPg) -> None:
    with pytest.raises(errors.StatementInvalid) as caught:
        pg.execute("select oid,\n       nothing\n  from pg_class")
    assert str(caught.value).endswith("select oid,\n       nothing\n       ^\n  from pg_class")


def test_temporary_errors_ask_for_a_retry() -> None:
    for kind in (errors.DatabaseUnavailable, errors.PoolExhausted, errors.TransactionConflict):
        assert ("Retry-After", "1") in kind("x").headers
        assert kind.status == 503


def test_every_error_has_its_own_code_and_is_in_the_tree_of_the_docstring() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ALNPgError)]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    tree = errors.__doc__ or ""
    for kind in kinds:
        assert issubclass(kind, ArlenError)
        assert kind.__name__ in tree
        line = next(line for line in tree.splitlines() if f" {kind.__name__} " in f" {line.lstrip('│├└─ ')} ")
        assert str(kind.status) in line
        assert kind.code in line
