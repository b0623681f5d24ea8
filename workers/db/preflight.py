"""The look before the first change: does this database have, for the fleet, what the fleet will rely on?"""

import json
from dataclasses import dataclass
from typing import Final

from workers.db.check import CRM_TABLES
from workers.db.crm_zone import crm_zone
from workers.db.session import Connection
from workers.resources import shipped

_KINDS: Final = {"table": "relations", "view": "relations", "index": "relations", "function": "functions"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stands in the way: where it is, what is there, what is needed, and how to mend it."""

    table: str
    column: str | None
    found: str
    needed: str
    mend: str

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"{self.table}.{self.column}" if self.column else self.table
        return f"{place}: {self.found}; needed: {self.needed} ({self.mend})"


def findings(connection: Connection, *, installed: bool) -> list[Finding]:
    """Return all that stands in the fleet's way, by table and column. Changes nothing, and reads no row.

    Args:
        connection: as the role that migrates.
        installed: the fleet is there already, so its names are its own.
    """
    names = {} if installed else _names_to_be_taken()
    with connection.transaction(force_rollback=True):
        connection.execute((shipped("schema") / "migrations" / "core_columns.sql").read_bytes())
        connection.execute((shipped("schema") / "migrations" / "adoption" / "shape.sql").read_bytes())
        connection.execute("SELECT set_config('fleet.names', %s, true)", [json.dumps(names)])
        connection.execute("SELECT set_config('fleet.naive_zone', %s, true)", [crm_zone(connection) or ""])
        connection.execute("SET TRANSACTION READ ONLY")
        rows = connection.execute((shipped("schema") / "preflight.sql").read_bytes()).fetchall()
        if not installed:
            rows += connection.execute(
                (shipped("schema") / "migrations" / "adoption" / "in_the_way.sql").read_bytes()
            ).fetchall()
    found = [Finding(row["table_name"], row["column_name"], row["found"], row["needed"], row["mend"]) for row in rows]
    return sorted(found, key=lambda finding: (finding.table, finding.column or "", finding.found))


def adoptable(connection: Connection) -> list[str]:
    """Return the tables of an earlier P1 that a first migration would adopt. Changes nothing, and reads no row."""
    with connection.transaction(force_rollback=True):
        connection.execute((shipped("schema") / "migrations" / "adoption" / "shape.sql").read_bytes())
        rows = connection.execute("SELECT name FROM p1_relation WHERE type = 'TABLE' ORDER BY name").fetchall()
    return [row["name"] for row in rows]


def _names_to_be_taken() -> dict[str, list[str]]:
    """Return the names of what the snapshot lists and a CRM cannot have beside the fleet."""
    names: dict[str, list[str]] = {
        "relations": ["fleet_schema_version"], "functions": ["crm_zone"], "triggers": [], "columns": [],
    }  # fmt: skip
    for line in (shipped("schema") / "snapshot.txt").read_text().splitlines():
        kind, name, *rest = line.split()
        if kind == "trigger":
            names["triggers"].append(f"{name} on {rest[1]}")
        elif kind == "column":
            names["columns"].append(name)
        elif kind in _KINDS and name not in CRM_TABLES and (kind != "index" or name.startswith("idx_")):
            names[_KINDS[kind]].append(name.partition("(")[0])
    return names
