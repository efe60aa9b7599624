"""An address in use is reported with the manager that holds it, if it is one of ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError
from arlen_runtime.propane.manager.address_holder import naming_holder
from arlen_runtime.propane.system.listeners import Listeners, bind, bind_unix
from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Serve


def _error(root: Path, *, port: int = 0, host: str = "127.0.0.1", path: Path | None = None) -> str:
    """Return the error of a command in another folder that wants the same address."""
    with pytest.raises(BootError) as raised, naming_holder(Config("production", root)):
        Listeners(bind(host, port, 1) if path is None else [bind_unix(path, 0o600, 1)]).close()
    return raised.value.detail


def test_the_manager_of_any_application_that_holds_the_port_is_named(
    serve: Serve, site: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = serve()
    expected = f"port {server.port} on 127.0.0.1 is in use by `propane` of {site} (pid {server.pid}); choose another"
    for folder in (site, tmp_path_factory.mktemp("other")):
        assert _error(folder, port=server.port).startswith(expected)
    assert _error(site, port=server.port, host="0.0.0.0").startswith(f"port {server.port} on 0.0.0.0 is in use by")  # noqa: S104 - every address


def test_arlen_serve_is_named_as_such_and_a_reload_onto_its_port_too(
    serve: Serve, site: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    shutil.copy(site / "app.py", other)
    with RunningServer(other, environment="development", command=("-m", "arlen_cli", "serve")) as holder:
        named = f"is in use by `arlen serve` of {other} (pid {holder.pid})"
        assert named in _error(site, port=holder.port)

        (site / "config").mkdir()
        (site / "config" / "app.toml").write_text('[server]\nbind = ["127.0.0.1:0"]\n')
        server = serve()
        (site / "config" / "app.toml").write_text(f'[server]\nbind = ["127.0.0.1:{holder.port}"]\n')
        server.send(signal.SIGHUP)
        assert named in server.wait_for("reload_failed")["reason"]


def test_the_holder_of_a_unix_socket_is_named(serve: Serve, site: Path) -> None:
    server = serve("--bind", f"unix:{site}/web.sock")
    server.wait_for("listening")
    expected = f"unix:{site}/web.sock is in use by `propane` of {site} (pid {server.pid}); stop the server"
    assert _error(site, path=site / "web.sock").startswith(expected)


def test_a_program_that_is_not_ours_is_not_named(serve: Serve, site: Path) -> None:
    serve()  # on another port
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        assert _error(site, port=port) == f"port {port} on 127.0.0.1 is in use; choose another with --port"


@pytest.fixture
def claim(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Answer status queries with what the test puts here, at the socket of process `pid`."""
    answer: dict[str, object] = {"program": "propane", "root": "/srv/a", "pid": os.getpid(), "listening": []}
    folder = tmp_path / ".arlen" / "propane"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "new"))
        listener.listen()

        def reply() -> None:
            connection, _address = listener.accept()
            with connection, suppress(BrokenPipeError):  # the command may not listen to it
                connection.sendall(json.dumps(answer).encode())

        threading.Thread(target=reply, daemon=True).start()
        yield answer


def _put(root: Path, pid: int) -> None:
    folder = root / ".arlen" / "propane"
    (folder / "new").rename(folder / f"{pid}.sock")


def test_a_process_that_claims_to_be_another_is_not_believed(tmp_path: Path, claim: dict[str, object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        claim["listening"] = [f"http://127.0.0.1:{port}"]
        _put(tmp_path, 1)
        assert "is in use; choose" in _error(tmp_path, port=port)


def test_what_a_manager_says_of_itself_reaches_no_terminal_unescaped(tmp_path: Path, claim: dict[str, object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        claim.update(listening=[f"http://127.0.0.1:{port}"], root="/srv/\x1b[2J\nx", program="\x1b[31m")
        _put(tmp_path, os.getpid())
        assert rf"is in use by `propane` of '/srv/\x1b[2J\nx' (pid {os.getpid()}); choose" in _error(
            tmp_path, port=port
        )
