"""Whether the fleet does its work: its passes, slots, outbox and inbound mail. Cheap enough for every minute."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from workers import clock
from workers.db.check import faults
from workers.db.session import Connection, transaction
from workers.engines.registry import all_engines
from workers.runtime import ledger
from workers.runtime.slots import latest_slot
from workers.settings import Settings
from workers.watch.findings import Finding

# Each pass is late after this long: several of its intervals, so that one that is lost is nothing.
_LATE: Final = {
    "catch_up": timedelta(minutes=15),
    "delivery": timedelta(minutes=5),
    "inbound": timedelta(minutes=10),
}
_PASSES: Final = {
    "catch_up": ("the engines' workers", "no slot is worked and none is caught up", "engines"),
    "delivery": ("delivery's workers", "nothing leaves: no letter, and no task reaches its owner", "delivery"),
    "inbound": ("inbound's worker", "answers are not read, so customers are written to who wrote back", "inbound"),
}
# A slot that nobody has begun, or that is not worked whole, may still be caught up.
_SLOT_LATE: Final = timedelta(minutes=20)
_PARTLY_LATE: Final = timedelta(hours=2)
_MOST: Final = 1000  # where a count ends


def look_at_work(connection: Connection, settings: Settings) -> list[Finding]:
    """Return what is wrong with the fleet's work.

    Raises:
        psycopg.Error: the database does not answer in time.
    """
    now = clock.now()
    with transaction(connection):
        beats = connection.execute("SELECT name, at, clock_timestamp() - at AS age FROM fleet_heartbeats").fetchall()
        work = connection.execute("SELECT * FROM watch_work()").fetchone()
        installed = connection.execute("SELECT fleet_installed_at() AS at").fetchone()
        missed = connection.execute("SELECT * FROM watch_missed()").fetchall()
        recent = faults(connection)
        worked = connection.execute(
            "SELECT engine, max(started_at) AS at FROM engine_runs WHERE status = 'succeeded' GROUP BY engine"
        ).fetchall()
        slots = {
            name: (slot, ledger.slot_state(connection, name, slot))
            for name, slot in ((e.name, latest_slot(e.name, now, settings.time_zone)) for e in all_engines().values())
        }
    assert work is not None  # noqa: S101  # a function that always answers
    since = installed["at"] if installed else now
    return [
        *_passes({row["name"]: row["age"] for row in beats}, now - since, polls=bool(settings.imap_urls)),
        *_slots(slots, {row["engine"]: row["at"] for row in worked}, now, since),
        *_missed(missed),
        *_outbox(work),
        *_faults(recent),
    ]


def _passes(ages: Mapping[str, timedelta], installed: timedelta, *, polls: bool) -> Iterator[Finding]:
    for name, (who, why, queue) in _PASSES.items():
        if (name == "inbound" and not polls) or ages.get(name, installed) <= _LATE[name]:
            continue
        last = f"was last made {_for(ages[name])} ago" if name in ages else "was never made"
        yield Finding(
            f"pass:{name}",
            f"workers.{_TASKS[name]} {last}: beat, the broker or {who} are not at work",
            why,
            f"see that `celery -A workers.app beat` and a worker with --queues={queue} run, and read their logs",
        )


_TASKS: Final = {"catch_up": "housekeeping.catch_up", "delivery": "delivery.run", "inbound": "inbound.poll"}


def _slots(
    slots: Mapping[str, tuple[datetime, str | None]],
    worked: Mapping[str, datetime],
    now: datetime,
    installed: datetime,
) -> Iterator[Finding]:
    for engine, (slot, state) in slots.items():
        age = now - slot
        if engine in worked and worked[engine] > slot:  # by hand, which marks no slot
            continue
        if state == "partly" and age > _PARTLY_LATE:
            what = f"the slot of {engine} at {slot:%a %H:%M} UTC is worked only in part, after {_for(age)}"
        elif state == "failed" and age > _SLOT_LATE:
            what = f"the slot of {engine} at {slot:%a %H:%M} UTC failed"
        elif state is None and age > _SLOT_LATE and slot >= installed:
            what = f"the slot of {engine} at {slot:%a %H:%M} UTC was never begun"
        else:
            continue
        yield Finding(
            f"slot:{engine}",
            what,
            "what is due waits for the next slot, and so do the customers",
            f"`fleet runs list --engine {engine}` says what failed; `fleet run {engine}` works what is due now",
        )


def _missed(missed: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for row in missed:
        engine, n = row["engine"], row["n"]
        first, last = (row[name].astimezone(UTC) for name in ("first", "last"))
        yield Finding(
            f"missed:{engine}",
            f"{engine} missed {n:,} slot{'s' if n > 1 else ''}, the last of {last:%a %d %b %H:%M} UTC: nobody began"
            " it while it was worth it",
            "what was due waits for the next slot, and so do the customers",
            f"`fleet runs backfill --engine {engine} --since {first:%Y-%m-%dT%H:%M}` makes up"
            " for it; see what kept the workers away",
        )


def _outbox(work: Mapping[str, Any]) -> Iterator[Finding]:
    if work["filed_late"]:
        yield Finding(
            "outbox:tasks",
            f"{_count(work['filed_late'])} tasks or cases wait to be filed since"
            f" {work['filed_late_since']:%a %H:%M} UTC",
            "owners do not hear of what only they can do",
            "see that a worker with --queues=delivery runs; `fleet actions list --status scheduled` shows them",
        )
    if work["held_back"]:
        yield Finding(
            "outbox:held",
            f"{_count(work['held_back'])} letters wait for a mail server that did not take them:"
            f" {work['held_back_for']}",
            "they are tried again for five days, and late letters are read by nobody",
            "mend what the server says (SMTP_URL, the account, the sender's domain); they then leave by themselves",
        )
    if work["given_up"]:
        yield Finding(
            "outbox:dead",
            f"{_count(work['given_up'])} messages of the last week were given up after all attempts",
            "nobody received them, and their matters wait for a person",
            "`fleet actions list --status dead` shows them, `fleet actions retry` tries again, `cancel` lets them be",
        )
    if work["aside"]:
        yield Finding(
            "rows:aside",
            f"the CRM refuses {_count(work['aside'])} rows, which are set aside and tried again each day",
            "nothing happens about their customers",
            "`fleet status` names them with the CRM's own words",
        )
    if work["unread"]:
        yield Finding(
            "inbound:unread",
            f"{_count(work['unread'])} mails of customers wait to be read for signals for more than three hours",
            "what they say of themselves and of their plans reaches nobody",
            "`fleet runs list --engine enrichment` says what keeps the engine from it",
        )


def _faults(recent: list[str]) -> Iterator[Finding]:
    if recent:
        yield Finding(
            "faults",
            f"triggers on the CRM's tables failed within a day: {recent[0]}"
            + (f", and {len(recent) - 1} causes more" if len(recent) > 1 else ""),
            "the CRM's rows were written, but the fleet may have missed them",
            "`fleet db check` says what is missing; `fleet db migrate` finds what was missed",
        )


def _count(n: int) -> str:
    return f"{n:,}" if n <= _MOST else f"more than {_MOST:,}"


def _for(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:  # noqa: PLR2004  # as people say it
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
