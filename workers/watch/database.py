"""What a look at PostgreSQL itself finds."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from workers.db.check import missing
from workers.db.session import Connection
from workers.errors import SchemaMismatchError
from workers.watch.findings import Finding

_MOST_SKEW_SECONDS: Final = 2.0
_SLOW_MS: Final = 1000
_LONG_LOCK: Final = timedelta(seconds=30)
_LONG_TRANSACTION: Final = timedelta(hours=1)


def look_at_database(
    connection: Connection, *, long_lock: timedelta = _LONG_LOCK, long_transaction: timedelta = _LONG_TRANSACTION
) -> list[Finding]:
    """Return what is wrong with the database, but for what a whole reading of the catalogue would find.

    Args:
        connection: to the fleet's database.
        long_lock: who waits for a lock for longer is named, with who holds it.
        long_transaction: who has had one open for longer is named.
    """
    # As who connected, who may see what other sessions do.
    rows = connection.execute("SELECT * FROM watch_database(%s, %s)", [long_lock, long_transaction]).fetchall()
    return [*_skew(connection), *(_SAY[row["key"]](row) for row in rows)]


def look_at_schema(connection: Connection) -> list[Finding]:
    """Return what is missing in the schema, and which statements are slow; takes a tenth of a second."""
    absent = missing(connection)
    watched = connection.execute("SELECT to_regclass('pg_stat_statements') IS NOT NULL AS there").fetchone()
    slow = connection.execute(_SLOW, [_SLOW_MS]).fetchall() if watched and watched["there"] else []
    found = [*_release(connection)]
    if absent:
        found.append(
            Finding(
                "schema",
                f"{len(absent)} objects of the schema are missing, the first: {absent[0]}",
                "what needs them fails",
                "`fleet db migrate` makes them again",
            )
        )
    found += [
        Finding(
            f"slow:{row['queryid']}",
            f"a statement takes {row['mean']:,.0f} ms on average over {row['calls']:,} calls: {row['query']}",
            "a batch that takes long holds its rows for as long",
            "EXPLAIN it; `ANALYZE` its tables if they were just filled",
        )
        for row in slow
    ]
    return found


def _release(connection: Connection) -> Iterator[Finding]:
    """Compare the functions in the database with this release's, which a revision alone does not tell."""
    from workers.db import migrate as migrations  # noqa: PLC0415  # Alembic is slow to import

    try:
        old = migrations.pending(connection)
    except SchemaMismatchError as error:
        what = str(error)
    else:
        if not old:
            return
        what = f"the database has not all of this release, the first that is missing: {old[0]}"
    yield Finding(
        "release",
        what,
        "code of one release works with functions of another",
        "`fleet db migrate`, or install the release that the database has",
    )


def _skew(connection: Connection) -> Iterator[Finding]:
    """Compare this machine's clock with the database's, allowing for the way there and back."""
    before = datetime.now(UTC)
    row = connection.execute("SELECT clock_timestamp() AS at").fetchone()
    after = datetime.now(UTC)
    assert row is not None  # noqa: S101  # it always answers
    skew = max((before - row["at"]).total_seconds(), (row["at"] - after).total_seconds(), 0.0)
    if skew > _MOST_SKEW_SECONDS:
        yield Finding(
            "clock",
            f"this machine's clock and the database's are {skew:,.1f} seconds apart",
            "slots begin early or late on this machine, and log lines of one moment have two times",
            "let both follow an NTP server: `timedatectl status` says whether this one does",
        )


def _lock(row: Mapping[str, Any]) -> Finding:
    return Finding(
        f"lock:{row['subject']}",
        f"process {row['subject']} keeps others waiting for a lock, for {row['n']:,} seconds now: {row['detail']}",
        "what needs the table waits, and is tried again until it is free",
        f"end it if it is forgotten: SELECT pg_terminate_backend({row['subject']})",
    )


def _transaction(row: Mapping[str, Any]) -> Finding:
    return Finding(
        f"transaction:{row['subject']}",
        f"process {row['subject']} has had a transaction open for {row['n'] // 60:,} minutes: {row['detail']}",
        "until it ends, nothing that was changed since is cleaned up, and every read becomes slower",
        f"end it if it is forgotten: SELECT pg_terminate_backend({row['subject']})",
    )


def _vacuum(row: Mapping[str, Any]) -> Finding:
    return Finding(
        f"vacuum:{row['subject']}",
        f"{row['subject']} has {row['n']:,} dead rows beside {int(row['detail']):,} live ones: autovacuum is behind",
        "every read of it becomes slower",
        f"VACUUM (ANALYZE) {row['subject']}; and see what keeps autovacuum from it",
    )


def _connections(row: Mapping[str, Any]) -> Finding:
    return Finding(
        "connections",
        f"{row['n']:,} of {row['detail']} connections are in use",
        "who comes next is refused, a worker as well as the CRM",
        "raise max_connections, or put a pooler in between",
    )


_SAY: Final[dict[str, Callable[[Mapping[str, Any]], Finding]]] = {
    "lock": _lock,
    "transaction": _transaction,
    "vacuum": _vacuum,
    "connections": _connections,
}
_SLOW: Final = """
    SELECT s.queryid, s.mean_exec_time AS mean, s.calls, left(regexp_replace(s.query, '\\s+', ' ', 'g'), 120) AS query
    FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND s.mean_exec_time > %s AND s.calls >= 5
    ORDER BY s.total_exec_time DESC LIMIT 3
"""
