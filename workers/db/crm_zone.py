"""In which zone the CRM writes timestamps that name none: said once, and kept in the database for every session."""

import json
from collections.abc import Iterable

from workers.db.revisions import VERSION_TABLE
from workers.db.session import Connection
from workers.errors import FleetError
from workers.resources import shipped
from workers.settings import settings


def crm_zone(connection: Connection) -> str | None:
    """Return the zone that the database keeps, else that of FLEET_NAIVE_ZONE; None if nobody has said it."""
    return kept_zone(connection) or settings().fleet_naive_zone


def kept_zone(connection: Connection) -> str | None:
    """Return the zone that a migration was told; None if it was told none. A CRM may have a function of that name."""
    ours = connection.execute(
        "SELECT FROM pg_proc WHERE oid = to_regprocedure('public.crm_zone()') AND prorettype = 'text'::regtype"
        " AND to_regclass(%s) IS NOT NULL",
        [f"public.{VERSION_TABLE}"],
    ).fetchone()
    if ours is None:
        return None
    row = connection.execute("SELECT public.crm_zone() AS zone").fetchone()
    return row["zone"] if row else None


def keep_zone(connection: Connection) -> None:
    """Make the functions by which the CRM's moments are read, with the zone of FLEET_NAIVE_ZONE if it is set.

    Raises:
        FleetError: another zone is kept. What was planned and indexed by it would be wrong without a word.
    """
    kept, chosen = kept_zone(connection), settings().fleet_naive_zone
    if kept and chosen and kept != chosen:
        raise FleetError(
            f"FLEET_NAIVE_ZONE says {chosen}, and this database reads the CRM's timestamps as {kept} since it was "
            "migrated: set it back; if that zone was wrong, `fleet db rollback` and migrate anew"
        )
    connection.execute("SELECT set_config('fleet.naive_zone', %s, false)", [kept or chosen or ""])
    connection.execute((shipped("schema") / "crm_instant.sql").read_bytes())


def work_in_zone(connection: Connection, functions: Iterable[str]) -> None:
    """Let these functions of the fleet work in the zone that is kept, if one is, whoever calls them."""
    connection.execute("SELECT set_config('fleet.functions', %s, false)", [json.dumps(sorted(functions))])
    connection.execute((shipped("schema") / "crm_zone.sql").read_bytes())


def forget_zone(connection: Connection) -> None:
    """Drop what keep_zone made."""
    connection.execute((shipped("schema") / "crm_instant.rollback.sql").read_bytes())
