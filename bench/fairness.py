"""`python -m bench.fairness [ROWS]`: 200 tenants with ten due deals each, alone and beside one with very many."""

import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from bench.servers import SQL, empty_database, run_statements
from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate
from workers.db.session import Connection, connect
from workers.engines.base import Tally
from workers.engines.registry import engine_named
from workers.runtime.dispatch import run_engine

BIG: Final = UUID("00000000-0000-0000-0000-000000000001")
_MOST: Final = 1.2


class _AllDoneError(KeyboardInterrupt):
    """Nobody but the big one has anything left; as somebody would end the run."""


def measure(server: str, rows: int) -> dict[str, Any]:
    """Return after how many seconds the small ones were done, alone and beside so many rows of one tenant."""
    alone, beside = _seconds(server, 0), _seconds(server, rows)
    last = max(beside) / max(alone)
    return {
        "rows_of_the_big_one": rows,
        "seconds_alone": {"median": statistics.median(alone), "last": max(alone)},
        "seconds_beside": {"median": statistics.median(beside), "last": max(beside)},
        "times": round(last, 2),
        "holds": last <= _MOST,
    }


def _seconds(server: str, big: int) -> list[float]:
    with empty_database(server, "fairness") as url:
        migrate(url)
        with connect(url) as connection:
            run_statements(connection, (SQL / "fairness.sql").read_text().replace("{big}", str(big)))
            return _run(connection)


def _run(connection: Connection) -> list[float]:
    """Run the engine until every small tenant's rows are done; return after how many seconds each was."""
    deals, done = engine_named("deals"), dict[UUID, float]()

    def batch(connection: Connection, tenant: UUID, limit: int, run: int) -> Tally:
        tally = deals.batch(connection, tenant, limit, run)
        if tenant != BIG and tally.due:
            done[tenant] = time.perf_counter() - started
        elif len(done) == 200 and tenant != BIG:
            raise _AllDoneError
        return tally

    started = time.perf_counter()
    with suppress(_AllDoneError):
        run_engine(connection, replace(deals, batch=batch), trigger="manual", batch_size=1000)
    return list(done.values())


def main(rows: int) -> None:
    """Measure on servers of its own, and print."""
    with (
        tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as folder,
        EmbeddedServers(Path(folder), valkey=False) as servers,
    ):
        print(measure(servers.urls["DATABASE_URL"], rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
