"""A generation: a process that imports the application once and forks workers.

It decides nothing: the manager requests forks and the end, the generation reports what happened.
After the import, everything is frozen (gc.freeze): the collector does not touch it, so its memory
stays shared with the workers, and a crashed worker is replaced within milliseconds.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.http.application import Application
from arlen_runtime.log.logger import Log, reopen_all
from arlen_runtime.propane.ipc.boot_args import BootArgs, WorkerContext
from arlen_runtime.propane.ipc.messages import Message, receive, send
from arlen_runtime.propane.ipc.scoreboard import Scoreboard
from arlen_runtime.propane.ipc.source_tree import SourceTree
from arlen_runtime.propane.system import signals
from arlen_runtime.propane.system.children import fork
from arlen_runtime.propane.system.descriptors import raise_descriptor_limit
from arlen_runtime.propane.system.listeners import adopt
from arlen_runtime.propane.worker.worker import Worker

_IGNORED_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


def _started_threads() -> list[str]:
    """Return the names of threads that the import has started.

    They would not exist after a fork.
    """
    tasks = Path("/proc/self/task")
    if tasks.exists() and len(list(tasks.iterdir())) == 1:
        return []
    return [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]


class Generation:
    """One version of the application's code, and the workers that run it.

    Takes over the inherited descriptors. `load` imports the application and returns it. In
    development, `source_tree` is what its files were before that.
    """

    def __init__(
        self,
        boot_args: BootArgs,
        config: Config,
        log: Log,
        load: Callable[[], Application],
        source_tree: SourceTree | None = None,
    ) -> None:
        self._boot_args = boot_args
        self._log = log
        self._load: Callable[[], Application] = partial(self._load_and_check, load)
        self._control = self._open_socket(boot_args.control_fd)
        self.sidecar_environ: dict[str, str] = {}
        """Variables for the programs beside the workers. The manager gets them."""
        self._worker_context = WorkerContext(
            config=config,
            log=log,
            scoreboard=Scoreboard(boot_args.scoreboard_fd),
            control=self._control,
            handover=(self._open_socket(boot_args.handover_fds[0]), self._open_socket(boot_args.handover_fds[1])),
            listeners=tuple(adopt(fd) for fd in boot_args.listener_fds),
            owns_listeners=boot_args.owns_listeners,
            generation=boot_args.generation,
            source_tree=source_tree,
        )
        if source_tree is not None:
            send(self._control, "importing", pid=os.getpid(), source_digest=source_tree.digest)

    def _open_socket(self, fd: int) -> socket.socket:
        packet_socket = socket.socket(fileno=fd)
        packet_socket.setblocking(False)
        # Programs that the application starts must not hold it. `_import_per_worker` undoes this.
        os.set_inheritable(fd, False)
        return packet_socket

    def run(self) -> int:
        """Import the application, then fork workers on request. Return the exit status."""
        try:
            self._import()
        except ArlenError as error:
            return self._report_failure(error.detail)
        except BaseException as error:  # noqa: BLE001 - whatever importing the application raises is the reason to report
            self._log.failure("boot_failed", error, generation=self._boot_args.generation)
            self._log.flush()
            return self._report_failure(f"{type(error).__name__}: {error}")
        # Now, not before: what the import has started, PostgreSQL for example, has the limit of the
        # command.
        raise_descriptor_limit()
        self._signals = signals.SignalQueue({signal.SIGCHLD, signal.SIGUSR1}, _IGNORED_SIGNALS)
        send(self._control, "booted", pid=os.getpid(), sidecar_environ=self.sidecar_environ)
        poll = select.poll()
        poll.register(self._signals.fd, select.POLLIN)
        poll.register(self._control.fileno(), select.POLLIN)
        while True:
            poll.poll()
            self._handle_signals()
            try:
                while (message := receive(self._control)) is not None:
                    if message["kind"] == "end":
                        return 0
                    self._fork(message)
            except EOFError:
                return 0  # the manager has exited; the workers notice it too, drain and exit

    def _report_failure(self, reason: str) -> int:
        send(self._control, "failed", number=None, pid=os.getpid(), reason=reason)
        return 1

    def _import(self) -> None:
        if not self._boot_args.preload:
            return
        gc.disable()  # a collection would write to what is built now and so unshare its pages
        application = self._load()
        threads = _started_threads()
        if threads:
            self._import_per_worker(threads)
        self._load = lambda: application
        gc.collect()
        gc.freeze()

    def _load_and_check(self, load: Callable[[], Application]) -> Application:
        """Import the application, in this process or in a worker.

        In development, a change of source files during the import counts as one after it, unless
        the import itself writes them each time.
        """
        application = load()
        source_tree = self._worker_context.source_tree
        if source_tree is not None and source_tree.is_outdated():
            if self._boot_args.import_writes_sources:
                source_tree.imported_digest = source_tree.digest
            send(self._control, "changed_during_import", pid=os.getpid(), source_digest=source_tree.digest)
        return application

    def _import_per_worker(self, threads: list[str]) -> None:
        """Exec this generation again, with workers that import for themselves."""
        self._log.warning("import_started_threads", threads=", ".join(threads), action="import_per_worker")
        self._log.flush()
        boot_args = replace(self._boot_args, preload=False)
        for fd in boot_args.descriptors:
            os.set_inheritable(fd, True)
        # As for the first exec (spawn): a signal must not end an interpreter that is starting. What
        # arrives now stays pending until `signals.begin` in the new program.
        signals.block()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-1], boot_args.as_argument()])  # noqa: S606 - ourselves again

    def _handle_signals(self) -> None:
        for sig in self._signals.take():
            if sig is signal.SIGUSR1:
                reopen_all()  # a worker forked later would inherit the old file
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            send(self._control, "exited", pid=pid, status=os.waitstatus_to_exitcode(status))

    def _fork(self, message: Message) -> None:
        self._log.flush()  # parent and child would both write what is buffered
        number, row = int(message["number"]), int(message["row"])
        try:
            pid = fork(f"worker {number}")
        except BootError as error:
            send(self._control, "not_forked", row=row, reason=error.detail)
            return
        # Both processes come here with signals blocked. The parent goes on with its queue. The
        # child unblocks them once it has a queue of its own (Worker.run); until then they stay
        # pending.
        if pid == 0:
            self._become_worker(number, row)
        signals.unblock()
        send(self._control, "forked", row=row, pid=pid)

    def _become_worker(self, number: int, row: int) -> None:
        status = 1
        try:
            self._signals.close()  # a signal to the child must not wake the parent through the shared pipe
            status = Worker(self._worker_context, number, row).run(self._load)
        except BaseException as error:  # noqa: BLE001 - the child must never return into its parent's frames
            self._log.failure("worker_failed", error, worker=number)
            self._log.flush()
        finally:
            os._exit(status)
