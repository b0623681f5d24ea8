"""(d) What the fleet costs the CRM's own writes: time, WAL and HOT updates, with and without it.

Both as a CRM writes all day, one row in each transaction, and as it imports, many rows in one statement. The former
once for the work alone, and once with the disk's answer to each commit, for which a CRM waits. At 500,000 quotes and
signals; `python -m bench.crm_writes ROWS` measures it alone, at as many as one has patience for.
"""

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql

from bench.servers import SQL, empty_database, run_statements
from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate
from workers.db.session import Connection, connect

_ROWS = 500_000
_ROUNDS = 7
_BATCH = 2000  # rows of a statement
_SINGLES = 200  # rows of a round, each in a transaction of its own
_DURABLE_ROUNDS = 3  # over other rows: they come after those of the other rounds
_MOST_SLOWER = 1.3
_MOST_MS_PER_DELETE = 5.0


@dataclass(frozen=True)
class _Write:
    """A statement of the CRM's over the rows `first` to `last`: many at once, or one in each transaction."""

    name: str
    statement: str
    many: bool

    @property
    def table(self) -> str:
        return self.name.split()[1]

    @property
    def deletes(self) -> bool:
        return self.name.startswith("delete")


def _writes(file: str) -> list[_Write]:
    """Read a file of bench/sql: a line "-- name, many" or "-- name, one" stands over each statement."""
    text = (SQL / file).read_text()
    blocks = re.findall(r"^-- ([\w ]+), (many|one)\n(.*?);$", text, re.MULTILINE | re.DOTALL)
    return [_Write(name, statement, many == "many") for name, many, statement in blocks]


def measure(server: str, rows: int = _ROWS) -> list[dict[str, Any]]:
    """Return milliseconds, WAL bytes per row and the share of HOT updates of each write, without and with the fleet.

    Medians of several rounds, in turns, each over other rows. Deals that were there before the fleet are written to for
    the first time in between: that happens once to each, so it is measured apart.
    """
    text = (SQL / "crm.sql").read_text().replace("{rows}", str(rows))
    with (
        empty_database(server, "crm_bare") as bare,
        empty_database(server, "crm_fleet") as fleet,
        connect(bare) as without,
        connect(fleet) as beside,
    ):
        for connection in (without, beside):
            run_statements(connection, text)
        migrate(fleet)
        run_statements(beside, (SQL / "crm_fleet_rows.sql").read_text())
        first = list(_compared("crm_first_writes.sql", without, beside))
        for connection in (without, beside):
            run_statements(connection, (SQL / "crm_edited.sql").read_text())
        return first + list(_compared("crm_writes.sql", without, beside))


def _compared(file: str, without: Connection, beside: Connection) -> Iterator[dict[str, Any]]:
    for write in _writes(file):
        yield _compare(write, without, beside, range(_ROUNDS), durable=False)
        if not write.many:
            yield _compare(write, without, beside, range(_ROUNDS, _ROUNDS + _DURABLE_ROUNDS), durable=True)


def _compare(write: _Write, without: Connection, beside: Connection, rounds: range, *, durable: bool) -> dict[str, Any]:
    costs: dict[Connection, list[tuple[float, float]]] = {without: [], beside: []}
    hot = {connection: _hot_share(connection, write.table) for connection in costs}
    for number in rounds:
        for connection, seen in costs.items():
            connection.execute("CHECKPOINT")  # every round pays for its own full pages
            connection.execute(f"SET synchronous_commit = {'on' if durable else 'off'}")
            seen.append(_cost(connection, write, number))
    before, after = ([statistics.median(column) for column in zip(*costs[c], strict=True)] for c in (without, beside))
    slower = after[0] / before[0]
    return {
        "write": write.name,
        "rows_per_transaction": _BATCH if write.many else 1,
        "durable": durable,
        "ms_without": round(before[0], 4),
        "ms_with": round(after[0], 4),
        "times": round(slower, 2),
        "wal_without": round(before[1]),
        "wal_with": round(after[1]),
        "hot_without": hot[without](),
        "hot_with": hot[beside](),
        "asked": f"{_MOST_MS_PER_DELETE:.0f} ms" if write.deletes else f"+{_MOST_SLOWER - 1:.0%}",
        "holds": after[0] <= _MOST_MS_PER_DELETE if write.deletes else slower <= _MOST_SLOWER,
    }


def _cost(connection: Connection, write: _Write, number: int) -> tuple[float, float]:
    """Return milliseconds and WAL bytes per row of one round."""
    size = _BATCH if write.many else _SINGLES
    first = 1 + number * size
    steps = [(first, first + size - 1)] if write.many else [(n, n) for n in range(first, first + size)]
    wal = _wal(connection)
    started = time.perf_counter()
    for low, high in steps:
        connection.execute(write.statement.encode(), {"first": low, "last": high})
    seconds = time.perf_counter() - started
    return seconds * 1000 / size, (_wal(connection) - wal) / size


def _wal(connection: Connection) -> int:
    row = connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS position").fetchone()
    assert row is not None
    return int(row["position"])


def _hot_share(connection: Connection, table: str) -> Callable[[], float | None]:
    """Return what tells the share of HOT updates from now on, None where nothing was updated."""

    def counts() -> tuple[int, int]:
        connection.execute("SELECT pg_stat_force_next_flush()")
        statement = sql.SQL("SELECT n_tup_upd AS n, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relname = {}")
        row = connection.execute(statement.format(table)).fetchone()
        assert row is not None
        return row["n"], row["hot"]

    n, hot = counts()

    def share() -> float | None:
        now, hot_now = counts()
        return round((hot_now - hot) / (now - n), 2) if now > n else None

    return share


def main() -> None:
    """Measure alone, and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    with (
        tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as folder,
        EmbeddedServers(Path(folder), valkey=False) as servers,
    ):
        for row in measure(servers.urls["DATABASE_URL"], rows):
            print(row)


if __name__ == "__main__":
    main()
