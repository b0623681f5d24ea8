"""(h) A quarter of twenty tenants, simulated."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.servers import empty_database
from workers.db.migrate import migrate
from workers.db.session import connect
from workers.load.demo import PROFILES, load_demo
from workers.simulate.course import simulate
from workers.simulate.plan import Plan

_SINCE = datetime(2026, 3, 2, 7, tzinfo=UTC)
_QUARTER = timedelta(days=90)
_TIMES = 5  # the four demo tenants
_SECONDS = 60


def measure(server: str) -> dict[str, Any]:
    """Return how long it takes, and how much happens in it."""
    with empty_database(server, "simulation") as url:
        migrate(url)
        with connect(url) as connection:
            for n in range(_TIMES):
                profiles = [replace(one, name=f"{one.name} {n}", domain=f"{one.domain}{n}") for one in PROFILES]
                load_demo(connection, seed=n, now=_SINCE, profiles=profiles)
            tenants = [row["id"] for row in connection.execute("SELECT id FROM tenants ORDER BY id")]
            assert len(tenants) == _TIMES * len(PROFILES)
            started = time.perf_counter()
            outcome = simulate(connection, Plan(_SINCE, _SINCE + _QUARTER, tenants, reply_rate=0.1, seed=1))
            seconds = round(time.perf_counter() - started, 1)
    happened = {what: sum(entry.n for entry in outcome.entries if entry.what == what) for what in ("message", "task")}
    return {
        "seconds": seconds,
        "messages": happened["message"],
        "tasks": happened["task"],
        "holds": seconds <= _SECONDS,
    }
