"""The program of a generation: builds the application, then runs Generation.

`python -m arlen_runtime.boot BOOT_ARGS` loads the configuration, starts the embedded server if
needed, imports `create(config)` or a WSGI callable, and runs the Generation, which forks the
workers. This is the one module that imports from all packages of the runtime.
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
    """Run a generation; return its exit status."""
    signals.begin()
    try:
        boot_args = BootArgs.from_argument(arguments[0])
    except BootError as error:
        sys.stderr.write(f"{error.detail}\n")
        return error.exit_status
    command_line = boot_args.command_line
    config, config_error = _load_config(Path(command_line.root), command_line)
    log = Log(config.log, config.environment, config.root)

    def build() -> Application:
        if config_error is not None:
            raise config_error
        return open_application(config)

    if command_line.development:
        return Generation(
            boot_args, config, log, lambda: _open_or_explain(build, config, log, boot_args.boot_error)
        ).run()
    return Generation(boot_args, config, log, build).run()


def _load_config(root: Path, command_line: CommandLine) -> tuple[Config, ConfigError | None]:
    """Return the configuration.

    If it is invalid, return the defaults, which are enough to log, and the error.
    """
    try:
        return load(root, command_line.environment, os.environ, command_line.flags), None
    except ConfigError as error:
        return Config(command_line.environment or "production", root), error


def open_application(config: Config) -> Application:
    """Import the target of the configuration and build the application.

    Raise BootError, or what the application raises.
    """
    return as_application(find_target(config), with_database(config))


def _open_or_explain(build: Callable[[], Application], config: Config, log: Log, boot_error: str) -> Application:
    """Build the application for development, where a failure becomes a page."""
    if boot_error:
        return BootFailureApp(BootError(boot_error), config)
    try:
        return build()
    except BaseException as error:  # noqa: BLE001 - SystemExit, SyntaxError: show it, keep serving
        if isinstance(error, ArlenError):
            log.error("boot_failed", reason=error.detail)
        else:
            log.failure("boot_failed", error)
        return BootFailureApp(error, config)


def with_database(config: Config) -> Config:
    """Return the configuration with a database URL.

    If an application with a folder `db` has no database URL, development and test start an embedded
    server for it. Other environments raise ConfigError: a throw-away server would seem to keep
    data.
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
    """Import the module of `[app] target` and return the object that it names.

    The folder of the application comes first on sys.path.
    """
    module_name, _, name = target_of(config).partition(":")
    root = str(config.root.absolute())
    if root not in sys.path:
        sys.path.insert(0, root)
    if importlib.util.find_spec(module_name.partition(".")[0]) is None:
        raise BootError(f"[app] target: there is no module {module_name!r} in {config.root}")
    module = importlib.import_module(module_name)
    target = getattr(module, name or "create", None)
    if target is None:
        raise BootError(f"[app] target: {module_name} has no {name or 'create'!r}")
    return target


def as_application(target: object, config: Config) -> Application:
    """Return the Application for an App, a `create(config)` or a WSGI callable."""
    if isinstance(target, App):
        return target
    if not callable(target):
        raise BootError(f"[app] target: {target!r} is neither create(config), an App nor a WSGI callable")
    if _is_wsgi_callable(target):
        return WSGIAdapter(target, config)
    built = target(config)
    if isinstance(built, App):
        return built
    if callable(built):
        return WSGIAdapter(built, config)
    raise BootError(f"[app] target: create(config) must return an App or a WSGI callable, not {type(built).__name__}")


def _is_wsgi_callable(target: Callable[..., object]) -> bool:
    """Return True if it must be called with environ and start_response (PEP 3333).

    WSGI callables have two required parameters, `create` has one. A callable that takes `*args`
    (from a decorator), or has no signature (written in C), counts as WSGI.
    """
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except ValueError:
        return True
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    ]
    required = [parameter for parameter in positional if parameter.default is parameter.empty]
    return len(required) == _WSGI_ARGUMENTS or (
        not positional and any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
