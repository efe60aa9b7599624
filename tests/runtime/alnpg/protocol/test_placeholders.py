"""`:name` to `$n`, and everything that only looks like a name."""

from __future__ import annotations

import pytest

from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import ProgrammingError
from arlen_runtime.alnpg.protocol.placeholders import number_placeholders


def test_names_become_numbers_and_the_same_name_the_same_number() -> None:
    numbered = number_placeholders("select :a, :b where x = :a")
    assert numbered.text == "select $1, $2 where x = $1"
    assert numbered.names == ("a", "b")


@pytest.mark.parametrize(
    "sql",
    [
        "select '12:30:a', ':a'",
        "select 'it''s :a'",
        r"select E'it\'s :a'",
        'select ":a" from t',
        'select "x"":a" from t',
        "select 1 -- :a\n",
        "select /* :a /* :b */ :c */ 1",
        "select $$ :a $$",
        "select $tag$ :a $$ :b $tag$",
        "select x::int, y::text[]",
        "select a[1:n], a[m:n], a[f(1):n], a[b[1]:n]",
        "select fn(a := 1)",
        "select '10:20:30'::time",
    ],
)
def test_strings_comments_casts_and_slices_are_left_alone(sql: str) -> None:
    assert number_placeholders(sql) == (sql, ())


def test_a_name_may_be_followed_by_a_cast_and_preceded_by_any_operator() -> None:
    assert number_placeholders("select :a::int+:b,(:c)").text == "select $1::int+$2,($3)"
    assert number_placeholders("where x=:a and y>:b limit :n").text == "where x=$1 and y>$2 limit $3"


def test_a_dollar_inside_an_identifier_is_not_a_parameter() -> None:
    assert number_placeholders("select a$1, :b from t$2").names == ("b",)


def test_mixing_both_forms_is_refused() -> None:
    with pytest.raises(ProgrammingError, match=r":a and \$1"):
        number_placeholders("select :a, $1")


def test_an_unterminated_string_ends_the_scan_without_a_hang() -> None:
    assert number_placeholders("select 'abc :a " + "x" * 10_000).text.startswith("select 'abc")


@pytest.mark.parametrize("sql", ["select 1 as a\0 where false", "select ':a\0'", "select '\ud800'"])
def test_text_that_cannot_be_sent_is_refused_and_not_truncated(pg: ALNPg, sql: str) -> None:
    for call in (pg.query, pg.execute, lambda text: pg.query_many(text, [()]), lambda text: list(pg.stream(text))):
        with pytest.raises(ProgrammingError, match="NUL"):
            call(sql)
    with pytest.raises(ProgrammingError, match=r"a NUL|a lone surrogate"):
        pg.copy_rows(sql, ["a"], [(1,)])
    assert pg.query_value("select 1") == 1


def test_a_string_that_continues_on_another_line_keeps_its_escapes(pg: ALNPg) -> None:
    sql = "select E'a'\n'it\\'s :x' as text, :y::int as number"
    assert pg.query_one(sql, {"y": 1}) == {"text": "ait's :x", "number": 1}
