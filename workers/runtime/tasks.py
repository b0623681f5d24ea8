"""The Celery tasks: thin. A task opens a connection, calls, returns counts."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from celery import Celery, Task

from workers import clock
from workers.db.heartbeats import note_heartbeat
from workers.db.session import connect, require_current_schema, transaction
from workers.engines.base import Engine
from workers.engines.registry import all_engines
from workers.errors import DatabaseUnavailableError
from workers.runtime import ledger, occurrences
from workers.runtime.dispatch import run_engine
from workers.runtime.ledger import Trigger
from workers.runtime.limits import helpers_for
from workers.runtime.messages import HELPER_EXPIRES_SECONDS, SLOT_EXPIRES_SECONDS, Sender, send_or_say
from workers.runtime.slots import latest_slot
from workers.settings import database_url, settings
from workers.stopping import stopping

logger = logging.getLogger(__name__)

# Well under the broker's visibility timeout: a run that is not through by then ends and sends a successor.
_BUDGET: Final = timedelta(minutes=15)
# A slot that is started by the pass of its own minute, or the next one, is nothing that was missed.
_ON_TIME: Final = timedelta(minutes=2)
# Few enough that nobody waits long for a row that goes.
_PRUNED_AT_ONCE: Final = 1000
# Late enough that a restarting database is back, bounded so that the message ends up in the log.
RETRY: Final[dict[str, Any]] = {
    "autoretry_for": (DatabaseUnavailableError, psycopg.OperationalError),
    "retry_backoff": 5,
    "retry_backoff_max": 300,
    "retry_jitter": True,
    "max_retries": 8,
}


def register(app: Celery) -> None:
    """Give the app one task per engine, workers.ENGINE.run, and the housekeeping."""
    for engine in all_engines().values():
        app.task(_engine_task(engine, app.send_task), name=f"workers.{engine.name}.run", bind=True, **RETRY)
    app.task(_catch_up_task(app.send_task), name="workers.housekeeping.catch_up", **RETRY)
    app.task(_prune, name="workers.housekeeping.prune", **RETRY)


def _engine_task(engine: Engine, send: Sender) -> Callable[..., dict[str, Any] | None]:
    def run(
        task: Task, trigger: Trigger = "manual", helpers: int | None = None, slot: str | None = None
    ) -> dict[str, Any] | None:
        """Run the engine until nothing is due; by hand it runs now, from the timetable once per slot.

        slot: an instant in ISO 8601; from the timetable, the latest of the fleet's own if there is none. A helper takes
        no slot: it works for whose slot it is.
        """
        chosen = settings()
        helpers = helpers_for(engine.name, chosen.fleet_helpers if helpers is None else helpers)
        instant = datetime.fromisoformat(slot) if slot else None
        if instant is None and trigger in ("beat", "catch_up"):
            instant = latest_slot(engine.name, clock.now(), chosen.time_zone)
        shared = {"slot": instant.isoformat()} if instant else {}

        def call_helper() -> None:
            if helpers > 0:
                send_or_say(
                    send,
                    f"workers.{engine.name}.run",
                    kwargs={"trigger": "share", "helpers": helpers - 1} | shared,
                    expires=HELPER_EXPIRES_SECONDS,
                )

        with connect(database_url()) as connection:
            require_current_schema(connection)
            report = run_engine(
                connection,
                engine,
                trigger=trigger,
                slot=None if trigger == "share" else instant,
                helps=instant if trigger == "share" else None,
                task_id=task.request.id,
                batch_size=chosen.fleet_batch_size,
                budget_seconds=_BUDGET.total_seconds(),
                on_backlog=call_helper,
            )
        if report is None:
            return None
        # Rows that are held, who comes at once would find held as well; and a minute that is over, over.
        if report.unfinished and not (report.held or report.spent or report.cancelled):
            kwargs = {"trigger": "share", "helpers": helpers} | shared
            send_or_say(send, f"workers.{engine.name}.run", kwargs=kwargs)
        if report.tally.actions:
            send_or_say(send, "workers.delivery.run")
        return report.as_dict()

    return run


def _catch_up_task(send: Sender) -> Callable[[], list[str]]:
    def catch_up() -> list[str]:
        """Enter the slots that have come, start those that wait to be worked, and give up those that are too old.

        Returns the engines that were started.
        """
        now = clock.now()
        with connect(database_url()) as connection:
            require_current_schema(connection)
            with transaction(connection):
                note_heartbeat(connection, "catch_up")
                ledger.close_lost_runs(connection)
                occurrences.note_slots(connection, now)
                occurrences.give_up_slots(connection)
                slots = occurrences.slots_to_start(connection)
        for slot in slots:
            trigger: Trigger = "beat" if now - slot.at < _ON_TIME else "catch_up"
            send_or_say(
                send,
                f"workers.{slot.engine}.run",
                kwargs={"trigger": trigger, "slot": slot.at.isoformat()},
                expires=SLOT_EXPIRES_SECONDS,
            )
        return [slot.engine for slot in slots]

    return catch_up


def _prune() -> int:
    """Delete the records that are older than they are kept, a batch in each transaction; returns how many went."""
    days, pruned = settings().fleet_retention_days, 0
    with connect(database_url()) as connection:
        require_current_schema(connection)
        with transaction(connection):
            ledger.prune_answers(connection)
        while not stopping():
            with transaction(connection):
                batch = ledger.prune_records(connection, days, _PRUNED_AT_ONCE)
            pruned += batch
            if not batch:
                break
    if pruned:
        logger.info("%s records older than %s days were deleted", pruned, days)
    return pruned
