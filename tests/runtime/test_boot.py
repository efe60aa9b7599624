"""Which targets are served, and how others are refused."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from arlen_runtime.app import App
from arlen_runtime.boot import as_application, find_target, open_application
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import AppSection, Config
from arlen_runtime.errors import BootError, ConfigError, NoApplication
from arlen_runtime.propane.ipc.boot_args import CommandLine
from arlen_runtime.propane.ipc.messages import open_pair, receive
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.system.listeners import Listeners, bind
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from arlen_runtime.wsgi import WSGIAdapter

SERVE = "import sys; from arlen_runtime.propane.__main__ import main; sys.exit(main(development=True))"
LITE = "from arlen_runtime import App\ndef create(config):\n    return App(config, lambda r: None)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Provide a folder whose modules are unloaded afterwards."""
    modules, path = set(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def _config(root: Path, target: str = "") -> Config:
    return Config("production", root, app=AppSection(target=target))


def test_settings_that_no_class_reads_are_found_once_the_application_is_built(folder: Path) -> None:
    (folder / "app.py").write_text(
        "from dataclasses import dataclass\n"
        "from arlen_runtime import App, setting\n"
        "@dataclass(frozen=True)\n"
        "class Shop:\n"
        "    currency: str = setting('EUR', 'three letters')\n"
        "def create(config):\n"
        "    assert config.read(Shop).currency == 'EUR'\n"
        "    return App(config, lambda r: None)\n"
    )
    assert isinstance(open_application(load(folder, "test", {})), App)
    with pytest.raises(ConfigError, match=r"^ARLEN_SETTINGS_CURENCY: .*; did you mean ARLEN_SETTINGS_CURRENCY\?$"):
        open_application(load(folder, "test", {"ARLEN_SETTINGS_CURENCY": "USD"}))


def test_the_variables_of_the_env_file_reach_the_application_and_change_with_it(folder: Path) -> None:
    (folder / "app.py").write_text(
        "import os\n"
        "from arlen_runtime import App, text\n"
        "KEY = os.environ.get('STRIPE_KEY', 'none')\n"
        "def create(config):\n"
        "    return App(config, lambda r: r.get('/', lambda ctx: text(KEY)))\n"
    )
    (folder / ".env").write_text("STRIPE_KEY=first\nARLEN_LOG_LEVEL=debug\n")
    with RunningServer(folder, environment="development", command=("-c", SERVE)) as server:
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"first"
        (folder / ".env").write_text("STRIPE_KEY=second\n")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)
        with Wire(server.port) as wire:
            assert wire.get("/").body == b"second"


def test_production_ignores_the_env_file_with_one_line(folder: Path) -> None:
    (folder / "app.py").write_text(LITE)
    (folder / ".env").write_text("ARLEN_LOG_ACCESS=false\nSTRIPE_KEY=hunter2\n")
    with RunningServer(folder, "--workers", "2") as server:
        with Wire(server.port) as wire:
            wire.get("/")
        server.wait_for("request", target="/")
    (line,) = [event for event in server.events if event["event"] == "env_file_ignored"]
    assert line["reason"].startswith(".env is not read in production")
    assert "hunter2" not in str(server.events)


def test_a_folder_with_one_file_is_a_lite_application(folder: Path) -> None:
    (folder / "app.py").write_text(LITE)

    assert isinstance(open_application(_config(folder)), App)


def test_a_target_names_module_and_function_and_the_folder_comes_first(folder: Path) -> None:
    (folder / "site_of_mine").mkdir()
    (folder / "site_of_mine" / "__init__.py").write_text("")
    (folder / "site_of_mine" / "app.py").write_text(LITE.replace("create", "build"))

    assert isinstance(open_application(_config(folder, "site_of_mine.app:build")), App)


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        (None, "", "is not an Arlen application"),
        (None, "nowhere_to_be_found:create", "there is no module 'nowhere_to_be_found'"),
        ("x = 1", "app:create", "app has no 'create'"),
        ("create = 17", "app:create", "neither create"),
        ("def create(config): return 17", "app:create", "must return an App or a WSGI callable, not int"),
    ],
)
def test_a_target_that_cannot_be_served_is_reported_with_a_fix(
    folder: Path, source: str | None, target: str, why: str
) -> None:
    if source is not None:
        (folder / "app.py").write_text(source)

    with pytest.raises((BootError, NoApplication), match=why):
        open_application(_config(folder, target))


def test_a_wsgi_callable_is_served_as_one(folder: Path) -> None:
    (folder / "app.py").write_text("def application(environ, start_response): return []")
    config = _config(folder, "app:application")

    assert isinstance(as_application(find_target(config), config), WSGIAdapter)


