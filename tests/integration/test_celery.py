"""If these fail, the timetable rings and nobody comes, or two come; real beat, workers and Flower are started."""

import os
import signal
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from tests.crm import NOW, Crm, days, wait_until
from tests.databases import WAITING_FOR_A_LOCK
from tests.fleet import CELERY, Fleet
from tests.mail import free_port
from workers import clock
from workers.db.session import transaction
from workers.engines.registry import all_engines, engine_named
from workers.runtime import ledger
from workers.runtime.slots import latest_slot
from workers.runtime.tasks import _catch_up_task
from workers.settings import settings

HOUSEKEEPING = ["workers.housekeeping.catch_up", "workers.housekeeping.prune"]
ENGINES_ONLY = "--queues=engines"  # as in the Procfile


def stalled(crm: Crm, number: int = 3) -> None:
    """Deals that have been silent for a month as of today."""
    tenant = crm.tenant()
    crm.open_always(tenant)
    client = crm.client(tenant)
    for n in range(number):
        contact = crm.contact(tenant, client, email=f"{n}@acme.example")
        crm.deal(tenant, client_id=client, contact_id=contact, last_activity_at=datetime.now(UTC) - days(30))


def runs(crm: Crm) -> list[dict[str, Any]]:
    return crm.rows("SELECT * FROM engine_runs ORDER BY id")


def test_by_hand_now_from_the_timetable_once_and_what_is_written_is_delivered(fleet: Fleet, crm: Crm) -> None:
    stalled(crm)
    with fleet.worker():
        by_hand = subprocess.run(
            [*CELERY, "call", "workers.deals.run"], env=fleet.environment, capture_output=True, text=True, check=True
        )
        assert fleet.result(by_hand.stdout.strip())["acted"] == {"deal_follow_up": 3}
        wait_until(lambda: len(crm.actions(status="sent")) == 3, "the delivery")

        message = fleet.send("workers.deals.run", trigger="beat")
        assert fleet.result(message)["trigger"] == "beat"
        fleet.redis.delete(f"celery-task-meta-{message}")
        fleet.send("workers.deals.run", message, trigger="beat")
        assert fleet.result(message) is None
        assert fleet.result(fleet.send("workers.deals.run", trigger="beat")) is None
        assert fleet.result(fleet.send("workers.deals.run"))["due"] == 0

    assert [(row["trigger"], row["status"], row["acted"]) for row in runs(crm)] == [
        ("manual", "succeeded", 3), ("beat", "succeeded", 0), ("manual", "succeeded", 0),
    ]  # fmt: skip
    assert len(list((fleet.home / "mail" / "new").glob("*.eml"))) == 3


def hold(crm: Crm) -> int:
    """Wait until the run hangs at the outbox, which the caller has locked; return its session."""
    return int(wait_until(lambda: crm.rows(WAITING_FOR_A_LOCK), "the run's arrival at the outbox")[0]["pid"])


def test_a_worker_killed_in_the_middle_of_a_run_is_replaced(fleet: Fleet, crm: Crm) -> None:
    stalled(crm)
    with fleet.worker(ENGINES_ONLY) as worker:
        # Its child dies: the message comes back at once and goes on with its run.
        with crm.connection.transaction():
            crm.connection.execute("LOCK TABLE scheduled_actions IN EXCLUSIVE MODE")
            message = fleet.send("workers.deals.run", trigger="beat")
            session = hold(crm)
            (child,) = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
            os.kill(int(child), signal.SIGKILL)
            crm.connection.execute("SELECT pg_terminate_backend(%s)", [session])
        assert fleet.result(message)["acted"] == {"deal_follow_up": 3}
        assert [(row["task_id"], row["status"], row["acted"]) for row in runs(crm)] == [(message, "succeeded", 3)]

        # All of it dies: the ledger's lease runs out, and the catch-up takes the slot over.
        crm.execute("DELETE FROM engine_runs")
        stalled(crm)
        with crm.connection.transaction():
            crm.connection.execute("LOCK TABLE scheduled_actions IN EXCLUSIVE MODE")
            fleet.send("workers.deals.run", trigger="beat")
            session = hold(crm)
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            crm.connection.execute("SELECT pg_terminate_backend(%s)", [session])
    assert [row["status"] for row in runs(crm)] == ["running"]
    with fleet.worker(ENGINES_ONLY):
        assert "deals" not in fleet.result(fleet.send("workers.housekeeping.catch_up"))
        crm.execute("UPDATE engine_runs SET lease_until = clock_timestamp() WHERE engine = 'deals'")
        assert "deals" in fleet.result(fleet.send("workers.housekeeping.catch_up"))
        wait_until(
            lambda: [row for row in runs(crm) if row["engine"] == "deals" and row["status"] == "succeeded"],
            "the catch-up",
        )
        assert fleet.result(fleet.send("workers.housekeeping.catch_up")) == []

    assert [(row["trigger"], row["acted"]) for row in runs(crm) if row["engine"] == "deals"] == [("catch_up", 3)]
    assert crm.templates() == {"deal_follow_up": 6}


