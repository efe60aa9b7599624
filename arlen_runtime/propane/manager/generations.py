"""All generations: the active one, a starting candidate, and those that drain.

Invariant: the active generation drains only after another one is ready. A generation that cannot
serve is discarded and its reason is logged. If the process of the active generation exits, the
manager starts replacements, with exponential backoff, while its workers continue to serve.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import ManagerCell
from arlen_runtime.propane.manager import generation_record
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.sidecars import Sidecars
from arlen_runtime.propane.manager.source_changes import FILES_CHANGED, SourceChanges
from arlen_runtime.propane.manager.state import ManagerState
from arlen_runtime.propane.manager.workers import Workers


class Generations:
    """All generations of one manager, from the first start to the last exit.

    `program` are the interpreter's arguments that run a generation; `read_config` loads the
    configuration again.
    """

    def __init__(
        self,
        command_line: CommandLine,
        config: Config,
        log: Log,
        state: ManagerState,
        program: tuple[str, ...],
        read_config: Callable[[], Config],
    ) -> None:
        self.config = config
        self.command_line = command_line
        self._log = log
        self._state = state
        self._program = program
        self._read_config = read_config
        self.workers = Workers(config.propane_accessories, state.scoreboard, log)
        self.source_changes = SourceChanges(state, log)
        self.sidecars = Sidecars(command_line.root, config, log, state.sidecars)
        self.poll = select.poll()
        """Polls the control sockets of all generations."""
        self.all = state.generations
        self.active: GenerationRecord | None = None
        self.candidate: GenerationRecord | None = None
        self.stopping = False
        """A stop is in progress: no generation is started any more."""
        self.failed = False
        """The first generation could not serve, so there is nothing to manage."""

    @property
    def is_stable(self) -> bool:
        """Return True if no reload, stop or listener change is in progress."""
        change_in_progress = self.candidate is not None or self.stopping or self._state.listener_change.is_pending
        return len(self.all) <= 1 and not change_in_progress

    def due_times(self) -> list[float]:
        """Return the times of pending actions.

        Leave out actions that are blocked now; the poll loop would spin on them.
        """
        due_times = [due_at for generation in self.all for due_at in generation.due_times()]
        if self.active is not None and self.active.replace_at and self.is_stable:
            due_times.append(self.active.replace_at)
        return due_times

    def start_or_resume(self) -> None:
        """Start the first generation, or resume those of a predecessor."""
        if not self.all:
            self.start("start")
            return
        self.active = self.all[0]
        for generation in self.all:
            self.poll.register(generation.control.fileno(), select.POLLIN)

    def start(self, reason: str, boot_error: str = "") -> None:
        """Start a generation. With a `boot_error` it serves that as an error page."""
        ours, theirs = open_pair()
        boot_args = self._state.next_boot_args(self.command_line, theirs, boot_error)
        boot_args = replace(boot_args, import_writes_sources=self.source_changes.import_writes_sources)
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
        self.poll.register(ours.fileno(), select.POLLIN)

    def promote(self, generation: GenerationRecord) -> None:
        """Make a ready generation the active one, and let the previous one drain later."""
        generation.ready_at = time.monotonic()
        previous, self.active, self.candidate = self.active, generation, None
        self._log.info("generation_ready", generation=generation.number, workers=len(generation.workers))
        self._state.scoreboard.manager[ManagerCell.GENERATION] = generation.number
        self._state.notifier.ready(f"generation {generation.number} serves with {len(generation.workers)} workers")
        if previous is None:
            for address in self._state.addresses():
                self._log.info("listening", address=address, workers=generation.worker_count)
        else:
            self._state.scoreboard.manager[ManagerCell.RELOADS_DONE] += 1
            overlap = 0.0 if self.command_line.development else self.config.propane_accessories.reload_overlap_seconds
            previous.drain_at = generation.ready_at + overlap
        environ = self.config.sources.unset_in(os.environ) | generation.sidecar_environ
        self.sidecars.sync("start" if previous is None else "reload", environ)

    def drain(self, generation: GenerationRecord, stop_signal: signal.Signals) -> None:
        """Let a generation's workers finish; its process exits after the last of them."""
        generation.draining_since, generation.stop_signal = time.monotonic(), stop_signal
        generation.pending_starts.clear()
        generation.signal_workers(stop_signal)
        if not generation.workers:
            generation.request_exit(generation.draining_since)

    def stop(self, stop_signal: signal.Signals) -> None:
        """Drain all generations and start no more."""
        self.stopping = True
        self.candidate = None
        for generation in self.all:
            if not generation.booted:
                generation.signal_process(signal.SIGKILL)
            self.drain(generation, stop_signal)

    def reload(self, reason: str) -> None:
        """Start a new generation beside the active one."""
        if reason == FILES_CHANGED and not self.source_changes.require_reload(self.active):
            return
        self._state.notifier.reloading()
        try:
            config = self._read_config()
            self._state.listener_change.apply(config)
        except ArlenError as error:
            self._on_reload_impossible(error.detail)
            return
        count = config.propane_accessories.worker_count
        if count != self._state.configured:  # otherwise the count set by TTIN and TTOU stays
            self._state.worker_count = self._state.configured = count
        self.config = config
        self.workers.accessories = self.sidecars.accessories = config.propane_accessories
        if self.command_line.development and self.active is not None:
            self.active.signal_workers(signal.SIGUSR2)  # workers pause: old code must not answer new requests
        self.start(reason)

    def on_exited(self, generation: GenerationRecord, status: int) -> None:
        """Handle the exit of a generation's process: expected, a failed boot, or a crash."""
        if generation is self.candidate:
            self.discard_candidate(
                generation, generation.failure or f"the generation ended with status {status} before it was ready"
            )
        elif generation is self.active and not generation.draining_since and not self.stopping:
            self._log.error("generation_exited", generation=generation.number, status=status, action="start_another")
            self.workers.schedule_replacement(generation)

    def discard_candidate(self, generation: GenerationRecord, reason: str) -> None:
        """Kill a generation that cannot serve; the active one continues."""
        self.candidate = None
        generation.signal_process(signal.SIGKILL)
        self.drain(generation, signal.SIGKILL)
        self._fall_back(generation.boot_args, reason)

    def _fall_back(self, boot_args: BootArgs, reason: str) -> None:
        """Continue after a failed boot: with the active generation, or with an error page."""
        self._state.listener_change.roll_back()
        if self.active is None and not self.command_line.development:
            self._log.error("boot_failed", reason=reason)
            self.failed = True
        elif self.command_line.development and not boot_args.boot_error and not self.stopping:
            self.start("show_failure", boot_error=reason)
        else:
            self._report_reload_failure(reason, generation=boot_args.generation)

    def _on_reload_impossible(self, reason: str) -> None:
        """Go on without a new generation. In development, show why: workers may have paused."""
        if self.command_line.development:
            self.start("show_failure", boot_error=reason)
        else:
            self._report_reload_failure(reason)

    def _report_reload_failure(self, reason: str, **fields: object) -> None:
        self._state.scoreboard.manager[ManagerCell.RELOADS_FAILED] += 1
        self._log.error("reload_failed", **fields, reason=reason, action="old_generation_serves_on")
        self._state.notifier.ready("the last reload failed; the previous generation continues to serve")
        # The workers of a generation that has exited serve, but it cannot replace them. In
        # development they have paused and leave all requests to the next generation.
        if self.active is not None and (self.active.has_exited or self.command_line.development):
            self.workers.schedule_replacement(self.active)

    def _drop_exited(self) -> None:
        """Drop the records of generations that have no process left."""
        for generation in [generation for generation in self.all if generation.has_exited and not generation.workers]:
            self.poll.unregister(generation.control.fileno())
            generation.control.close()
            self.all.remove(generation)
            self._log.info("generation_ended", generation=generation.number)

    def run_due_tasks(self, now: float) -> None:
        """Drain generations that are due; discard a candidate that exceeds its time."""
        for generation in list(self.all):
            self.workers.run_due_tasks(generation, now)
            if generation.drain_at and not generation.draining_since and now >= generation.drain_at:
                self.drain(generation, signal.SIGHUP)
        self._drop_exited()
        overlap = any(generation is not self.active and not generation.draining_since for generation in self.all)
        candidate = self.candidate
        self._state.listener_change.run_due_tasks(now, overlap=overlap or candidate is not None)
        seconds = self.config.propane_accessories.boot_timeout_seconds
        if candidate is not None and now > max(candidate.started_at, self.workers.running_since) + seconds:
            self.discard_candidate(candidate, "it was not ready within boot_timeout_seconds")
