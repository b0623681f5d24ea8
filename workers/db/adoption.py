"""The rows of an earlier P1, whose tables schema/migrations/adoption sets aside: copied into the fleet's own."""

from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from workers.db.gently import run_patiently
from workers.db.session import Connection
from workers.resources import shipped

_SCHEMA: Final = "fleet_adopted"
_ROWS_A_TIME: Final = 1000  # nobody waits for longer than one such transaction
_NOT_TAKEN: Final = "what it belongs to is not there, or another row says the same"


def copy_rows(driver: psycopg.Connection[Any]) -> None:
    """Copy the rows of P1, some in each transaction; then come the triggers that the CRM added to its tables.

    Begins anew where it was interrupted, and does nothing when it is done. A row that does not fit is left where it is,
    and noted with the reason.

    Args:
        driver: in autocommit; no trigger of the fleet's stands on its tables yet.
    """
    with driver.cursor(row_factory=dict_row) as cursor:
        if not _exists(cursor, "steps"):
            return
        if cursor.execute("SELECT FROM fleet_adopted.steps WHERE stage = 'filled' LIMIT 1").fetchone() is None:
            return
        # Moments that name no zone are the CRM's. A function of that name is ours since the preflight.
        kept = cursor.execute("SELECT FROM pg_proc WHERE oid = to_regprocedure('public.crm_zone()')").fetchone()
        cursor.execute("SET timezone = 'UTC'" if kept is None else "SELECT set_config('timezone', crm_zone(), false)")
        try:
            for path in sorted((_adoption() / "rows").glob("*.sql")):
                _copy_table(cursor, path.stem.partition("_")[2], path.read_text())
        finally:
            cursor.execute("RESET timezone")
    with driver.transaction():
        run_patiently(driver, (_adoption() / "filled.sql").read_text())


def adopted(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return how many rows of each of P1's tables were taken over, and how many were not; empty: there was no P1."""
    found: dict[str, tuple[int, int]] = {}
    tables = connection.execute(
        "SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'"
        " AND relname NOT IN ('steps', 'not_taken', 'added_columns') ORDER BY relname",
        [_SCHEMA],
    ).fetchall()
    for table in tables:
        statement = sql.SQL(
            "SELECT (SELECT count(*) FROM {}) AS rows, (SELECT count(*) FROM {} WHERE table_name = {}) AS left"
        )
        [counted] = connection.execute(
            statement.format(
                sql.Identifier(_SCHEMA, table["name"]), sql.Identifier(_SCHEMA, "not_taken"), sql.Literal(table["name"])
            )
        ).fetchall()
        found[table["name"]] = (counted["rows"] - counted["left"], counted["left"])
    return found


def _copy_table(cursor: psycopg.Cursor[dict[str, Any]], table: str, insert: str) -> None:
    """Copy one table page by page; a page that is refused is tried again in smaller ones, down to the row."""
    names = {"old": sql.Identifier(_SCHEMA, table), "new": sql.Identifier("public", table)}
    if not _exists(cursor, table):
        return
    page = sql.SQL("SELECT id FROM {old} WHERE %(after)s::uuid IS NULL OR id > %(after)s ORDER BY id LIMIT %(rows)s")
    left = sql.SQL(
        "INSERT INTO fleet_adopted.not_taken SELECT %(table)s, a.id, %(reason)s FROM {old} AS a"
        " WHERE a.id = ANY (%(ids)s) AND NOT EXISTS (SELECT FROM {new} AS n WHERE n.id = a.id) ON CONFLICT DO NOTHING"
    )
    columns = cursor.execute(
        "SELECT column_name FROM fleet_adopted.added_columns WHERE table_name = %s", [table]
    ).fetchall()
    added = [sql.SQL("{0} = a.{0}").format(sql.Identifier(row["column_name"])) for row in columns]
    copy_added = sql.SQL("UPDATE {new} AS n SET {pairs} FROM {old} AS a WHERE a.id = n.id AND a.id = ANY (%(ids)s)")
    after, rows = None, _ROWS_A_TIME
    while ids := [row["id"] for row in cursor.execute(page.format(**names), {"after": after, "rows": rows}).fetchall()]:
        reason = _NOT_TAKEN
        try:
            with cursor.connection.transaction():
                cursor.execute(insert.encode(), {"ids": ids})
                if added:
                    cursor.execute(copy_added.format(pairs=sql.SQL(", ").join(added), **names), {"ids": ids})
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(ids) > 1:
                rows = len(ids) // 2
                continue
            reason = error.diag.message_primary or str(error)
        cursor.execute(left.format(**names), {"table": table, "ids": ids, "reason": reason})
        after, rows = ids[-1], min(_ROWS_A_TIME, rows * 2)


def _exists(cursor: psycopg.Cursor[dict[str, Any]], table: str) -> bool:
    found = cursor.execute("SELECT WHERE to_regclass(%s) IS NOT NULL", [f"{_SCHEMA}.{table}"]).fetchone()
    return found is not None


def _adoption() -> Path:
    return shipped("schema") / "migrations" / "adoption"
