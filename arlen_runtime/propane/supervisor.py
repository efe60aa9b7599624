"""The manager. One rule: it never imports application code, so nothing the application does can stop it.

It keeps the wanted number of workers alive, replaces generations, and heeds signals. Its loop is one sentence: hear what
was said, heed the signals, reap who has ended, look after what is due. What it owns is its estate, for its successor.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import ClassVar

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError
from arlen_runtime.log.logger import Log, reopen_all
from arlen_runtime.propane import lineage
from arlen_runtime.propane.census import Census
from arlen_runtime.propane.children import reaped
from arlen_runtime.propane.estate import Estate
from arlen_runtime.propane.kernel import become_subreaper
from arlen_runtime.propane.lineage import Lineage, WorkerRecord
from arlen_runtime.propane.messages import Message, hear, open_pair
from arlen_runtime.propane.orders import Invocation
from arlen_runtime.propane.processes import SideProcesses
from arlen_runtime.propane.scoreboard import ManagerCell
from arlen_runtime.propane.signals import SignalQueue
from arlen_runtime.propane.snapshot import Snapshot, snapshot
from arlen_runtime.propane.succession import Succession
from arlen_runtime.propane.workforce import Workforce

LOOK_SECONDS = 1.0
"""How often workers are looked after when nothing else happens."""

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_SIZES = {signal.SIGTTIN: 1, signal.SIGTTOU: -1}
_WANTED = (*_STOPS, *_SIZES, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)


class Supervisor:
    """The process at the top. `run` returns the exit status of the command."""

    def __init__(  # noqa: PLR0913 - what it is told, what it owns, and what it may do
        self,
        invocation: Invocation,
        config: Config,
        log: Log,
        estate: Estate,
        program: tuple[str, ...],
        *,
        reread: Callable[[], Config],
        succession: Succession,
    ) -> None:
        """Take the arguments of the interpreter that run a generation; `reread` loads the settings."""
        self._invocation = invocation
        self._config = config
        self._log = log
        self._estate = estate
        self._program = program
        self._reread = reread
        self._succession = succession
        self._scoreboard = estate.scoreboard
        self._lineages = estate.lineages
        self._current: Lineage | None = None
        self._coming: Lineage | None = None
        self._stopping_at = 0.0
        self._status: int | None = None
        self._exit_status = 0
        self._poll = select.poll()
        self._special: dict[int, Callable[[], None]] = {}
        self._census = Census(self._scoreboard)
        self._workforce = Workforce(config.propane_accessories, self._scoreboard, log)
        self._processes = SideProcesses(invocation.root, config, log, estate.programs)
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
        if not self._lineages:
            self._scoreboard.manager[ManagerCell.STARTED] = time.monotonic_ns()
            self._start_generation("start")
            return
        self._log.info("manager_replaced", pid=os.getpid())
        self._current = self._lineages[0]
        for each in self._lineages:
            self._poll.register(each.control.fileno(), select.POLLIN)

    def snapshot(self) -> Snapshot:
        """Tell how things stand."""
        states = {"stopping": self._stopping_at, "starting": self._current is None, "reloading": self._coming}
        return snapshot(
            self._scoreboard,
            self._lineages,
            state=next((word for word, so in states.items() if so), "serving"),
            environment=self._config.environment,
            root=self._invocation.root,
            listening=self._estate.addresses(),
            workers_wanted=self._estate.wanted,
            processes=[{"name": each.name, "pid": each.pid} for each in self._processes.running],
        )

    # --- hear

    def _poll_once(self) -> None:
        now = time.monotonic()
        moments = [when for each in self._lineages for when in each.moments()]
        moments += [when for when, _reason in self._processes.due.values()]
        patience = min([LOOK_SECONDS, *(when - now for when in moments), self._estate.notifier.feed(now)])
        if self._stopping_at or self._coming is not None or self._estate.rearrangement.under_way:
            patience = min(patience, LOOK_SECONDS / 10)
        for fd, _mask in self._poll.poll(max(patience, 0) * 1000):
            if fd in self._special:
                self._special[fd]()

    def _hear(self) -> None:
        for each in list(self._lineages):
            try:
                while each in self._lineages and (message := hear(each.control)) is not None:
                    self._HEARD[message["kind"]](self, each, message)
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
        ours, theirs = open_pair()
        orders = self._estate.orders(self._invocation, theirs, broken)
        self._log.info("generation_starting", generation=orders.generation, reason=reason)
        self._log.flush()
        self._coming = lineage.start(orders, ours, self._program, self._estate.wanted)
        theirs.close()
        self._lineages.append(self._coming)
        self._poll.register(ours.fileno(), select.POLLIN)

    def _on_generation_ready(self, each: Lineage) -> None:
        """Let the new generation take the place of the old one."""
        old, self._current, self._coming = self._current, each, None
        self._log.info("generation_ready", generation=each.number, workers=len(each.workers))
        self._scoreboard.manager[ManagerCell.GENERATION] = each.number
        self._estate.notifier.ready(f"generation {each.number} serves with {len(each.workers)} workers")
        if old is None:
            for address in self._estate.addresses():
                self._log.info("listening", address=address, workers=each.wanted)
        else:
            self._scoreboard.manager[ManagerCell.RELOADS_DONE] += 1
            overlap = 0.0 if self._invocation.development else self._config.propane_accessories.reload_overlap_seconds
            old.leaves_at = each.ready_at + overlap
        self._processes.arrange("start" if old is None else "reload")

    def _dismiss(self, each: Lineage, how: signal.Signals) -> None:
        """Have a generation's workers finish; it ends when the last of them has."""
        each.leaving_at = time.monotonic()
        each.due.clear()
        each.tell(how)
        if not each.workers:
            each.end(each.leaving_at)

    def _reload(self, reason: str) -> None:
        """Start a new generation beside the old one; further wishes meanwhile become one."""
        self._estate.notifier.reloading()
        try:
            config = self._reread()
            self._estate.rearrangement.begin(config)
        except ArlenError as error:
            self._reload_failed(error.detail)
            return
        count = config.propane_accessories.worker_count
        if count != self._estate.configured:  # else what signals have made of it stays
            self._estate.wanted = self._estate.configured = count
        self._config = config
        self._workforce.accessories = self._processes.accessories = config.propane_accessories
        if self._invocation.development and self._current is not None:
            self._current.tell(signal.SIGUSR2)  # no request may meet old code
        self._start_generation(reason)

    def _generation_ended(self, each: Lineage, status: int) -> None:
        """Deal with the end of a generation's process: wanted, failed at boot, or crashed."""
        each.ended = True
        self._workforce.forget_unborn(each)
        if each is self._coming:
            self._boot_failed(each, each.failure or f"the generation ended with status {status} before it was ready")
        elif each is self._current and not each.leaving_at and not self._stopping_at:
            self._log.error("generation_exited", generation=each.number, status=status, action="start_another")
            self._workforce.plan_successor(each)
        self._forget_ended()

    def _boot_failed(self, each: Lineage, reason: str) -> None:
        """Throw a generation away that cannot serve; the old one goes on."""
        self._coming = None
        self._estate.rearrangement.undo()
        each.tell_generation(signal.SIGKILL)
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
        self._estate.notifier.ready("the last reload has failed; the generation before it serves on")
        if self._current is not None and self._current.ended:  # its workers serve, but nobody could replace them
            self._workforce.plan_successor(self._current)

    def _worker_ended(self, each: Lineage, worker: WorkerRecord, status: int) -> None:
        """Deal with a worker's end: part of a boot, of a leave-taking, or a crash."""
        leaving = bool(each.leaving_at or self._stopping_at)
        failed = each is self._coming and not worker.ready_at and worker.number < each.wanted
        wanted = self.respawn and not leaving and not failed and worker.number < each.wanted
        self._workforce.ended(each, worker, status, wanted=wanted)
        if failed:
            self._boot_failed(each, each.failure or f"worker {worker.number} ended before it was ready")
        elif not leaving and not self.respawn:
            self._exit_status = 1 if status else 0
            self._stop(signal.SIGTERM)
        elif each.leaving_at and not each.workers:
            each.end(time.monotonic())
            self._forget_ended()

    # --- heed

    def _heed(self) -> None:
        for each in self._signals.take():
            if each in _STOPS:
                again = self._stopping_at and each is not signal.SIGTERM
                quick = each is signal.SIGQUIT or again or (self._invocation.development and each is signal.SIGINT)
                self._stop(signal.SIGQUIT if quick else signal.SIGTERM)
            elif each is signal.SIGHUP:
                self._estate.reload_due = "signal_hup"
            elif each is signal.SIGUSR1:
                self._reopen()
            elif each is signal.SIGUSR2 and not self._invocation.development:
                self._succession.wanted = True
            elif each in _SIZES:
                self._resize(max(self._estate.wanted + _SIZES[each], 1))

    def _resize(self, wanted: int) -> None:
        self._estate.wanted = wanted
        self._log.info("workers_wanted", count=wanted)
        for each in (self._current, self._coming):
            if each is not None and not self._stopping_at:
                self._workforce.resize(each, wanted)

    def _reopen(self) -> None:
        reopen_all()
        for each in self._lineages:
            each.tell_generation(signal.SIGUSR1)
            each.tell(signal.SIGUSR1)

    def _stop(self, how: signal.Signals) -> None:
        """Stop: gracefully by SIGTERM, at once by SIGQUIT."""
        if not self._stopping_at:
            self._log.info("manager_stopping", signal=how.name)
            self._estate.notifier.stopping()
            self._stopping_at = time.monotonic()
            if self.check:
                self._exit_status = 1  # nobody knows whether it would have passed
            self._coming = None
            self._succession.abandon()
            self._processes.stop()
        if how is signal.SIGQUIT:
            self._processes.kill()
        else:
            self._estate.listeners.seal()
        for each in self._lineages:
            if not each.booted:
                each.tell_generation(signal.SIGKILL)
            self._dismiss(each, how)

    # --- reap

    def _reap(self) -> None:
        for pid, status in reaped():
            if not self._processes.ended(pid, status) and not self._succession.ended(pid, status):
                self._ended(pid, status)

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
            self._log.info("generation_ended", generation=each.number)

    # --- look after

    def _look_after(self, now: float) -> None:
        for each in list(self._lineages):
            self._workforce.look_after(each, now)
            if each.leaves_at and not each.leaving_at and now >= each.leaves_at:
                self._dismiss(each, signal.SIGHUP)
        self._census.look(now, self._config.propane_accessories.check_seconds, self._lineages)
        self._processes.look_after(now)
        self._succession.look_after(now)
        coming = self._coming
        overlap = any(each is not self._current and not each.leaving_at for each in self._lineages)
        self._estate.rearrangement.look_after(now, overlap=overlap or coming is not None)
        if coming is not None and now > coming.started_at + self._config.propane_accessories.boot_timeout_seconds:
            self._boot_failed(coming, "it was not ready within boot_timeout_seconds")
        if self._stopping_at and not self._lineages and not self._processes.running:
            self._finish(1 if self._workforce.unclean or self._processes.unclean else self._exit_status)
        elif self._current is not None and len(self._lineages) <= 1 and not (coming or self._stopping_at):
            self._change(self._estate, self._current, now)

    def _change(self, estate: Estate, current: Lineage, now: float) -> None:
        """Begin what is due and would not bear another change beside it: one thing at a time."""
        if estate.rearrangement.under_way:
            return
        if 0 < current.succeeded_at <= now:
            current.succeeded_at = 0.0
            estate.reload_due = estate.reload_due or "generation_exited"
        if self._succession.passed:
            estate.reload_due = "manager_replaced"
            self._succession.replace(estate.will(), estate.descriptors(), self._signals.hold)
            estate.reload_due = ""
        elif estate.reload_due and not self._succession.checking:
            reason, estate.reload_due = estate.reload_due, ""
            self._reload(reason)
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
        "ready": _on_ready,
        "exited": _on_exited,
    }
