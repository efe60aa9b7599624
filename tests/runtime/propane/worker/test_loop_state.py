"""The Date line, and connections that other threads give back to the leader."""

from __future__ import annotations

import re
import socket
import time

import pytest

from arlen_runtime.config.sections import LimitsSection
from arlen_runtime.http.application import Admission
from arlen_runtime.http.origin import IdSource, Origin, TrustedProxies
from arlen_runtime.http.parser import RequestParser
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.counters import Counters
from arlen_runtime.propane.worker.loop_state import LoopState


def counters() -> Counters:
    return Counters(Scoreboard().rows[0])


def test_the_date_is_current_even_if_the_leader_has_not_read_the_clock() -> None:
    state = LoopState(lambda: None, counters(), b"Server: propane\r\n")
    state.set_now(time.monotonic() - 3600)
    form = rb"Date: \w{3}, \d\d \w{3} \d{4} (\d\d:\d\d:\d\d) GMT\r\nServer: propane\r\n"
    kept, fresh = (re.fullmatch(form, state.first_lines(now)) for now in (state.now, time.monotonic()))
    assert kept
    assert fresh
    assert state.first_lines(state.now) is state.first_lines(state.now), "made once a second"
    assert state.first_lines(time.monotonic()) is not state.first_lines(state.now)


class Interrupted(LoopState):
    """A state that another thread reads while the leader makes the lines of a new second."""

    read: bytes = b""
    is_reading = False

    def _lines(self, clock: float) -> bytes:
        if not self.is_reading:
            self.is_reading = True
            self.read = self.first_lines(self.now)
            self.is_reading = False
        return super()._lines(clock)


def test_no_thread_sends_the_date_of_before_while_the_leader_makes_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Interrupted(lambda: None, counters())
    state.set_now(time.monotonic())
    old = state.first_lines(state.now)
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    state.set_now(state.now + 3600)

    assert state.read == state.first_lines(state.now) != old


def test_a_connection_is_resumable_before_the_leader_is_woken() -> None:
    seen: list[list[Connection]] = []
    state = LoopState(lambda: seen.append(list(state.resumable)), counters())
    limits = LimitsSection()
    parser = RequestParser(limits, Origin("192.0.2.1", "http", TrustedProxies(), IdSource()))
    with socket.socket() as unconnected:
        connection = Connection(unconnected, parser, lambda _head: Admission("k", "none", 0), limits)
        state.resume_later(connection)

    assert seen == [[connection]]
