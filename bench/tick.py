"""(c) 10,000 tenants in 40 zones: an engine with nothing due, and what the pass of each minute costs."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bench.servers import SQL, filled_database, run_statements
from workers import clock
from workers.db.session import Connection, transaction
from workers.engines.base import Engine
from workers.engines.registry import all_engines
from workers.runtime import occurrences
from workers.runtime.dispatch import run_engine

_TICKS = 30
_MINUTES = 240


def measure(server: str) -> list[dict[str, Any]]:
    """Return the median and the slowest tick in milliseconds, ledger included: of each engine and of all timetables."""
    with filled_database(server, "tick") as (_, connection):
        rows = [
            _row(engine.name, [_timed(partial(_idle, connection, engine)) for _ in range(_TICKS)], 50)
            for engine in all_engines().values()
        ]
        run_statements(connection, (SQL / "timetables.sql").read_text())
        rows.append(_row("all timetables", _minutes(connection), 20))
    return rows


def _idle(connection: Connection, engine: Engine) -> None:
    report = run_engine(connection, engine, trigger="manual", batch_size=1000)
    assert report is not None
    assert report.tally.due == 0


def _minutes(connection: Connection) -> list[float]:
    """Let hours pass, minute by minute: slots come, are entered, and are named to whoever sends for a worker."""
    now, times = datetime.now(UTC), []
    for minute in range(_MINUTES):
        with clock.at(now + timedelta(minutes=minute + 1)):
            times.append(_timed(partial(_look, connection)))
    entered = connection.execute("SELECT count(*) AS n FROM engine_runs WHERE slot IS NOT NULL").fetchone()
    assert entered is not None
    assert entered["n"] > _MINUTES / 15
    return times


def _look(connection: Connection) -> None:
    with transaction(connection):
        occurrences.note_slots(connection, clock.now())
        occurrences.give_up_slots(connection)
        occurrences.slots_to_start(connection)


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _row(name: str, times: list[float], most: int) -> dict[str, Any]:
    median = round(statistics.median(times), 2)
    return {
        "engine": name, "median_ms": median, "max_ms": round(max(times), 2), "asked_ms": most, "holds": median <= most,
    }  # fmt: skip
