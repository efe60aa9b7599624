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
from pathlib import Path

from arlen_runtime import start_state
from arlen_runtime.app import App
from arlen_runtime.app_config import EMBEDDED_DATA, with_database
from arlen_runtime.config.load import load
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import target_of
from arlen_runtime.error_pages.boot_failure_app import BootFailureApp
from arlen_runtime.errors import ArlenError, BootError, ConfigError
from arlen_runtime.http.application import Application
from arlen_runtime.live_reload.application import LiveReload, config_for_live_reload
from arlen_runtime.log.bridge import connect_libraries
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.generation import Generation
from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.ipc.source_tree import SourceTree
from arlen_runtime.propane.system import signals
from arlen_runtime.wsgi import WSGIAdapter

_WSGI_ARGUMENTS = 2


def main(arguments: list[str]) -> int:
    """Run a generation; return its exit status."""
    start_state.begin()
    signals.begin()
    try:
        boot_args = BootArgs.from_argument(arguments[0])
    except BootError as error:
        sys.stderr.write(f"{error.detail}\n")
        return error.exit_status
    command_line = boot_args.command_line
    # Before the configuration, which is one of these files: a change from now on is noticed.
    source_tree = SourceTree(Path(command_line.root)) if command_line.development else None
    config, config_error = _load_config(Path(command_line.root), command_line)
    log = Log(config.log, config.environment, config.root)
    _export(config, log)
    live_tree = source_tree if config.app.live_reload and config.environment == "development" else None
    config = config if live_tree is None else config_for_live_reload(config)
    database_url, database_error = "", None
    if config_error is None and not boot_args.boot_error:
        config, database_url, database_error = _start_database(config, log)

    def build() -> Application:
        if config_error is not None:
            raise config_error
        target = find_target(config)  # an error of the import is reported first
        if database_error is not None:
            raise database_error
        application = as_application(target, config)
        connect_libraries(log, config.log.libraries)
        return application

    def build_or_explain() -> Application:
        application = _open_or_explain(build, config, log, boot_args.boot_error, refreshes=live_tree is None)
        return application if live_tree is None else _with_live_reload(application, config, live_tree)

    load_application = build_or_explain if command_line.development else build
    generation = Generation(boot_args, config, log, load_application, source_tree)
    if database_url:
        generation.sidecar_environ = {"ARLEN_DATABASE_URL": database_url}
    return generation.run()


def _export(config: Config, log: Log) -> None:
    """Set the variables that the application and the processes that it starts see."""
    config.sources.export(os.environ)
    os.environ.update(ARLEN_ENV=config.environment, ARLEN_APP_ROOT=str(config.root))
    if config.sources.warning:
        log.warning("env_file_ignored", reason=config.sources.warning)


def _load_config(root: Path, command_line: CommandLine) -> tuple[Config, ConfigError | None]:
    """Return the configuration.

    If it is invalid, return the defaults, which are enough to log, and the error.
    """
    try:
        return load(root, command_line.environment, os.environ, command_line.flags), None
    except ConfigError as error:
        return Config(command_line.environment or "production", root), error


def _start_database(config: Config, log: Log) -> tuple[Config, str, Exception | None]:
    """Start the embedded server if it is needed, before the import and in this process.

    Return the configuration, the server's URL, if any, and the error. Workers that import for
    themselves find the server running, and the manager gets the URL in any case.
    """

    def report_new() -> None:
        log.info("making_postgresql", folder=config.root / EMBEDDED_DATA)

    try:
        started = with_database(config, report_new)
    except Exception as error:  # noqa: BLE001 - of any kind: the application cannot be built without
        return config, "", error
    return started, "" if config.database.url else started.database.url, None


def open_application(config: Config) -> Application:
    """Import the target of the configuration and build the application.

    Raise BootError, or what the application raises.
    """
    return as_application(find_target(config), config)


def _open_or_explain(
    build: Callable[[], Application], config: Config, log: Log, boot_error: str, *, refreshes: bool
) -> Application:
    """Build the application for development, where a failure becomes a page."""
    if boot_error:
        return BootFailureApp(BootError(boot_error), config, refreshes=refreshes)
    try:
        return build()
    except BaseException as error:  # noqa: BLE001 - SystemExit, SyntaxError: show it, keep serving
        if isinstance(error, ArlenError):
            log.error("boot_failed", reason=error.detail)
        else:
            log.failure("boot_failed", error)
        return BootFailureApp(error, config, refreshes=refreshes)


def _with_live_reload(application: Application, config: Config, source_tree: SourceTree) -> LiveReload:
    """Let pages reload. The version of the code leaves out public files, which are no code."""
    public = config.root / config.static.folder
    code = source_tree.digest_outside(public)
    if isinstance(application, BootFailureApp):
        code += "-failed"  # the reason may lie outside of the files: a database that does not answer
    return LiveReload(
        application, config, code, [public, *(application.views.folders if isinstance(application, App) else ())]
    )


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
    application = _application_of(target, config)
    config.check_settings()
    return application


def _application_of(target: object, config: Config) -> Application:
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
