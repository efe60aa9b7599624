"""Server-sent events: their format, and the body that other threads fill."""

from __future__ import annotations

import pytest

from arlen_runtime.http.events import MAX_WAITING, EventStream, event, retry


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (event("hello"), b"data: hello\n\n"),
        (event("two\nlines"), b"data: two\ndata: lines\n\n"),
        (event("mac\rdos\r\nend"), b"data: mac\ndata: dos\ndata: end\n\n"),
        (event("x", name="added", id="7", retry_ms=500), b"event: added\nid: 7\nretry: 500\ndata: x\n\n"),
        (event(""), b"data: \n\n"),
        (retry(250), b"retry: 250\n\n"),
    ],
)
def test_an_event_is_written_as_the_standard_says(text: bytes, wire: bytes) -> None:
    assert text == wire


@pytest.mark.parametrize("field", ["a\nb", "a\rb", "a\0b"])
def test_no_field_can_be_smuggled_into_another(field: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        event("x", name=field)
    with pytest.raises(ValueError, match="line break"):
        event("x", id=field)


def test_events_are_taken_whole_and_once_and_wake_once() -> None:
    wakes: list[int] = []
    stream = EventStream()
    stream.attach(lambda: wakes.append(1))
    assert stream.put(b"a")
    assert stream.put(b"b")

    assert (len(wakes), stream.take(), stream.take()) == (1, b"ab", b"")
    stream.put(b"c")
    assert len(wakes) == 2


def test_events_put_before_attach_wake_the_server() -> None:
    wakes: list[int] = []
    stream = EventStream()
    stream.put(b"early")
    stream.attach(lambda: wakes.append(1))

    assert (wakes, stream.take()) == ([1], b"early")


def test_a_client_that_does_not_read_ends_its_own_stream_only() -> None:
    closed: list[EventStream] = []
    stream = EventStream(closed.append)
    assert all(stream.put(b"x") for _ in range(MAX_WAITING))

    assert not stream.put(b"one too many")
    assert closed == [stream]
    assert len(stream.take()) == MAX_WAITING
    assert not stream.put(b"after the end")
