"""If these fail, the timetable rings and nobody comes, or two come; real beat, workers and Flower are started."""

import json
import os
import shelve
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from uuid import uuid4

import pytest
import redis
from celery import Celery

from tests.conftest import Servers
from tests.crm import NOW, Crm, days
from tests.mail import free_port
from workers import clock
from workers.db.session import transaction
from workers.runtime import ledger
from workers.runtime.slots import CATCH_UP_WINDOW, latest_slot
from workers.runtime.tasks import _catch_up_task
from workers.settings import settings

T = TypeVar("T")
ENGINES_ONLY = "--queues=engines"  # as in the Procfile
CELERY = [sys.executable, "-m", "celery", "-A", "workers.app"]


def late_morning() -> str:
    """A zone in which it is between eleven and twelve: every daily slot is past, and young enough to catch up."""
    east = 11 - datetime.now(UTC).hour
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"


def wait_for(condition: Callable[[], T], what: str, seconds: float = 40) -> T:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} seconds"
        time.sleep(0.05)
    return value


class Fleet:
    """The environment of real processes, with a broker database of this test's own."""

    def __init__(self, database_url: str, redis_url: str, home: Path) -> None:
        self.home = home
        self.redis = redis.Redis.from_url(redis_url.replace("redis+socket:", "unix:").replace("virtual_host=", "db="))
        self.redis.flushdb()
        self.environment = os.environ | {
            "DATABASE_URL": database_url, "REDIS_URL": redis_url, "FLEET_HOME": str(home),
            "FLEET_TIMEZONE": late_morning(), "COLUMNS": "200",
        }  # fmt: skip
        self.client = Celery("client", broker=redis_url, backend=redis_url, set_as_current=False)
        self.client.conf.task_default_queue = "engines"

    @contextmanager
    def process(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a celery command in a process group of its own; whatever it starts ends with the block."""
        home = self.home / str(uuid4())
        home.mkdir(parents=True)
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [*CELERY, *arguments], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
        except BaseException:
            sys.stderr.write((home / "log").read_text())
            raise
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @contextmanager
    def worker(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        name = f"{uuid4().hex}@test"
        with self.process("worker", "--concurrency=1", f"--hostname={name}", "--loglevel=INFO", *arguments) as process:
            wait_for(lambda: self.client.control.ping([name], timeout=0.3), "the worker's first answer")
            yield process

    def send(self, name: str, task_id: str | None = None, **kwargs: Any) -> str:
        task_id = task_id or str(uuid4())
        self.client.send_task(name, kwargs=kwargs, task_id=task_id)
        return task_id

    def result(self, task_id: str) -> Any:
        """What a task returned."""
        stored = wait_for(lambda: self.redis.get(f"celery-task-meta-{task_id}"), f"the end of {task_id}")
        assert isinstance(stored, bytes)
        meta = json.loads(stored)
        assert meta["status"] == "SUCCESS", meta
        return meta["result"]

    def queued(self, queue: str) -> list[dict[str, Any]]:
        messages = self.redis.lrange(queue, 0, -1)
        assert isinstance(messages, list)
        return [json.loads(message)["headers"] for message in messages]


@pytest.fixture
def fleet(servers: Servers, database_url: str, tmp_path: Path, worker_id: str) -> Iterator[Fleet]:
    number = 1 + int(worker_id.removeprefix("gw")) % 15 if worker_id != "master" else 1
    fleet = Fleet(database_url, f"{servers.valkey}?virtual_host={number}", tmp_path / "fleet")
    with closing(fleet.redis), closing(fleet.client):
        yield fleet


def stalled(crm: Crm, number: int = 3) -> None:
    """Deals that have been silent for a month as of today."""
    tenant = crm.tenant()
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    for _ in range(number):
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
        wait_for(lambda: len(crm.actions(status="sent")) == 3, "the delivery")

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
    waiting = (
        "SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
        " WHERE d.datname = current_database() AND NOT l.granted"
    )
    return int(wait_for(lambda: crm.rows(waiting), "the run's arrival at the outbox")[0]["pid"])


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
        wait_for(
            lambda: [row for row in runs(crm) if row["engine"] == "deals" and row["status"] == "succeeded"],
            "the catch-up",
        )
        assert fleet.result(fleet.send("workers.housekeeping.catch_up")) == []

    assert [(row["trigger"], row["acted"]) for row in runs(crm) if row["engine"] == "deals"] == [("catch_up", 3)]
    assert crm.templates() == {"deal_follow_up": 6}


@pytest.mark.parametrize("engine", sorted(CATCH_UP_WINDOW))
def test_a_missed_slot_is_started_once_and_one_that_is_too_old_never(
    engine: str, crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    sent: list[tuple[str, Any]] = []
    catch_up = _catch_up_task(lambda name, **options: sent.append((name, options["kwargs"])))
    zone = settings().time_zone
    slot = latest_slot(engine, NOW + days(3), zone)

    with clock.at(slot + CATCH_UP_WINDOW[engine]):
        assert engine not in catch_up()
    with clock.at(slot + CATCH_UP_WINDOW[engine] - timedelta(seconds=1)):
        assert engine in catch_up()
        assert (f"workers.{engine}.run", {"trigger": "catch_up"}) in sent
        with transaction(crm.connection):
            run = ledger.open_run(crm.connection, engine, slot, "catch_up", "one")
            assert run is not None
            assert ledger.open_run(crm.connection, engine, slot, "catch_up", "two") is None
        assert engine not in catch_up()  # somebody is at it
        crm.execute("UPDATE engine_runs SET lease_until = clock_timestamp()")
        assert engine in catch_up()  # nobody is any more
        with transaction(crm.connection):
            ledger.close_run(crm.connection, run, "succeeded", 0)
        assert engine not in catch_up()


def test_beat_starts_and_after_an_outage_sends_what_it_missed_once(fleet: Fleet) -> None:
    schedule = fleet.home / "celerybeat-schedule"
    with fleet.process("beat"):
        # What the file holds by now is beat's business; when it stops, it has written down every entry.
        wait_for(lambda: any(file.stat().st_size for file in fleet.home.glob("celerybeat-schedule*")), "a note")
    assert fleet.queued("engines") == []
    with shelve.open(str(schedule), writeback=True) as memory:  # noqa: S301  # beat's own file
        for entry in memory["entries"].values():
            entry.last_run_at -= timedelta(days=8)

    with fleet.process("beat"):
        wait_for(lambda: len(fleet.queued("engines")) >= 6 and fleet.queued("delivery"), "the messages")

    assert sorted(message["task"] for message in fleet.queued("engines")) == sorted(
        [*(f"workers.{engine}.run" for engine in CATCH_UP_WINDOW), "workers.housekeeping.catch_up"]
    )
    assert {message["task"] for message in fleet.queued("delivery")} == {
        "workers.delivery.run",
        "workers.inbound.poll",
    }
    assert all(message["expires"] for message in fleet.queued("engines"))


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
        assert wait_for(answer, "Flower's answer") == b"OK"


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
