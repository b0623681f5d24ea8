"""If these fail, a broker that fails over, fills up or restarts takes the workers with it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.result import AsyncResult
from kombu.exceptions import OperationalError

from tests.crm import wait_until
from tests.databases import WAITING_FOR_A_LOCK
from tests.fleet import Fleet
from workers.db.embedded import EmbeddedServers
from workers.db.session import connect
from workers.runtime.broker import SteadyAMQP

QUEUES = "--queues=engines,delivery"
# Celery takes messages, fails, and waits on its way out for a child that nobody can hear any more.
STUCK = """
import threading
from celery.worker.consumer import Consumer
from workers.runtime import broker

def fail(consumer):
    raise RuntimeError("the pool is broken")

Consumer.start = fail
broker._END_SECONDS = 0.1
try:
    broker.SteadyConsumer.start(object.__new__(broker.SteadyConsumer))
finally:
    threading.Event().wait()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "broker"


@pytest.fixture
def broker(home: Path) -> Iterator[EmbeddedServers]:
    """A Valkey of the test's own, which it may ill-treat."""
    with EmbeddedServers(home, postgres=False) as servers:
        yield servers


@pytest.fixture
def fleet(broker: EmbeddedServers, database_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(database_url, f"{broker.urls['REDIS_URL']}?virtual_host=0", tmp_path / "fleet")
    with closing(fleet.redis), closing(fleet.client):
        yield fleet


def log(fleet: Fleet) -> str:
    return "".join(path.read_text() for path in fleet.home.glob("*/log"))


def test_a_worker_outlives_a_broker_that_is_read_only_for_a_while(fleet: Fleet) -> None:
    with fleet.worker(QUEUES) as worker:
        fleet.redis.slaveof("127.0.0.1", 1)
        wait_until(lambda: "read only replica" in log(fleet), "the worker's complaint")
        fleet.redis.slaveof()
        assert fleet.result(fleet.send("workers.delivery.run", queue="delivery")) == {}
        assert worker.poll() is None


def test_a_worker_outlives_a_broker_that_is_full_for_a_while(fleet: Fleet) -> None:
    with fleet.worker(QUEUES) as worker:
        worker.send_signal(signal.SIGSTOP)
        fleet.send("workers.delivery.run", queue="delivery")
        fleet.redis.config_set("maxmemory", "1")
        worker.send_signal(signal.SIGCONT)
        wait_until(lambda: "used memory > 'maxmemory'" in log(fleet), "the worker's complaint")
        fleet.redis.config_set("maxmemory", "0")
        assert fleet.result(fleet.send("workers.delivery.run", queue="delivery")) == {}
        assert worker.poll() is None


def test_a_worker_outlives_a_broker_that_starts_anew_with_nothing_in_it_while_it_works(
    fleet: Fleet, broker: EmbeddedServers, home: Path, database_url: str
) -> None:
    # One of two children works, and the worker waits for a message for the other.
    with fleet.worker(QUEUES, "--concurrency=2") as worker, ExitStack() as anew:
        with connect(database_url) as holder, holder.transaction():
            holder.execute("LOCK TABLE scheduled_actions IN ACCESS EXCLUSIVE MODE")
            fleet.send("workers.delivery.run", queue="delivery")
            wait_until(lambda: holder.execute(WAITING_FOR_A_LOCK).fetchone(), "work under way")
            fleet.redis.flushall()
            broker.__exit__(None, None, None)
            wait_until(lambda: "Connection to broker lost" in log(fleet), "the loss of the broker")
            anew.enter_context(EmbeddedServers(home, postgres=False))
        wait_until(lambda: answers(fleet), "the new broker's answer")
        assert fleet.result(fleet.send("workers.delivery.run", queue="delivery")) == {}
        assert worker.poll() is None
    assert "Deprecation" not in log(fleet)


def test_a_worker_whose_connections_are_cut_takes_up_work_again(fleet: Fleet) -> None:
    with fleet.worker(QUEUES):
        for kind in ("pubsub", "normal"):
            fleet.redis.client_kill_filter(_type=kind, skipme=True)
        assert fleet.result(fleet.send("workers.delivery.run", queue="delivery")) == {}


def test_who_was_sending_when_the_broker_went_away_sends_on_once_it_is_back(
    fleet: Fleet, broker: EmbeddedServers, home: Path
) -> None:
    beat = Celery("beat", broker=fleet.environment["REDIS_URL"], amqp=SteadyAMQP, set_as_current=False)
    with closing(beat), beat.connection_for_write() as connection, ExitStack() as anew:
        producer = beat.amqp.Producer(connection, auto_declare=False)

        def send() -> AsyncResult[Any]:
            return beat.send_task("workers.delivery.run", queue="delivery", producer=producer)

        send()
        broker.__exit__(None, None, None)
        with pytest.raises(OperationalError):
            send()
        anew.enter_context(EmbeddedServers(home, postgres=False))
        wait_until(lambda: answers(fleet), "the new broker's answer")
        send()
        assert fleet.queued("delivery")


def test_a_worker_that_cannot_find_its_way_out_is_ended_so_that_another_one_begins() -> None:
    assert subprocess.run([sys.executable, "-c", STUCK], check=False, timeout=60).returncode == 1


def answers(fleet: Fleet) -> bool:
    try:
        return bool(fleet.redis.ping())
    except redis.ConnectionError:
        return False
