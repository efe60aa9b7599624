"""The manager. One rule: it never imports application code, so nothing the application does can stop it.

It binds the sockets, keeps the wanted number of workers alive, replaces generations, and heeds signals. Its loop is one
sentence: hear what was said, heed the signals, reap who has ended, look after what is due.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane import lineage
from arlen_runtime.propane.kernel import become_subreaper
from arlen_runtime.propane.lineage import Lineage, WorkerRecord, tell
from arlen_runtime.propane.listener import address_of
from arlen_runtime.propane.messages import Message, hear, open_pair, say
from arlen_runtime.propane.orders import Invocation, Orders
from arlen_runtime.propane.respawn import Respawn
from arlen_runtime.propane.scoreboard import Cell, Scoreboard, State
from arlen_runtime.propane.signals import SignalQueue

LOOK_SECONDS = 1.0
"""How often workers are looked after when nothing else happens."""
KILL_SECONDS = 1.0
"""How long after the end of the grace, or after SIGABRT, a process is killed."""

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
        listeners: list[socket.socket],
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
        self._watch_fd = -1
        self._respawn = Respawn(config.propane_accessories.respawn_delay_ms / 1000)
        self.check = False
        self.respawn = True

    def watch(self, fd: int) -> None:
        """Reload whenever `fd` says something: the end of a watcher's pipe."""
        self._watch_fd = fd
        self._poll.register(fd, select.POLLIN)

    def run(self) -> int:
        """Manage until told to stop; return the exit status."""
        self._signals = SignalQueue(_WANTED)
        self._poll.register(self._signals.fd, select.POLLIN)
        become_subreaper()
        self._start_generation("start")
        while self._status is None:
            self._poll_once()
            self._hear()
            self._heed()
            self._reap()
            self._look_after(time.monotonic())
            self._log.flush()
        self._log.info("manager_stopped", status=self._status)
        self._log.flush()
        return self._status

    # --- hear

    def _poll_once(self) -> None:
        moments = [when for each in self._lineages for when, _reason in each.due.values()]
        patience = min([LOOK_SECONDS, *(when - time.monotonic() for when in moments)])
        if self._stopping_at or self._coming is not None:
            patience = min(patience, LOOK_SECONDS / 10)
        for fd, _mask in self._poll.poll(max(patience, 0) * 1000):
            if fd == self._watch_fd and os.read(fd, 4096):
                self._reload_due = "files_changed"

    def _hear(self) -> None:
        for each in self._lineages:
            try:
                while (message := hear(each.control)) is not None:
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
            self._ask(each, number, "start" if each.number == 1 else "reload")

    def _on_failed(self, each: Lineage, message: Message) -> None:
        if message["number"] is None or not each.ready_at:
            each.failure = str(message["reason"])

    def _on_forked(self, each: Lineage, message: Message) -> None:
        worker = each.workers.get(int(message["number"]))
        if worker is None:
            return
        worker.pid = int(message["pid"])
        self._log.info(
            "worker_started", worker=worker.number, pid=worker.pid, generation=each.number, reason=worker.reason
        )
        if each.leaving_at:  # asked for before the generation was told to go
            tell(worker, signal.SIGTERM)

    def _on_ready(self, each: Lineage, message: Message) -> None:
        worker = each.worker_of(int(message["pid"]))
        if worker is None:  # it was faster than its generation's word
            worker = each.workers[int(message["number"])]
            worker.pid = int(message["pid"])
        worker.ready_at = time.monotonic()
        if each.all_ready and not each.ready_at:
            each.ready_at = time.monotonic()
            self._on_generation_ready(each)

    def _on_exited(self, each: Lineage, message: Message) -> None:
        self._worker_ended(each, int(message["pid"]), int(message["status"]))

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
            listener_fds=tuple(each.fileno() for each in self._listeners),
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
        self._respawn.begun()
        self._log.info("generation_ready", generation=each.number, workers=len(each.workers))
        if old is None:
            for listener in self._listeners:
                self._log.info("listening", address=address_of(listener), workers=each.wanted)
        else:
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
        try:
            config = self._reread()
        except ArlenError as error:
            self._log.error("reload_failed", reason=error.detail, action="old_generation_serves_on")
            return
        if config.propane_accessories.worker_count != self._config.propane_accessories.worker_count:
            self._wanted = config.propane_accessories.worker_count
        self._config = config
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
            self._log.error("reload_failed", generation=each.number, reason=reason, action="old_generation_serves_on")

    # --- workers

    def _ask(self, each: Lineage, number: int, reason: str) -> None:
        row = self._scoreboard.free_row()
        self._scoreboard.rows[row][Cell.STATE] = State.STARTING
        each.ask(number, row, reason)

    def _worker_ended(self, each: Lineage, pid: int, status: int) -> None:
        worker = each.worker_of(pid)
        if worker is None:
            return
        del each.workers[worker.number]
        self._scoreboard.rows[worker.row].clear()
        reason = f"signal_{-status}" if status < 0 else f"exit_{status}"
        action = self._after(each, worker, status, reason)
        self._log.info(
            "worker_exited",
            worker=worker.number,
            pid=pid,
            generation=each.number,
            reason=reason,
            action=action,
        )
        if each.leaving_at and not each.workers:
            self._log.info("generation_ended", generation=each.number)
            say(each.control, "end")
            self._forget_ended()

    def _after(self, each: Lineage, worker: WorkerRecord, status: int, reason: str) -> str:
        """Decide what follows a worker's end; return the action's name."""
        if each.leaving_at or self._stopping_at:
            if status and worker.told != "SIGKILL" and self._stopping_at:
                self._respawn.unclean = True
            return "none"
        if not self.respawn:
            self._stop(signal.SIGTERM, status=1 if status else 0)
            return "stop"
        if each is self._coming and not worker.ready_at:
            self._boot_failed(each, each.failure or f"worker {worker.number} ended ({reason}) before it was ready")
            return "give_up"
        if worker.number >= self._wanted:
            return "none"
        delay = self._respawn.delay_after(each, worker, status)
        each.due[worker.number] = (time.monotonic() + delay, f"respawn_after_{reason}")
        if delay:
            self._log.warning("worker_crash_loop", worker=worker.number, reason=reason, delay_seconds=round(delay, 3))
        return "respawn"

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
                self._resize(self._wanted + (1 if each is signal.SIGTTIN else -1))

    def _reopen(self) -> None:
        self._log.reopen()
        for each in self._lineages:
            os.kill(each.pid, signal.SIGUSR1)
            for worker in each.workers.values():
                if worker.pid:
                    os.kill(worker.pid, signal.SIGUSR1)

    def _resize(self, wanted: int) -> None:
        """Have one worker more or fewer; never none."""
        current = self._current
        if current is None or wanted < 1:
            return
        self._wanted = current.wanted = wanted
        self._log.info("workers_wanted", count=wanted)
        for number in range(wanted):
            if number not in current.workers:
                self._ask(current, number, "signal_ttin")
        for number, worker in current.workers.items():
            if number >= wanted:
                tell(worker, signal.SIGTERM)

    def _stop(self, how: signal.Signals, status: int | None = None) -> None:
        """Stop: gracefully by SIGTERM, at once by SIGQUIT."""
        if not self._stopping_at:
            self._log.info("manager_stopping", signal=how.name)
            self._stopping_at = time.monotonic()
            self._respawn.status = status
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
            elif each.worker_of(pid) is not None:
                self._worker_ended(each, pid, status)

    def _forget_ended(self) -> None:
        for each in [each for each in self._lineages if each.ended and not each.workers]:
            self._poll.unregister(each.control.fileno())
            each.control.close()
            self._lineages.remove(each)

    # --- look after

    def _look_after(self, now: float) -> None:
        for each in list(self._lineages):
            self._respawn_due(each, now)
            self._replace_silent(each, now)
            if each.leaving_at and now > each.leaving_at + self._grace + KILL_SECONDS:
                self._kill(each)
        coming = self._coming
        if coming is not None and now > coming.started_at + self._config.propane_accessories.boot_timeout_seconds:
            self._boot_failed(coming, "it was not ready within boot_timeout_seconds")
        if self._stopping_at and not self._lineages:
            self._finish(self._respawn.exit_status())
        elif self._reload_due and self._coming is None and len(self._lineages) <= 1 and not self._stopping_at:
            reason, self._reload_due = self._reload_due, ""
            self._reload(reason)

    @property
    def _grace(self) -> float:
        return self._config.propane_accessories.graceful_shutdown_seconds

    def _respawn_due(self, each: Lineage, now: float) -> None:
        for number, (when, reason) in list(each.due.items()):
            if when <= now and not each.ended:
                del each.due[number]
                self._ask(each, number, reason)

    def _replace_silent(self, each: Lineage, now: float) -> None:
        seconds = self._config.propane_accessories.worker_timeout_seconds
        for worker in each.silent(self._scoreboard.rows, Cell.TICK, seconds):
            if worker.told == "SIGABRT" and now > worker.ready_at + KILL_SECONDS:
                tell(worker, signal.SIGKILL)
            elif worker.told != "SIGKILL":
                self._log.error("worker_silent", worker=worker.number, pid=worker.pid, seconds=seconds)
                worker.ready_at = now
                tell(worker, signal.SIGABRT)  # faulthandler prints its stacks

    def _kill(self, each: Lineage) -> None:
        for worker in each.workers.values():
            if worker.told != "SIGKILL":
                self._log.error("grace_exceeded", worker=worker.number, pid=worker.pid, action="kill")
                self._respawn.unclean = True
                tell(worker, signal.SIGKILL)
        if not each.workers and not each.ended:
            os.kill(each.pid, signal.SIGKILL)

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
