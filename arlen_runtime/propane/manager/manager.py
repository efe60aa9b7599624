"""The manager. One rule: it never imports application code, so nothing the application does can stop it.

It hears what its generations say, heeds signals, and decides when all of it ends. Its loop is one sentence: hear what was
said, heed the signals, reap who has ended, look after what is due. What it owns is its estate, for its successor.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import ClassVar

from arlen_runtime.config.sections import MOST_WORKERS
from arlen_runtime.errors import BootError
from arlen_runtime.log.logger import Log, reopen_all
from arlen_runtime.propane.ipc.messages import Message, hear
from arlen_runtime.propane.ipc.scoreboard import ManagerCell
from arlen_runtime.propane.manager.generation_record import Lineage, WorkerRecord
from arlen_runtime.propane.manager.generations import Reign
from arlen_runtime.propane.manager.reexec import Succession
from arlen_runtime.propane.manager.resource_usage import Census
from arlen_runtime.propane.manager.snapshot import Snapshot, snapshot
from arlen_runtime.propane.manager.state import Estate
from arlen_runtime.propane.system.children import reaped
from arlen_runtime.propane.system.linux import become_subreaper
from arlen_runtime.propane.system.signals import SignalQueue

LOOK_SECONDS = 1.0
"""How often workers are looked after when nothing else happens."""

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_SIZES = {signal.SIGTTIN: 1, signal.SIGTTOU: -1}
_WANTED = (*_STOPS, *_SIZES, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)


class Supervisor:
    """The process at the top. `run` returns the exit status of the command."""

    def __init__(self, reign: Reign, estate: Estate, log: Log, succession: Succession) -> None:
        """Take the generations to manage, what they are given, and how another manager follows this one."""
        self._reign = reign
        self._log = log
        self._estate = estate
        self._succession = succession
        self._scoreboard = estate.scoreboard
        self._lineages = estate.lineages
        self._workforce = reign.workforce
        self._processes = reign.processes
        self._status: int | None = None
        self._exit_status = 0
        self._poll = reign.heard
        self._special: dict[int, Callable[[], None]] = {}
        self._census = Census(self._scoreboard)
        self.check = False
        self.respawn = True

    def attend(self, fd: int, what: Callable[[], None]) -> None:
        """Call `what` whenever there is something to read."""
        self._special[fd] = what
        self._poll.register(fd, select.POLLIN)

    def run(self) -> int:
        """Manage until told to stop; return the exit status."""
        self._signals = SignalQueue(_WANTED)
        self._poll.register(self._signals.fd, select.POLLIN)
        become_subreaper()
        self._begin()
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

    def _begin(self) -> None:
        """Start the first generation, or go on where a predecessor has stopped."""
        if self._lineages:
            self._log.info("manager_replaced", pid=os.getpid())
        else:
            self._scoreboard.manager[ManagerCell.STARTED] = time.monotonic_ns()
        self._reign.begin()

    def snapshot(self) -> Snapshot:
        """Tell how things stand."""
        reign = self._reign
        states = {"stopping": reign.stopping, "starting": reign.current is None, "reloading": reign.coming}
        return snapshot(
            self._scoreboard,
            self._lineages,
            state=next((word for word, so in states.items() if so), "serving"),
            environment=reign.config.environment,
            root=self._reign.invocation.root,
            listening=self._estate.addresses(),
            workers_wanted=self._estate.wanted,
            processes=[{"name": each.name, "pid": each.pid} for each in self._processes.running],
        )

    # --- hear

    def _poll_once(self) -> None:
        now = time.monotonic()
        moments = self._reign.moments()
        moments += [when for when, _reason in self._processes.due.values()]
        patience = min([LOOK_SECONDS, *(when - now for when in moments), self._estate.notifier.feed(now)])
        if self._reign.stopping or self._reign.coming is not None or self._estate.rearrangement.under_way:
            patience = min(patience, LOOK_SECONDS / 10)
        for fd, _mask in self._poll.poll(max(patience, 0) * 1000):
            if fd in self._special:
                self._special[fd]()

    def _hear(self) -> None:
        for each in list(self._lineages):
            try:
                while each in self._lineages and (message := hear(each.control)) is not None:
                    if heed := self._HEARD.get(message["kind"]):
                        heed(self, each, message)
            except EOFError:  # all its processes have ended; those that have told of themselves are reaped next
                self._workforce.forget_gone(each)

    def _on_booted(self, each: Lineage, _message: Message) -> None:
        each.booted = True
        if self.check:
            self._log.info("check_passed", generation=each.number)
            self._finish(0)
            return
        if each.ended or each.leaving_at:
            return  # nobody is there to be asked
        if each.reopens:
            each.tell_generation(signal.SIGUSR1)
        try:
            for number in range(each.wanted):
                self._workforce.ask(each, number, "start" if each.number == 1 else "reload")
        except BootError as error:
            self._reign.boot_failed(each, error.detail)

    def _on_failed(self, each: Lineage, message: Message) -> None:
        if message["number"] is None or not each.ready_at:
            each.failure = str(message["reason"])

    def _on_not_forked(self, each: Lineage, message: Message) -> None:
        self._workforce.not_forked(each, message)
        if each is self._reign.coming:
            self._reign.boot_failed(each, str(message["reason"]))
        elif each.leaving_at and not each.workers:
            each.end(time.monotonic())

    def _on_ready(self, each: Lineage, message: Message) -> None:
        self._workforce.ready(each, message)
        if each.all_ready and not (each.ready_at or each.leaving_at):
            self._reign.ready(each)

    def _on_exited(self, each: Lineage, message: Message) -> None:
        worker = each.worker_of(int(message["pid"]))
        if worker is not None:
            self._worker_ended(each, worker, int(message["status"]))

    # --- workers

    def _worker_ended(self, each: Lineage, worker: WorkerRecord, status: int) -> None:
        """Deal with a worker's end: part of a boot, of a leave-taking, or a crash."""
        leaving = bool(each.leaving_at or self._reign.stopping)
        failed = each is self._reign.coming and not worker.ready_at and worker.number < each.wanted
        wanted = self.respawn and not leaving and not failed and worker.number < each.wanted
        self._workforce.ended(each, worker, status, wanted=wanted)
        if failed:
            self._reign.boot_failed(each, each.failure or f"worker {worker.number} ended before it was ready")
        elif not leaving and not self.respawn and worker.number < each.wanted:
            self._exit_status = 1 if status else 0
            self._stop(signal.SIGTERM)
        elif each.leaving_at and not each.workers:
            each.end(time.monotonic())

    # --- heed

    def _heed(self) -> None:
        for each in self._signals.take():
            if each in _STOPS:
                again = self._reign.stopping and each is not signal.SIGTERM
                quick = (
                    each is signal.SIGQUIT or again or (self._reign.invocation.development and each is signal.SIGINT)
                )
                self._stop(signal.SIGQUIT if quick else signal.SIGTERM)
            elif each is signal.SIGHUP:
                self._estate.reload_due = "signal_hup"
            elif each is signal.SIGUSR1:
                self._reopen()
            elif each is signal.SIGUSR2 and not self._reign.invocation.development:
                self._succession.wanted = True
            elif each in _SIZES:
                self._resize(min(max(self._estate.wanted + _SIZES[each], 1), MOST_WORKERS))

    def _resize(self, wanted: int) -> None:
        self._estate.wanted = wanted
        self._log.info("workers_wanted", count=wanted)
        for each in (self._reign.current, self._reign.coming):
            if each is not None and not self._reign.stopping:
                self._workforce.resize(each, wanted)

    def _reopen(self) -> None:
        reopen_all()
        for each in self._lineages:
            if each.booted:
                each.tell_generation(signal.SIGUSR1)
            else:
                each.reopens = True  # it heeds no signal yet
            each.tell(signal.SIGUSR1)

    def _stop(self, how: signal.Signals) -> None:
        """Stop: gracefully by SIGTERM, at once by SIGQUIT."""
        if not self._reign.stopping:
            self._log.info("manager_stopping", signal=how.name)
            self._estate.notifier.stopping()
            if self.check:
                self._exit_status = 1  # nobody knows whether it would have passed
            self._succession.abandon()
            self._processes.stop()
        if how is signal.SIGQUIT:
            self._processes.kill()
        else:
            self._estate.listeners.seal()
        self._reign.stop(how)

    # --- reap

    def _reap(self) -> None:
        for pid, status in reaped():
            if not self._processes.ended(pid, status) and not self._succession.ended(pid, status):
                self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        """File the end of a child: a generation, or a worker whose generation is gone; others are nobody's."""
        for each in list(self._lineages):
            if each.pid == pid:
                each.ended = True  # first of all: the number may be another process's from now on
                self._hear()  # its last words come before its end
                self._reign.ended(each, status)
            elif (worker := each.worker_of(pid)) is not None:
                self._worker_ended(each, worker, status)

    # --- look after

    def _look_after(self, now: float) -> None:
        reign = self._reign
        reign.look_after(now)
        self._census.look(now, reign.config.propane_accessories.check_seconds, self._lineages)
        self._processes.look_after(now)
        self._succession.look_after(now)
        if reign.failed:
            self._finish(1)
        elif reign.stopping and not self._lineages and not self._processes.running:
            self._finish(1 if self._workforce.unclean or self._processes.unclean else self._exit_status)
        elif reign.is_settled:
            self._change(self._estate, reign.current, now)

    def _change(self, estate: Estate, current: Lineage | None, now: float) -> None:
        """Begin what is due and would not bear another change beside it: one thing at a time."""
        if current is not None and 0 < current.succeeded_at <= now:
            current.succeeded_at = 0.0
            estate.reload_due = estate.reload_due or "generation_exited"
        if self._succession.passed:
            will = estate.will() | {"reload_due": "manager_replaced"}  # a reload that is due stays due if this fails
            self._succession.replace(will, estate.descriptors(), self._signals.hold)
        elif estate.reload_due and not self._succession.checking:
            reason, estate.reload_due = estate.reload_due, ""
            self._reign.reload(reason)
        elif self._succession.wanted:
            self._succession.check()

    def _finish(self, status: int) -> None:
        """End the command; nothing that was started outlives it."""
        self._processes.kill()
        self._succession.abandon()
        for each in self._lineages:
            each.tell(signal.SIGKILL)
            each.tell_generation(signal.SIGKILL)
        self._lineages.clear()  # we have ended them, and their ends say nothing about the status
        self._status = status

    _HEARD: ClassVar[dict[str, Callable[[Supervisor, Lineage, Message], None]]] = {
        "booted": _on_booted,
        "failed": _on_failed,
        "forked": lambda self, each, message: self._workforce.forked(each, message),
        "not_forked": _on_not_forked,
        "ready": _on_ready,
        "retiring": lambda self, each, message: self._workforce.retire(each, message, replaced=self.respawn),
        "exited": _on_exited,
    }
