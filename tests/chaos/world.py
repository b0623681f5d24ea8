"""A fleet at work on servers that may be ill-treated: `fleet up`, its databases, its mail server, and work for it."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import psutil
import psycopg
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from tests.crm import wait_until
from tests.mail import MailServer
from workers.db.embedded import EmbeddedServers
from workers.db.session import connect
from workers.errors import DatabaseUnavailableError

ENGINES = ("deals", "quotes", "feedback")
# A delivery that is killed holds what it claimed until its lease is over, after four minutes.
PATIENCE_SECONDS = 330
_LOAD = Path(__file__).with_name("load.sql").read_bytes()


class World:
    """The fleet's processes and what they depend on; each round's tenant has so many items that are due."""

    def __init__(self, home: Path, items: int) -> None:
        self.home, self.items = home, items
        self.mail = MailServer()
        self._stack = ExitStack()
        self._rounds = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.postgres = stack.enter_context(EmbeddedServers(self.home / "database", valkey=False))
            self.valkey = stack.enter_context(EmbeddedServers(self.home / "broker", postgres=False))
            stack.enter_context(self.mail)
            self.database_url = self.postgres.urls["DATABASE_URL"]
            broker = f"{self.valkey.urls['REDIS_URL']}?virtual_host=0"
            self.broker = stack.enter_context(
                redis.Redis.from_url(self.valkey.urls["REDIS_URL"].replace("redis+socket:", "unix:"), socket_timeout=2)
            )
            self.client = Celery("chaos", broker=broker, set_as_current=False)
            self.client.conf.broker_transport_options = {"socket_timeout": 2}
            self.log = self.home / "fleet.log"
            self.fleet = stack.enter_context(self._up(broker))
            wait_until(lambda: "is up on its timetable" in self.log.read_text(), "the fleet", 60)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def _up(self, broker: str) -> Iterator[subprocess.Popen[bytes]]:
        environment = os.environ | {
            "DATABASE_URL": self.database_url, "REDIS_URL": broker, "FLEET_HOME": str(self.home / "fleet"),
            "SMTP_URL": self.mail.url, "FLEET_DEFAULT_MODE": "auto",
        }  # fmt: skip
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers", "up", "--no-demo"], env=environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)

    def workers(self) -> list[psutil.Process]:
        """Return the workers' processes, the children in which tasks run among them."""
        return [one for one in psutil.Process(self.fleet.pid).children(recursive=True) if "worker" in _command(one)]

    def begin_round(self) -> str:
        """Give the fleet work to do, and return its tenant's name."""
        self._rounds += 1
        with psycopg.connect(self.database_url) as connection:
            connection.execute(_LOAD, {"round": self._rounds, "items": self.items})
        return f"Round {self._rounds}"

    def kick(self, times: int = 1) -> None:
        """Send what beat would send, so many times each; a broker that is away hears nothing."""
        with suppress(OperationalError, redis.RedisError, OSError):
            for name in (*(f"workers.{engine}.run" for engine in ENGINES), "workers.delivery.run"):
                for _ in range(times):
                    queue = "delivery" if "delivery" in name else "engines"
                    self.client.send_task(name, queue=queue, retry=False, expires=20)

    def end_leases(self) -> None:
        """Let the leases of dead senders be over now, for who has no four minutes."""
        with suppress(psycopg.Error), psycopg.connect(self.database_url) as connection:
            connection.execute("UPDATE scheduled_actions SET lease_until = clock_timestamp() WHERE status = 'sending'")

    def is_done(self, tenant: str) -> bool:
        """Say whether all of a round's letters have left; a database that does not answer says no."""
        self.kick()
        with suppress(psycopg.Error, DatabaseUnavailableError), connect(self.database_url) as connection:
            connection.execute("SET statement_timeout = '2s'")
            row = connection.execute(
                "SELECT count(*) AS n FROM scheduled_actions AS a JOIN tenants AS t ON t.id = a.tenant_id"
                " WHERE t.name = %s AND a.status = 'sent'",
                [tenant],
            ).fetchone()
            assert row is not None
            return bool(row["n"] >= self.items)
        return False

    def judge(self) -> Counter[str]:
        """Count over all rounds: items, lost and doubled ones, letters that came again, and other Message-IDs."""
        with connect(self.database_url) as connection:
            rows = connection.execute(
                "SELECT a.id, a.subject_id, a.status, a.message_id FROM scheduled_actions AS a WHERE a.kind = 'email'"
            ).fetchall()
        received = Counter(message["Message-ID"] for _, message in self.mail.received)
        subjects = Counter(row["subject_id"] for row in rows)
        return Counter(
            items=self._rounds * self.items,
            lost=self._rounds * self.items - len({row["subject_id"] for row in rows if received[row["message_id"]]}),
            doubled=sum(subjects.values()) - len(subjects),
            repeated=sum(received.values()) - len(received),
            strange=len(received.keys() - {row["message_id"] for row in rows}),
        )


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
