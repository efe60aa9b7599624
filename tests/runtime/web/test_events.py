"""Topics: listeners get events, and closed streams are dropped."""

from __future__ import annotations

import time

from arlen_runtime.web.events import Topics


def test_only_listeners_of_the_topic_get_an_event() -> None:
    topics = Topics()
    here, there = topics.subscribe("posts", "users"), topics.subscribe("users")

    assert topics.publish("posts", "new", name="added", id="1") == 1

    assert here.take() == b"event: added\nid: 1\ndata: new\n\n"
    assert there.take() == b""
    assert topics.publish("users", "u") == 2
    assert topics.publish("nobody", "x") == 0


def test_a_closed_stream_is_forgotten_everywhere() -> None:
    topics = Topics()
    stream = topics.subscribe("posts", "users")
    stream.close()
    stream.close()

    assert (topics.count("posts"), topics.count("users")) == (0, 0)


def test_a_stream_without_references_is_forgotten() -> None:
    topics = Topics()
    kept, dropped = topics.subscribe("posts"), topics.subscribe("posts", "users")
    del dropped

    assert (topics.count("posts"), topics.count("users")) == (1, 0)
    assert topics.publish("posts", "x") == 1
    assert kept.take() == b"data: x\n\n"


def test_closing_one_of_many_streams_has_constant_cost() -> None:
    def seconds(count: int) -> float:
        topics = Topics()
        streams = [topics.subscribe(f"user:{number}") for number in range(count)]
        began = time.thread_time()
        for stream in streams:
            stream.close()
        return time.thread_time() - began

    assert seconds(16_000) < 80 * seconds(1000)
