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
from arlen_runtime.propane.ipc.boot_args import Invocation, Orders
from arlen_runtime.propane.ipc.messages import open_pair
from arlen_runtime.propane.ipc.scoreboard import ManagerCell
from arlen_runtime.propane.manager import generation_record
from arlen_runtime.propane.manager.generation_record import Lineage
from arlen_runtime.propane.manager.sidecars import SideProcesses
from arlen_runtime.propane.manager.state import Estate
from arlen_runtime.propane.manager.workers import Workforce


class Reign:
    """All generations of one manager, from the start of the first to the end of the last."""

    def __init__(
        self,
        invocation: Invocation,
        config: Config,
        log: Log,
        estate: Estate,
        program: tuple[str, ...],
        reread: Callable[[], Config],
    ) -> None:
        """Take the arguments of the interpreter that run a generation; `reread` loads the settings."""
        self.config = config
        self.invocation = invocation
        self._log = log
        self._estate = estate
        self._program = program
        self._reread = reread
        self._manager = estate.scoreboard.manager
        self.workforce = Workforce(config.propane_accessories, estate.scoreboard, log)
        self.processes = SideProcesses(invocation.root, config, log, estate.programs)
        self.heard = select.poll()
        """What the generations say wakes whoever waits here."""
        self.all = estate.lineages
        self.current: Lineage | None = None
        self.coming: Lineage | None = None
        self.stopping = False
        """Nobody follows any more."""
        self.failed = False
        """The first generation could not serve: there is nothing to manage."""

    @property
    def is_settled(self) -> bool:
        """Say whether nothing is under way that would not bear a change beside it."""
        under_way = self.coming is not None or self.stopping or self._estate.rearrangement.under_way
        return len(self.all) <= 1 and not under_way

    def moments(self) -> list[float]:
        """Return when something is due: only what will be done then, else whoever waits for it would never wait."""
        moments = [when for each in self.all for when in each.moments()]
        if self.current is not None and self.current.succeeded_at and self.is_settled:
            moments.append(self.current.succeeded_at)
        return moments

    def begin(self) -> None:
        """Start the first generation, or go on with those of a predecessor."""
        if not self.all:
            self.start("start")
            return
        self.current = self.all[0]
        for each in self.all:
            self.heard.register(each.control.fileno(), select.POLLIN)

    def start(self, reason: str, broken: str = "") -> None:
        """Start a generation; with `broken` it serves that as a page."""
        ours, theirs = open_pair()
        orders = self._estate.orders(self.invocation, theirs, broken)
        self._log.info("generation_starting", generation=orders.generation, reason=reason)
        self._log.flush()
        try:
            self.coming = generation_record.start(orders, ours, self._program, self._estate.wanted)
        except BootError as error:
            ours.close()
            self._do_without(orders, error.detail)
            return
        finally:
            theirs.close()
        self.all.append(self.coming)
        self.heard.register(ours.fileno(), select.POLLIN)

    def ready(self, each: Lineage) -> None:
        """Let a generation that can serve take the place of the old one."""
        each.ready_at = time.monotonic()
        old, self.current, self.coming = self.current, each, None
        self._log.info("generation_ready", generation=each.number, workers=len(each.workers))
        self._manager[ManagerCell.GENERATION] = each.number
        self._estate.notifier.ready(f"generation {each.number} serves with {len(each.workers)} workers")
        if old is None:
            for address in self._estate.addresses():
                self._log.info("listening", address=address, workers=each.wanted)
        else:
            self._manager[ManagerCell.RELOADS_DONE] += 1
            overlap = 0.0 if self.invocation.development else self.config.propane_accessories.reload_overlap_seconds
            old.leaves_at = each.ready_at + overlap
        self.processes.arrange("start" if old is None else "reload")

    def dismiss(self, each: Lineage, how: signal.Signals) -> None:
        """Have a generation's workers finish; it ends when the last of them has."""
        each.leaving_at, each.told = time.monotonic(), how
        each.due.clear()
        each.tell(how)
        if not each.workers:
            each.end(each.leaving_at)

    def stop(self, how: signal.Signals) -> None:
        """Dismiss all of them."""
        self.stopping = True
        self.coming = None
        for each in self.all:
            if not each.booted:
                each.tell_generation(signal.SIGKILL)
            self.dismiss(each, how)

    def reload(self, reason: str) -> None:
        """Start a new generation beside the old one."""
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
        self.config = config
        self.workforce.accessories = self.processes.accessories = config.propane_accessories
        if self.invocation.development and self.current is not None:
            self.current.tell(signal.SIGUSR2)  # no request may meet old code
        self.start(reason)

    def ended(self, each: Lineage, status: int) -> None:
        """Deal with the end of a generation's process: wanted, failed at boot, or crashed."""
        if each is self.coming:
            self.boot_failed(each, each.failure or f"the generation ended with status {status} before it was ready")
        elif each is self.current and not each.leaving_at and not self.stopping:
            self._log.error("generation_exited", generation=each.number, status=status, action="start_another")
            self.workforce.plan_successor(each)

    def boot_failed(self, each: Lineage, reason: str) -> None:
        """Throw a generation away that cannot serve; the old one goes on."""
        self.coming = None
        each.tell_generation(signal.SIGKILL)
        self.dismiss(each, signal.SIGKILL)
        self._do_without(each.orders, reason)

    def _do_without(self, orders: Orders, reason: str) -> None:
        """Go on without a generation that should have served: with the one before it, or with a page that says so."""
        self._estate.rearrangement.undo()
        if self.current is None and not self.invocation.development:
            self._log.error("boot_failed", reason=reason)
            self.failed = True
        elif self.invocation.development and not orders.broken and not self.stopping:
            self.start("show_failure", broken=reason)
        else:
            self._reload_failed(reason, generation=orders.generation)

    def _reload_failed(self, reason: str, **fields: object) -> None:
        self._manager[ManagerCell.RELOADS_FAILED] += 1
        self._log.error("reload_failed", **fields, reason=reason, action="old_generation_serves_on")
        self._estate.notifier.ready("the last reload has failed; the generation before it serves on")
        if self.current is not None and self.current.ended:  # its workers serve, but nobody could replace them
            self.workforce.plan_successor(self.current)

    def _forget_ended(self) -> None:
        """Drop the records of generations of which no process is left."""
        for each in [each for each in self.all if each.ended and not each.workers]:
            self.heard.unregister(each.control.fileno())
            each.control.close()
            self.all.remove(each)
            self._log.info("generation_ended", generation=each.number)

    def look_after(self, now: float) -> None:
        """Dismiss whose time has come, and throw away what does not become ready in its time."""
        for each in list(self.all):
            self.workforce.look_after(each, now)
            if each.leaves_at and not each.leaving_at and now >= each.leaves_at:
                self.dismiss(each, signal.SIGHUP)
        self._forget_ended()
        overlap = any(each is not self.current and not each.leaving_at for each in self.all)
        coming = self.coming
        self._estate.rearrangement.look_after(now, overlap=overlap or coming is not None)
        seconds = self.config.propane_accessories.boot_timeout_seconds
        if coming is not None and now > max(coming.started_at, self.workforce.awake_since) + seconds:
            self.boot_failed(coming, "it was not ready within boot_timeout_seconds")
