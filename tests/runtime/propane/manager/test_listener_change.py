"""A reload changes the listen addresses without losing a connection."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, ServerSection
from arlen_runtime.errors import BootError
from arlen_runtime.propane.ipc.messages import open_pair, receive_connection
from arlen_runtime.propane.manager.listener_change import ListenerChange
from arlen_runtime.propane.system.listeners import Listeners
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve

Write = Callable[..., None]


@pytest.fixture
def write(site: Path) -> Write:
    """Write listen addresses into the configuration."""
    (site / "config").mkdir()

    def written(*addresses: str) -> None:
        listed = ", ".join(f'"{address}"' for address in addresses)
        (site / "config" / "app.toml").write_text(f"[server]\nbind = [{listed}]\n")

    return written


def test_a_reload_listens_at_the_newly_configured_addresses(serve: Serve, site: Path, write: Write) -> None:
    write("127.0.0.1:0", "unix:old.sock")
    server = serve()
    with Wire(server.port) as kept, Wire(0, path=f"{site}/old.sock") as old:
        old.get("/")
        write("127.0.0.1:0", "unix:new.sock")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)

        with Wire(0, path=f"{site}/new.sock") as new:
            assert new.get("/").status == 200
        assert kept.get("/").status == 200
        assert old.get("/").status == 200, "its connection stays open although its listener is closed"
        write("127.0.0.1:0")
        server.send(signal.SIGHUP)  # it waits until the removed listener is closed
        server.wait_for("generation_ended", generation=2)
    assert not (site / "old.sock").exists()
    assert server.stop() == 0
    assert not (site / "new.sock").exists()


def test_an_unavailable_address_fails_the_reload_and_nothing_changes(serve: Serve, write: Write) -> None:
    write("127.0.0.1:0")
    server = serve()
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        write(f"127.0.0.1:{occupied.getsockname()[1]}")
        server.send(signal.SIGHUP)
        assert "in use" in str(server.wait_for("reload_failed")["reason"])
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200


@pytest.mark.parametrize("address", ["www..example:0", "unix:", "unix:\\u0000"])
def test_an_invalid_address_fails_the_reload_and_nothing_changes(serve: Serve, write: Write, address: str) -> None:
    write("127.0.0.1:0")
    server = serve()
    write("127.0.0.1:0", address)
    server.send(signal.SIGHUP)
    assert "cannot listen on" in str(server.wait_for("reload_failed")["reason"])
    with Wire(server.port) as wire:
        assert wire.get("/").status == 200


def test_a_generation_that_fails_leaves_the_old_addresses(
    serve: Serve, site: Path, write: Write, rewrite: Rewrite
) -> None:
    write("127.0.0.1:0")
    server = serve()
    write("unix:new.sock")
    rewrite("two", more="\nraise RuntimeError('half a deploy')\n")
    server.send(signal.SIGHUP)
    server.wait_for("reload_failed")
    rewrite("three")
    write("127.0.0.1:0")
    server.send(signal.SIGHUP)
    server.wait_for("generation_ended", generation=1)

    with Wire(server.port) as wire:
        assert wire.get("/").body == b"three"
    assert not (site / "new.sock").exists()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration with two addresses."""
    return Config("production", tmp_path, server=ServerSection(bind=("127.0.0.1:0", "unix:a.sock")))


@pytest.fixture
def parts(config: Config) -> Iterator[tuple[Listeners, ListenerChange, socket.socket]]:
    """Return open listeners, their change, and the socket that receives connections."""
    here, there = open_pair()
    with here, there, Listeners.open(config.server, 8, config.root, {}) as listeners:
        yield listeners, ListenerChange(listeners, there), here


def test_the_backlog_of_a_removed_listener_is_handed_over(
    config: Config, parts: tuple[Listeners, ListenerChange, socket.socket]
) -> None:
    listeners, change, handover = parts
    address = listeners.sockets[0].getsockname()
    with socket.create_connection(address, 5) as waiting, socket.create_connection(address, 5):
        change.apply(replace(config, server=ServerSection(bind=("unix:a.sock",))))
        assert change.is_pending
        change.run_due_tasks(1.0, overlap=True)
        assert receive_connection(handover) is None, "the old generation still accepts there"
        change.run_due_tasks(2.0, overlap=False)
        change.run_due_tasks(3.0, overlap=False)
        assert not change.is_pending

        for _ in range(2):
            received = receive_connection(handover)
            assert received is not None
            connection, info = received
            assert info[:4] == ("127.0.0.1", "http", False, b"")
            with connection:
                connection.sendall(b"x")
        assert waiting.recv(1) == b"x"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)


def test_an_unavailable_address_changes_nothing(
    config: Config, parts: tuple[Listeners, ListenerChange, socket.socket]
) -> None:
    listeners, change, _handover = parts
    before = list(listeners.sockets)
    with pytest.raises(BootError, match="write host:port"):
        change.apply(replace(config, server=ServerSection(bind=("unix:b.sock", "nonsense"))))
    (config.root / "c.sock").write_text("")
    with pytest.raises(BootError, match="not a socket"):
        change.apply(replace(config, server=ServerSection(bind=("unix:b.sock", "unix:c.sock"))))

    assert listeners.sockets == before
    assert not change.is_pending
    assert not (config.root / "b.sock").exists()


def test_a_second_roll_back_does_nothing(
    config: Config, parts: tuple[Listeners, ListenerChange, socket.socket]
) -> None:
    listeners, change, _handover = parts
    before = list(listeners.sockets)
    change.apply(replace(config, server=ServerSection(bind=("127.0.0.1:0", "unix:b.sock"))))
    change.roll_back()
    change.roll_back()

    assert set(listeners.sockets) == set(before)
    change.run_due_tasks(1.0, overlap=False)
    change.run_due_tasks(2.0, overlap=False)
    assert not change.is_pending
    assert [(config.root / name).exists() for name in ("a.sock", "b.sock")] == [True, False]


def test_listeners_from_systemd_stay(config: Config, parts: tuple[Listeners, ListenerChange, socket.socket]) -> None:
    listeners, change, _handover = parts
    listeners.addresses = []
    change.apply(replace(config, server=ServerSection(bind=("unix:b.sock",))))

    assert not change.is_pending
    assert len(listeners.sockets) == 2
