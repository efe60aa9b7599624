"""Which generation serves, which is to come, which go. One rule: the one that serves goes only when another one is ready.

A generation that cannot serve is thrown away, and its reason is written down. One that has died while it was to serve is
followed by another, again and again, while its workers serve on.
"""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import ManagerCell
from arlen_runtime.propane.manager import generation_record
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.sidecars import Sidecars
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.manager.workers import Workers


class Generations:
    """All generations of one manager, from the start of the first to the end of the last."""

    def __init__(
        self,
        command_line: CommandLine,
        config: Config,
        log: Log,
        state: ManagerState,
        program: tuple[str, ...],
        reread: Callable[[], Config],
    ) -> None:
        """Take the arguments of the interpreter that run a generation; `reread` loads the settings."""
        self.config = config
        self.command_line = command_line
        self._log = log
        self._state = state
        self._program = program
        self._reread = reread
        self._manager = state.scoreboard.manager
        self.workers = Workers(config.propane_accessories, state.scoreboard, log)
        self.sidecars = Sidecars(command_line.root, config, log, state.sidecars)
        self.heard = select.poll()
        """What the generations say wakes whoever waits here."""
        self.all = state.generations
        self.active: GenerationRecord | None = None
        self.candidate: GenerationRecord | None = None
        self.stopping = False
        """Nobody follows any more."""
        self.failed = False
        """The first generation could not serve: there is nothing to manage."""

    @property
    def is_stable(self) -> bool:
        """Say whether nothing is under way that would not bear a change beside it."""
        under_way = self.candidate is not None or self.stopping or self._state.listener_change.under_way
        return len(self.all) <= 1 and not under_way

    def due_times(self) -> list[float]:
        """Return when something is due: only what will be done then, else whoever waits for it would never wait."""
        moments = [when for each in self.all for when in each.due_times()]
        if self.active is not None and self.active.replace_at and self.is_stable:
            moments.append(self.active.replace_at)
        return moments

    def start_or_resume(self) -> None:
        """Start the first generation, or go on with those of a predecessor."""
        if not self.all:
            self.start("start")
            return
        self.active = self.all[0]
        for each in self.all:
            self.heard.register(each.control.fileno(), select.POLLIN)

    def start(self, reason: str, broken: str = "") -> None:
        """Start a generation; with `broken` it serves that as a page."""
        ours, theirs = open_pair()
        boot_args = self._state.next_boot_args(self.command_line, theirs, broken)
        self._log.info("generation_starting", generation=boot_args.generation, reason=reason)
        self._log.flush()
        try:
            self.candidate = generation_record.start(boot_args, ours, self._program, self._state.worker_count)
        except BootError as error:
            ours.close()
            self._fall_back(boot_args, error.detail)
            return
        finally:
            theirs.close()
        self.all.append(self.candidate)
        self.heard.register(ours.fileno(), select.POLLIN)

    def promote(self, generation: GenerationRecord) -> None:
        """Let a generation that can serve take the place of the old one."""
        generation.ready_at = time.monotonic()
        old, self.active, self.candidate = self.active, generation, None
        self._log.info("generation_ready", generation=generation.number, workers=len(generation.workers))
        self._manager[ManagerCell.GENERATION] = generation.number
        self._state.notifier.ready(f"generation {generation.number} serves with {len(generation.workers)} workers")
        if old is None:
            for address in self._state.addresses():
                self._log.info("listening", address=address, workers=generation.worker_count)
        else:
            self._manager[ManagerCell.RELOADS_DONE] += 1
            overlap = 0.0 if self.command_line.development else self.config.propane_accessories.reload_overlap_seconds
            old.leaves_at = generation.ready_at + overlap
        self.sidecars.sync("start" if old is None else "reload")

    def drain(self, generation: GenerationRecord, how: signal.Signals) -> None:
        """Have a generation's workers finish; it ends when the last of them has."""
        generation.leaving_at, generation.stop_signal = time.monotonic(), how
        generation.due.clear()
        generation.signal_workers(how)
        if not generation.workers:
            generation.end(generation.leaving_at)

    def stop(self, how: signal.Signals) -> None:
        """Dismiss all of them."""
        self.stopping = True
        self.candidate = None
        for each in self.all:
            if not each.booted:
                each.signal_process(signal.SIGKILL)
            self.drain(each, how)

    def reload(self, reason: str) -> None:
        """Start a new generation beside the old one."""
        self._state.notifier.reloading()
        try:
            config = self._reread()
            self._state.listener_change.apply(config)
        except ArlenError as error:
            self._reload_failed(error.detail)
            return
        count = config.propane_accessories.worker_count
        if count != self._state.configured:  # else what signals have made of it stays
            self._state.worker_count = self._state.configured = count
        self.config = config
        self.workers.accessories = self.sidecars.accessories = config.propane_accessories
        if self.command_line.development and self.active is not None:
            self.active.signal_workers(signal.SIGUSR2)  # no request may meet old code
        self.start(reason)

    def on_exited(self, generation: GenerationRecord, status: int) -> None:
        """Deal with the end of a generation's process: wanted, failed at boot, or crashed."""
        if generation is self.candidate:
            self.discard_candidate(
                generation, generation.failure or f"the generation ended with status {status} before it was ready"
            )
        elif generation is self.active and not generation.leaving_at and not self.stopping:
            self._log.error("generation_exited", generation=generation.number, status=status, action="start_another")
            self.workers.plan_successor(generation)

    def discard_candidate(self, generation: GenerationRecord, reason: str) -> None:
        """Throw a generation away that cannot serve; the old one goes on."""
        self.candidate = None
        generation.signal_process(signal.SIGKILL)
        self.drain(generation, signal.SIGKILL)
        self._fall_back(generation.boot_args, reason)

    def _fall_back(self, boot_args: BootArgs, reason: str) -> None:
        """Go on without a generation that should have served: with the one before it, or with a page that says so."""
        self._state.listener_change.roll_back()
        if self.active is None and not self.command_line.development:
            self._log.error("boot_failed", reason=reason)
            self.failed = True
        elif self.command_line.development and not boot_args.boot_error and not self.stopping:
            self.start("show_failure", broken=reason)
        else:
            self._reload_failed(reason, generation=boot_args.generation)

    def _reload_failed(self, reason: str, **fields: object) -> None:
        self._manager[ManagerCell.RELOADS_FAILED] += 1
        self._log.error("reload_failed", **fields, reason=reason, action="old_generation_serves_on")
        self._state.notifier.ready("the last reload has failed; the generation before it serves on")
        if self.active is not None and self.active.ended:  # its workers serve, but nobody could replace them
            self.workers.plan_successor(self.active)

    def _drop_exited(self) -> None:
        """Drop the records of generations of which no process is left."""
        for each in [each for each in self.all if each.ended and not each.workers]:
            self.heard.unregister(each.control.fileno())
            each.control.close()
            self.all.remove(each)
            self._log.info("generation_ended", generation=each.number)

    def run_due_tasks(self, now: float) -> None:
        """Dismiss whose time has come, and throw away what does not become ready in its time."""
        for each in list(self.all):
            self.workers.run_due_tasks(each, now)
            if each.leaves_at and not each.leaving_at and now >= each.leaves_at:
                self.drain(each, signal.SIGHUP)
        self._drop_exited()
        overlap = any(each is not self.active and not each.leaving_at for each in self.all)
        coming = self.candidate
        self._state.listener_change.run_due_tasks(now, overlap=overlap or coming is not None)
        seconds = self.config.propane_accessories.boot_timeout_seconds
        if coming is not None and now > max(coming.started_at, self.workers.running_since) + seconds:
            self.discard_candidate(coming, "it was not ready within boot_timeout_seconds")
