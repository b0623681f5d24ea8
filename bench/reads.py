"""(a) The six due reads: latency as a client sees it, 100 tenants x 10,000 rows in each table."""

import random
import statistics
import time
from typing import Any

import psycopg
from psycopg import sql

from bench.servers import filled_database

READS = (
    "get_stalled_deals", "get_quotes_needing_followup", "get_compliance_due",
    "get_feedback_due", "get_pending_enrichment", "get_unactioned_signals",
)  # fmt: skip
_CALLS = 3000


def measure(server: str) -> list[dict[str, Any]]:
    """Return p50 and p99 in milliseconds of each read (limit 20), over random tenants.

    From sending the query until its whole answer has arrived; turning it into Python objects is not part of it.
    """
    rows = []
    # A client as psycopg makes it: it prepares what it sends often, as every long-lived session does.
    with filled_database(server, "reads") as (url, _), psycopg.connect(url, autocommit=True) as connection:
        tenants = [tenant for (tenant,) in connection.execute("SELECT id FROM tenants")]
        dice = random.Random(7)
        for name in READS:
            statement = sql.SQL("SELECT * FROM {}(%s, 20)").format(sql.Identifier(name))
            for tenant in tenants:  # every tenant once, so that no call waits for the disk
                assert len(connection.execute(statement, [tenant]).fetchall()) == 20
            times = []
            for _ in range(_CALLS):
                tenant = dice.choice(tenants)
                started = time.perf_counter()
                answer = connection.execute(statement, [tenant])
                times.append((time.perf_counter() - started) * 1000)
                assert len(answer.fetchall()) == 20
            cuts = statistics.quantiles(times, n=100)
            p50, p99 = round(cuts[49], 3), round(cuts[98], 3)
            rows.append({"read": name, "p50_ms": p50, "p99_ms": p99, "holds": p50 <= 0.3 and p99 <= 1.0})
    return rows
