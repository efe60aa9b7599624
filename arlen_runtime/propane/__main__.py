"""The `propane` command: read the configuration, open the state, run the manager.

Invariant: what can be wrong is checked before a worker starts. An error ends the command with its
reason on standard error. `arlen serve` is the same command in the development environment, with one
worker and a file watcher. If it is asked for another environment, it shows no failure as a page: a
failure ends the command, as it ends `propane`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from arlen_runtime import start_state
from arlen_runtime.config.command_page import print_error
from arlen_runtime.config.flags import LaunchOptions, read_flags
from arlen_runtime.config.load import load
from arlen_runtime.config.printable import printable
from arlen_runtime.config.sections import Config
from arlen_runtime.config.target import target_of
from arlen_runtime.errors import ArlenError, BootError, ConfigError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane import status
from arlen_runtime.propane.ipc.boot_args import CommandLine
from arlen_runtime.propane.manager import reexec, state_format
from arlen_runtime.propane.manager.address_holder import naming_holder
from arlen_runtime.propane.manager.generations import Generations
from arlen_runtime.propane.manager.manager import Manager
from arlen_runtime.propane.manager.reexec import ReExec
from arlen_runtime.propane.manager.source_changes import SourceChanges
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.manager.status_socket import StatusSocket
from arlen_runtime.propane.manager.watcher_process import WatcherProcess
from arlen_runtime.propane.system.descriptors import raise_descriptor_limit
from arlen_runtime.propane.system.listeners import Listeners, check_addresses
from arlen_runtime.propane.system.pid_file import PidFile
from arlen_runtime.propane.system.systemd import SystemdNotifier

PROGRAM = ("-m", "arlen_runtime.boot")
"""What the interpreter runs as a generation: a name, for propane does not import what it serves."""


def main(arguments: Sequence[str] | None = None, *, program: str = "propane", development: bool = False) -> int:
    """Run the command and return its exit status: 0 stopped, 1 failed, 2 not an application.

    Wrong usage exits with status 2 (SystemExit).
    """
    start_state.begin()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words and words[0] == "status" and not development:
            return status.main(words[1:], program=f"{program} status")
        launch = read_flags(words, program, development=development)
        return _run(launch, words, os.environ, development=development)
    except ArlenError as error:
        print_error(program, error.detail)
        return error.exit_status


def _run(
    launch: LaunchOptions, arguments: Sequence[str], environ: MutableMapping[str, str], *, development: bool
) -> int:
    launch = launch._replace(root=Path(_configured_folder(launch.root)))
    config = _load(launch, environ, development=development)
    if launch.print_config:
        sys.stdout.write(json.dumps(printable(config), indent=2, default=str) + "\n")
        return 0
    target_of(config)  # raises if there is no application, before anything is bound
    raise_descriptor_limit()
    log = Log(config.log, config.environment, config.root)
    section = config.propane_accessories
    pid_file = config.root / section.pid_file if section.pid_file and not launch.check else None
    read_config: Callable[[], Config] = partial(_load, launch, environ, development=development)
    shows_failures = development and not config.production
    if shows_failures:
        read_config = _LastValidConfig(read_config, config)
    preflight = state_format.is_preflight(environ)
    inherited = reexec.read_state(environ)
    inherited_fd = inherited["pid_file_fd"] if inherited else -1
    with (
        PidFile(pid_file, inherited_fd, is_successor=inherited is not None) as held_file,
        _open_state(launch, config, environ, inherited) as state,
    ):
        state.pid_file_fd = held_file.fd
        if held_file.failure:
            log.error("pid_file_missing", reason=held_file.failure)
        command_line = CommandLine(str(launch.root), config.environment, launch.flags, shows_failures)
        generations = Generations(command_line, config, log, state, PROGRAM, read_config)
        manager = Manager(generations, state, log, ReExec(str(launch.root), arguments, log, read_config))
        manager.check, manager.respawn = launch.check, launch.respawn
        with ExitStack() as stack:
            if not launch.check:
                _serve_status(manager, config, log, stack)
            if development:
                manager.on_serving = partial(_announce, config.name)
                watcher = stack.enter_context(WatcherProcess(config.root, log))
                manager.add_reader(watcher.fd, partial(_read_digest, generations.source_changes, watcher))
            status = manager.run()
            return state_format.TAKES_OVER if preflight and status == 0 else status


class _LastValidConfig:
    """Last configuration that loaded.

    If it is invalid now, the next generation reports the error.
    """

    def __init__(self, read: Callable[[], Config], config: Config) -> None:
        self._read = read
        self._config = config

    def __call__(self) -> Config:
        with suppress(ConfigError):
            self._config = self._read()
        return self._config


def _read_digest(source_changes: SourceChanges, watcher: WatcherProcess) -> None:
    if digest := watcher.read_digest():
        source_changes.on_files_changed(digest)


def _announce(name: str, addresses: list[str]) -> None:
    """Tell the person at the terminal where to look. Other readers have the log."""
    if os.isatty(sys.stderr.fileno()):
        with suppress(OSError):  # the terminal has just been closed
            sys.stderr.write(f"Serving {name} at {', '.join(addresses)} (Ctrl-C stops)\n")
            sys.stderr.flush()


def _serve_status(manager: Manager, config: Config, log: Log, stack: ExitStack) -> None:
    status_socket = StatusSocket.open(config, manager.snapshot, log)
    if status_socket is not None:
        stack.callback(status_socket.close)
        manager.add_reader(status_socket.fd, status_socket.answer)


@contextmanager
def _open_state(
    launch: LaunchOptions, config: Config, environ: MutableMapping[str, str], inherited: dict[str, Any] | None
) -> Iterator[ManagerState]:
    """Yield the predecessor's state, or a new one. Close its listeners at the end."""
    section = config.propane_accessories
    if inherited is not None:
        state = ManagerState.from_dict(inherited)
    else:
        listeners = Listeners([])
        if launch.check:
            check_addresses(config.server)
        else:
            with naming_holder(config):
                listeners = Listeners.open(config.server, section.listen_backlog, config.root, environ)
        worker_count = section.worker_count
        state = ManagerState(
            listeners, worker_count=worker_count, configured=worker_count, notifier=SystemdNotifier.start(environ)
        )
        state.preload = state.preload or launch.check  # --check never forks: it checks the import
    with state.listeners, closing(state.listener_change):
        yield state


def _load(launch: LaunchOptions, environ: Mapping[str, str], *, development: bool) -> Config:
    default = "development" if development else "production"
    config = load(launch.root, launch.environment, environ, launch.flags, default=default)
    if not development:
        return config
    return replace(config, propane_accessories=replace(config.propane_accessories, worker_count=1))


def _configured_folder(root: Path) -> str:
    """Return the folder as it was named, with symbolic links unresolved.

    A deployment may move a link between two reloads. Raise BootError if the name is relative to a
    working directory that no longer exists.
    """
    if root.is_absolute():
        return str(root)
    try:
        resolved = str(Path.cwd())
    except FileNotFoundError:
        raise BootError("the working folder has been removed: change to another, or name one with --app-root") from None
    logical = os.environ.get("PWD", "")
    working_folder = logical if logical and os.path.realpath(logical) == resolved else resolved
    return os.path.normpath(os.path.join(working_folder, root))  # noqa: PTH118 - Path.resolve() would follow links


if __name__ == "__main__":
    sys.exit(main())
