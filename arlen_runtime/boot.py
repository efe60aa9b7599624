"""What a generation execs, the one place that knows all rooms. One rule: it assembles, and then hands over.

`python -m arlen_runtime.boot ORDERS`: configuration, embedded server, the application's `create(config)` or a WSGI
callable, and propane's Generation, which forks the workers.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.app import App
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import target_of
from arlen_runtime.error_pages.boot_failure_app import BootFailureApp
from arlen_runtime.errors import ArlenError, BootError, ConfigError
from arlen_runtime.http.application import Application
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.generation import Generation
from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.system import signals
from arlen_runtime.wsgi import WSGIAdapter

_WSGI_ARGUMENTS = 2


def main(arguments: list[str]) -> int:
    """Be a generation; return the exit status."""
    signals.begin()
    orders = BootArgs.from_argument(arguments[0])
    told = orders.command_line
    config, wrong = _settings(Path(told.root), told)
    log = Log(config.log, config.environment, config.root)

    def build() -> Application:
        if wrong is not None:
            raise wrong
        return open_application(config)

    if told.development:
        return Generation(orders, config, log, lambda: _open_or_explain(build, config, log, orders.boot_error)).run()
    return Generation(orders, config, log, build).run()


def _settings(root: Path, told: CommandLine) -> tuple[Config, ConfigError | None]:
    """Read the settings; where they cannot be read, return what is wrong with them, and defaults to say so with."""
    try:
        return load(root, told.environment, os.environ, told.flags), None
    except ConfigError as error:
        return Config(told.environment or "production", root), error


def open_application(config: Config) -> Application:
    """Import what the configuration names and build its door. Raise BootError, or what the application raises."""
    return as_application(find_target(config), with_database(config))


def _open_or_explain(build: Callable[[], Application], config: Config, log: Log, broken: str) -> Application:
    """Build the door for development, where a failure becomes the page."""
    if broken:
        return BootFailureApp(BootError(broken), config)
    try:
        return build()
    except BaseException as error:  # noqa: BLE001 - SystemExit, SyntaxError: all are shown, none ends the server
        if isinstance(error, ArlenError):
            log.error("boot_failed", reason=error.detail)
        else:
            log.failure("boot_failed", error)
        return BootFailureApp(error, config)


def with_database(config: Config) -> Config:
    """Return the configuration with a database: in development and test a server is started where none is named.

    An application with a folder `db` wants one. Raise ConfigError elsewhere: a throw-away server would seem to keep data.
    """
    if config.database.url or not (config.root / "db").is_dir():
        return config
    if config.production:
        raise ConfigError(
            "no database: set ARLEN_DATABASE_URL or [database] url (an embedded server is started in development and test only)"
        )
    url = embedded.ensure_running(config.root / ".arlen" / "pg", f"arlen_{config.environment}")
    return replace(config, database=replace(config.database, url=url))


def find_target(config: Config) -> object:
    """Import the module and return the object that `[app] target` names; the application's folder comes first."""
    module_name, _, name = target_of(config).partition(":")
    root = str(config.root.absolute())
    if root not in sys.path:
        sys.path.insert(0, root)
    if importlib.util.find_spec(module_name.partition(".")[0]) is None:
        raise BootError(f"[app] target: there is no module {module_name!r} in {config.root}")
    module = importlib.import_module(module_name)
    found = getattr(module, name or "create", None)
    if found is None:
        raise BootError(f"[app] target: {module_name} has no {name or 'create'!r}")
    return found


def as_application(found: object, config: Config) -> Application:
    """Return the door to an App, to what `create(config)` returns, or to a WSGI callable."""
    if isinstance(found, App):
        return found
    if not callable(found):
        raise BootError(f"[app] target: {found!r} is neither create(config), an App nor a WSGI callable")
    if _takes_environ(found):
        return WSGIAdapter(found, config)
    built = found(config)
    if isinstance(built, App):
        return built
    if callable(built):
        return WSGIAdapter(built, config)
    raise BootError(f"[app] target: create(config) must return an App or a WSGI callable, not {type(built).__name__}")


def _takes_environ(found: Callable[..., object]) -> bool:
    """Say whether it wants to be called as PEP 3333 says, with an environ and start_response: two, where create wants one.

    What takes just anything (a decorator's `*args`) or tells nothing (it is written in C) is taken for WSGI.
    """
    try:
        taken = list(inspect.signature(found).parameters.values())
    except ValueError:
        return True
    by_place = [each for each in taken if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}]
    required = [each for each in by_place if each.default is each.empty]
    return len(required) == _WSGI_ARGUMENTS or (
        not by_place and any(each.kind is each.VAR_POSITIONAL for each in taken)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
