"""From received bytes to a response that is sent.

A handler runs inline on the leading thread, in the thread pool, or in the CPU pool. Only the
leading thread calls `on_readable`, `on_resumable`, `expire` and `arm_timeouts`. A pool thread runs
`_run_queued` and owns its connection while it is busy (see Connection.busy).

Invariant: the thread that removes the entry of a request's claim answers it, once.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextvars import Context
from functools import partial

from arlen_runtime import scope
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, HTTPError, RequestTimeout, ServiceUnavailable
from arlen_runtime.http.application import Admission, Application
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.worker.body_spooler import BodySpooler
from arlen_runtime.propane.worker.connection import Connection
from arlen_runtime.propane.worker.counters import REQUESTS
from arlen_runtime.propane.worker.leadership import Leadership
from arlen_runtime.propane.worker.loop_state import LoopState
from arlen_runtime.propane.worker.response_writer import ResponseWriter, start_iterating
from arlen_runtime.propane.worker.streaming_body import StreamingBody
from arlen_runtime.propane.worker.threads import CpuPool, ThreadPool
from arlen_runtime.propane.worker.timings import QUICK_SECONDS, WAIT_SECONDS, EndpointTiming, EndpointTimings, Execution

FILE_THREADS = 2
"""Threads that only read and write files, so that no waiting handler delays a file."""
REQUESTS_PER_TURN = 16
"""Requests of one connection that are answered before other connections get their turn."""
READS_PER_TURN = 16
"""Reads from one connection before other connections get their turn."""

Job = Callable[[], object]


class Dispatcher:
    """Everything between the reactor, which has the events, and the application."""

    def __init__(
        self, application: Application, config: Config, log: Log, loop_state: LoopState, leadership: Leadership
    ) -> None:
        self._application = application
        self._log = log
        self._limits = config.limits
        self._accessories = config.propane_accessories
        self._state = loop_state
        self._leadership = leadership
        self._followers = leadership.followers
        self.response_writer = ResponseWriter(application, config, log, loop_state)
        self._timings = EndpointTimings()
        threads = self._accessories.threads
        self._has_threads = threads > 0
        self.thread_pool: ThreadPool[Job] = ThreadPool(threads, self._run_job)
        self.cpu_pool: CpuPool[Job] = CpuPool(max(threads, 1), self._run_job, self._limits.request_timeout_seconds)
        if threads:
            self.response_writer.put_job = self.thread_pool.put
            self.response_writer.put_file_job = ThreadPool(FILE_THREADS, self._run_job).put
        self._spooler = BodySpooler(loop_state, self.response_writer.put_file_job)
        self._base_context = Context()
        self._base_context.run(scope.about_to_wait.set, leadership.hand_off)

    # --- the leading thread

    def on_readable(self, connection: Connection) -> bool:
        """Read and answer requests, up to a turn's share. Return True if overtaken."""
        reads = 0
        while reads < READS_PER_TURN:
            connection.pending = False
            if not connection.receive():
                if connection.eof and not connection.is_answering():  # a half-closed socket is still writable
                    self._state.to_close.append(connection)
                return False
            if not connection.lingering and self._process_requests(connection):
                return True
            if not connection.more or connection.is_answering():
                return False
            reads += 1
        self._yield_turn(connection)
        return False

    def on_resumable(self, connection: Connection) -> bool:
        """Go on with a connection that is free or writable again. Return True if overtaken."""
        if connection.closed or connection.busy:
            return False
        if connection.lingering:
            return self.on_readable(connection)
        if connection.is_writing and not connection.broken and self._still_answering(connection):
            return False
        if connection.response is not None and not connection.broken:
            self.response_writer.finish(connection)
        if connection.ending or connection.broken:
            self.response_writer.close_or_linger(connection)
            return False
        connection.more = True  # an edge that came during the answer has not been read
        if self._process_requests(connection):
            return True
        return not (connection.is_answering() or connection.ending) and self.on_readable(connection)

    def _still_answering(self, connection: Connection) -> bool:
        self.response_writer.write_more(connection)
        return connection.busy or (connection.is_writing and not connection.broken)

    def _process_requests(self, connection: Connection) -> bool:
        """Answer the complete requests, up to a turn's share. Return True if overtaken."""
        stop_at = connection.served + REQUESTS_PER_TURN
        while connection.served < stop_at:
            try:
                request = connection.next_request()
            except HTTPError as error:
                self.response_writer.refuse(connection, error)
                return False
            except Exception as error:  # noqa: BLE001 - a full disk, a converter of the application
                self._refuse_after_error(connection, error)
                return False
            if request is None:
                self._await_bytes(connection)
                if connection.has_body_to_write():
                    self._spooler.write(connection)
                return False
            if self._dispatch(connection, request):
                return True
            if connection.ending and not (connection.lingering or connection.is_answering()):
                self.response_writer.close_or_linger(connection)
            if connection.ending or connection.is_answering():
                return False
        self._yield_turn(connection)
        return False

    def _yield_turn(self, connection: Connection) -> None:
        connection.busy = True  # events only set `pending`: an end must not overtake requests
        self._state.yielded.append(connection)
        self._state.resumable.append(connection)

    def _refuse_after_error(self, connection: Connection, error: Exception) -> None:
        self._log.failure("request_failed", error, **connection.log_fields)
        no_room = isinstance(error, OSError)
        reason = "There is no room for the body now." if no_room else "the request could not be admitted"
        refusal = ServiceUnavailable(reason, retry_after=1) if no_room else ArlenError(reason)
        self.response_writer.refuse(connection, refusal)

    def _await_bytes(self, connection: Connection) -> None:
        """Set the deadline for what must arrive next (the table of limits)."""
        limits, loop_state = self._limits, self._state
        if loop_state.handing_over and connection.head is None:
            loop_state.to_close.append(connection)
        if connection.head is None and connection.parser.at_boundary:
            connection.receiving_since = 0.0
            loop_state.deadlines.set(connection, loop_state.now + limits.keep_alive_seconds)
            return
        begins = not connection.receiving_since
        if begins:
            connection.receiving_since = loop_state.now
        if connection.head is not None:
            received = connection.body.received if connection.body is not None else 0
            allowed = limits.body_seconds + received / limits.body_bytes_per_second
            loop_state.deadlines.set(connection, connection.receiving_since + allowed)
        elif begins:
            loop_state.deadlines.set(connection, loop_state.now + limits.header_seconds)

    def _dispatch(self, connection: Connection, request: Request) -> bool:
        """Choose the thread for a request. Return True if it ran here and was overtaken."""
        admission = connection.admission
        assert admission is not None  # noqa: S101 - a request has an admission
        connection.receiving_since = 0.0
        connection.request = request
        self._state.counters.cells[REQUESTS] += 1  # in line: a call takes longer than the rest
        timing = self._timings.of(admission.key)
        if admission.policy == "stream" and not connection.parser.body_done:
            return self._open_stream(connection, admission, request.head, timing)
        unusual = timing.wall > QUICK_SECONDS or timing.mostly_waits or self._followers.exhausted
        if unusual and self._has_threads and not admission.immediate and self._prefers_thread(timing):
            self._queue(connection, request, timing)
            return False
        return self._run_inline(connection, admission, request, timing)

    def _prefers_thread(self, timing: EndpointTiming) -> bool:
        if timing.wall > QUICK_SECONDS or self._followers.exhausted:
            return True
        return bool(self._state.events) or self.thread_pool.busy() > 0

    def _open_stream(self, connection: Connection, admission: Admission, head: Head, timing: EndpointTiming) -> bool:
        """Run a handler that reads the body while it arrives, on a pool thread if there is one."""
        try:
            body = connection.stream = StreamingBody(connection, admission.limit, self._limits)
        except HTTPError as error:
            self.response_writer.refuse(connection, error)
            return False
        request = connection.request = Request(head, live=body)
        if not self._has_threads:
            return self._run_inline(connection, admission, request, timing)
        self._queue(connection, request, timing)
        return False

    def _run_inline(
        self, connection: Connection, admission: Admission, request: Request, timing: EndpointTiming
    ) -> bool:
        # The leading thread is here. Between `append` and `pop` the monitor, or the handler itself
        # before it waits, may take the connection out of `running`. Then a follower leads, which
        # may time the request out at any moment: what it reads for that (`busy`, claim, `started`)
        # is stored before `append`, and after the handler nothing is touched before `pop`.
        leadership = self._leadership
        running = leadership.running
        connection.busy = True
        # A new list for each request: a late job of an earlier one must not find this claim.
        claim = connection.response_claim = ["running"]
        started = connection.started = time.monotonic()
        # A system call: left out for endpoints that take no time.
        cpu = time.thread_time() if timing.wall > WAIT_SECONDS else 0.0
        leadership.runs += 1
        running.append(connection)
        if not leadership.is_monitored:
            leadership.start_monitoring()
        response = self._run_handler(connection, admission, request)
        try:
            running.pop()
        except IndexError:
            timing.record_wall(time.monotonic() - started)
            self._finish(connection, response, claim)
            return True
        claim.pop()  # still there: only a leader times out, and that is this thread
        ended = time.monotonic()
        timing.record_wall(ended - started)
        if cpu:
            timing.record_wait(ended - started - time.thread_time() + cpu)
        self.response_writer.start(connection, response, ended)
        connection.busy = False
        if connection.is_writing:
            self.response_writer.write_more(connection)
            if connection.broken and not connection.busy:
                self.response_writer.close_or_linger(connection)
        return False

    def _queue(self, connection: Connection, request: Request, timing: EndpointTiming) -> None:
        target = self.cpu_pool if timing.execution is Execution.CPU_POOL else self.thread_pool
        if target.queued() - target.idle() >= self._accessories.queue_limit:
            self._shed(connection)
            return
        connection.busy = True
        claim = connection.response_claim = ["queued"]
        now = connection.started = self._state.now
        # The earlier of the two limits: the thread that runs it cannot file an earlier deadline.
        earliest = min(self._accessories.queue_seconds, self._limits.request_timeout_seconds)
        self._state.deadlines.set(connection, now + earliest)
        target.put(partial(self._run_queued, connection, request, timing, claim))

    def _shed(self, connection: Connection) -> None:
        self._state.counters.count_shed()
        busy = ServiceUnavailable("The server is busy; try again in a moment.", retry_after=1)
        self.response_writer.start(connection, self._application.refuse(busy, connection.head), self._state.now)

    # --- time

    def expire(self, connection: Connection) -> None:
        """Act on a deadline that has passed (the table of limits)."""
        writer = self.response_writer
        if connection.busy:
            self._expire_handler(connection)
        elif connection.deadline > self._state.now:  # a thread moved it since `expired` returned
            self._state.deadlines.set(connection, connection.deadline)
        elif connection.active_stream() is not None:
            writer.send_heartbeat(connection)
        elif connection.receiving_since and not connection.is_writing and not connection.lingering:
            part = "header block" if connection.head is None else "body"
            writer.refuse(connection, RequestTimeout(f"The {part} of the request took too long to arrive."))
        elif connection.broken or not (connection.is_writing and writer.extend_write_deadline(connection)):
            # It is idle, lingers, or does not read.
            connection.broken = connection.broken or connection.is_writing
            self._state.to_close.append(connection)

    def _expire_handler(self, connection: Connection) -> None:
        # A pool thread may start or end the handler at any time and then changes the claim:
        # `remove` fails if the entry is no longer the one that was read here.
        loop_state, claim = self._state, connection.response_claim
        claimed = next(iter(claim), "")
        allowed = self._accessories.queue_seconds if claimed == "queued" else self._limits.request_timeout_seconds
        if claimed and loop_state.now < connection.started + allowed:
            loop_state.deadlines.set(connection, connection.started + allowed)
            return
        try:
            claim.remove(claimed)
        except ValueError:  # just answered or started, or a stream or upload with its own limits
            loop_state.deadlines.set(connection, loop_state.now + 1)
            return
        connection.busy = False
        if claimed == "queued":
            self._shed(connection)
            loop_state.resumable.append(connection)
            return
        self._state.counters.stuck += 1
        self._report_stuck(connection)
        stuck = ServiceUnavailable("The request took too long and was given up.", retry_after=1)
        self.response_writer.refuse(connection, stuck)

    def _report_stuck(self, connection: Connection) -> None:
        frame = sys._current_frames().get(connection.thread)  # noqa: SLF001 - documented for this
        self._log.error(
            "request_stuck",
            **connection.log_fields,
            seconds=round(self._state.now - connection.started, 3),
            stack="".join(traceback.format_stack(frame)) if frame is not None else "",
        )

    def arm_timeouts(self) -> None:
        """Set a deadline for handlers that were overtaken since the last batch."""
        overtaken = self._leadership.overtaken
        while overtaken:
            connection = overtaken.popleft()
            admission = connection.admission
            # Read before the test: its thread may finish at any call after it, and set this to 0.
            started = connection.started
            if connection.busy and connection.response_claim and admission is not None:
                self._state.deadlines.set(connection, started + self._limits.request_timeout_seconds)
                # Now, not when it returns: until then each further request would cost a follower.
                self._timings.of(admission.key).record_wall(time.monotonic() - started)

    # --- the thread that runs the handler: leading, overtaken or of a pool

    def _run_job(self, job: Job) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - of any kind: it must not end the thread
            self._log.failure("job_failed", error)

    def _run_handler(self, connection: Connection, admission: Admission, request: Request) -> Response:
        context = connection.context = self._base_context.copy()
        deadline = connection.started + self._limits.request_timeout_seconds
        try:
            return context.run(_run_chain, self._application, admission, request, deadline, connection.is_disconnected)
        except BaseException as error:  # noqa: BLE001 - it must not raise: survive if it does
            # Not `connection.log_fields`: after a time-out it may serve another request.
            context.run(self._log.failure, "application_raised", error, **request.head.ids)
            return self._application.refuse(ArlenError("Application.run raised an exception"), request.head)

    def _run_queued(self, connection: Connection, request: Request, timing: EndpointTiming, claim: list[str]) -> None:
        # A pool thread is here. If the claim is empty, the leader has shed the request and may use
        # the connection for the next one. After the pop it belongs to this thread until `busy` is
        # False. A time-out that comes before "running" is appended tries again a second later.
        try:
            claim.pop()
        except IndexError:
            return
        admission = connection.admission
        assert admission is not None  # noqa: S101 - it is there until the answer is complete
        connection.thread = threading.get_ident()
        started = connection.started = time.monotonic()
        connection.deadline = started + self._limits.request_timeout_seconds
        claim.append("running")
        cpu = time.thread_time()
        response = self._run_handler(connection, admission, request)
        timing.record(time.monotonic() - started, time.thread_time() - cpu)
        self._finish(connection, response, claim)

    def _finish(self, connection: Connection, response: Response, claim: list[str]) -> None:
        # A pool thread or an overtaken one is here. An empty claim means that the time-out has
        # answered: the connection may be closed or serve another request; only `response` is ours.
        try:
            claim.pop()
        except IndexError:
            self._state.counters.stuck -= 1
            self.response_writer.close_body(response.body, None)
            return
        self.response_writer.start(connection, response, time.monotonic())
        # After this store the leader may be at work on the connection: then it is resumed below for
        # nothing. It is never missed: the leader stores `pending` and `handing_over` before it last
        # reads `busy`, this thread stored the rest. Only the leader files an earlier deadline.
        connection.busy = False
        if (
            connection.pending
            or connection.more
            or connection.ending
            or connection.is_writing
            or connection.broken
            or self._state.handing_over
            or connection.deadline < connection.check_at
            or not connection.parser.at_boundary
        ):
            self._state.resume_later(connection)


def _run_chain(
    application: Application, admission: Admission, request: Request, deadline: float, client_gone: Callable[[], bool]
) -> Response:
    """Run the chain inside the request's own Context."""
    scope.deadline.set(deadline)
    scope.client_is_gone.set(client_gone)
    response = application.run(admission, request)
    if type(response.body) is not bytes:
        start_iterating(response)
    return response
