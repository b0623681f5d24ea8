"""(c) One tick with nothing due, 10,000 tenants."""

import statistics
import time
from typing import Any

from bench.servers import filled_database
from workers.engines.registry import all_engines
from workers.runtime.dispatch import run_engine

_TICKS = 30


def measure(server: str) -> list[dict[str, Any]]:
    """Return the median and the slowest tick of each engine in milliseconds, ledger included."""
    rows = []
    with filled_database(server, "tick") as (_, connection):
        for engine in all_engines().values():
            times = []
            for _ in range(_TICKS):
                started = time.perf_counter()
                report = run_engine(connection, engine, trigger="manual", batch_size=1000)
                times.append((time.perf_counter() - started) * 1000)
                assert report is not None
                assert report.tally.due == 0
            median = round(statistics.median(times), 2)
            rows.append(
                {"engine": engine.name, "median_ms": median, "max_ms": round(max(times), 2), "holds": median <= 50}
            )
    return rows
