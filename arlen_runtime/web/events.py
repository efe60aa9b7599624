"""Topics: publish events to the open event streams of this worker.

    def feed(ctx):
        return ctx.events("posts")

    ctx.topics.publish("posts", "a new one")

Publishing never blocks and never fails because of a listener. Topics are local to one worker
process. To reach all workers and hosts, go through the database: call `pg.listen("posts",
lambda value: topics.publish("posts", value))` in a start hook, and `pg.notify("posts", ...)`
where the event happens.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from weakref import WeakSet, WeakValueDictionary

from arlen_runtime.http.events import EventStream, event


class Topics:
    """Subscriptions of one worker.

    A topic lives as long as its streams; a stream lives as long as the code that sends it holds it.
    A response that is never sent leaves nothing behind.
    """

    def __init__(self) -> None:
        # Any handler thread may subscribe or publish, and any thread may drop the last reference to
        # a stream, so every change and every copy of the sets happens under the lock.
        self._lock = threading.Lock()
        self._topics: WeakValueDictionary[str, WeakSet[EventStream]] = WeakValueDictionary()

    def subscribe(self, *names: str) -> EventStream:
        """Return a stream of what is published on these topics from now on."""
        with self._lock:
            topics = [self._topics.setdefault(name, WeakSet()) for name in names]
            stream = EventStream(partial(self._unsubscribe, topics))
            for topic in topics:
                topic.add(stream)
        return stream

    def publish(self, topic: str, data: str, *, name: str = "", id: str = "") -> int:  # noqa: A002 - the field's name
        """Send an event to the listeners and return how many there are.

        Raise ValueError if `name` or `id` cannot be sent.
        """
        message = event(data, name=name, id=id)
        with self._lock:
            streams = list(self._topics.get(topic, ()))
        return sum(stream.put(message) for stream in streams)

    def count(self, topic: str) -> int:
        """Return the number of listeners."""
        with self._lock:
            return len(self._topics.get(topic, ()))

    def _unsubscribe(self, topics: Sequence[WeakSet[EventStream]], stream: EventStream) -> None:
        with self._lock:
            for topic in topics:
                topic.discard(stream)
