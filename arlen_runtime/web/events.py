"""Topics: what happens in one place is told to who listens. One rule: publishing never waits and never fails.

    def feed(ctx):
        return ctx.events("posts")

    ctx.topics.publish("posts", "a new one")

Topics are the worker's own. What all workers and hosts shall hear goes through the database: `pg.listen("posts",
lambda value: topics.publish("posts", value))` in a start hook, and `pg.notify("posts", ...)` where it happens.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from weakref import WeakSet, WeakValueDictionary

from arlen_runtime.http.events import EventStream, event


class Topics:
    """The subscriptions of one worker.

    A topic is kept by its streams, and a stream by whoever sends it: of an answer that is never sent nothing is left.
    """

    def __init__(self) -> None:
        """Begin without listeners."""
        self._lock = threading.Lock()
        self._topics: WeakValueDictionary[str, WeakSet[EventStream]] = WeakValueDictionary()

    def subscribe(self, *names: str) -> EventStream:
        """Return a stream of what is published under these names from now on."""
        with self._lock:
            topics = [self._topics.setdefault(name, WeakSet()) for name in names]
            stream = EventStream(partial(self._unsubscribe, topics))
            for topic in topics:
                topic.add(stream)
        return stream

    def publish(self, topic: str, data: str, *, name: str = "", id: str = "") -> int:  # noqa: A002 - the field's name
        """Tell who listens; return how many did. ValueError for a name or id that cannot be one."""
        message = event(data, name=name, id=id)
        with self._lock:
            streams = list(self._topics.get(topic, ()))
        return sum(stream.put(message) for stream in streams)

    def count(self, topic: str) -> int:
        """Count who listens."""
        with self._lock:
            return len(self._topics.get(topic, ()))

    def _unsubscribe(self, topics: Sequence[WeakSet[EventStream]], stream: EventStream) -> None:
        with self._lock:
            for topic in topics:
                topic.discard(stream)
