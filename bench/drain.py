"""(b) 100,000 due deals through workers.deals.run with two worker processes, against the limit and row by row."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.servers import SQL, filled_database
from workers.db.session import Connection

_BATCH = 1000
_ROUNDS = 3
_ROW_BY_ROW = 2000


def measure(server: str, broker: str, home: Path) -> dict[str, Any]:
    """Return rows per second of the three ways: the medians of interleaved rounds, and the ratios."""
    speeds: dict[str, list[float]] = {"fleet": [], "limit": [], "row_by_row": []}
    with filled_database(server, "drain") as (_, source):
        source.close()
        for number in range(_ROUNDS):
            with filled_database(server, f"drain_limit_{number}", "drain") as (_, connection):
                speeds["limit"].append(_limit(connection))
            with filled_database(server, f"drain_rows_{number}", "drain") as (_, connection):
                speeds["row_by_row"].append(_row_by_row(connection))
            with filled_database(server, f"drain_fleet_{number}", "drain") as (url, connection):
                speeds["fleet"].append(_fleet(url, f"{broker}?virtual_host={number + 1}", home, connection))
    medians = {way: round(statistics.median(values)) for way, values in speeds.items()}
    of_limit, times = medians["fleet"] / medians["limit"], medians["fleet"] / medians["row_by_row"]
    return {
        "rows_per_second": medians,
        "rounds": {way: [round(value) for value in values] for way, values in speeds.items()},
        "fleet_of_limit": round(of_limit, 2),
        "fleet_over_row_by_row": round(times, 1),
        "holds": of_limit >= 0.5 and times >= 20,
    }


def _limit(connection: Connection) -> float:
    ids = [row["id"] for row in connection.execute("SELECT id FROM deals ORDER BY tenant_id, last_activity_at")]
    statement = (SQL / "drain_limit.sql").read_bytes()
    started = time.perf_counter()
    for start in range(0, len(ids), _BATCH):
        connection.execute(statement, [ids[start : start + _BATCH]])
    return len(ids) / (time.perf_counter() - started)


def _row_by_row(connection: Connection) -> float:
    """Do it as a loop of single statements does: read the row, its contact, update, insert, commit."""
    ids = [row["id"] for row in connection.execute("SELECT id FROM deals LIMIT %s", [_ROW_BY_ROW])]
    started = time.perf_counter()
    for deal_id in ids:
        with connection.transaction():
            _follow_up_one(connection, deal_id)
    return len(ids) / (time.perf_counter() - started)


def _follow_up_one(connection: Connection, deal_id: UUID) -> None:
    deal = connection.execute("SELECT * FROM deals WHERE id = %s FOR UPDATE", [deal_id]).fetchone()
    assert deal is not None
    contact = connection.execute("SELECT * FROM contacts WHERE id = %s", [deal["contact_id"]]).fetchone()
    client = connection.execute("SELECT * FROM clients WHERE id = %s", [deal["client_id"]]).fetchone()
    assert contact is not None
    assert client is not None
    connection.execute((SQL / "row_by_row_update.sql").read_bytes(), {"deal": deal_id})
    connection.execute(
        (SQL / "row_by_row_insert.sql").read_bytes(),
        {
            "tenant": deal["tenant_id"], "title": deal["title"], "company": client["company_name"],
            "first_name": contact["first_name"], "deal": deal_id, "client": deal["client_id"],
            "contact": deal["contact_id"], "owner": deal["owner_id"],
            "key": f"deal:{deal_id}:{deal['last_activity_at']}:1",
        },
    )  # fmt: skip


def _fleet(url: str, broker: str, home: Path, connection: Connection) -> float:
    """Start a worker with two processes, send workers.deals.run once by hand, and wait until nothing is due."""
    environment = os.environ | {"DATABASE_URL": url, "REDIS_URL": broker, "FLEET_HOME": str(home)}
    celery = [sys.executable, "-m", "celery", "-A", "workers.app"]
    with (home / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [*celery, "worker", "--queues=engines", "--concurrency=2", "--loglevel=INFO"],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_ready(home / "worker.log")
            subprocess.run([*celery, "call", "workers.deals.run"], env=environment, check=True, stdout=log, stderr=log)
            left = 1
            while left:
                time.sleep(0.05)
                row = connection.execute("SELECT count(*) AS n FROM deals WHERE stalled_at IS NULL").fetchone()
                assert row is not None
                left = row["n"]
            _wait_until_closed(connection)
        finally:
            worker.terminate()
            worker.wait()
    row = connection.execute(
        "SELECT sum(due) AS n, extract(epoch FROM max(finished_at) - min(started_at)) AS seconds"
        " FROM engine_runs WHERE due > 0"
    ).fetchone()
    assert row is not None
    assert row["n"] == 100_000, f"{row['n']} deals acted on instead of 100,000"
    return float(row["n"] / row["seconds"])


def _wait_until_closed(connection: Connection) -> None:
    while connection.execute("SELECT FROM engine_runs WHERE status = 'running'").fetchone():
        time.sleep(0.05)


def _wait_until_ready(log: Path) -> None:
    deadline = time.monotonic() + 30
    while b"ready." not in log.read_bytes():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
