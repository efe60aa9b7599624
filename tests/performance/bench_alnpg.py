"""What one query costs: ALNPg beside psycopg's cursor, asyncpg on uvloop, and bare libpq. One rule: rounds are interleaved.

    python tests/performance/bench_alnpg.py "host=… dbname=…" [--processes 4] [--rounds 5] [--seconds 1.0]

Each round runs every contender in as many processes at once, so that the machine's drift touches all alike; the medians of
the rounds and their ratios to psycopg are printed. Nothing is asserted: figures of different machines do not compare.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Iterator
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
Loop = Callable[[str, float], tuple[int, float]]
"""Runs queries for so many seconds; returns how many, and the CPU seconds that they took."""


def _ids() -> Iterator[int]:
    draw = random.Random(1)  # noqa: S311 - the same ids for every contender
    while True:
        yield from [draw.randint(1, ROWS) for _ in range(1000)]


def _timed(one: Callable[[int], Any], seconds: float) -> tuple[int, float]:
    for number in range(1, 200):
        one(number)
    done, ids = 0, _ids()
    end, cpu = time.monotonic() + seconds, time.process_time()
    while time.monotonic() < end:
        for _ in range(50):
            one(next(ids))
        done += 50
    return done, time.process_time() - cpu


def psycopg_cursor(dsn: str, seconds: float) -> tuple[int, float]:
    """Run psycopg as its manual shows it."""
    text = SQL.replace("$1", "%s")
    with psycopg.connect(dsn, autocommit=True) as connection:
        return _timed(lambda number: connection.execute(text, (number,), prepare=True).fetchone(), seconds)


def bare_libpq(dsn: str, seconds: float) -> tuple[int, float]:
    """Run the floor: blocking libpq, no values loaded."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        pgconn = connection.pgconn
        pgconn.prepare(b"floor", SQL.encode())

        def one(number: int) -> pq.abc.PGresult:
            return pgconn.exec_prepared(b"floor", [number.to_bytes(8)], [1], 1)

        return _timed(one, seconds)


def alnpg_row(dsn: str, seconds: float) -> tuple[int, float]:
    """Run query_one as an application calls it."""
    pg = ALNPg(dsn)
    try:
        return _timed(lambda number: pg.query_one(SQL, number), seconds)
    finally:
        pg.close()


def alnpg_tuple(dsn: str, seconds: float) -> tuple[int, float]:
    """Run query_one into a tuple, as psycopg and asyncpg give it."""
    pg = ALNPg(dsn)
    try:
        return _timed(lambda number: pg.query_one(SQL, number, into=tuple), seconds)
    finally:
        pg.close()


def alnpg_many(dsn: str, seconds: float) -> tuple[int, float]:
    """Run query_many of twenty; each of them counts."""
    pg = ALNPg(dsn)
    try:
        done, cpu = _timed(lambda number: pg.query_many(SQL, [(number + i,) for i in range(MANY)]), seconds)
    finally:
        pg.close()
    return done * MANY, cpu


async def _asyncpg(dsn: str, seconds: float) -> tuple[int, float]:
    given = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value}
    connection = await asyncpg.connect(
        host=given.get("host"), port=given.get("port"), user=given.get("user"), database=given.get("dbname")
    )
    statement = await connection.prepare(SQL)
    for number in range(1, 200):
        await statement.fetchrow(number)
    done, ids = 0, _ids()
    end, cpu = time.monotonic() + seconds, time.process_time()
    while time.monotonic() < end:
        for _ in range(50):
            await statement.fetchrow(next(ids))
        done += 50
    cpu = time.process_time() - cpu
    await connection.close()
    return done, cpu


def asyncpg_uvloop(dsn: str, seconds: float) -> tuple[int, float]:
    """Run asyncpg's prepared statement on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_asyncpg(dsn, seconds))


CONTENDERS: dict[str, Loop] = {
    loop.__name__: loop for loop in (psycopg_cursor, bare_libpq, alnpg_row, alnpg_tuple, alnpg_many, asyncpg_uvloop)
}


def _work(name: str, dsn: str, seconds: float) -> tuple[int, float]:
    return CONTENDERS[name](dsn, seconds)


def _round(dsn: str, processes: int, seconds: float) -> dict[str, tuple[float, float]]:
    """Run every contender once; return queries a second of all processes, and client CPU microseconds a query."""
    figures = {}
    for name in CONTENDERS:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            done = pool.starmap(_work, [(name, dsn, seconds)] * processes)
        queries = sum(count for count, _ in done)
        figures[name] = (queries / seconds, sum(cpu for _, cpu in done) / queries * 1e6)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    with psycopg.connect(options.dsn, autocommit=True) as connection:
        connection.execute(SETUP)
    rounds = [_round(options.dsn, options.processes, options.seconds) for _ in range(options.rounds)]
    print(f"{options.processes} processes, {options.rounds} rounds of {options.seconds} s, medians")  # noqa: T201 - its output
    base = statistics.median(figures["psycopg_cursor"][0] for figures in rounds)
    for name in CONTENDERS:
        rate = statistics.median(figures[name][0] for figures in rounds)
        cpu = statistics.median(figures[name][1] for figures in rounds)
        print(f"{name:16} {rate:9.0f} q/s   x {rate / base:4.2f}   {cpu:6.1f} µs client CPU")  # noqa: T201 - its output


if __name__ == "__main__":
    main()
