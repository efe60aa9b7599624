"""LISTEN. One rule: one connection and one thread a process, which come back by themselves and say that something was missed.

PostgreSQL keeps no notification for a listener that is away, so after each LISTEN, the first included, `on_gap` is called: read
then what the notifications would have told. Whatever ends the connection is told to the log, and followed by a pause.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import psycopg

from arlen_runtime.alnpg.copy import quoted
from arlen_runtime.alnpg.failures import ALNPgError, Misuse
from arlen_runtime.alnpg.registry import Registry
from arlen_runtime.alnpg.session import Session, open_session
from arlen_runtime.alnpg.settings import Settings
from arlen_runtime.alnpg.wire import first_line

_PING_SECONDS = 30.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
# A connection that lasted so long was sound: what ended it is not what ended the one before.
_SOUND_SECONDS = 5.0
# PostgreSQL cuts a longer identifier off, so LISTEN would hear another channel than NOTIFY names.
_LONGEST_CHANNEL = 63

Handler = Callable[[str], object]
Gap = Callable[[], object]


class Subscription:
    """One `pg.listen`; `close()` ends it."""

    def __init__(self, listener: Listener, channel: str, handler: Handler, on_gap: Gap | None) -> None:
        self.channel = channel
        self.handler = handler
        self.on_gap = on_gap
        self._listener = listener

    def close(self) -> None:
        """Hear no more. A call that is under way on the listening thread may still end after this."""
        self._listener.remove(self)


class Listener:
    """The listening connection of one ALNPg. Its thread starts with the first subscription and ends with `close`."""

    def __init__(self, settings: Settings) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        # Past a bouncer, which would give the connection away after each transaction.
        self._direct = settings._replace(conninfo=settings.direct)
        self._warned = settings.named or settings.direct != settings.conninfo
        self._subscriptions: list[Subscription] = []
        self._fresh: list[Subscription] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._wake_reader, self._wake_writer = -1, -1

    def add(self, channel: str, handler: Handler, on_gap: Gap | None) -> Subscription:
        """Hear `channel` from now on. Raises Misuse where there can be no such channel."""
        _check(channel)
        self._warn_of_a_bouncer()
        subscription = Subscription(self, channel, handler, on_gap)
        with self._lock:
            self._subscriptions.append(subscription)
            self._fresh.append(subscription)
            # After a fork the thread is the parent's only, though this object still names it.
            if self._thread is None or not self._thread.is_alive():
                self._wake_reader, self._wake_writer = os.pipe()
                os.set_blocking(self._wake_reader, False)
                self._thread = threading.Thread(target=self._run, name="alnpg-listen", daemon=True)
                self._thread.start()
        self._wake()
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription; the channel is unlistened at the next connect."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End the thread and its connection; return when they are gone."""
        thread = self._thread
        if thread is None:
            return
        self._closing = True
        self._wake()
        if thread is not threading.current_thread():
            thread.join()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        self._thread = None
        self._closing = False

    def _wake(self) -> None:
        os.write(self._wake_writer, b"w")

    def _warn_of_a_bouncer(self) -> None:
        """Say once that a bouncer, which unnamed statements hint at, delivers nothing: it gives the connection away."""
        if not self._warned:
            self._warned = True
            self._settings.log(
                "listen_without_direct_url",
                reason='statement_cache = "unnamed" is for a bouncer, and through one no notification arrives',
                hint="set [database] direct_url to the server itself",
            )

    def _run(self) -> None:
        """Connect, listen, deliver; again after a pause where that breaks."""
        delay = _FIRST_DELAY
        while not self._closing:
            began = monotonic()
            try:
                self._connected()
            except (ALNPgError, psycopg.Error) as error:
                if monotonic() - began > _SOUND_SECONDS:
                    delay = _FIRST_DELAY
                self._settings.log("listen_failed", reason=_reason(error), retry_seconds=round(delay, 1))
                self._pause(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the reconnects
                delay = min(_LONGEST_DELAY, delay * 2)

    def _connected(self) -> None:
        """Listen on a connection of its own until it breaks or the listener closes. Raises what broke it."""
        session, _ = open_session(self._direct, Registry(), psycopg.Connection[Any])
        try:
            with self._lock:
                self._fresh = list(self._subscriptions)
            self._serve(session)
        finally:
            session.close()

    def _serve(self, session: Session) -> None:
        """Deliver until the listener closes. Raises ALNPgError or psycopg's error where the connection breaks."""
        poller = select.poll()
        poller.register(session.pgconn.socket, select.POLLIN)
        poller.register(self._wake_reader, select.POLLIN)
        asked = monotonic()
        while not self._closing:
            self._listen_to_fresh(session)
            self._deliver(session)
            if not poller.poll(_PING_SECONDS * 1000) or monotonic() - asked > _PING_SECONDS:
                session.command("")
                asked = monotonic()
            self._swallow_wakes()
            session.pgconn.consume_input()

    def _listen_to_fresh(self, session: Session) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, []
        for subscription in fresh:
            session.command(f"listen {quoted_channel(subscription.channel)}")
        for subscription in fresh:
            if subscription.on_gap is not None:
                self._call(subscription.on_gap)

    def _deliver(self, session: Session) -> None:
        while (notification := session.pgconn.notifies()) is not None:
            channel, payload = notification.relname.decode(), notification.extra.decode()
            with self._lock:
                hearing = [subscription for subscription in self._subscriptions if subscription.channel == channel]
            for subscription in hearing:
                self._call(subscription.handler, payload)

    def _call(self, function: Callable[..., object], *arguments: str) -> None:
        """Call the application; what it raises is told to the log and must not end the listening."""
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - any error of the application's
            self._settings.log("listen_handler_failed", error=repr(error))

    def _pause(self, seconds: float) -> None:
        """Wait, but not past a close."""
        select.select([self._wake_reader], [], [], seconds)
        self._swallow_wakes()

    def _swallow_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reader, 4096)


def _check(channel: str) -> None:
    """Raise Misuse where LISTEN would refuse the name, or hear another."""
    name = channel.encode("utf-8", "replace")
    if not 0 < len(name) <= _LONGEST_CHANNEL or "\0" in channel or name.decode() != channel:
        raise Misuse(f"a channel's name is text of 1 to {_LONGEST_CHANNEL} bytes in UTF-8, without a zero byte")


def _reason(error: Exception) -> str:
    """Return one sentence on what broke the connection."""
    return error.detail if isinstance(error, ALNPgError) else first_line(error)


def quoted_channel(channel: str) -> str:
    """Return a channel's name as LISTEN writes it: one identifier, dots included."""
    return quoted(channel.replace(".", "\0")).replace("\0", ".")
