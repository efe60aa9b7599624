"""The event stream of changes: each event is the version of what a page was made from.

An event has three words, `CODE FILES STYLES`. A page knows the code that wrote it, and keeps the
first event that it receives. If one differs in the first two words, it loads again; if only STYLES
differs, it replaces its style sheets. The versions are digests of the files, so a page that
connects again, to another worker or to the next generation, receives the same words unless
something has changed.

New code comes with a new generation, whose start ends the streams of the old one. Other files are
watched by a thread that runs while streams are open.
"""

from __future__ import annotations

import threading
import time
from weakref import WeakSet

from arlen_runtime.http.events import EventStream, event
from arlen_runtime.live_reload.watched_files import WatchedFiles

POLL_SECONDS = 0.15
REST_RATIO = 9
"""After a look at the files, the thread rests at least so many times its duration."""


class ChangeFeed:
    """The open streams of one worker. `code` is the version of the code that it runs."""

    def __init__(self, code: str, files: WatchedFiles) -> None:
        self._code = code
        self._files = files
        # Handler threads subscribe, the reactor ends streams, the watching thread reads: each of
        # them holds the lock while it uses the set or the flag. No event is put under the lock:
        # `put` may end a stream, which takes the lock again.
        self._lock = threading.Lock()
        self._streams: WeakSet[EventStream] = WeakSet()
        self._is_watching = False

    def subscribe(self) -> EventStream:
        """Return a stream that begins with the present version."""
        stream = EventStream(self._unsubscribe)
        version = self._version()
        stream.put(event(version))
        with self._lock:
            self._streams.add(stream)
            if not self._is_watching:
                threading.Thread(target=self._watch, args=(version,), name="live-reload", daemon=True).start()
                self._is_watching = True
        return stream

    def count(self) -> int:
        """Return the number of open streams."""
        with self._lock:
            return len(self._streams)

    def _unsubscribe(self, stream: EventStream) -> None:
        with self._lock:
            self._streams.discard(stream)

    def _version(self) -> str:
        others, styles = self._files.versions()
        return f"{self._code} {others} {styles}"

    def _watch(self, published: str) -> None:
        """Publish a version once two looks have found it, so that a burst of saves is one event."""
        previous = published
        pause = POLL_SECONDS
        while True:
            time.sleep(pause)
            with self._lock:
                if not self._streams:
                    self._is_watching = False
                    return
            started = time.thread_time()
            version = self._version()
            pause = max(POLL_SECONDS, REST_RATIO * (time.thread_time() - started))
            if version == previous != published:
                published = version
                self._publish(event(version))
            previous = version

    def _publish(self, message: bytes) -> None:
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.put(message)
