"""Topics: who listens is told, who has gone is forgotten."""

from __future__ import annotations

from arlen_runtime.web.events import Topics


def test_listeners_of_a_topic_are_told_and_no_others() -> None:
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