def test_what_is_older_than_records_are_kept_goes_by_itself(crm: Crm, fleet: Fleet) -> None:
    for age in (1094, 1096):
        crm.execute(
            "INSERT INTO engine_runs (engine, trigger, status, started_at, finished_at, lease_until)"
            " SELECT 'deals', 'manual', 'succeeded', a, a, a FROM (SELECT now() - make_interval(days => %s)) AS x (a)",
            age,
        )
    with fleet.worker(ENGINES_ONLY):
        assert fleet.result(fleet.send("workers.housekeeping.prune")) == 1
    assert len(runs(crm)) == 1


@pytest.mark.parametrize("engine", sorted(all_engines()))
def test_a_missed_slot_is_started_once_and_one_that_is_too_old_never(
    engine: str, crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    sent: list[tuple[str, Any]] = []
    catch_up = _catch_up_task(lambda name, **options: sent.append((name, options["kwargs"])))
    slot = latest_slot(engine, NOW + days(3), settings().time_zone)
    crm.execute("UPDATE fleet_timetable SET noted_until = %s", slot - timedelta(minutes=1))

    with clock.at(slot + engine_named(engine).catch_up - timedelta(seconds=1)):
        assert engine in catch_up()
        assert (f"workers.{engine}.run", {"trigger": "catch_up", "slot": slot.isoformat()}) in sent
        assert engine not in catch_up()  # it is announced
        with transaction(crm.connection):
            run = ledger.open_run(crm.connection, engine, slot, "catch_up", "one")
            assert run is not None
            assert ledger.open_run(crm.connection, engine, slot, "catch_up", "two") is None
        assert engine not in catch_up()  # somebody is at it
        crm.execute("UPDATE engine_runs SET lease_until = clock_timestamp() WHERE id = %s", run)
        assert engine in catch_up()  # nobody is any more
        with transaction(crm.connection):
            ledger.close_run(crm.connection, run, "succeeded", 0)
        assert engine not in catch_up()

    crm.execute("DELETE FROM engine_runs")
    crm.execute("UPDATE fleet_timetable SET noted_until = %s", slot - timedelta(minutes=1))
    with clock.at(slot + engine_named(engine).catch_up):
        assert engine not in catch_up()
        assert crm.one("SELECT status FROM engine_runs WHERE slot = %s AND engine = %s", slot, engine) == {
            "status": "missed"
        }


def test_beat_starts_and_after_an_outage_sends_what_it_missed_once(fleet: Fleet) -> None:
    with fleet.beat_after_an_outage():
        wait_until(lambda: len(fleet.queued("engines")) >= 7 and len(fleet.queued("delivery")) >= 2, "the messages")
        wait_until(lambda: fleet.queued("inbound"), "the visit to the mailboxes")

    assert sorted(message["task"] for message in fleet.queued("engines")) == sorted(
        [*(f"workers.{engine}.run" for engine in all_engines()), *HOUSEKEEPING]
    )
    assert {message["task"] for message in fleet.queued("delivery")} == {
        "workers.delivery.run",
        "workers.watch.look",
    }
    assert {message["task"] for message in fleet.queued("inbound")} == {"workers.inbound.poll"}
    engines = [message for message in fleet.queued("engines") if message["task"] not in HOUSEKEEPING]
    assert all(message["expires"] for message in engines)


def test_flower_answers(fleet: Fleet) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    def answer() -> bytes:
        try:
            with urllib.request.urlopen(f"{url}/healthcheck", timeout=2) as response:  # noqa: S310  # our own port
                body: bytes = response.read()
                return body
        except (URLError, OSError):
            return b""

    with fleet.process("flower", "--address=127.0.0.1", f"--port={url.rpartition(':')[2]}"):
        assert wait_until(answer, "Flower's answer") == b"OK"


@pytest.mark.parametrize("command", ["worker", "beat", "flower"])
def test_without_a_broker_one_line_says_what_to_do(command: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    done = subprocess.run(
        [*CELERY, command], env=environment | {"FLEET_HOME": str(tmp_path / "fleet")}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    output = (done.stdout + done.stderr).strip()
    assert output.startswith("fleet: REDIS_URL is not set")
    assert len(output.splitlines()) == 1
