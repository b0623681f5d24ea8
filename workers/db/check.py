"""The catalogue check: what should stand in the database against what does."""

from typing import Final

from workers.db.session import PLAIN_SETTINGS, Connection
from workers.resources import shipped

# The CRM's own tables; what they are made of is the CRM's business where it brought them along.
CRM_TABLES: Final = frozenset(
    {"tenants", "profiles", "clients", "contacts", "vendors", "orders", "deals", "cases", "tasks"}
)


def catalog(connection: Connection) -> list[str]:
    """Return every table, column, index, function, trigger, view, policy and grant of the public schema, sorted."""
    statement = (shipped("schema") / "catalog.sql").read_bytes()
    with connection.transaction():
        # In which names and constants are shown in the snapshot.
        connection.execute(f"SELECT {PLAIN_SETTINGS}, set_config('timezone', 'UTC', true)")
        connection.execute("SET LOCAL quote_all_identifiers = off")
        return sorted(row["line"] for row in connection.execute(statement))


def missing(connection: Connection) -> list[str]:
    """Return what schema/snapshot.txt lists and a migrated database lacks.

    Of tables that a CRM brought along, the columns, triggers and idx_ indexes of the fleet are expected, but
    neither keys nor policies nor grants. How such an index is written depends on the CRM's types: its name counts.
    """
    rows = connection.execute("SELECT table_name FROM fleet_core_additions WHERE column_name = '*'")
    brought_along = CRM_TABLES - {row["table_name"] for row in rows}
    present = set(catalog(connection))
    present |= {line.partition(" as ")[0] for line in present if line.startswith("index ")}
    expected = [
        line.partition(" as ")[0] if line.startswith("index ") and line.split()[3] in brought_along else line
        for line in (shipped("schema") / "snapshot.txt").read_text().splitlines()
    ]
    return [line for line in expected if line not in present and not _is_the_crms_own(line, brought_along)]


def faults(connection: Connection) -> list[str]:
    """Return what went wrong in the fleet's triggers on the CRM's tables within a day, a line for each cause.

    The CRM's rows were written all the same; what the fleet missed of them it finds with the next `fleet db migrate`.
    """
    if (
        connection.execute(
            "SELECT WHERE to_regprocedure('recent_faults()') IS NULL OR to_regclass('fleet_faults') IS NULL"
        ).fetchone()
        is not None
    ):
        return []
    with connection.transaction():
        connection.execute(f"SELECT {PLAIN_SETTINGS}")
        rows = connection.execute("SELECT * FROM recent_faults()").fetchall()
    return [
        f"{row['source']} on {row['table_name']} {row['row_id']}, {row['noted_at']:%d %b %H:%M}: {row['message']}"
        for row in rows
    ]


def _is_the_crms_own(line: str, brought_along: frozenset[str]) -> bool:
    kind, name, *rest = line.split()
    if brought_along.isdisjoint([name, *rest]):
        return False
    return kind in ("table", "policy", "grant") or (kind == "index" and not name.startswith("idx_"))
