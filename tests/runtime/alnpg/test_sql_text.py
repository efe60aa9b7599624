"""The SQL lexer: every token is the one that PostgreSQL reads. A real server confirms it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql as composed
from psycopg.pq import ExecStatus

from arlen_runtime.alnpg.sql_text import Kind, Token, blank, first_word, opener, parameters, tokens

TOKENS: list[tuple[str, list[tuple[Kind, str]]]] = [
    ("", []),
    (" \t\r\n\f\v", []),
    ("\n Select_1 a$1 é€ _", [("word", "Select_1"), ("word", "a$1"), ("word", "é€"), ("word", "_")]),
    ("a\u00a0b", [("word", "a\u00a0b")]),
    ("'a;''b' 'c\\'", [("string", "'a;''b'"), ("string", "'c\\'")]),
    ("E'a\\'b''c\\\\' e'\\\n'", [("string", "E'a\\'b''c\\\\'"), ("string", "e'\\\n'")]),
    ("b'01' X'1F' n'a'", [("string", "b'01'"), ("string", "X'1F'"), ("string", "n'a'")]),
    ("U&'\\0041' u&'x'", [("string", "U&'\\0041'"), ("string", "u&'x'")]),
    ("B'1''0' x'1'\n'F'", [("string", "B'1'"), ("string", "'0'"), ("string", "x'1'\n'F'")]),
    ("'a'\n'b' 'c'", [("string", "'a'\n'b'"), ("string", "'c'")]),
    ("'a' -- c\n\t'b'", [("string", "'a' -- c\n\t'b'")]),
    ("'a'\r-- c\n -- d\n'b'", [("string", "'a'\r-- c\n -- d\n'b'")]),
    ("'a' -- c", [("string", "'a'"), ("comment", "-- c")]),
    ("'a' /*\n*/ 'b'", [("string", "'a'"), ("comment", "/*\n*/"), ("string", "'b'")]),
    ("'a'\n- 'b'", [("string", "'a'"), ("operator", "-"), ("string", "'b'")]),
    ("E'a'\n'\\'b' E'c'\nE'd'", [("string", "E'a'\n'\\'b'"), ("string", "E'c'"), ("string", "E'd'")]),
    ("xE'\\'", [("word", "xE"), ("string", "'\\'")]),
    (
        "$$ ' $$ $a$ $$ $b$ $a$ $é1$;$é1$",
        [("string", "$$ ' $$"), ("string", "$a$ $$ $b$ $a$"), ("string", "$é1$;$é1$")],
    ),
    ("a$b$c $1$a$b$a$", [("word", "a$b$c"), ("parameter", "$1"), ("string", "$a$b$a$")]),
    ("$ $a $1a", [("other", "$"), ("other", "$"), ("word", "a"), ("parameter", "$1"), ("word", "a")]),
    ('"a""b" U&"c"', [("name", '"a""b"'), ("name", 'U&"c"')]),
    ('"a\'"\n"b"', [("name", '"a\'"'), ("name", '"b"')]),
    ("-- a\rb -- '", [("comment", "-- a"), ("word", "b"), ("comment", "-- '")]),
    ("/*/ /**/ */a/* */ ", [("comment", "/*/ /**/ */"), ("word", "a"), ("comment", "/* */")]),
    ("1 1.5 .5 1.", [("number", "1"), ("number", "1.5"), ("number", ".5"), ("number", "1.")]),
    ("1.5e3 1e-7 1_000", [("number", "1.5e3"), ("number", "1e-7"), ("number", "1_000")]),
    ("0x1F 0b1_0 0O7", [("number", "0x1F"), ("number", "0b1_0"), ("number", "0O7")]),
    ("1..2", [("number", "1"), ("punctuation", ".."), ("number", "2")]),
    ("1e", [("number", "1"), ("word", "e")]),
    ("a.b", [("word", "a"), ("punctuation", "."), ("word", "b")]),
    ("x::int", [("word", "x"), ("punctuation", "::"), ("word", "int")]),
    ("a:=:b", [("word", "a"), ("punctuation", ":="), ("punctuation", ":"), ("word", "b")]),
    ("[1:2]", [("punctuation", "["), ("number", "1"), ("punctuation", ":"), ("number", "2"), ("punctuation", "]")]),
    ("(*);", [("punctuation", "("), ("operator", "*"), ("punctuation", ")"), ("punctuation", ";")]),
    ("->> <@ !~~* `", [("operator", "->>"), ("operator", "<@"), ("operator", "!~~*"), ("operator", "`")]),
    ("=-1", [("operator", "="), ("operator", "-"), ("number", "1")]),
    ("@-1", [("operator", "@-"), ("number", "1")]),
    ("+-+", [("operator", "+"), ("operator", "-"), ("operator", "+")]),
    ("*-/**/", [("operator", "*"), ("operator", "-"), ("comment", "/**/")]),
    ("@-- c\n<=>--", [("operator", "@"), ("comment", "-- c"), ("operator", "<=>"), ("comment", "--")]),
    ("+/* c */", [("operator", "+"), ("comment", "/* c */")]),
    ("*/", [("operator", "*/")]),
    ("\\d {}", [("other", "\\"), ("word", "d"), ("other", "{"), ("other", "}")]),
]


@pytest.mark.parametrize(("sql", "expected"), TOKENS)
def test_a_text_has_these_tokens(sql: str, expected: list[tuple[Kind, str]]) -> None:
    assert [(token.kind, token.text) for token in tokens(sql)] == expected


@pytest.mark.parametrize(
    ("sql", "opens_with"),
    [
        ("'a", "'"),
        ("'''", "'"),
        ("'a'\n'b", "'"),
        ("E'\\'", "'"),
        ("U&'a", "'"),
        ('"a""', '"'),
        ('u&"', '"'),
        ("/* /* */", "/*"),
        ("/*/", "/*"),
        ("$$ $a$", "$$"),
        ("$tag$ $tga$ '", "$tag$"),
    ],
)
def test_what_never_closes_is_one_token_up_to_the_end(sql: str, opens_with: str) -> None:
    *_, last = tokens(f"select 1, {sql}")
    assert last == Token("unclosed", sql, 10)
    assert opener(last) == opens_with


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select :a, :b where x = :a", [":a", ":b", ":a"]),
        ("select $1, $12", ["$1", "$12"]),
        ("select :a::int+:b,(:c)", [":a", ":b", ":c"]),
        ("where x=:a and y>:b limit :é", [":a", ":b", ":é"]),
        ("select ':a', \":a\", $$:a$$, E'\\':a' /* :a /* :a */ :a */ -- :a", []),
        ("select x::int, y::text[], f(a := 1), f(a :=:b)", [":b"]),
        ('select a[1:n], a[m:n], a["m":n], a[$1:n], a[f(1):n], a[b[1]:n]', ["$1"]),
        ("select a[:m:n], a[1 : n], a[1 :n]", [":m", ":n", ":n"]),
        ("select a$1, :b from t$2", [":b"]),
        ("select ::a, : b, :1, :'c'", []),
    ],
)
def test_parameters_are_those_outside_of_strings_casts_and_slices(sql: str, expected: list[str]) -> None:
    places = list(parameters(sql))
    assert [token.text for token in places] == expected
    assert all(sql[token.start : token.end] == token.text and token.kind == "parameter" for token in places)


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("SELECT 1", "select"),
        ("/* a /* b */ c */ call p()", "call"),
        ("-- c\n;; -- d\r(( values (1)))", "values"),
        ("selected", "selected"),
        ("copy$1 t", "copy$1"),
        ("'select'", ""),
        ('"select" 1', ""),
        ("1 select", ""),
        ("/* select", ""),
        (" ", ""),
    ],
)
def test_the_first_word_is_the_one_behind_comments_and_parentheses(sql: str, word: str) -> None:
    assert first_word(sql) == word


def test_the_first_word_is_found_without_reading_the_rest() -> None:
    sql = "-- a comment\nselect " + "a, " * 300_000
    start = time.process_time()
    assert all(first_word(sql) == "select" for _ in range(1_000))
    assert time.process_time() - start < 10  # a few ms; 100 s and more if each call read all of it


def test_blanked_tokens_leave_everything_else_in_its_place() -> None:
    sql = "select 'a\nb', \"c d\" /* e */ from t -- f"
    code = sql.replace("'a\nb'", " " * 5).replace("/* e */", " " * 7).replace("-- f", " " * 4)
    assert blank(sql, "string", "comment") == code
    assert blank(sql, "name") == "select 'a\nb',       /* e */ from t -- f"
    assert blank("select 'a", "unclosed") == "select   "


FRAGMENTS = [
    "'", "''", "'\n'", "' --\n'", '"', "E'", "N'", "x'", "U&", "$", "$a$", "$$", "a", "1", "é", "\u00a0", "_", "\\", "\\'",
    "/*", "*/", "--", "/", "*", "-", "+", "@", "=", "&", ".", ":", "(", ")", "\n", "\r", " ", "\v",
]  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from([*FRAGMENTS, ";", "\0", "\ud800"]), max_size=24).map("".join), st.text())


@given(TEXTS)
def test_tokens_cover_any_text_but_its_whitespace(sql: str) -> None:
    at = 0
    for token in tokens(sql):
        assert token.text
        assert sql[at : token.start].strip(" \t\n\r\f\v") == ""
        assert sql[token.start : token.end] == token.text
        assert token.text[0] not in " \t\n\r\f\v"
        at = token.end
        assert token.kind != "unclosed" or at == len(sql)
    assert sql[at:].strip(" \t\n\r\f\v") == ""


@given(TEXTS)
def test_any_text_can_be_blanked_and_searched_for_parameters(sql: str) -> None:
    blanked = blank(sql, "string", "comment", "unclosed")
    assert len(blanked) == len(sql)
    for token in parameters(sql):
        assert blanked[token.start : token.end] == sql[token.start : token.end] == token.text


REPEATED = [
    "'", "''", "'a'\n", "'a'--\n", "'a'\n--\n", "'a'\n-", "e'a'\n", "E'", "E'\\'", "e'\\'' ", '"', 'U&"', "$", "$a$", "$a",
    "$a ", "/*", "*/", "/**/", "--", "-", "+-", "+", "@", "@-", "a", "1", "1_", "1..", ".", ":", "]:a", " ", "\n", "\\",
]  # fmt: skip


@pytest.mark.parametrize("fragment", REPEATED)
def test_the_time_does_not_grow_with_the_square_of_the_length(fragment: str) -> None:
    sql = fragment * (200_000 // len(fragment))
    start = time.process_time()
    for _ in tokens(sql):
        pass
    # About 1 s for `+`, the slowest. 200,000 squared are 40 billion steps: a minute or more.
    assert time.process_time() - start < 10


@pytest.fixture(scope="module")
def server(database_url: str) -> Iterator[psycopg.Connection]:
    """Open a connection; the bodies of DO are not checked before they run."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set check_function_bodies = off")
        yield connection


