"""The Celery tasks: thin. A task opens a connection, calls, returns counts."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import psycopg
from celery import Celery, Task

from workers import clock
from workers.db.heartbeats import note_heartbeat
from workers.db.session import connect, require_current_schema, transaction
from workers.engines.base import Engine
from workers.engines.registry import all_engines
from workers.errors import DatabaseUnavailableError
from workers.runtime import ledger
from workers.runtime.dispatch import run_engine
from workers.runtime.ledger import Trigger
from workers.runtime.messages import HELPER_EXPIRES_SECONDS, Sender, send_or_say
from workers.runtime.slots import latest_slot
from workers.settings import database_url, settings
from workers.stopping import stopping

logger = logging.getLogger(__name__)

# Well under the broker's visibility timeout: a run that is not through by then ends and sends a successor.
_BUDGET: Final = timedelta(minutes=15)
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
    def run(task: Task, trigger: Trigger = "manual", helpers: int | None = None) -> dict[str, Any] | None:
        """Run the engine until nothing is due; by hand it runs now, from the timetable once per slot."""
        chosen = settings()
        helpers = chosen.fleet_helpers if helpers is None else helpers
        on_time = trigger in ("beat", "catch_up")
        slot = latest_slot(engine.name, clock.now(), chosen.time_zone) if on_time else None

        def call_helper() -> None:
            if helpers > 0:
                send_or_say(
                    send,
                    f"workers.{engine.name}.run",
                    kwargs={"trigger": "share", "helpers": helpers - 1},
                    expires=HELPER_EXPIRES_SECONDS,
                )

        with connect(database_url()) as connection:
            require_current_schema(connection)
            report = run_engine(
                connection,
                engine,
                trigger=trigger,
                slot=slot,
                task_id=task.request.id,
                batch_size=chosen.fleet_batch_size,
                budget_seconds=_BUDGET.total_seconds(),
                on_backlog=call_helper,
            )
        if report is None:
            return None
        if report.unfinished and not report.held:  # who comes at once would find the rows held as well
            send_or_say(send, f"workers.{engine.name}.run", kwargs={"trigger": "share", "helpers": helpers})
        if report.tally.actions:
            send_or_say(send, "workers.delivery.run")
        return report.as_dict()

    return run


def _catch_up_task(send: Sender) -> Callable[[], list[str]]:
    def catch_up() -> list[str]:
        """Start every engine whose latest slot was missed, lost or not worked whole, and is still young enough."""
        chosen, now = settings(), clock.now()
        started = []
        with connect(database_url()) as connection:
            require_current_schema(connection)
            with transaction(connection):
                note_heartbeat(connection, "catch_up")
                ledger.close_lost_runs(connection)
            for engine in all_engines().values():
                slot = latest_slot(engine.name, now, chosen.time_zone)
                with transaction(connection):
                    wanted = now - slot < engine.catch_up and not ledger.slot_is_taken(connection, engine.name, slot)
                if wanted:
                    send_or_say(send, f"workers.{engine.name}.run", kwargs={"trigger": "catch_up"})
                    started.append(engine.name)
        return started

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
