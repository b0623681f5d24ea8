"""(e) Delivery of e-mail, guards and records included, against bare smtplib loops that send the same bytes."""

import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any, Final
from uuid import UUID

from bench.servers import filled_database
from workers.db.session import connect
from workers.delivery.deliver import channel_for, deliver
from workers.delivery.message import Letter, compose
from workers.delivery.texts import render
from workers.delivery.wording import Wording, language_of
from workers.settings import Settings

_MESSAGES: Final = 20_000  # of bench/sql/delivery.sql
_GOAL: Final = 0.8
_GAP: Final = """
    SELECT count(*) AS n, max(ms) AS max, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS median
    FROM (SELECT 1000 * extract(epoch FROM sent_at - (guards -> 'passed' ->> 'at')::timestamptz) AS ms
          FROM scheduled_actions WHERE status = 'sent') AS letters
"""


def measure(server: str) -> list[dict[str, Any]]:
    """Return messages per second of one process and of two: the fleet's, and of loops over one connection each.

    `bare_loop` gives smtplib one message again and again; `ready_bytes` gives it what that message is written as, so
    that nothing but the conversation is left. `ms_since_guards` bounds the gap in which an answer comes too late for a
    letter: from the beginning of the transaction in which its guards looked to that in which it is recorded as sent.
    """
    return [_measure(server, processes) for processes in (1, 2)]


def _measure(server: str, processes: int) -> dict[str, Any]:
    with _sink() as port:
        bare = _rate(processes, _bare_loop, port, _MESSAGES // processes)
        ready = _rate(processes, _ready_bytes, port, _MESSAGES // processes)
        with filled_database(server, "delivery") as (url, connection):
            fleet = _rate(processes, _fleet, port, url)
            sent = connection.execute(_GAP).fetchone()
    assert sent is not None
    assert sent["n"] == _MESSAGES, sent
    return {
        "processes": processes,
        "messages_per_second": {"fleet": round(fleet), "bare_loop": round(bare), "ready_bytes": round(ready)},
        "fleet_of_bare_loop": round(fleet / bare, 2),
        "ms_since_guards": {"median": round(sent["median"]), "max": round(sent["max"])},
        "holds": fleet >= _GOAL * bare,
    }


def _rate(processes: int, work: Callable[..., None], *arguments: Any) -> float:
    """Return how many messages per second leave while so many processes work side by side."""
    context = get_context("spawn")
    start = context.Barrier(processes + 1)
    workers = [context.Process(target=_at_once, args=(start, work, *arguments)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    start.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * processes
    return _MESSAGES / (time.perf_counter() - began)


def _at_once(start: Barrier, work: Callable[..., None], *arguments: Any) -> None:
    _letter()  # what is made once is made before
    start.wait()
    work(*arguments)


def _fleet(port: int, url: str) -> None:
    settings = Settings(smtp_url=f"smtp://127.0.0.1:{port}")
    with connect(url) as connection:
        deliver(connection, channel_for(settings), settings)


def _bare_loop(port: int, number: int) -> None:
    message = message_from_bytes(_letter().raw)
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for _ in range(number):
            connection.send_message(message)


def _ready_bytes(port: int, number: int) -> None:
    letter = _letter()
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for _ in range(number):
            connection.sendmail(letter.sender, [letter.recipient], letter.raw)


def _letter() -> Letter:
    """Return a letter like those of bench/sql/delivery.sql."""
    variables = {
        "deal": "Deal 1", "stage": "lead", "company": "Client 1", "first_name": "Ann", "owner_name": None,
        "days_silent": 9, "step": 1, "max_steps": 5,
    }  # fmt: skip
    return compose(
        render("deal_follow_up", variables, "Tenant 1", Wording(language_of("English"))),
        action=1, tenant=UUID(int=1), tenant_name="Tenant 1",
        address="ann@client1.example", from_name="Tenant 1", from_address="care@fleet.example",
    )  # fmt: skip


@contextmanager
def _sink() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
