"""What a service manager receives: a fake systemd listens."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from arlen_runtime.propane.system.systemd import SystemdNotifier
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve


class Systemd:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        """Listen at a path or, after an @, at an abstract name."""
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(30)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def receive(self, word: str) -> list[str]:
        """Return the lines of the next message that contains this one."""
        while True:
            lines = self.socket.recv(4096).decode().split("\n")
            if word in lines:
                return lines


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    """Listen, at both kinds of names."""
    address = f"{tmp_path}/notify" if request.param == "path" else f"@arlen-test-{time.monotonic_ns()}"
    listening = Systemd(address)
    with listening.socket:
        yield listening


def test_systemd_is_notified_of_start_reload_and_stop(serve: Serve, systemd: Systemd) -> None:
    server = serve(NOTIFY_SOCKET=systemd.address)
    assert f"MAINPID={server.pid}" in systemd.receive("READY=1")

    before = time.monotonic_ns() // 1000
    server.send(signal.SIGHUP)
    (usec_line,) = [line for line in systemd.receive("RELOADING=1") if line.startswith("MONOTONIC_USEC=")]
    assert before <= int(usec_line.partition("=")[2]) <= time.monotonic_ns() // 1000
    assert any("generation 2" in line for line in systemd.receive("READY=1"))

    server.send(signal.SIGTERM)
    systemd.receive("STOPPING=1")


def test_a_reload_that_fails_ends_for_systemd_too(serve: Serve, rewrite: Rewrite, tmp_path: Path) -> None:
    listening = Systemd(f"{tmp_path}/notify")
    with listening.socket:
        server = serve(NOTIFY_SOCKET=listening.address)
        listening.receive("READY=1")
        rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
        server.send(signal.SIGHUP)
        listening.receive("RELOADING=1")

        assert any("failed" in line for line in listening.receive("READY=1"))


def test_the_watchdog_is_notified_twice_in_its_time(serve: Serve, tmp_path: Path) -> None:
    listening = Systemd(f"{tmp_path}/notify")
    with listening.socket:
        serve(NOTIFY_SOCKET=listening.address, WATCHDOG_USEC="400000")
        listening.receive("READY=1")
        began = time.monotonic()
        for _ in range(6):
            listening.receive("WATCHDOG=1")

        assert time.monotonic() - began > 0.4  # not in every round of the loop


def test_the_application_cannot_send_notifications_for_the_service(
    serve: Serve, rewrite: Rewrite, tmp_path: Path
) -> None:
    rewrite(more="\ndef home(ctx: Context) -> Response:\n    return text(os.environ.get('NOTIFY_SOCKET', 'none'))\n")
    server = serve(NOTIFY_SOCKET=f"{tmp_path}/nothing")
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"none"


def test_a_watchdog_of_another_process_is_not_notified() -> None:
    notifier = SystemdNotifier({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})

    assert notifier.send_due(0.0) == float("inf")


def test_messages_that_find_the_queue_full_are_sent_again_in_order(tmp_path: Path) -> None:
    listening = Systemd(f"{tmp_path}/notify")
    with listening.socket, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        filled = 0
        with suppress(BlockingIOError):
            while other.sendto(b"STATUS=of another", listening.address):
                filled += 1
        notifier = SystemdNotifier({"NOTIFY_SOCKET": listening.address})
        notifier.ready("it serves")
        notifier.stopping()
        assert notifier.send_due(0.0) < 1, "a message is still pending"
        for _ in range(filled):
            listening.socket.recv(4096)

        assert notifier.send_due(0.0) == float("inf")
        assert "READY=1" in listening.socket.recv(4096).decode()
        assert listening.socket.recv(4096) == b"STOPPING=1"