STATEMENTS = [
    "select E'a'\n'it\\'s $2', $1::int",
    "select 'a' -- $2\n 'b', $1::int",
    "select 'a'\r\n-- $2 '\n\n 'b', $1::int",
    "select 'a''$2', 'a\\', $1::text, '$3'",
    "select e'\\\\', $1::int, E'\\'$2', E'\\n''$3'",
    "select U&'!0041$2' uescape '!', U&'\\0041''$3', $1::int",
    'select U&"d\\0061t""$2" from (select 1 as "dat""$2") "x" where $1::int = 1',
    "select N'$2', b'0'\n'1', X'1F', $1::int",
    "select $$ $2 ' $$, $a$ $$ $3 $$ $b$ $a$, $é1$ $4 $é1$, $1::int",
    "select 1 as a$2, $1::int",
    "select a$b$ from (select 1 as a$b$) x where $1::int = 1",
    "select /* $2 /* $3 */ ' */ $1::int /* /*/ */ \" */",
    "select 1 -- $2 /* '\n, $1::int",
    "select 1 -- $2\r, $1::int",
    "select @-- $2\n -5, 1*/* $3 */2, 3-/**/-2, $1::int",
    "select 1=-$1::int, 2<-1, 2+-1, 2*+-1, |/4.0, @ -5, 2- -1, 1>=-$2::int",
    "select (array[1,2,3])[1:$1::int], (array[1,2])[$2:$3], (array[[1]])[1:1][:1]",
    "select '{\"a\": [1]}'::jsonb->'a'->>0, '{\"a\": 1}'::jsonb?'a', '1'::int::text, $1::int",
    "select 1.5e3, .5, 1., 0x1F, 0o17, 0b11, 1_000, 1e-3, 1.e2, $1::int",
    'select "a$2"."n" from generate_series(1, $1::int) "a$2"(n)',
    "select make_interval(days := $1, hours=>$2)",
    "select 1 as \u00a0, 2\v as €, $1::int",
    ";; select $1::int;",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_the_server_finds_as_many_parameters(server: psycopg.Connection, sql: str) -> None:
    assert server.pgconn.prepare(b"", sql.encode()).status == ExecStatus.COMMAND_OK
    numbers = {token.text for token in parameters(sql)}
    assert server.pgconn.describe_prepared(b"").nparams == len(numbers)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_comment_between_any_two_tokens_changes_nothing_for_the_server(server: psycopg.Connection, sql: str) -> None:
    code = [token.text for token in tokens(sql) if token.kind != "comment"]
    assert _rows(server, " /* ' /* \" */ $9 $$ */ ".join(code)) == _rows(server, sql)
    assert _rows(server, blank(sql, "comment")) == _rows(server, sql)


def _rows(server: psycopg.Connection, sql: str) -> list[list[bytes | None]]:
    """Return what a statement gives, with 1 for each of its parameters."""
    numbers = {token.text for token in parameters(sql)}
    result = server.pgconn.exec_params(sql.encode(), [b"1"] * len(numbers))
    assert result.status == ExecStatus.TUPLES_OK, result.error_message
    columns = range(result.nfields)
    names = [result.fname(column) for column in columns]
    return [names, *([result.get_value(row, column) for column in columns] for row in range(result.ntuples))]


@pytest.mark.parametrize(
    "sql",
    [
        "select $$ $1 $$, $1",
        'select \'$1\', "x", $1 from (select 1 as "x") t',
        "select /* $1 /* */ $1 */ 1, E'a'\n'\\'$1', $1",
        "select 1 as a$1, 2 -- $1\n, $1",
    ],
)
def test_the_server_finds_the_first_parameter_at_the_same_place(server: psycopg.Connection, sql: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedParameter) as caught:
        server.execute(sql.encode(), prepare=False)
    assert caught.value.diag.statement_position == str(next(parameters(sql)).start + 1)


@pytest.mark.parametrize(
    "sql",
    [
        "/* a /* b */ c */ do $$ begin end $$",
        "; -- c\n;DO 'begin end'",
        "-- c\nselect 1",
        "/**/ ((select 1))",
    ],
)
def test_the_server_runs_the_command_of_the_first_word(server: psycopg.Connection, sql: str) -> None:
    assert (server.execute(sql.encode()).statusmessage or "").split()[0].lower() == first_word(sql)


def test_the_server_copies_if_the_first_word_is_copy(server: psycopg.Connection) -> None:
    sql = "/* a /* b */ c */ copy (select 1) to stdout"
    assert first_word(sql) == "copy"
    with server.cursor().copy(sql.encode()) as copy:
        assert [bytes(line) for line in copy] == [b"1\n"]


def test_a_continued_string_keeps_its_escapes(server: psycopg.Connection) -> None:
    sql = "select E'a'\n'it\\'s :x', :y"
    (parameter,) = parameters(sql)
    assert parameter == Token("parameter", ":y", sql.index(":y"))
    assert _rows(server, f"{sql[: parameter.start]}$1::int{sql[parameter.end :]}")[1] == [b"ait's :x", b"1"]


# A text is tried as part of a DO block that is compiled and not run. PL/pgSQL reads tokens with
# the server's lexer up to the semicolon at depth 0, and no grammar objects to their order. So the
# server reports what it reads as a parenthesis, and what never closes.


@given(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=12).map("".join))
@example("E'a'\n'\\')'")
@example("'a' --)\n')'")
@example("'a' /*\n*/ ')")
@example("/* /* ) */ ) */ )")
@example("a$a$)$a$")
@example("+/*)*/ @--)\n)")
@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_server_reads_any_text_in_the_same_way(server: psycopg.Connection, sql: str) -> None:
    text = f"{sql}\n;"
    message = _compile(server, text)
    if message.startswith(("trailing junk", "zero-length", "invalid Unicode")):
        return  # the server stopped there
    outcome, unclosed = _outcome(text)
    if unclosed:
        assert message.startswith("unterminated")
        assert message.endswith(f' at or near "{unclosed.removeprefix("N")}{_END}"')
    else:
        assert message.partition(" at or near")[0] == outcome


