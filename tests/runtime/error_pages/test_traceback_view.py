"""A traceback as values: redacted, and never an error of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from arlen_runtime.config.masks import MASK
from arlen_runtime.error_pages.traceback_view import Cause, Redactor, causes
from arlen_runtime.http.cookies import SetCookie

HERE = Path(__file__).parent


class Broken:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def failing(user: str) -> None:
    """Raise with locals of all kinds."""
    password = "hunter2-by-name"  # noqa: F841 - the view shows it as a local
    note = "x secret-value-by-value y"  # noqa: F841 - likewise
    url = "postgresql://me:hunter3@db/x"  # noqa: F841 - likewise
    broken = Broken()  # noqa: F841 - likewise
    huge = 10**5000  # noqa: F841 - likewise; str() refuses to convert it
    long = "x" * 10_000  # noqa: F841 - likewise
    raise ValueError(f"bad {user} secret-value-by-value")


def caught(secrets: frozenset[str] = frozenset({"secret-value-by-value"})) -> list[Cause]:
    """Return the causes of an exception that was raised from another."""
    try:
        try:
            failing("ada")
        except ValueError as error:
            raise KeyError("outer") from error
    except KeyError as error:
        return causes(error, HERE, Redactor(secrets))
    raise AssertionError


def test_the_chain_of_causes_is_followed() -> None:
    chain = caught()
    assert [(cause.type_name, cause.relation) for cause in chain] == [("KeyError", ""), ("ValueError", "caused by")]


def test_the_handled_exception_is_shown_unless_it_was_suppressed() -> None:
    def raised(*, suppress: bool) -> Exception:
        try:
            try:
                failing("x")
            except ValueError:
                if suppress:
                    raise KeyError("later") from None
                raise KeyError("later")  # noqa: B904 - the implicit context is the test
        except KeyError as error:
            return error
        raise AssertionError

    relations = [
        [cause.relation for cause in causes(raised(suppress=s), HERE, Redactor(frozenset()))] for s in (False, True)
    ]
    assert relations == [["", "while handling"], [""]]


def test_a_frame_has_its_source_with_the_line_marked() -> None:
    frame = caught()[1].frames[0]
    assert frame.function == "failing"
    assert frame.own
    marked = [line for line in frame.source if line.is_current]
    assert len(marked) == 1
    assert marked[0].number == frame.line
    assert "raise ValueError" in marked[0].text


def test_locals_are_masked_by_name_and_by_value() -> None:
    frame = caught()[1].frames[0]
    local = dict(frame.locals)
    assert local["user"] == "ada"
    assert local["password"] == MASK
    assert "hunter3" not in local["url"]
    assert len(local["long"]) < 300
    assert local["broken"] == "<Broken: its __repr__ raised RuntimeError>"
    assert "its __repr__ raised ValueError" in local["huge"]
    assert local["note"] == f"x {MASK} y"


class Shown:
    """An object with a fixed repr."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


@pytest.mark.parametrize("before", range(90, 270, 9))
def test_no_part_of_a_secret_is_shown_where_a_long_value_is_cut(before: int) -> None:
    redactor = Redactor(frozenset({"0123456789abcdef" * 2}))
    for secret in ("0123456789abcdef" * 2, "postgresql://me:0123456789abcdef0123456789abcdef@db/x"):
        text = f"{'x' * before} {secret} {'y' * 270}"
        for value in (text, [text], {"note": text}, Shown(text), [Shown(text)], text.encode()):
            shown = redactor.value("note", value)
            assert not re.search("[0-9]", shown), shown
            assert len(shown) < 300


def test_a_secret_member_of_a_dictionary_is_masked_whatever_its_value_is() -> None:
    redactor = Redactor(frozenset())
    for secret in ("hunter2'" * 100, ["hunter2"], {"deep": "hunter2"}, b"hunter2"):
        for value in ({"password": secret, "n": 1}, [{"password": secret, "n": 1}]):
            shown = redactor.value("form", value)
            assert "hunter2" not in shown
            assert "'n': 1" in shown


class Plain(NamedTuple):
    """A type that reprlib does not know."""

    headers: list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cookies", {"session": "hunter2"}),
        ("headers", {"Cookie": "session=hunter2", "n": 1}),
        ("headers", [("set-cookie", "session=hunter2"), ("n", 1)]),
        ("raw", [(b"cookie", b"session=hunter2"), (b"n", b"1")]),
        ("first", {b"cookie": b"session=hunter2"}),
        ("environ", {"HTTP_COOKIE": "session=hunter2", "n": 1}),
        ("session_id", "hunter2"),
        ("one", Plain([(b"cookie", b"session=hunter2")])),
        ("given", SetCookie("session", "hunter2")),
        ("given", [SetCookie("session", "hunter2")]),
    ],
)
def test_cookies_are_masked_everywhere(name: str, value: object) -> None:
    assert "hunter2" not in Redactor(frozenset()).value(name, value)


def test_a_secret_is_masked_in_messages_and_in_source_too() -> None:
    chain = caught()
    assert "secret-value-by-value" not in repr(chain)
    assert f"bad ada {MASK}" in chain[1].message


def test_a_cycle_of_causes_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert len(causes(one, HERE, Redactor(frozenset()))) == 2


def test_libraries_are_not_code_of_the_application() -> None:
    chain = caught()
    assert all(frame.own for frame in chain[0].frames)
    elsewhere = causes(found_error(), Path("/nowhere"), Redactor(frozenset()))
    assert not any(frame.own for frame in elsewhere[0].frames)


def found_error() -> Exception:
    """Return an error with a traceback."""
    try:
        failing("x")
    except ValueError as error:
        return error
    raise AssertionError


def test_a_syntax_error_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("one = 1\ntwo = (\n")
    try:
        compile(path.read_text(), str(path), "exec")
    except SyntaxError as error:
        first = causes(error, tmp_path, Redactor(frozenset()))[0].frames[0]
    assert (first.file, first.line, first.own) == (str(path), 2, True)
    assert [line.text for line in first.source if line.is_current] == ["two = ("]
