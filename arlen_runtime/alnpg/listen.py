"""LISTEN: one connection and one thread per process, which reconnect by themselves.

PostgreSQL keeps no notifications for a listener that is disconnected. So after each LISTEN, the
first included, `on_gap` is called: read then what the missed notifications would have announced.
Whatever breaks the connection is logged and followed by a pause.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import psycopg

from arlen_runtime.alnpg import identifier
from arlen_runtime.alnpg.errors import ALNPgError, ProgrammingError
from arlen_runtime.alnpg.protocol.connection import PgConnection, open_connection
from arlen_runtime.alnpg.protocol.copy import quoted
from arlen_runtime.alnpg.protocol.description import Descriptions
from arlen_runtime.alnpg.protocol.libpq import first_line
from arlen_runtime.alnpg.settings import ConnectionSettings
from arlen_runtime.alnpg.types.registry import Registry

_PING_SECONDS = 30.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
# If a connection lasted this long, what broke it is not what broke the one before: reset the delay.
_STABLE_SECONDS = 5.0

Handler = Callable[[str], object]
GapHandler = Callable[[], object]


class Subscription:
    """One `pg.listen`; `close()` ends it."""

    def __init__(self, listener: Listener, channel: str, handler: Handler, on_gap: GapHandler | None) -> None:
        self.channel = channel
        self.handler = handler
        self.on_gap = on_gap
        self._listener = listener

    def close(self) -> None:
        """Stop the calls. A call in progress on the listening thread can still end after this."""
        self._listener.remove(self)


class _ThreadControl:
    """Stops and wakes one run of the listening thread.

    Any thread can set `stopping` and call `wake`. Only the listening thread closes the sockets: if
    another thread closed them, the listening thread would poll a file that has since got the same
    descriptor number.
    """

    __slots__ = ("_reader", "_writer", "stopping")

    def __init__(self) -> None:
        self.stopping = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor that is readable after `wake`."""
        return self._reader.fileno()

    def wake(self) -> None:
        """Wake the thread from its poll. Do nothing if a wake is pending or the thread ended."""
        with contextlib.suppress(OSError):
            self._writer.send(b"w")

    def clear_wakes(self) -> None:
        """Discard the wakes so far."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)

    def pause(self, seconds: float) -> None:
        """Wait, but at most until the next wake."""
        select.select([self], [], [], seconds)
        self.clear_wakes()

    def close(self) -> None:
        """Close the sockets."""
        self._reader.close()
        self._writer.close()


class Listener:
    """The listening connection of one ALNPg.

    Its thread starts with the first subscription and ends with `close`. `_lock` guards the lists of
    subscriptions, `_thread` and `_control`: `add`, `remove` and `close` run on the application's
    threads while the listening thread connects, polls and calls handlers. Handlers are called
    without the lock, so they can subscribe and close.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        """Store the settings. Connects to nothing."""
        self._settings = settings
        # Bypasses PgBouncer, which would hand the server's session to another client after each
        # transaction.
        self._direct_settings = settings._replace(conninfo=settings.direct)
        self._warned = settings.named or settings.direct != settings.conninfo
        self._subscriptions: list[Subscription] = []
        self._new_subscriptions: list[Subscription] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._control: _ThreadControl | None = None

    def add(self, channel: str, handler: Handler, on_gap: GapHandler | None) -> Subscription:
        """Start listening on `channel`.

        Raises ProgrammingError if the channel name is invalid, DatabaseUnavailable without a URL.
        """
        check_channel(channel)
        self._direct_settings.require_url()
        self._warn_about_bouncer()
        subscription = Subscription(self, channel, handler, on_gap)
        with self._lock:
            self._subscriptions.append(subscription)
            self._new_subscriptions.append(subscription)
            self._running_control().wake()
        return subscription

    def _running_control(self) -> _ThreadControl:
        """Return the control of a running thread; start one if there is none or it is stopping."""
        # After a fork only the parent has the thread, although this object still refers to it.
        # Called with the lock, so two threads cannot start two listening threads.
        if self._control is None or self._control.stopping or self._thread is None or not self._thread.is_alive():
            self._control = _ThreadControl()
            self._thread = threading.Thread(target=self._run, args=(self._control,), name="alnpg-listen", daemon=True)
            self._thread.start()
        return self._control

    def remove(self, subscription: Subscription) -> None:
        """Remove a subscription. Its channel is no longer listened on after the next reconnect."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def close(self) -> None:
        """Stop the thread and close its connection; return when both are done.

        Called by a handler, on that thread, it returns at once; no handler is called after that
        one.
        """
        with self._lock:
            control, thread = self._control, self._thread
            if control is None or thread is None:
                return
            control.stopping = True
            control.wake()
        # Join without the lock: the listening thread takes it before it ends.
        if thread is not threading.current_thread():
            thread.join()

    def _warn_about_bouncer(self) -> None:
        """Log once that PgBouncer, which unnamed statements imply, delivers no notifications."""
        if not self._warned:
            self._warned = True
            self._settings.log(
                "listen_without_direct_url",
                reason='statement_cache = "unnamed" implies PgBouncer, which delivers no notifications',
                hint="set [database] direct_url to the server itself",
            )

    def _run(self, control: _ThreadControl) -> None:
        try:
            self._listen_until_stopped(control)
        finally:
            with self._lock:
                control.stopping = True
                control.close()

    def _listen_until_stopped(self, control: _ThreadControl) -> None:
        """Connect, listen and deliver; if that breaks, try again after a pause."""
        delay = _FIRST_DELAY
        while not control.stopping:
            started = monotonic()
            try:
                self._listen_on_new_connection(control)
            except (ALNPgError, psycopg.Error) as error:
                if monotonic() - started > _STABLE_SECONDS:
                    delay = _FIRST_DELAY
                self._settings.log("listen_failed", reason=_reason(error), retry_seconds=round(delay, 1))
                control.pause(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the reconnects
                delay = min(_LONGEST_DELAY, delay * 2)

    def _listen_on_new_connection(self, control: _ThreadControl) -> None:
        """Listen on a new connection until it breaks or `close` is called. Raise what broke it."""
        connection, _ = open_connection(self._direct_settings, Registry(), Descriptions(), psycopg.Connection[Any])
        try:
            # Another thread can add at any time: its subscription is in this list, or it appends to
            # the new one and wakes the poll.
            with self._lock:
                self._new_subscriptions = list(self._subscriptions)
            self._poll_notifications(connection, control)
        finally:
            connection.close()

    def _poll_notifications(self, connection: PgConnection, control: _ThreadControl) -> None:
        """Deliver notifications until `close` is called.

        Raises ALNPgError or psycopg's error if the connection breaks.
        """
        poller = select.poll()
        poller.register(connection.pgconn.socket, select.POLLIN)
        poller.register(control, select.POLLIN)
        pinged_at = monotonic()
        while not control.stopping:
            self._listen_to_new(connection, control)
            self._deliver(connection, control)
            if not poller.poll(_PING_SECONDS * 1000) or monotonic() - pinged_at > _PING_SECONDS:
                connection.command("")
                pinged_at = monotonic()
            control.clear_wakes()
            connection.pgconn.consume_input()

    def _listen_to_new(self, connection: PgConnection, control: _ThreadControl) -> None:
        with self._lock:
            new, self._new_subscriptions = self._new_subscriptions, []
        for subscription in new:
            connection.command(f"listen {quoted_channel(subscription.channel)}")
        for subscription in new:
            if subscription.on_gap is not None:
                self._call_application(control, subscription.on_gap)

    def _deliver(self, connection: PgConnection, control: _ThreadControl) -> None:
        while (notification := connection.pgconn.notifies()) is not None:
            channel, payload = notification.relname.decode(), notification.extra.decode()
            with self._lock:
                subscriptions = [
                    subscription for subscription in self._subscriptions if subscription.channel == channel
                ]
            for subscription in subscriptions:
                self._call_application(control, subscription.handler, payload)

    def _call_application(self, control: _ThreadControl, function: Callable[..., object], *arguments: str) -> None:
        """Call a handler, unless `close` was called. Errors are logged and otherwise ignored."""
        if control.stopping:
            return
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - any error of the application's
            self._settings.log("listen_handler_failed", error=repr(error))


def check_channel(channel: str) -> None:
    """Raise ProgrammingError if PostgreSQL would refuse the name or use another one."""
    reason = identifier.invalid_reason("the channel", channel)
    if reason:
        raise ProgrammingError(reason)


def _reason(error: Exception) -> str:
    return error.detail if isinstance(error, ALNPgError) else first_line(error)


def quoted_channel(channel: str) -> str:
    """Return a channel name as one quoted identifier, dots included."""
    return quoted(channel.replace(".", "\0")).replace("\0", ".")
