"""Real beat, workers and Flower, each a process of its own, with a broker database of the test's own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis
from celery import Celery

from tests.crm import wait_until

CELERY = [sys.executable, "-m", "celery", "-A", "workers.app"]


def late_morning() -> str:
    """A zone in which it is between eleven and twelve: every daily slot is past, and young enough to catch up."""
    east = 11 - datetime.now(UTC).hour
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"


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
            wait_until(lambda: self.client.control.ping([name], timeout=0.3), "the worker's first answer")
            yield process

    def send(self, name: str, task_id: str | None = None, queue: str = "engines", **kwargs: Any) -> str:
        task_id = task_id or str(uuid4())
        self.client.send_task(name, kwargs=kwargs, task_id=task_id, queue=queue)
        return task_id

    def result(self, task_id: str) -> Any:
        """What a task returned."""
        stored = wait_until(lambda: self.redis.get(f"celery-task-meta-{task_id}"), f"the end of {task_id}")
        assert isinstance(stored, bytes)
        meta = json.loads(stored)
        assert meta["status"] == "SUCCESS", meta
        return meta["result"]

    def queued(self, queue: str) -> list[dict[str, Any]]:
        messages = self.redis.lrange(queue, 0, -1)
        assert isinstance(messages, list)
        return [json.loads(message)["headers"] for message in messages]

    @contextmanager
    def beat_after_an_outage(self) -> Iterator[None]:
        """Run beat as it starts after eight days of silence: every entry is due at once."""
        subprocess.run([sys.executable, "-m", "tests.silent_beat"], env=self.environment, check=True)
        with self.process("beat"):
            yield
