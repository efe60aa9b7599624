"""The format of lines, and that no input can forge one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.log.lines import FORMATS, LONGEST, NO_ENDPOINT, RESERVED, Access, EndpointFields, Fields, stamp

NOW = "2026-01-02T03:04:05.678Z"
EVIL = 'x" y=\n2026-01-01T00:00:00.000Z error forged \x1b[31m\x9b\x7f\u2028\u202e\r\\\ud800é'

access_lines = st.builds(
    tuple[Any, ...],
    st.tuples(st.text(), st.text(), st.integers(100, 599), st.integers(0), st.floats(0, 1e6), st.text(), st.text()),
)


def text_event(fields: Fields, traceback: str = "") -> str:
    return FORMATS["text"].event(NOW, "info", "happened", fields, traceback)


def json_event(fields: Fields, traceback: str = "") -> dict[str, Any]:
    line = FORMATS["json"].event(NOW, "info", "happened", fields, traceback)
    assert line.isascii()
    assert line.count("\n") == 1
    loaded: dict[str, Any] = json.loads(line)
    return loaded


def request(**changed: object) -> Access:
    """Build an ordinary request with some facts changed."""
    facts: dict[str, Any] = {
        "method": "GET",
        "target": "/a?b=c",
        "status": 200,
        "length": 13,
        "seconds": 0.0001234,
        "request_id": "r-1",
        "client": "::1",
        "extra": None,
        "endpoint": NO_ENDPOINT,
    }
    method, target, status, length, seconds, request_id, client, extra, endpoint = {**facts, **changed}.values()
    return method, target, status, length, seconds, request_id, client, extra, endpoint


def test_a_stamp_is_utc_with_milliseconds() -> None:
    assert stamp(1767323045.6789) == "2026-01-02T03:04:05.678Z"


def test_a_text_line_reads_like_a_sentence() -> None:
    fields = {"worker": 2, "ready": True, "ratio": 0.5, "none": None, "path": "/a b", "sql": 'a "b"', "empty": ""}
    assert text_event(fields) == (
        f'{NOW} info happened worker=2 ready=true ratio=0.5 none=null path="/a b" sql="a \\"b\\"" empty=""\n'
    )


def test_a_json_line_keeps_types() -> None:
    fields = {"worker": 2, "ready": True, "ratio": 0.5, "none": None, "path": "/a b", "list": [1, "é"]}
    assert json_event(fields) == {"time": NOW, "level": "info", "event": "happened", **fields}


@pytest.mark.parametrize("value", [EVIL, ValueError(EVIL), [EVIL], {EVIL: EVIL}])
def test_a_value_cannot_forge_a_text_line_nor_a_colour(value: object) -> None:
    line = text_event({"agent": value})
    assert line.count("\n") == 1
    assert line.removesuffix("\n").isprintable()
    assert line.startswith(f'{NOW} info happened agent="')


def test_a_key_or_event_from_outside_cannot_forge_either() -> None:
    line = FORMATS["text"].event(NOW, "info", EVIL, {EVIL: 1})
    assert line.removesuffix("\n").isprintable()


def test_a_printable_value_stays_readable_in_text() -> None:
    assert 'name="José 東京"' in text_event({"name": "José 東京"})


def test_no_field_takes_the_place_of_time_level_or_event_in_json() -> None:
    event = json_event({"level": "error", "event": "forged", "time": "never"})
    assert event == {"time": NOW, "level": "info", "event": "happened"}


def test_a_traceback_is_indented_in_text_so_that_its_lines_are_no_events() -> None:
    first, *rest = text_event({}, f"Traceback:\n  File x\nValueError: \x1b[0m{NOW} error forged").splitlines()
    assert first == f"{NOW} info happened"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert len(rest) == 3


def test_a_traceback_is_a_field_in_json() -> None:
    assert json_event({}, "a\nb")["traceback"] == "a\nb"


class Unwritable:
    """A value whose `__str__` raises."""

    def __str__(self) -> str:
        """Raise, as a broken model may."""
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [Unwritable(), float("nan"), {("a", 1): 2}])
def test_a_value_that_cannot_be_written_does_not_lose_its_line(value: object) -> None:
    record = json_event({"bad": value, "good": 1})
    assert (record["event"], record["good"], type(record["bad"])) == ("happened", 1, str)
    assert text_event({"bad": value, "good": 1}).endswith(" good=1\n")


class Named:
    """A key whose `__str__` is a reserved name."""

    def __str__(self) -> str:
        """Return the name of a field that every line has."""
        return "level"


@pytest.mark.parametrize("key", [(1, 2), Unwritable(), Named(), None, 3, b"k"])
def test_a_key_that_json_lacks_does_not_lose_its_line(key: object) -> None:
    extra: Any = {key: "value", "good": 1}
    (line,) = FORMATS["json"].accesses(NOW, [request(extra=extra)])
    event = json.loads(line)
    assert (event["level"], event["event"], str(event["good"])) == ("info", "request", "1")
    (line,) = FORMATS["text"].accesses(NOW, [request(extra=extra)])
    assert line.endswith(" good=1\n")


def test_an_access_line_describes_the_request() -> None:
    (text,) = FORMATS["text"].accesses(NOW, [request()])
    assert (
        text == f"{NOW} info request method=GET target=/a?b=c status=200 length=13 ms=0.12 request_id=r-1 client=::1\n"
    )
    (line,) = FORMATS["json"].accesses(NOW, [request(seconds=1.5)])
    assert json.loads(line) == {
        "time": NOW,
        "level": "info",
        "event": "request",
        "method": "GET",
        "target": "/a?b=c",
        "status": 200,
        "length": 13,
        "ms": 1500.0,
        "request_id": "r-1",
        "client": "::1",
    }


ENDPOINT = EndpointFields.of(route="/{id:int}", action="shop.posts.show")


def test_an_access_line_names_route_and_action_after_the_target() -> None:
    (text,) = FORMATS["text"].accesses(NOW, [request(endpoint=ENDPOINT)])
    assert " target=/a?b=c route=/{id:int} action=shop.posts.show status=200 " in text
    (line,) = FORMATS["json"].accesses(NOW, [request(endpoint=ENDPOINT)])
    assert list(json.loads(line)) == [
        *("time", "level", "event", "method", "target", "route", "action"),
        *("status", "length", "ms", "request_id", "client"),
    ]
    (careful,) = FORMATS["json"].accesses(NOW, [request(endpoint=ENDPOINT, extra={"user": 7, "route": "/forged"})])
    assert json.loads(careful) == {**json.loads(line), "user": 7}


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_route_of_any_characters_is_one_field(form: str) -> None:
    (line,) = FORMATS[form].accesses(NOW, [request(endpoint=EndpointFields.of(route=EVIL, action=EVIL))])
    assert line.count("\n") == 1
    assert line.removesuffix("\n").isprintable()
    if form == "json":
        assert json.loads(line)["route"] == EVIL


def test_every_field_of_an_access_line_is_reserved() -> None:
    (line,) = FORMATS["json"].accesses(NOW, [request(endpoint=ENDPOINT)])
    assert set(json.loads(line)) <= RESERVED


@pytest.mark.parametrize("name", ["method", "target", "request_id", "client"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_input_of_the_client_can_forge_an_access_line(name: str, form: str) -> None:
    (line,) = FORMATS[form].accesses(NOW, [request(**{name: EVIL})])
    assert line.count("\n") == 1
    assert line.removesuffix("\n").isprintable()
    if form == "json":
        assert json.loads(line)[name] == EVIL


def test_the_applications_fields_come_last_and_replace_none() -> None:
    (line,) = FORMATS["json"].accesses(NOW, [request(extra={"user": 7, "status": 0, "level": "error"})])
    event = json.loads(line)
    assert (event["user"], event["status"], event["level"]) == (7, 200, "info")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_long_target_is_cut_so_that_the_line_fits_a_pipe(form: str) -> None:
    (line,) = FORMATS[form].accesses(NOW, [request(target="/" + "a" * 8000)])
    assert LONGEST < len(line) < 4096


@given(access_lines, st.dictionaries(st.sampled_from(["route", "action"]), st.text()))
def test_the_fast_access_line_equals_the_careful_one(facts: tuple[Any, ...], described: dict[str, str]) -> None:
    endpoint = EndpointFields.of(**described)
    method, target, status, length, seconds, request_id, client = facts
    quick = (method, target, status, length, seconds, request_id, client, None, endpoint)
    careful = (method, target, status, length, seconds, request_id, client, {"extra": 1}, endpoint)
    lines = FORMATS["json"].accesses(NOW, [quick, careful])
    first, second = (json.loads(line) for line in lines)
    assert second.pop("extra") == 1
    assert first.pop("ms") == pytest.approx(second.pop("ms"), abs=0.011)
    assert first == second
    (line,) = FORMATS["text"].accesses(NOW, [quick])
    assert line.removesuffix("\n").isprintable()


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9]*m", "", text)


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_colours_change_nothing_but_the_look_of_the_level(level: str) -> None:
    fields = {"level": level, "text": f"{level} \x1b[31m {level}"}
    coloured = FORMATS["coloured"].event("now", level, level, fields, "a trace\nof lines")

    assert _plain(coloured) == FORMATS["text"].event("now", level, level, fields, "a trace\nof lines")
    assert re.fullmatch(rf"now \x1b\[[0-9]+m{level}\x1b\[0m {level} [^\x1b]*", coloured)


def test_a_line_of_a_server_error_is_red_as_a_whole_and_no_other() -> None:
    """A target cannot set a colour, nor end one."""
    requests: list[Access] = [
        ("GET", target, status, 1, 0.1, "id", "::1", None, NO_ENDPOINT)
        for status in (200, 404, 499, 500, 503)
        for target in ("/", "/\x1b[0m status=500 ")
    ]
    coloured = FORMATS["coloured"].accesses("now", requests)

    assert [_plain(line) for line in coloured] == FORMATS["text"].accesses("now", requests)
    assert [line.startswith("\x1b[31mnow ") and line.endswith("\x1b[0m\n") for line in coloured] == [False] * 6 + [
        True
    ] * 4
    assert all(line.count("\x1b") in {0, 2} for line in coloured)
