"""`python -m bench.fairness [ROWS [TIMES]]`: 200 tenants with ten due deals each, alone and beside a very big one."""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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


def measure(server: str, rows: int, times: int) -> dict[str, Any]:
    """Return after how many seconds the small ones were done, alone and beside so many rows of one tenant.

    Both are measured in turn so many times, for what else the machine does to count for both; each figure is the median
    of all times.
    """
    with _filled(server, "alone", 0) as alone, _filled(server, "beside", rows) as beside:
        both = [(_seconds(alone), _seconds(beside)) for _ in range(times)]
    alone_each, beside_each = ([_summary(done) for done in one] for one in zip(*both, strict=True))
    ratios = {
        name: round(_median(b[name] / a[name] for a, b in zip(alone_each, beside_each, strict=True)), 2)
        for name in ("median", "last")
    }
    return {
        "rows_of_the_big_one": rows,
        "seconds_alone": {name: _median(one[name] for one in alone_each) for name in ("first", "median", "last")},
        "seconds_beside": {name: _median(one[name] for one in beside_each) for name in ("first", "median", "last")},
        "times": ratios,
        "holds": max(ratios.values()) <= _MOST,
    }


def _summary(done: Sequence[float]) -> dict[str, float]:
    return {"first": min(done), "median": statistics.median(done), "last": max(done)}


def _median(values: Iterator[float]) -> float:
    return round(statistics.median(values), 3)


@contextmanager
def _filled(server: str, name: str, big: int) -> Iterator[str]:
    with empty_database(server, f"fairness_{name}") as url:
        migrate(url)
        with connect(url) as connection:
            run_statements(connection, (SQL / "fairness.sql").read_text().replace("{big}", str(big)))
        yield url


def _seconds(url: str) -> list[float]:
    """Run the engine until every small tenant's rows are done; return after how many seconds each was."""
    with connect(url) as connection:
        done = _run(connection)
        run_statements(connection, (SQL / "fairness_again.sql").read_text())
    return done


def _run(connection: Connection) -> list[float]:
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


def main(rows: int, times: int) -> None:
    """Measure on servers of its own, and print."""
    with (
        tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as folder,
        EmbeddedServers(Path(folder), valkey=False) as servers,
    ):
        print(measure(servers.urls["DATABASE_URL"], rows, times))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(given[0] if given else 100_000, given[1] if len(given) > 1 else 3)
