"""Where statements end: where psql ends them."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.alnpg.migrations.splitter import Directive, MigrationStatement, UnreadableError, scan, tokens

WHOLE = [
    "select ';'",
    "select 'it''s; fine'",
    r"select E'\'; still', 'a\'",
    "select E'it' \n  '\\'s; still'",
    'select ";" from "a""b;"',
    "select $$;$$, $a$ $$;$$ ; $a$",
    "select $é1$;$é1$",
    "select a$b$c from t",
    "select $1, 2",
    "select 1 -- ; not here\n + 1",
    "select /* ; /* ; */ ; */ 1",
    "create rule r as on insert to t do also (select 1; select 2)",
    "create function f() returns int begin atomic select 1; select case when true then 2 else 3 end; end",
    "create or replace procedure p() begin atomic insert into t values (1); end",
    "create function f(begin date, day date) returns bool begin atomic select begin < day; select day > begin; end",
    "create function f(begin date) returns date return begin",
    "do $$ begin perform 1; end $$",
    "select U&'d\\0061t;' , N'x;', B'1'",
    'create table beginning ("end" int, endless int)',
]


@pytest.mark.parametrize("text", WHOLE)
def test_a_semicolon_inside_does_not_end_a_statement(text: str) -> None:
    assert [piece[0] for piece in scan(f"{text};\n{text}")] == [text, text]


def test_statements_know_their_lines_and_first_words() -> None:
    text = "-- first\n\nCREATE TABLE a (n int);;\n  /* two\nlines */ Insert into a values\n (1); select 1"
    assert list(scan(text)) == [
        MigrationStatement("CREATE TABLE a (n int)", 3, ("create", "table", "a", "n", "int")),
        MigrationStatement("Insert into a values\n (1)", 5, ("insert", "into", "a", "values")),
        MigrationStatement("select 1", 6, ("select",)),
    ]


def test_a_directive_is_on_its_own_line_and_ends_a_statement() -> None:
    text = "-- migrate:up\nselect 1\n  --migrate:down  \nselect '\n-- migrate:up\n'; -- migrate:up\n"
    assert list(scan(text)) == [
        Directive("up", 1),
        MigrationStatement("select 1", 2, ("select",)),
        Directive("down", 3),
        MigrationStatement("select '\n-- migrate:up\n'", 4, ("select",)),
    ]


@pytest.mark.parametrize(
    "line", ["-- Migrate:Down", "--MIGRATE:DOWN", "--- migrate:down", "-- migrate: down", "\t--\u00a0migrate : Down\f"]
)
def test_a_directive_may_be_spelt_in_several_ways(line: str) -> None:
    assert [piece[0] for piece in scan(f"select 1;\n{line}\nselect 2")] == ["select 1", "down", "select 2"]


@pytest.mark.parametrize("line", ["-- migrated: down", "-- to migrate: down", "-- migrate down"])
def test_a_comment_about_migrations_is_not_a_directive(line: str) -> None:
    assert [piece[0] for piece in scan(f"select 1;\n{line}\nselect 2")] == ["select 1", "select 2"]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("select 1;\nselect 'abc;\n", 2, "' opens here and never closes"),
        ('\n\nselect "abc', 3, '" opens here'),
        ("select $tag$ abc $tga$", 1, "[$]tag[$] opens here"),
        ("select 1;\n/* /* */ abc", 2, "/[*] opens here"),
    ],
)
def test_an_unclosed_quote_or_comment_is_reported_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason) as raised:
        list(scan(text))
    assert raised.value.line == line


def test_tokens_leave_out_comments() -> None:
    text = "create /* unique /* */ */ index \"a n\"--;\n on s.t (f('--'), $$/*$$)"
    assert list(tokens(text)) == [
        *("create", "index", '"a n"', "on", "s", ".", "t", "(", "f", "(", "'--'", ")", ",", "$$/*$$", ")"),
    ]


def test_the_kept_words_reach_concurrently_in_the_longest_statement() -> None:
    text = "alter table if exists only app.parent detach partition app.child concurrently"
    (statement,) = scan(text)
    assert isinstance(statement, MigrationStatement)
    assert "concurrently" in statement.words


def test_a_case_or_end_outside_of_a_function_body_changes_nothing() -> None:
    text = "select case when true then 1 end; create function f() returns int language sql as 'select 1'; select 2"
    assert len(list(scan(text))) == 3


@given(st.lists(st.sampled_from(WHOLE), max_size=8))
def test_joined_statements_come_apart_again(statements: list[str]) -> None:
    pieces = list(scan(";\n".join(statements)))
    assert [piece[0] for piece in pieces] == statements
    lines, at = [], 1
    for statement in statements:
        lines.append(at)
        at += statement.count("\n") + 1
    assert [piece.line for piece in pieces] == lines


@given(st.text("'\"$-/*;()abE\\ \n"))
def test_any_text_is_split_or_refused_and_none_is_lost(text: str) -> None:
    at = 0
    with suppress(UnreadableError):
        for piece in scan(text):
            assert isinstance(piece, MigrationStatement)
            assert text.count("\n", 0, text.index(piece.text, at)) + 1 == piece.line
            at = text.index(piece.text, at) + len(piece.text)


def test_a_megabyte_of_statements_is_split_within_seconds() -> None:
    text = "insert into t values (1, 'it''s', $$x$$); -- remark\n" * 20_000
    start = time.monotonic()
    assert sum(1 for _ in scan(text)) == 20_000
    assert time.monotonic() - start < 5
