"""Listeners: addresses of a name, unix sockets, systemd's sockets, clear errors."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from arlen_runtime.config.sections import ServerSection
from arlen_runtime.errors import BootError
from arlen_runtime.propane.system.listeners import (
    BindAddress,
    Listeners,
    address_of,
    addresses_of,
    bind,
    bind_unix,
    check_addresses,
    from_systemd,
    mode_of,
    shut_down,
)
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Serve


def test_port_zero_takes_a_free_port_and_a_client_can_connect() -> None:
    (listener,) = bind("127.0.0.1", 0, 16)
    port = listener.getsockname()[1]

    with socket.create_connection(("127.0.0.1", port), 5):
        assert address_of(listener) == f"http://127.0.0.1:{port}"
    listener.close()


def test_ipv6_is_bound_and_shown_in_brackets() -> None:
    (listener,) = bind("::1", 0, 16)

    assert address_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"
    listener.close()


def test_a_port_in_use_is_one_clear_line() -> None:
    (occupied,) = bind("127.0.0.1", 0, 16)
    port = occupied.getsockname()[1]

    with pytest.raises(BootError, match=f"port {port} on 127.0.0.1 is in use; choose another with --port"):
        bind("127.0.0.1", port, 16)
    occupied.close()


def test_an_address_of_another_machine_is_one_clear_line() -> None:
    with pytest.raises(BootError, match=r"192\.0\.2\.1 is not an address of this machine"):
        bind("192.0.2.1", 0, 16)


@pytest.mark.parametrize("name", ["no such host", "www..example", "ü..x", "x" * 64, "zero\0byte"])
def test_an_invalid_host_name_is_one_clear_line(name: str) -> None:
    with pytest.raises(BootError, match=re.escape(f"cannot listen on {name!r}: ")):
        bind(name, 0, 16)


@pytest.mark.parametrize("name", ["zero\0byte", "x" * 200])
def test_an_invalid_path_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(BootError, match="cannot listen on unix:"):
        bind_unix(tmp_path / name, 0o600, 16)


@pytest.mark.parametrize(
    ("server", "addresses"),
    [
        (ServerSection(), [BindAddress("127.0.0.1", 3000)]),
        (ServerSection(host="::1", port=80), [BindAddress("::1", 80)]),
        (ServerSection(host="unix:/run/x.sock"), [BindAddress("", 0, "/run/x.sock")]),
        (
            ServerSection(bind=("localhost:1", "[::1]:2", "unix:x.sock")),
            [BindAddress("localhost", 1), BindAddress("::1", 2), BindAddress("", 0, "x.sock")],
        ),
    ],
)
def test_the_settings_say_where_to_listen(server: ServerSection, addresses: list[BindAddress]) -> None:
    assert addresses_of(server) == addresses


@pytest.mark.parametrize("text", ["3000", ":3000", "::1:3000", "x:", "x:70000", "x:http", "x:" + "9" * 5000, "unix:"])
def test_an_invalid_address_says_how_to_write_one(text: str) -> None:
    with pytest.raises(BootError, match="write host:port"):
        addresses_of(ServerSection(bind=(text,)))


def test_addresses_are_checked_without_binding_them(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0, 16)[0] as occupied:
        check_addresses(ServerSection(bind=(f"127.0.0.1:{occupied.getsockname()[1]}", f"unix:{tmp_path}/x.sock")))
    assert not (tmp_path / "x.sock").exists()
    for wrong in (ServerSection(bind=("unix:",)), ServerSection(host="www..example"), ServerSection(socket_mode="rw")):
        with pytest.raises(BootError):
            check_addresses(wrong)


def test_an_invalid_mode_is_refused() -> None:
    assert mode_of(ServerSection(socket_mode="0600")) == 0o600
    with pytest.raises(BootError, match="octal digits"):
        mode_of(ServerSection(socket_mode="rw"))


def test_the_socket_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    bind_unix(path, 0o600, 16).close()
    assert path.is_socket()

    with bind_unix(path, 0o640, 16):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        with pytest.raises(BootError, match="is in use; stop the server that listens there"):
            bind_unix(path, 0o600, 16)
    path.unlink()
    path.write_text("a letter")
    with pytest.raises(BootError, match="the path exists and is not a socket"):
        bind_unix(path, 0o600, 16)


def test_closing_removes_our_own_socket_but_not_one_that_has_replaced_it(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    server = ServerSection(bind=(f"unix:{path}",))
    with Listeners.open(server, 16, tmp_path, {}):
        assert path.is_socket()
    assert not path.exists()

    with Listeners.open(server, 16, tmp_path, {}):
        path.unlink()
        other = bind_unix(path, 0o600, 16)
    assert path.is_socket()
    other.close()


def test_if_one_of_several_addresses_is_unavailable_none_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with bind("127.0.0.1", 0, 16)[0] as occupied:
        server = ServerSection(bind=(f"unix:{path}", f"127.0.0.1:{occupied.getsockname()[1]}"))
        with pytest.raises(BootError, match="in use"):
            Listeners.open(server, 16, tmp_path, {})
    assert not path.exists()


def test_sockets_for_another_process_are_not_used() -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDNAMES": "x"}

    assert from_systemd(environ) == []
    assert environ == {}


def test_a_server_listens_at_several_addresses_at_once(serve: Serve, tmp_path: Path) -> None:
    server = serve("--bind", f"127.0.0.1:0,unix:{tmp_path}/x.sock")
    listening = server.wait_for("listening", address=f"unix:{tmp_path}/x.sock")
    with Wire(server.port) as wire, Wire(0, path=f"{tmp_path}/x.sock") as local:
        assert wire.get("/").body == local.get("/").body == b"one"
    assert (tmp_path / "x.sock").is_socket()
    access = server.wait_for("request", client="unix")

    assert listening["workers"] == 1
    assert access["status"] == 200
    server.stop()
    assert not (tmp_path / "x.sock").exists()


def test_a_reload_keeps_a_unix_socket_and_the_connections_on_it(serve: Serve, tmp_path: Path) -> None:
    server = serve("--host", "unix:x.sock")
    with Wire(0, path=f"{tmp_path}/x.sock") as local:
        local.get("/")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)

        assert local.get("/").status == 200


ACTIVATE = """
import os, sys
os.dup2(int(os.environ["LISTENER"]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="web")
os.execv(sys.executable, [sys.executable, "-m", "arlen_runtime.propane", *sys.argv[1:]])
"""


def _activated(site: Path, listener: socket.socket) -> RunningServer:
    """Return a server started as by systemd, with a socket that another process keeps."""
    fd = listener.fileno()
    return RunningServer(site, command=("-c", ACTIVATE), descriptors=(fd,), environ={"LISTENER": str(fd)})


def test_sockets_from_systemd_replace_the_configured_addresses(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, _activated(site, listener) as server:
        port = listener.getsockname()[1]
        assert server.port == port
        with Wire(port) as wire:
            assert wire.get("/").body == b"one"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_client_that_connects_to_a_systemd_socket_while_no_server_runs_is_answered_by_the_next(
    site: Path, kind: str, sig: signal.Signals
) -> None:
    path = site / "x.sock"
    listener = bind_unix(path, 0o600, 16) if kind == "unix" else socket.create_server(("127.0.0.1", 0))
    with listener, socket.socket(listener.family) as late:
        late.settimeout(30)
        with _activated(site, listener) as first:
            with Wire(0, path=str(path)) if kind == "unix" else Wire(first.port) as wire:
                assert wire.get("/").status == 200
            first.stop(sig)
        late.connect(listener.getsockname())
        late.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with _activated(site, listener):
            assert late.recv(1024).startswith(b"HTTP/1.1 200 ")


def test_a_descriptor_that_is_not_a_listener_prints_one_line_and_exits_with_1(site: Path) -> None:
    command = [sys.executable, "-c", ACTIVATE, "--app-root", str(site)]
    environ = {**os.environ, "LISTENER": "0"}
    ran = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert "LISTEN_FDS" in ran.stderr


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_listener_that_is_shut_down_refuses_clients_and_keeps_its_backlog(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.sock"
    listener = bind_unix(path, 0o600, 16) if kind == "unix" else bind("127.0.0.1", 0, 16)[0]
    early, late = (socket.socket(listener.family) for _ in range(2))
    with listener, early, late:
        early.connect(listener.getsockname())
        shut_down(listener)
        with pytest.raises(ConnectionRefusedError):
            late.connect(listener.getsockname())
        accepted, _address = listener.accept()
        with accepted:
            accepted.sendall(b"x")
            assert early.recv(1) == b"x"
