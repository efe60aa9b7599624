"""The command line of propane: an error is one line and the right exit status."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from arlen_runtime.config.sections import MOST_WORKERS
from arlen_runtime.propane.__main__ import main
from arlen_runtime.propane.manager.status_socket import query_managers
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from tests.fixtures import Rewrite, Serve
from tests.terminal_window import TerminalWindow


def _propane(root: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "arlen_runtime.propane", "--app-root", str(root), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/usr/bin:/bin", **environ}
    )


def test_a_port_in_use_prints_one_line_and_exits_with_1(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        ran = _propane(site, "--port", str(occupied.getsockname()[1]))

    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "is in use" in ran.stderr


def test_an_unknown_flag_exits_with_2_and_suggests_the_right_one(site: Path) -> None:
    ran = _propane(site, "--worker-cuont", "2")

    assert ran.returncode == 2
    assert "did you mean --worker-count" in ran.stderr


def test_more_workers_than_the_scoreboard_can_hold_are_refused(site: Path) -> None:
    ran = _propane(site, "--workers", str(MOST_WORKERS + 1))

    assert ran.returncode == 2
    assert f"at most {MOST_WORKERS}" in ran.stderr


def test_an_invalid_configuration_file_exits_with_1_and_names_file_and_line(site: Path) -> None:
    (site / "config").mkdir()
    (site / "config" / "app.toml").write_text("[server]\nport = 'many'\n")
    ran = _propane(site)

    assert ran.returncode == 1
    assert "config/app.toml, line 2" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_folder_without_an_application_is_reported(tmp_path: Path) -> None:
    ran = _propane(tmp_path, "--port", "0")

    assert ran.returncode == 2
    assert "is not an Arlen application" in ran.stderr


def test_the_package_inside_an_application_is_not_an_application(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("__init__.py", "app.py"):
        (tmp_path / file).touch()

    assert main(["--app-root", str(tmp_path), "--check"]) == 2
    assert "its app.py belongs to a package" in capsys.readouterr().err


@pytest.mark.parametrize(("development", "name"), [(False, "propane"), (True, "arlen serve")])
def test_an_error_starts_with_the_name_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, *, development: bool
) -> None:
    assert main(["--app-root", str(tmp_path)], program=name, development=development) == 2
    assert capsys.readouterr().err.startswith(f"{name}: {tmp_path} is not an Arlen application")


@pytest.mark.parametrize("flag", ["--print-config"])
def test_the_configuration_is_printed_without_secrets(site: Path, flag: str) -> None:
    ran = _propane(site, flag, ARLEN_DATABASE_URL="postgresql://me:sesame@db/x")

    assert ran.returncode == 0
    assert json.loads(ran.stdout)["server"]["port"] == 3000
    assert "sesame" not in ran.stdout


@pytest.mark.parametrize(
    "flags", [("--host", "x" * 64), ("--host", "ü..x"), ("--bind", "unix:"), ("--socket-mode", "rw")]
)
@pytest.mark.parametrize("check", [(), ("--check",)])
def test_an_invalid_address_prints_one_line_and_exits_with_1(
    site: Path, flags: tuple[str, ...], check: tuple[str, ...]
) -> None:
    ran = _propane(site, *flags, *check)

    assert ran.returncode == 1
    assert ran.stderr.startswith("propane: ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_an_invalid_network_prints_one_line_even_if_nothing_is_started(site: Path, check: tuple[str, ...]) -> None:
    ran = _propane(site, *check, ARLEN_TRUSTED_PROXIES="127.0.0.1,nonsense")

    assert ran.returncode == 1
    assert ran.stderr.startswith("propane: ARLEN_TRUSTED_PROXIES must list networks such as 10.0.0.0/8")
    assert ran.stderr.count("\n") == 1


def test_a_second_manager_is_refused_even_after_a_reexec(serve: Serve, site: Path) -> None:
    server = serve("--pid-file", "propane.pid")
    assert f"already running with pid {server.pid} " in _propane(site, "--pid-file", "propane.pid").stderr
    server.send(signal.SIGUSR2)
    server.wait_for("manager_replaced")
    ran = _propane(site, "--pid-file", "propane.pid", "--port", "0")

    assert ran.returncode == 1
    assert f"already running with pid {server.pid} " in ran.stderr


def test_a_manager_starts_although_a_killed_one_left_its_pid_file(serve: Serve, site: Path) -> None:
    (site / "propane.pid").write_text(f"{os.getpid()}\n")
    server = serve("--pid-file", "propane.pid")

    assert (site / "propane.pid").read_text() == f"{server.pid}\n"


def test_a_removed_working_folder_prints_one_line_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = ["sh", "-c", 'cd gone && rmdir ../gone && exec "$0" -m arlen_runtime.propane', sys.executable]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 1
    assert ran.stderr.startswith("propane: the working folder has been removed")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_check_has_not_passed(site: Path, rewrite: Rewrite, sig: signal.Signals) -> None:
    rewrite(more='\nprint("imports", flush=True)\ntime.sleep(600)\n')
    server = RunningServer(site, "--check")
    with ExitStack() as stack:
        server.start()
        stack.push(server)
        server.wait_for("", line="imports")

        assert server.stop(sig) == 1


def test_a_check_imports_even_if_workers_import_for_themselves(site: Path, rewrite: Rewrite) -> None:
    rewrite(more="\nraise RuntimeError('half a deploy')\n")
    code = "import sys; sys.platform = 'darwin'; from arlen_runtime.propane.__main__ import main; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-c", code, "--check", "--app-root", str(site)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 1
    assert "half a deploy" in ran.stdout + ran.stderr


def test_the_manager_imports_nothing_that_only_applications_need() -> None:
    """Its import is part of every start, and its memory is held as long as it runs."""
    code = "import sys, arlen_runtime.propane.__main__; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    rooms = {"alnpg", "app", "boot", "middleware", "routing", "web", "wsgi", "error_pages", "signing"}
    unwanted = {"asyncio", "cryptography", "http.server", "jinja2", "psycopg", "ssl", "watchfiles"}
    unwanted |= {f"arlen_runtime.{room}" for room in rooms}
    assert unwanted & set(ran.stdout.split()) == set()


SERVE = [sys.executable, "-m", "arlen_cli", "serve", "--port", "0"]


@pytest.mark.parametrize(
    ("environ", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_shows_where_to_look_how_to_stop_and_colours_unless_they_are_unwanted(
    site: Path, environ: dict[str, str], *, has_colours: bool
) -> None:
    with TerminalWindow(SERVE, site, **{"NO_COLOR": "", **environ}) as window:
        window.wait_for("(Ctrl-C stops)")
        window.type("\x03")
        window.wait_for("manager_stopped")
        assert window.leader.wait(30) == 0
    lines = window.output.decode().splitlines()
    (address,) = [line.rpartition("address=")[2].split()[0] for line in lines if " listening " in line]
    assert f"Serving {site.name} at {address} (Ctrl-C stops)" in lines
    assert ("\x1b[32minfo\x1b[0m listening" in window.output.decode()) == has_colours
    assert ("\x1b" in window.output.decode()) == has_colours
    assert "watcher_exited" not in window.output.decode()


def test_output_that_is_no_terminal_has_neither_colours_nor_the_line_for_people(site: Path) -> None:
    with subprocess.Popen(SERVE, cwd=site, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        text = ""
        for line in server.stderr:
            text += line
            if " listening " in line:
                server.terminate()
    assert "manager_stopped" in text
    assert "\x1b" not in text
    assert "Serving" not in text


STREAMS = """
import os
from arlen_runtime import App, text


