"""What a database has besides its contents: owner, rights, settings, limit, remark. One rule: a replacement has the same.

pg_dump writes them with `--create` only, and for a database of that very name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

import psycopg
from psycopg import sql

LISTS = frozenset({"search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"})
"""Settings whose value is a list of names, quoted each by itself: as one string it would be one name."""

_ITSELF = """
    select pg_get_userbyid(datdba), datconnlimit, shobj_description(oid, 'pg_database'), datacl is not null
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


def carry_over(opened: psycopg.Connection, old: str, new: str) -> None:
    """Give the database `new` what `old` has besides its contents; nothing where `old` is not there."""
    row = opened.execute(_ITSELF, [old]).fetchone()
    if row is None:
        return
    owner, limit, remark, has_rights = row
    statements = [
        _put("alter database {} owner to {}", new, owner),
        sql.SQL("alter database {} connection limit {}").format(sql.Identifier(new), sql.Literal(limit)),
        sql.SQL("comment on database {} is {}").format(sql.Identifier(new), sql.Literal(remark)),
    ]
    if has_rights:
        statements += [_put("revoke all on database {} from public, {}", new, owner), *_rights(opened, old, new)]
    with opened.transaction():
        for statement in [*statements, *_settings(opened, old, new)]:
            opened.execute(statement)


def _rights(opened: psycopg.Connection, old: str, new: str) -> Iterator[sql.Composed]:
    for role, right, grantable in opened.execute(_RIGHTS, [old]).fetchall():
        yield sql.SQL("grant {} on database {} to {}{}").format(
            sql.SQL(right),  # the server's word: CREATE, CONNECT or TEMPORARY
            sql.Identifier(new),
            sql.Identifier(role) if role else sql.SQL("public"),
            sql.SQL(" with grant option" if grantable else ""),
        )


def _settings(opened: psycopg.Connection, old: str, new: str) -> Iterator[sql.Composed]:
    for role, entry in opened.execute(_SETTINGS, [old]).fetchall():
        name, _, value = entry.partition("=")
        whose = _put("alter role {} in database {}", role, new) if role else _put("alter database {}", new)
        setting = sql.Identifier(*name.split("."))
        if name in LISTS:
            yield sql.SQL("select set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
            yield sql.SQL("{} set {} from current").format(whose, setting)
        else:
            yield sql.SQL("{} set {} to {}").format(whose, setting, sql.Literal(value))


def _put(statement: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))
