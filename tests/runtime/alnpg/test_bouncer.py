"""Behind PgBouncer in transaction mode, Debian's version 1.18.

No named statements, no startup options, and no client gets the results of another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from arlen_cli.sql_check import check as sql_check
from arlen_cli.sql_check.source import CheckedSource
from arlen_runtime.alnpg import ALNPg
from arlen_runtime.alnpg.errors import DatabaseUnavailable, UniqueViolated
from arlen_runtime.alnpg.migrations import api as migrations

pytestmark = pytest.mark.bouncer


@pytest.fixture(scope="module")
def bouncer_url(database_url: str) -> Iterator[str]:
    """Start PgBouncer with one server connection, which its clients must share."""
    parts = conninfo_to_dict(database_url)
    folder = Path(tempfile.mkdtemp(prefix="bouncer-"))
    owner = Path(str(parts["host"])).stat().st_uid
    os.chown(folder, owner, -1)
    port = parts.get("port") or 5432
    target = f"host={parts['host']} port={port} dbname={parts['dbname']} user={parts['user']}"
    (folder / "users").write_text(f'"{parts["user"]}" ""\n')
    (folder / "ini").write_text(
        f"[databases]\napp = {target}\n[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 1\n"
        f"auth_type = any\nunix_socket_dir = {folder}\nlisten_port = 6432\nlisten_addr =\n"
    )
    program = shutil.which("pgbouncer")
    assert program, "apt-get install pgbouncer"
    as_owner = [] if os.getuid() else ["setpriv", f"--reuid={owner}", "--clear-groups"]
    process = subprocess.Popen(
        [*as_owner, program, folder / "ini"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = make_conninfo("", host=str(folder), port=6432, dbname="app", user=str(parts["user"]))
    deadline = monotonic() + 10
    while True:
        try:
            psycopg.connect(url, autocommit=True).close()
            break
        except psycopg.OperationalError:
            assert monotonic() < deadline, "pgbouncer did not start"
    yield url
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder)


def test_two_clients_that_share_a_server_each_get_their_own_results(bouncer_url: str) -> None:
    wrong: list[object] = []

    def work(column: str) -> None:
        pg = ALNPg(bouncer_url, pool_size=2, statement_cache="unnamed", acquire_seconds=20)
        for number in range(100):
            row = pg.query_one(f"select $1::int as {column}", number)
            if row != {column: number}:
                wrong.append(row)
        pg.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("salary", "name", "age")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_transactions_pipelines_and_copy_work(bouncer_url: str) -> None:
    pg = ALNPg(bouncer_url, statement_cache="unnamed")
    pg.execute("create table if not exists bounced (id int primary key, name text)")
    with pg.transaction():
        assert pg.execute_many("insert into bounced values ($1, $2)", [(i, "x") for i in range(700)]) == 700
    assert pg.copy_rows("bounced", ["id", "name"], [(i, "y") for i in range(1000, 1100)]) == 100
    assert len(list(pg.stream("select * from bounced"))) == 800
    with pytest.raises(UniqueViolated), pg.transaction():
        pg.execute("insert into bounced values (1)")
    assert pg.query_many("select name from bounced where id = $1", [(1,), (1000,)], into=tuple) == [[("x",)], [("y",)]]
    pg.close()


def test_checking_migrations_and_statements_leaves_the_connection_unchanged(bouncer_url: str, tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_text("-- migrate:up\ncreate table never ()")
    assert [migration.state for migration in migrations.status(bouncer_url, tmp_path)] == ["pending"]
    assert len(migrations.pending(bouncer_url, tmp_path)) == 1
    assert sql_check.check(bouncer_url, CheckedSource(())).findings == ()
    with psycopg.connect(bouncer_url, autocommit=True, prepare_threshold=None) as application:
        assert application.execute("show transaction_read_only").fetchone() == ("off",)


def test_named_statements_send_startup_options_that_this_pgbouncer_refuses(bouncer_url: str) -> None:
    pg = ALNPg(bouncer_url)
    with pytest.raises(DatabaseUnavailable, match="startup parameter"):
        pg.ping()
    pg.close()


def test_settings_that_it_refuses_at_the_connect_take_effect_anyway(bouncer_url: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'German'", "intervalstyle = 'iso_8601'"):
            change = (
                f"execute format('alter database %I set {setting.replace(chr(39), chr(39) * 2)}', current_database())"
            )
            other.execute(f"do $$ begin {change}; end $$".encode())
        other.execute("""select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()""")
    pg = ALNPg(bouncer_url, statement_cache="unnamed", pool_size=2)
    # aclitem has no binary format, so the whole row is sent as text.
    sql = "select '2026-02-28 12:00+00'::timestamptz as at, '2026-02-28'::date as day, '=r/{0}'::aclitem as rights"
    owner = conninfo_to_dict(database_url)["user"]
    for _ in range(3):
        row = pg.query_one(sql.format(owner))
        assert row is not None
        assert row["at"].isoformat() == "2026-02-28T12:00:00+00:00"
        assert row["day"].isoformat() == "2026-02-28"
        with pg.transaction():
            row = pg.query_one(f"select '=r/{owner}'::aclitem as rights, interval '26 hours' as span")
            assert row is not None
            assert row["span"].days == 1
    pg.close()
