"""If this fails, a worker that dies takes work with it, or somebody hears the same thing twice."""

import random
import time

import pytest

from tests.acceptance.crowd import ENGINES, fill, go, outcome, report, start
from tests.crm import Crm, wait_until
from tests.databases import copy_of
from workers.db.session import connect

TENANTS, ROWS, BATCH, KILLS = 2, 300, 5, 10


def ledger(crm: Crm) -> dict[str, int]:
    return crm.rows(
        "SELECT count(*)::integer AS runs, coalesce(sum(due), 0)::integer AS due,"
        " coalesce(sum(acted), 0)::integer AS acted,"
        " coalesce(sum(actions), 0)::integer AS actions,"
        " coalesce(sum((SELECT sum(s.value::integer) FROM jsonb_each_text(r.skipped) AS s)), 0)::integer AS skipped"
        " FROM engine_runs AS r"
    )[0]


def kill_ten_times(crm: Crm, database_url: str, engine: str, due: int, moments: random.Random) -> None:
    """Start one worker after the other, and kill each when it has come to a random point of the work."""
    others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    waiting = start(database_url, engine, BATCH)
    for kill, point in enumerate(sorted(moments.sample(range(int(due * 0.9)), KILLS)), start=1):
        worker, waiting = waiting, start(database_url, engine, BATCH)
        go([worker])
        wait_until(lambda kill=kill, point=point: ledger(crm)["runs"] == kill and ledger(crm)["due"] >= point)  # type: ignore[misc]
        time.sleep(moments.uniform(0, 0.004))  # somewhere inside a batch, not only between two
        worker.kill()
        # Its session ends with it, and what it had not committed is gone; the next one is connected and waits.
        wait_until(lambda: len(crm.rows(others)) <= 1)
    go([waiting])
    report(waiting)


@pytest.mark.parametrize("engine", ENGINES)
def test_after_ten_kills_and_a_normal_run_all_is_as_if_nothing_had_happened(engine: str, database_url: str) -> None:
    with connect(database_url) as connection:
        fill(Crm(connection), engine, TENANTS, ROWS)

    with copy_of(database_url) as undisturbed_url:
        with connect(undisturbed_url) as connection:
            crm = Crm(connection)
            crm.run(engine, batch_size=BATCH)
            expected, counts = outcome(crm, engine), ledger(crm)
        with connect(database_url) as connection:
            crm = Crm(connection)
            kill_ten_times(crm, database_url, engine, counts["due"], random.Random(f"crash {engine}"))  # noqa: S311

            assert outcome(crm, engine) == expected
            assert ledger(crm) == counts | {"runs": KILLS + 1}
            assert sum(expected[1].values()) == counts["actions"]
            runs = crm.rows("SELECT status, count(*) AS n FROM engine_runs GROUP BY status ORDER BY status")
            assert runs == [{"status": "running", "n": KILLS}, {"status": "succeeded", "n": 1}]
            assert crm.run(engine).tally.due == 0
