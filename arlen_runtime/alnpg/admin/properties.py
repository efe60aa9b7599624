"""What a database has besides its contents: owner, rights, locale, settings.

pg_dump writes them with `--create` only, and only for a database of the same name. Properties that
would prevent filling a replacement, such as a connection limit, are applied last.

Invariant: a replacement has the same properties as the old database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import sql

from arlen_runtime.alnpg.admin.connect import ReportLine

LIST_SETTINGS = frozenset({"search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"})
"""Settings that are lists of names, each quoted by itself: one string would be one name."""

SET_LAST = frozenset({"default_transaction_read_only"})
"""Settings under which a database cannot be filled."""

_LOCALE = """
    select coalesce(d ->> 'datlocprovider', ''), d ->> 'datcollate', d ->> 'datctype',
        coalesce(d ->> 'datlocale', d ->> 'daticulocale'), d ->> 'daticurules'
    from (select to_jsonb(e) from pg_database e where datname = %s and pg_encoding_to_char(encoding) = 'UTF8') as found (d)
"""
"""Read as JSON, because the columns differ between versions.

The provider exists since PostgreSQL 15; the column of its locale was renamed in 17.
"""

_PROVIDERS = {"c": "locale_provider libc", "i": "locale_provider icu", "b": "locale_provider builtin"}
_LOCALES = {"i": "icu_locale", "b": "builtin_locale"}

_ITSELF = """
    select pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), datacl is not null
    from pg_database where datname = %s
"""

_RIGHTS = """
    select coalesce(r.rolname, ''), a.privilege_type, a.is_grantable
    from pg_database d, aclexplode(d.datacl) a left join pg_roles r on r.oid = a.grantee where d.datname = %s
"""

_SETTINGS = """
    select coalesce(r.rolname, ''), entry
    from pg_database d join pg_db_role_setting s on s.setdatabase = d.oid left join pg_roles r on r.oid = s.setrole,
    unnest(s.setconfig) entry where d.datname = %s
"""


class _Setting(NamedTuple):
    """One setting: its name, its scope, and the statements that make it."""

    name: str
    scope: str
    statements: list[sql.Composed]


def locale(connection: psycopg.Connection, old: str) -> sql.Composable:
    """Return the clauses that create a UTF-8 database with the locale of `old`.

    Return no clauses if `old` is not in UTF-8.
    """
    row = connection.execute(_LOCALE, [old]).fetchone()
    if row is None:
        return sql.SQL("")
    provider, collate, ctype, name, rules = row
    values = [("lc_collate", collate), ("lc_ctype", ctype), (_LOCALES.get(provider, ""), name), ("icu_rules", rules)]
    clauses = [sql.SQL("{} {}").format(sql.SQL(key), value) for key, value in values if key and value is not None]
    return sql.SQL(" ").join([sql.SQL(_PROVIDERS.get(provider, "")), *clauses])


def carry_over(connection: psycopg.Connection, old: str, new: str, report: ReportLine) -> None:
    """Copy the properties of the database `old` to `new`, if `old` exists.

    Those that would prevent filling `new` are left to `finish`. `report` receives a line for each
    setting that this role may not make; `new` lacks these.
    """
    row = connection.execute(_ITSELF, [old]).fetchone()
    if row is None:
        return
    owner, remark, has_rights = row
    statements = [
        _with_names("alter database {} owner to {}", new, owner),
        sql.SQL("comment on database {} is {}").format(sql.Identifier(new), sql.Literal(remark)),
    ]
    if has_rights:
        statements += [
            _with_names("revoke all on database {} from public, {}", new, owner),
            *_grants(connection, old, new),
        ]
    with connection.transaction():
        for statement in statements:
            connection.execute(statement)
        _apply(
            connection, [setting for setting in _settings(connection, old, new) if setting.name not in SET_LAST], report
        )


def finish(connection: psycopg.Connection, old: str, new: str, report: ReportLine) -> None:
    """Give the filled `new` the connection limit and the settings left out before."""
    row = connection.execute("select datconnlimit from pg_database where datname = %s", [old]).fetchone()
    if row is None:
        return
    with connection.transaction():
        connection.execute(
            sql.SQL("alter database {} connection limit {}").format(sql.Identifier(new), sql.Literal(row[0]))
        )
        _apply(connection, [setting for setting in _settings(connection, old, new) if setting.name in SET_LAST], report)


def _apply(connection: psycopg.Connection, settings: list[_Setting], report: ReportLine) -> None:
    """Make those settings that this role may make: an administrator may make more."""
    for setting in settings:
        try:
            with connection.transaction():
                for statement in setting.statements:
                    connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            report(f"{setting.scope} loses its setting {setting.name}: {error.diag.message_primary}")


def _grants(connection: psycopg.Connection, old: str, new: str) -> Iterator[sql.Composed]:
    for role, right, grantable in connection.execute(_RIGHTS, [old]).fetchall():
        yield sql.SQL("grant {} on database {} to {}{}").format(
            sql.SQL(right),  # from the server: CREATE, CONNECT or TEMPORARY
            sql.Identifier(new),
            sql.Identifier(role) if role else sql.SQL("public"),
            sql.SQL(" with grant option" if grantable else ""),
        )


def _settings(connection: psycopg.Connection, old: str, new: str) -> Iterator[_Setting]:
    for role, entry in connection.execute(_SETTINGS, [old]).fetchall():
        name, _, value = entry.partition("=")
        alter = (
            _with_names("alter role {} in database {}", role, new) if role else _with_names("alter database {}", new)
        )
        setting = sql.Identifier(*name.split("."))
        if name in LIST_SETTINGS:
            statements = [
                sql.SQL("select set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value)),
                sql.SQL("{} set {} from current").format(alter, setting),
            ]
        else:
            statements = [sql.SQL("{} set {} to {}").format(alter, setting, sql.Literal(value))]
        yield _Setting(name, f"the role {role} in {old}" if role else old, statements)


def _with_names(statement: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))