def show(ctx):
    return text(" ".join(os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)))


def create(config):
    return App(config, lambda r: r.get("/", show))
"""


@pytest.mark.parametrize("closed", [(0, 1, 2), (0, 2), (1,)], ids=str)
def test_a_server_and_its_programs_that_start_with_closed_streams_have_the_null_device(
    tmp_path: Path, closed: tuple[int, ...]
) -> None:
    (tmp_path / "app.py").write_text(STREAMS)
    (tmp_path / "config").mkdir()
    job = "sh -c 'ls -l /proc/self/fd > job.new; mv job.new job; exec sleep 600'"
    (tmp_path / "config" / "app.toml").write_text(f'[propane_accessories.processes]\njob = "{job}"\n')
    log = tmp_path / "log"
    log.touch()

    def close() -> None:
        for fd in closed:
            os.close(fd)

    command = [sys.executable, "-m", "arlen_runtime.propane", "--port", "0", "--workers", "1"]
    environ = {**os.environ, "ARLEN_LOG_FILE": str(log)}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environ,
        preexec_fn=close,  # noqa: PLW1509 - it only closes
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            while not (tmp_path / "job").exists():
                assert server.poll() is None
                time.sleep(0.01)
            (snapshot,) = query_managers(tmp_path / ".arlen" / "propane")
            with Wire(int(snapshot["listening"][0].rpartition(":")[2])) as wire:
                assert wire.get("/").body.split() == [b"/dev/null"] * 3
        finally:
            server.terminate()
        assert server.wait(30) == 0
    streams = [line.rpartition(" -> ")[2] for line in (tmp_path / "job").read_text().splitlines()[1:]]
    assert [stream for stream in streams if "memfd" in stream or "socket" in stream] == []
    assert streams[0] == streams[2] == "/dev/null"
