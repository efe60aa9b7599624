"""Cost of one query: ALNPg, psycopg's cursor, asyncpg on uvloop, and bare libpq.

    python tests/performance/bench_alnpg.py "host=… dbname=…" [--processes 4] [--rounds 30]
        [--seconds 0.3]

Each contender has the same number of processes, which stay for the whole run. In a round, each
contender runs for a moment, one after the other, so that drift of the machine affects all alike.
It prints the medians of the rounds, and of the ratios to psycopg and to ALNPg's query_one within a
round. It asserts nothing: figures of different machines do not compare.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable
from itertools import chain, cycle, islice
from multiprocessing.connection import Connection
from typing import Any

import asyncpg
import psycopg
import uvloop
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from arlen_runtime.alnpg import ALNPg

ROWS = 10_000
MANY = 20
SQL = "select id, name, qty, created from bench_item where id = $1"
SETUP = """
drop table if exists bench_item;
create table bench_item (id bigint primary key, name text, qty int, created timestamptz default now());
insert into bench_item select i, 'item ' || i, i % 100 from generate_series(1, 10000) i;
analyze bench_item;
"""
Loop = Callable[[float], tuple[int, float]]
"""Runs queries for so many seconds; returns how many, and the CPU seconds that they took."""


_numbers = cycle(random.Random(1).choices(range(1, ROWS + 1), k=5000))  # noqa: S311 - the same numbers for every contender


def _timed(one: Callable[[int], Any], queries_per_call: int = 1) -> Loop:
    """Return the loop over `one`, which runs `queries_per_call` queries."""

    def run(seconds: float) -> tuple[int, float]:
        done, end, cpu = 0, time.monotonic() + seconds, time.process_time()
        while time.monotonic() < end:
            for number in islice(_numbers, 100 // queries_per_call):
                one(number)
            done += 100
        return done, time.process_time() - cpu

    return run


def psycopg_cursor(dsn: str) -> Loop:
    """Run psycopg as its manual shows it."""
    text = SQL.replace("$1", "%s")
    connection = psycopg.connect(dsn, autocommit=True)
    return _timed(lambda number: connection.execute(text, (number,), prepare=True).fetchone())


def bare_libpq(dsn: str) -> Loop:
    """Run the lower bound: blocking libpq, no values loaded."""
    connection = psycopg.connect(dsn, autocommit=True)
    pgconn = connection.pgconn
    pgconn.prepare(b"floor", SQL.encode())

    def one(number: int, _open: object = connection) -> pq.abc.PGresult:
        return pgconn.exec_prepared(b"floor", [number.to_bytes(8)], [1], 1)

    return _timed(one)


def alnpg_row(dsn: str) -> Loop:
    """Run query_one as an application calls it."""
    pg = ALNPg(dsn)
    return _timed(lambda number: pg.query_one(SQL, number))


def alnpg_tuple(dsn: str) -> Loop:
    """Run query_one into a tuple, as psycopg and asyncpg return it."""
    pg = ALNPg(dsn)
    return _timed(lambda number: pg.query_one(SQL, number, into=tuple))


def alnpg_many(dsn: str) -> Loop:
    """Run query_many with twenty; each of them counts."""
    pg = ALNPg(dsn)
    return _timed(lambda number: pg.query_many(SQL, [(number + i,) for i in range(MANY)]), MANY)


def asyncpg_uvloop(dsn: str) -> Loop:
    """Run asyncpg's prepared statement on uvloop."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    options = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value}

    async def opened() -> tuple[Any, Any]:
        connection = await asyncpg.connect(
            host=options.get("host"), port=options.get("port"), user=options.get("user"), database=options.get("dbname")
        )
        return connection, await connection.prepare(SQL)

    connection, statement = runner.run(opened())

    async def run(seconds: float, _open: object = connection) -> tuple[int, float]:
        done, end, cpu = 0, time.monotonic() + seconds, time.process_time()
        while time.monotonic() < end:
            for number in islice(_numbers, 100):
                await statement.fetchrow(number)
            done += 100
        return done, time.process_time() - cpu

    return lambda seconds: runner.run(run(seconds))


CONTENDERS: dict[str, Callable[[str], Loop]] = {
    contender.__name__: contender
    for contender in (psycopg_cursor, bare_libpq, alnpg_row, alnpg_tuple, alnpg_many, asyncpg_uvloop)
}


def _serve(name: str, dsn: str, orders: Connection) -> None:
    """Run a contender for the seconds of each command, until the pipe closes."""
    run = CONTENDERS[name](dsn)
    run(0.2)  # warm up: statement prepared, rows in memory
    orders.send(None)
    while (seconds := orders.recv()) is not None:
        orders.send(run(seconds))


def _start(name: str, dsn: str, processes: int) -> list[Connection]:
    """Start the processes of a contender; return the pipes for their commands."""
    context, ends = multiprocessing.get_context("spawn"), []
    for _ in range(processes):
        ours, theirs = context.Pipe()
        context.Process(target=_serve, args=(name, dsn, theirs), daemon=True).start()
        ends.append(ours)
    for end in ends:
        end.recv()
    return ends


def _turn(ends: list[Connection], seconds: float) -> tuple[float, float]:
    """Let one contender run.

    Return queries a second of all its processes, and client CPU microseconds per query.
    """
    for end in ends:
        end.send(seconds)
    done = [end.recv() for end in ends]
    queries = sum(count for count, _ in done)
    return queries / seconds, sum(cpu for _, cpu in done) / queries * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    with psycopg.connect(options.dsn, autocommit=True) as connection:
        connection.execute(SETUP)
    contenders = {name: _start(name, options.dsn, options.processes) for name in CONTENDERS}
    rounds = [{name: _turn(ends, options.seconds) for name, ends in contenders.items()} for _ in range(options.rounds)]
    for end in chain.from_iterable(contenders.values()):
        end.send(None)
    print(f"{options.processes} processes, {options.rounds} rounds of {options.seconds} s, medians")  # noqa: T201 - its output
    for name in CONTENDERS:
        rate = statistics.median(figures[name][0] for figures in rounds)
        cpu = statistics.median(figures[name][1] for figures in rounds)
        bases = ("psycopg_cursor", "alnpg_row")
        ratios = [statistics.median(figures[name][0] / figures[base][0] for figures in rounds) for base in bases]
        line = f"{name:15}{rate:8.0f} q/s  x {ratios[0]:4.2f} psycopg  x {ratios[1]:4.2f} query_one{cpu:6.1f} µs client CPU"
        print(line)  # noqa: T201 - its output


if __name__ == "__main__":
    main()