@pytest.mark.parametrize(
    "source",
    [
        "def served(environ, start_response, more=None): return []",
        "def served(*args): return []",
        "def served(*args, **kwargs): return []",
        "class App:\n    def __call__(self, environ, start_response): return []\nserved = App()",
        "class App:\n    def __init__(self, environ, start_response): pass\nserved = App",
        "served = min",
    ],
)
def test_a_callable_of_two_arguments_or_of_any_number_is_wsgi(folder: Path, source: str) -> None:
    (folder / "app.py").write_text(source)
    config = _config(folder, "app:served")

    assert isinstance(as_application(find_target(config), config), WSGIAdapter)


@pytest.mark.parametrize(
    "parameters",
    ["config", "config, pg=None", "config=None, pg=None", "config, *rest", "config, *, pg=None", "config, **more"],
)
def test_a_callable_of_the_configuration_alone_is_create(folder: Path, parameters: str) -> None:
    (folder / "app.py").write_text(LITE.replace("(config):", f"({parameters}):"))

    assert isinstance(open_application(_config(folder)), App)


def test_create_may_return_a_wsgi_callable(folder: Path) -> None:
    (folder / "app.py").write_text("def create(config): return lambda environ, start_response: []")

    assert isinstance(open_application(_config(folder)), WSGIAdapter)


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize(("source", "reason"), [(LITE, "no database: set"), ("1 / 0", "ZeroDivisionError")])
def test_serving_another_environment_than_development_shows_nothing_and_ends(
    tmp_path: Path, environment: str, source: str, reason: str
) -> None:
    (tmp_path / "app.py").write_text(source)
    (tmp_path / "db").mkdir()
    (tmp_path / "config" / "environments").mkdir(parents=True)
    (tmp_path / "config" / "environments" / "staging.toml").write_text("")
    server = RunningServer(tmp_path, environment=environment, command=("-c", SERVE))
    with ExitStack() as stack:
        server.start()
        stack.push(server)
        server.wait_for("manager_stopped", status=1)
        assert server.process.wait(30) == 1

    events = {event["event"]: event for event in server.events}
    assert reason in str(events["boot_failed"]["reason"])
    assert "worker_started" not in events


def test_a_page_of_another_site_does_not_see_why_the_boot_failed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("inside = 'secret-of-the-source'\n1 / 0\n")
    with RunningServer(tmp_path, environment="development", command=("-c", SERVE)) as server, Wire(server.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\n\r\n")
        refused = wire.answer()
        shown = wire.get("/", "Accept: text/html")

    assert refused.status == 400
    assert b"secret-of-the-source" not in refused.body
    assert shown.status == 500
    assert b"secret-of-the-source" in shown.body


def test_settings_that_break_while_serving_are_shown_until_they_are_fixed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LITE)
    (tmp_path / "config").mkdir()
    settings = tmp_path / "config" / "app.toml"
    settings.write_text("")
    with RunningServer(tmp_path, environment="development", command=("-c", SERVE)) as server:
        settings.write_text("[server]\nport = 'many'\n")
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=1)
        with Wire(server.port) as wire:
            answer = wire.get("/")
        assert answer.status == 500
        assert b"config/app.toml, line 2" in answer.body
        settings.write_text("")
        server.send(signal.SIGHUP)
        mended = _first_without_a_failure(server)

    assert mended == 404


def _first_without_a_failure(server: RunningServer) -> int:
    """Return the status of the first generation that shows no failure.

    The watcher may have reported each change on its own, so there may be more than one generation.
    """
    for generation in itertools.count(2):
        with Wire(server.port) as wire:
            status = wire.get("/").status
        if status != 500:
            return status
        server.wait_for("generation_ended", generation=generation)
    raise AssertionError


def test_settings_that_break_before_a_generation_loads_them_are_its_reason(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LITE)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("[server]\nport = 'many'\n")
    here, there = open_pair()
    with here, there, bind("127.0.0.1", 0, 8)[0] as listener:
        estate = ManagerState(Listeners([listener]), worker_count=1, configured=1)
        orders = estate.next_boot_args(CommandLine(str(tmp_path), "production", {}), there, "")
        ran = subprocess.run(
            [sys.executable, "-m", "arlen_runtime.boot", orders.as_argument()],
            pass_fds=orders.descriptors,
            capture_output=True,
            check=False,
            timeout=60,
        )
        message = receive(here)
        for end in estate.handover:
            end.close()

    assert ran.returncode == 1
    assert b"Traceback" not in ran.stderr
    assert message is not None
    assert "config/app.toml, line 2" in message["reason"]
