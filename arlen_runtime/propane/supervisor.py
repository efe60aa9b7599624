"""The manager. One rule: it never imports application code, so nothing the application does can stop it.

It binds the sockets, keeps the wanted number of workers alive, replaces generations, and heeds signals. Its loop is one
sentence: hear what was said, heed the signals, reap who has ended, look after what is due.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane import lineage
from arlen_runtime.propane.census import Census
from arlen_runtime.propane.kernel import become_subreaper
from arlen_runtime.propane.lineage import Lineage, WorkerRecord
from arlen_runtime.propane.listener import Listeners, address_of
from arlen_runtime.propane.messages import Message, hear, open_pair, say
from arlen_runtime.propane.notifier import Notifier
from arlen_runtime.propane.orders import Invocation, Orders
from arlen_runtime.propane.scoreboard import ManagerCell, Scoreboard
from arlen_runtime.propane.signals import SignalQueue
from arlen_runtime.propane.snapshot import Snapshot, snapshot
from arlen_runtime.propane.status_socket import StatusSocket
from arlen_runtime.propane.workforce import Workforce

LOOK_SECONDS = 1.0
"""How often workers are looked after when nothing else happens."""

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_WANTED = (
    *_STOPS,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCHLD,
)


class Supervisor:
    """The process at the top. `run` returns the exit status of the command."""

    def __init__(
        self,
        invocation: Invocation,
        config: Config,
        log: Log,
        listeners: Listeners,
        program: tuple[str, ...],
        *,
        reread: Callable[[], Config],
    ) -> None:
        """Take bound listeners and the arguments of the interpreter that run a generation; `reread` loads the settings."""
        self._invocation = invocation
        self._config = config
        self._log = log
        self._listeners = listeners
        self._program = program
        self._reread = reread
        self._scoreboard = Scoreboard()
        self._handover = open_pair()
        self._lineages: list[Lineage] = []
        self._current: Lineage | None = None
        self._coming: Lineage | None = None
        self._count = 0
        self._wanted = config.propane_accessories.worker_count
        self._reload_due = ""
        self._stopping_at = 0.0
        self._status: int | None = None
        self._poll = select.poll()
        self._heard: deque[tuple[Lineage, Message]] = deque()
        self._special: dict[int, Callable[[], None]] = {}
        self._census = Census(self._scoreboard)
        self._status_socket: StatusSocket | None = None
        self._workforce = Workforce(config.propane_accessories, self._scoreboard, log)
        self._exit_status = 0
        self.notifier = Notifier({})
        self.check = False
        self.respawn = True

    def watch(self, fd: int) -> None:
        """Reload whenever `fd` says something: the end of a watcher's pipe."""
        self._attend(fd, lambda: self._files_changed(fd))

    def _files_changed(self, fd: int) -> None:
        if os.read(fd, 4096):
            self._reload_due = "files_changed"

    def _attend(self, fd: int, what: Callable[[], None]) -> None:
        """Call `what` whenever there is something to read."""
        self._special[fd] = what
        self._poll.register(fd, select.POLLIN)

    def run(self) -> int:
        """Manage until told to stop; return the exit status."""
        self._signals = SignalQueue(_WANTED)
        self._poll.register(self._signals.fd, select.POLLIN)
        become_subreaper()
        self._scoreboard.manager[ManagerCell.STARTED] = time.monotonic_ns()
        self._open_status()
        self._start_generation("start")
        while self._status is None:
            self._poll_once()
            self._hear()
            self._heed()
            self._reap()
            self._look_after(time.monotonic())
            self._log.flush()
        if self._status_socket is not None:
            self._status_socket.close()
        self._log.info("manager_stopped", status=self._status)
        self._log.flush()
        return self._status

    def _open_status(self) -> None:
        """Let `propane status` find this manager; where that cannot be it is said, and nothing else is worse for it."""
        folder = self._config.propane_accessories.status_folder
        if not folder or self.check:
            return
        try:
            self._status_socket = StatusSocket(self._config.root / folder, self._snapshot)
        except OSError as error:
            self._log.warning("status_unavailable", folder=folder, reason=error.strerror or error)
        else:
            self._attend(self._status_socket.fd, self._status_socket.answer)

    def _snapshot(self) -> Snapshot:
        """Tell how things stand."""
        state = "serving" if self._current is not None else "starting"
        if self._coming is not None and self._current is not None:
            state = "reloading"
        return snapshot(
            self._scoreboard,
            self._lineages,
            state="stopping" if self._stopping_at else state,
            environment=self._config.environment,
            root=self._invocation.root,
            listening=[address_of(each) for each in self._listeners.sockets],
            workers_wanted=self._wanted,
        )

    # --- hear

    def _poll_once(self) -> None:
        moments = [when for each in self._lineages for when, _reason in each.due.values()]
        patience = min([LOOK_SECONDS, *(when - time.monotonic() for when in moments)])
        if self._stopping_at or self._coming is not None:
            patience = min(patience, LOOK_SECONDS / 10)
        patience = min(patience, self.notifier.feed(time.monotonic()))
        for fd, _mask in self._poll.poll(max(patience, 0) * 1000):
            if fd in self._special:
                self._special[fd]()

    def _hear(self) -> None:
        for each in list(self._lineages):
            try:
                while each in self._lineages and (message := hear(each.control)) is not None:
                    _MESSAGES[message["kind"]](self, each, message)
            except EOFError:
                continue  # all its processes have ended; they are reaped next

    def _on_booted(self, each: Lineage, _message: Message) -> None:
        each.booted = True
        if self.check:
            self._log.info("check_passed", generation=each.number)
            self._finish(0)
            return
        for number in range(each.wanted):
            self._workforce.ask(each, number, "start" if each.number == 1 else "reload")

    def _on_failed(self, each: Lineage, message: Message) -> None:
        if message["number"] is None or not each.ready_at:
            each.failure = str(message["reason"])

    def _on_forked(self, each: Lineage, message: Message) -> None:
        self._workforce.forked(each, message)

    def _on_ready(self, each: Lineage, message: Message) -> None:
        self._workforce.ready(each, message)
        if each.all_ready and not each.ready_at:
            each.ready_at = time.monotonic()
            self._on_generation_ready(each)

    def _on_exited(self, each: Lineage, message: Message) -> None:
        worker = each.worker_of(int(message["pid"]))
        if worker is not None:
            self._worker_ended(each, worker, int(message["status"]))

    # --- generations

    def _start_generation(self, reason: str, broken: str = "") -> None:
        self._count += 1
        ours, theirs = open_pair()
        orders = Orders(
            invocation=self._invocation,
            generation=self._count,
            control_fd=theirs.fileno(),
            scoreboard_fd=self._scoreboard.fd,
            handover_fds=(self._handover[0].fileno(), self._handover[1].fileno()),
            listener_fds=tuple(each.fileno() for each in self._listeners.sockets),
            broken=broken,
        )
        self._log.info("generation_starting", generation=self._count, reason=reason)
        self._log.flush()
        self._coming = lineage.start(orders, ours, self._program, self._wanted)
        theirs.close()
        self._lineages.append(self._coming)
        self._poll.register(ours.fileno(), select.POLLIN)

    def _on_generation_ready(self, each: Lineage) -> None:
        """Let the new generation take the place of the old one."""
        old, self._current, self._coming = self._current, each, None
        self._log.info("generation_ready", generation=each.number, workers=len(each.workers))
        self._scoreboard.manager[ManagerCell.GENERATION] = each.number
        self.notifier.ready(f"generation {each.number} serves with {len(each.workers)} workers")
        if old is None:
            for listener in self._listeners.sockets:
                self._log.info("listening", address=address_of(listener), workers=each.wanted)
        else:
            self._scoreboard.manager[ManagerCell.RELOADS_DONE] += 1
            self._dismiss(old, signal.SIGHUP)

    def _dismiss(self, each: Lineage, how: signal.Signals) -> None:
        """Have a generation's workers finish; it ends when the last of them has."""
        each.leaving_at = time.monotonic()
        each.due.clear()
        each.tell(how)
        if not each.workers:
            say(each.control, "end")

    def _reload(self, reason: str) -> None:
        """Start a new generation beside the old one; further wishes meanwhile become one."""
        self.notifier.reloading()
        try:
            config = self._reread()
        except ArlenError as error:
            self._reload_failed(error.detail)
            return
        if config.propane_accessories.worker_count != self._config.propane_accessories.worker_count:
            self._wanted = config.propane_accessories.worker_count
        self._config = config
        self._workforce.accessories = config.propane_accessories
        if self._invocation.development and self._current is not None:
            self._current.tell(signal.SIGUSR2)  # no request may meet old code
        self._start_generation(reason)

    def _generation_ended(self, each: Lineage, status: int) -> None:
        """Deal with the end of a generation's process: wanted, failed at boot, or crashed."""
        each.ended = True
        if each is self._coming:
            self._boot_failed(each, each.failure or f"the generation ended with status {status} before it was ready")
        elif each is self._current and not each.leaving_at and not self._stopping_at:
            self._log.error("generation_exited", generation=each.number, status=status, action="start_another")
            self._reload_due = self._reload_due or "generation_exited"
        self._forget_ended()

    def _boot_failed(self, each: Lineage, reason: str) -> None:
        """Throw a generation away that cannot serve; the old one goes on."""
        self._coming = None
        if each.pid and not each.ended:
            os.kill(each.pid, signal.SIGKILL)
        self._dismiss(each, signal.SIGKILL)
        if self._current is None and not self._invocation.development:
            self._log.error("boot_failed", reason=reason)
            self._finish(1)
        elif self._invocation.development and not each.orders.broken and not self._stopping_at:
            self._start_generation("show_failure", broken=reason)
        else:
            self._reload_failed(reason, generation=each.number)

    def _reload_failed(self, reason: str, **fields: object) -> None:
        self._scoreboard.manager[ManagerCell.RELOADS_FAILED] += 1
        self._log.error("reload_failed", **fields, reason=reason, action="old_generation_serves_on")
        self.notifier.ready("the last reload has failed; the generation before it serves on")

    def _worker_ended(self, each: Lineage, worker: WorkerRecord, status: int) -> None:
        """Deal with a worker's end: part of a boot, of a leave-taking, or a crash."""
        leaving = bool(each.leaving_at or self._stopping_at)
        failed = each is self._coming and not worker.ready_at
        wanted = self.respawn and not leaving and not failed and worker.number < each.wanted
        self._workforce.ended(each, worker, status, wanted=wanted)
        if failed:
            self._boot_failed(each, each.failure or f"worker {worker.number} ended before it was ready")
        elif not leaving and not self.respawn:
            self._exit_status = 1 if status else 0
            self._stop(signal.SIGTERM)
        elif each.leaving_at and not each.workers:
            self._log.info("generation_ended", generation=each.number)
            say(each.control, "end")
            self._forget_ended()

    # --- heed

    def _heed(self) -> None:
        for each in self._signals.take():
            if each in _STOPS:
                again = self._stopping_at and each is not signal.SIGTERM
                quick = each is signal.SIGQUIT or again or (self._invocation.development and each is signal.SIGINT)
                self._stop(signal.SIGQUIT if quick else signal.SIGTERM)
            elif each is signal.SIGHUP:
                self._reload_due = "signal_hup"
            elif each is signal.SIGUSR1:
                self._reopen()
            elif each in (signal.SIGTTIN, signal.SIGTTOU):
                self._wanted = max(self._wanted + (1 if each is signal.SIGTTIN else -1), 1)
                if self._current is not None:
                    self._workforce.resize(self._current, self._wanted)

    def _reopen(self) -> None:
        self._log.reopen()
        for each in self._lineages:
            os.kill(each.pid, signal.SIGUSR1)
            for worker in each.workers.values():
                if worker.pid:
                    os.kill(worker.pid, signal.SIGUSR1)

    def _stop(self, how: signal.Signals) -> None:
        """Stop: gracefully by SIGTERM, at once by SIGQUIT."""
        if not self._stopping_at:
            self._log.info("manager_stopping", signal=how.name)
            self.notifier.stopping()
            self._stopping_at = time.monotonic()
            self._coming = None
        for each in self._lineages:
            if not each.booted and not each.ended:
                os.kill(each.pid, signal.SIGKILL)
            self._dismiss(each, how)

    # --- reap

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, status: int) -> None:
        """File the end of a child: a generation, or a worker whose generation is gone; others are nobody's."""
        for each in list(self._lineages):
            if each.pid == pid:
                self._hear()  # its last words come before its end
                self._generation_ended(each, status)
            elif (worker := each.worker_of(pid)) is not None:
                self._worker_ended(each, worker, status)

    def _forget_ended(self) -> None:
        for each in [each for each in self._lineages if each.ended and not each.workers]:
            self._poll.unregister(each.control.fileno())
            each.control.close()
            self._lineages.remove(each)

    # --- look after

    def _look_after(self, now: float) -> None:
        for each in list(self._lineages):
            self._workforce.look_after(each, now)
        generations = [each.pid for each in self._lineages if not each.ended]
        self._census.look(now, self._config.propane_accessories.check_seconds, generations)
        coming = self._coming
        if coming is not None and now > coming.started_at + self._config.propane_accessories.boot_timeout_seconds:
            self._boot_failed(coming, "it was not ready within boot_timeout_seconds")
        if self._stopping_at and not self._lineages:
            self._finish(1 if self._workforce.unclean else self._exit_status)
        elif self._reload_due and self._coming is None and len(self._lineages) <= 1 and not self._stopping_at:
            reason, self._reload_due = self._reload_due, ""
            self._reload(reason)

    def _finish(self, status: int) -> None:
        """End the command; nothing that was started outlives it."""
        for each in self._lineages:
            each.tell(signal.SIGKILL)
            if not each.ended:
                os.kill(each.pid, signal.SIGKILL)
        self._status = status


_MESSAGES: dict[str, Callable[[Supervisor, Lineage, Message], None]] = {
    "booted": Supervisor._on_booted,  # noqa: SLF001 - the table of this class
    "failed": Supervisor._on_failed,  # noqa: SLF001 - the table of this class
    "forked": Supervisor._on_forked,  # noqa: SLF001 - the table of this class
    "ready": Supervisor._on_ready,  # noqa: SLF001 - the table of this class
    "exited": Supervisor._on_exited,  # noqa: SLF001 - the table of this class
}
