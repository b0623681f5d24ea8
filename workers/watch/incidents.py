"""A look, what follows from it, and who is told: once when an incident opens, once when it is over."""

import logging
from collections.abc import Sequence

import psycopg
from psycopg.types.json import Jsonb

from workers.db.heartbeats import note_heartbeat
from workers.db.session import Connection, transaction
from workers.engines.registry import all_engines
from workers.settings import Settings
from workers.watch.alerts import Alert, ping, tell
from workers.watch.broker import look_at_broker
from workers.watch.database import look_at_database
from workers.watch.findings import Finding
from workers.watch.work import look_at_work

logger = logging.getLogger(__name__)


def look(connection: Connection, settings: Settings, broker: str) -> list[Finding]:
    """Return what is wrong, as far as it can be told cheaply: a few reads by index, and one question to the broker.

    Args:
        connection: to the fleet's database.
        settings: what is expected to run.
        broker: the broker's URL.
    """
    return [*look_at_work(connection, settings), *look_at_database(connection), *look_at_broker(broker)]


def watch(connection: Connection, settings: Settings, broker: str) -> int:
    """Look, open and close incidents, tell who is on call, and ping for what works; returns how many are open."""
    found = look(connection, settings, broker)
    with transaction(connection):
        note_heartbeat(connection, "watch")
        connection.execute("SELECT note_findings(%s)", [Jsonb([finding.as_dict() for finding in found])])
    _tell_of_changes(connection, settings)
    _report_alive(found, settings)
    with transaction(connection):
        return len(open_incidents(connection))


def open_incidents(connection: Connection) -> list[dict[str, object]]:
    """Return what is wrong and did not pass by itself, the longest first."""
    return connection.execute("SELECT * FROM open_incidents()").fetchall()


def _tell_of_changes(connection: Connection, settings: Settings) -> None:
    """Tell of each incident once; where nobody could be told, the next look tries again."""
    with transaction(connection):
        for row in connection.execute("SELECT * FROM untold_incidents()").fetchall():
            alert = Alert(
                "closed" if row["closed_at"] else "opened", row["key"], row["what"], row["why"], row["mend"],
                row["opened_at"], row["closed_at"],
            )  # fmt: skip
            if alert.event == "opened":
                logger.warning("incident %s: %s (%s)", alert.key, alert.what, alert.mend)
            else:
                logger.warning("incident %s is over", alert.key)
            if tell(alert, settings):
                connection.execute("UPDATE fleet_incidents SET told = %s WHERE id = %s", [alert.event, row["id"]])


def _report_alive(found: Sequence[Finding], settings: Settings) -> None:
    """Ping for beat, and for each engine whose slots are worked; silence raises the alarm elsewhere."""
    wrong = {finding.key for finding in found}
    if "pass:catch_up" not in wrong:
        ping("beat", settings)
    for engine in all_engines():
        if f"slot:{engine}" not in wrong:
            ping(engine, settings)


def look_safely(connection: Connection, settings: Settings, broker: str) -> list[Finding]:
    """Return what `look` does; a database that does not answer in time is a finding as well."""
    try:
        return look(connection, settings, broker)
    except psycopg.Error as error:
        return [
            Finding(
                "database",
                f"the database does not answer: {error.diag.message_primary or type(error).__name__}",
                "nothing can be told, and nothing works",
                "see what keeps it busy: SELECT * FROM pg_stat_activity WHERE state <> 'idle'",
            )
        ]
