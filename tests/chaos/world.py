"""A fleet at work on servers that may be ill-treated: `fleet up`, its databases, its mail server, and work for it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import psutil
import psycopg
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from tests.crm import wait_until
from tests.mail import MailServer, free_port
from workers.db.embedded import EmbeddedServers
from workers.db.session import connect

ENGINES = ("deals", "quotes", "feedback")
# What a fault keeps from leaving is tried again after a minute, then after two …; a sender's lease lasts four.
PATIENCE_SECONDS = 900
_KICK_SECONDS = 0.5
_LOOK_SECONDS = 0.05
_LOAD = Path(__file__).with_name("load.sql").read_bytes()
_CLOCKS = Path(__file__).with_name("clocks")


class World:
    """The fleet's processes and what they depend on; each round's tenant has so many items that are due."""

    def __init__(self, home: Path, items: int) -> None:
        self.home, self.items = home, items
        self.mail = MailServer()
        self._stack = ExitStack()
        self._rounds = 0
        self._kicked = 0.0
        self._watcher: psycopg.Connection | None = None

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
            self.log, self._clocks = self.home / "fleet.log", self.home / "clocks.json"
            self.fleet = stack.enter_context(self._up(broker))
            wait_until(lambda: "is up on its timetable" in self.log.read_text(), "the fleet", 60)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._watcher is not None:
            self._watcher.close()
        self._stack.close()

    @contextmanager
    def _up(self, broker: str) -> Iterator[subprocess.Popen[bytes]]:
        self.environment = os.environ | {
            "DATABASE_URL": self.database_url, "REDIS_URL": broker, "FLEET_HOME": str(self.home / "fleet"),
            "SMTP_URL": self.mail.url, "FLEET_DEFAULT_MODE": "auto", "CHAOS_CLOCKS": str(self._clocks),
            "FLEET_WEB_PORT": str(free_port()), "FLEET_FLOWER_PORT": str(free_port()),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_CLOCKS), os.environ.get("PYTHONPATH")])),
        }  # fmt: skip
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers", "up", "--no-demo"], env=self.environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def processes(self) -> list[psutil.Process]:
        """Return the fleet's processes, the children in which tasks run among them."""
        return [one for one in psutil.Process(self.fleet.pid).children(recursive=True) if "worker" in command_of(one)]

    def restart(self, server: EmbeddedServers) -> None:
        """Stop a server and start it again where it was."""
        before = dict(server.urls)
        server.__exit__(None, None, None)
        server.__enter__()
        assert server.urls == before

    def set_clocks(self, seconds: Mapping[str, float]) -> None:
        """Let the clocks of processes whose command has a word be so many seconds ahead, all others be right."""
        fresh = self._clocks.with_suffix(".new")
        fresh.write_text(json.dumps(seconds))
        fresh.replace(self._clocks)
        for process in self.processes():
            with suppress(psutil.Error):
                process.send_signal(signal.SIGURG)

    def database_answers(self) -> bool:
        try:
            psycopg.connect(self.database_url).close()
        except psycopg.OperationalError:
            return False
        return True

    def begin_round(self) -> str:
        """Give the fleet work to do as soon as the database takes it, and return its tenant's name."""
        self._rounds += 1
        name = f"Round {self._rounds}"

        def has_begun() -> bool:
            with suppress(psycopg.OperationalError), psycopg.connect(self.database_url) as connection:
                if connection.execute("SELECT FROM tenants WHERE name = %s", [name]).fetchone() is None:
                    connection.execute(_LOAD, {"round": self._rounds, "items": self.items})
                return True
            return False

        wait_until(has_begun, name)
        return name

    def kick(self, times: int = 1) -> None:
        """Send what beat would send, so many times each; a broker that is away hears nothing.

        Where earlier messages wait, nothing is sent: nobody has time for more of them.
        """
        self._kicked = time.monotonic()
        with suppress(OperationalError, redis.RedisError, OSError):
            for name in (*(f"workers.{engine}.run" for engine in ENGINES), "workers.delivery.run"):
                queue = "delivery" if "delivery" in name else "engines"
                if self.broker.llen(queue) < len(ENGINES):
                    for _ in range(times):
                        self.client.send_task(name, queue=queue, retry=False)

    def time_to_next_letter(self, what: str) -> float:
        """Begin a round, and return how many seconds later the first of its letters has left."""
        begun = time.monotonic()
        tenant = self.begin_round()
        wait_until(lambda: self._sent(tenant) > 0, what, PATIENCE_SECONDS)
        return time.monotonic() - begun

    def end_waits(self) -> None:
        """Let leases of dead senders and pauses before the next try be over now, for who has no minutes."""
        with suppress(psycopg.Error), psycopg.connect(self.database_url) as connection:
            connection.execute("UPDATE scheduled_actions SET lease_until = clock_timestamp() WHERE status = 'sending'")
            connection.execute(
                "UPDATE scheduled_actions SET run_at = now() WHERE status = 'scheduled' AND run_at > now()"
            )

    def is_done(self) -> bool:
        """Say whether all letters of all rounds have left."""
        return self._sent(None) >= self._rounds * self.items

    def hear_from_beat(self) -> None:
        """Wait until something that beat alone sends, each minute, is worked: everything else is kicked."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            heard = "SELECT FROM fleet_heartbeats WHERE name = 'catch_up' AND at > %s"
            row = connection.execute("SELECT clock_timestamp()").fetchone()
            wait_until(lambda: connection.execute(heard, row).fetchone() is not None, "a message of beat's")

    def _sent(self, tenant: str | None) -> int:
        """Count the letters that have left, of a tenant or of all; a database that does not answer says none."""
        # The mail server lives in this process: who looked without a pause would keep it from its letters.
        time.sleep(_LOOK_SECONDS)
        if time.monotonic() - self._kicked > _KICK_SECONDS:
            self.kick()
        try:
            if self._watcher is None:
                self._watcher = psycopg.connect(self.database_url, autocommit=True, options="-c statement_timeout=2s")
            row = self._watcher.execute(
                "SELECT count(*) FROM scheduled_actions AS a JOIN tenants AS t ON t.id = a.tenant_id"
                " WHERE a.kind = 'email' AND a.status = 'sent' AND t.name = coalesce(%s, t.name)",
                [tenant],
            ).fetchone()
        except psycopg.Error:
            if self._watcher is not None:
                self._watcher.close()
            self._watcher = None
            return 0
        return row[0] if row else 0

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


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
