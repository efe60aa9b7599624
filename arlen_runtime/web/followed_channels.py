"""Publishes the notifications of PostgreSQL channels as topics of this worker.

Each worker listens, so an event reaches the streams of all workers and hosts.
"""

from __future__ import annotations

from functools import partial

from arlen_runtime.errors import BootError
from arlen_runtime.http.application import WorkerHandle
from arlen_runtime.web.services import Services

GAP = "gap"
"""The name of the event after a time without a connection: notifications may have been missed."""

_MAX_BYTES = 63  # PostgreSQL cuts longer names


class FollowedChannels:
    """The channels that an application follows."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._topics: dict[str, str] = {}

    def add(self, channel: str, topic: str) -> None:
        """Add a channel. Raise BootError if it cannot be followed."""
        if not hasattr(self._services.pg, "listen"):
            raise BootError(f"to follow the channel {channel!r}, build the application with pg=ALNPg(...)")
        if not 0 < len(channel.encode()) <= _MAX_BYTES or "\0" in channel:
            raise BootError(f"{channel!r} is not the name of a channel: it needs 1 to {_MAX_BYTES} bytes, without NUL")
        if channel in self._topics:
            raise BootError(f"the channel {channel!r} is followed twice")
        self._topics[channel] = topic

    def start(self, worker: WorkerHandle) -> None:
        """Listen until the worker stops."""
        publish = self._services.topics.publish
        for channel, topic in self._topics.items():
            on_gap = partial(publish, topic, channel, name=GAP)
            worker.on_stop(self._services.pg.listen(channel, partial(publish, topic), on_gap=on_gap).close)