_END = " end if; end"


def _compile(server: psycopg.Connection, text: str) -> str:
    """Return the server's complaint about the tokens of a text, or "accepted"."""
    body = f"begin if false then perform 1, {text}{_END}"
    try:
        server.execute(composed.SQL("do {}").format(composed.Literal(body)))
    except psycopg.Error as error:
        return error.diag.message_primary or ""
    return "accepted"


def _outcome(text: str) -> tuple[str, str]:
    """Return the same from our tokens, and what never closes."""
    depth = 0
    for token in tokens(text):
        if token.kind == "unclosed":
            return "", token.text
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0 or (token.text == ";" and depth):
            return "mismatched parentheses", ""
    return "accepted", ""


SIGNS = "+-*/<>=@~!#%^&|`?"
RUNS = ["".join(run) for size in (1, 2) for run in itertools.product(SIGNS, repeat=size)]


@pytest.mark.parametrize("sign", SIGNS)
def test_the_server_ends_an_operator_at_the_same_place(server: psycopg.Connection, sign: str) -> None:
    """Between `operator(` and `)` there is one operator. The server rejects the token after it."""
    beginning = "select 1 operator(pg_catalog."
    for run in (f"{sign}{more}" for more in ("", *RUNS) if not f"{sign}{more}".startswith(("--", "/*"))):
        after = f"{run}\n) 2"
        first, second, *_ = (token for token in tokens(f"{after} ;") if token.kind != "comment")
        if first.text == "=>":  # not a name of an operator
            continue
        position = ""
        try:
            server.execute(f"{beginning}{after}".encode())
        except psycopg.errors.SyntaxError as error:
            position = error.diag.statement_position or ""
        except psycopg.Error:
            pass  # there is no such operator: one was read
        assert position == ("" if second.text == ")" else str(len(beginning) + second.start + 1)), run
