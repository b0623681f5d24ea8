"""`fleet runs`: what ran when, what it did, and for whom it failed; to start, cancel and make up for."""

from contextlib import nullcontext
from datetime import timedelta
from typing import Annotated, Any, Final

import redis
import typer
from celery import Celery
from kombu.exceptions import KombuError

from workers import clock
from workers.cli.common import (
    By,
    Json,
    Limit,
    OneEngine,
    Why,
    Yes,
    chosen_engine,
    completing,
    confirm,
    database,
    decider,
    engine_names,
    instant_of,
    minute,
    moment,
    reason_of,
    say_total,
    say_trouble,
)
from workers.db.session import Connection, transaction
from workers.engines.registry import engine_named
from workers.errors import FleetError, UnknownNameError, first_line
from workers.runtime import ledger, occurrences
from workers.runtime.backfill import work_slots
from workers.runtime.cron import fires_at
from workers.runtime.ledger import RUN_STATUSES
from workers.settings import redis_url
from workers.stopping import heeding_signals
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="See what ran when and what it did; start, cancel and make up for it.")

_ON_TIME_SECONDS: Final = 60


@app.command("list")
def list_runs(
    engine: OneEngine = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help=f"Only these: {', '.join(RUN_STATUSES)}.",
            autocompletion=lambda incomplete: completing(incomplete, RUN_STATUSES),
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="ISO8601", help="Only started from then on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="ISO8601", help="Only started before then.")] = None,
    *,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the engines' runs, and the slots that nobody began, the newest first."""
    if status is not None and status not in RUN_STATUSES:
        raise UnknownNameError(f"no status {status!r}: a run is {', '.join(RUN_STATUSES)}")
    with database() as connection:
        rows = _runs(
            connection, limit, engine=chosen_engine(engine), status=status, since=instant_of(since, "--since"),
            until=instant_of(until, "--until"),
        )  # fmt: skip
    if as_json:
        print_json([_as_json(row) for row in rows])
        return
    out.print(
        table_of(
            ["id", "engine", "slot", "status", "due", "acted", "skipped"],
            (
                [
                    row["run_id"],
                    row["engine"],
                    minute(row["slot"]) if row["slot"] else lines(minute(row["started_at"]), row["trigger"]),
                    lines(row["status"], _failed(row), _late(row)),
                    row["due"],
                    row["acted"],
                    sum(row["skipped"].values()),
                ]
                for row in rows
            ),
        )
    )
    say_total(len(rows), rows[0]["total"] if rows else 0)


@app.command()
def show(run: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1)], as_json: Json = False) -> None:
    """Show one run: what it did, what it left and why, and for which tenants it failed."""
    with database() as connection:
        rows = _runs(connection, 1, run=run)
    if not rows:
        raise UnknownNameError(f"no run {run} (`fleet runs list` shows them)")
    (row,) = rows
    if as_json:
        print_json(_as_json(row))
        return
    facts = {
        "engine": row["engine"],
        "slot": ", ".join(filter(None, [moment(row["slot"]), _late(row)])) if row["slot"] else None,
        "started": f"{moment(row['started_at'])} by {row['trigger']}" if row["started_at"] else None,
        "ended": moment(row["finished_at"]) if row["finished_at"] else None,
        "worker": row["worker"],
        "attempt": row["attempts"] if row["attempts"] > 1 else None,
        "status": ", ".join(filter(None, [row["status"], _failed(row)])),
        "by": f"{row['cancelled_by']}: {row['cancelled_why']}" if row["cancelled_by"] else None,
        "did": f"{row['due']:,} due for {row['tenants']:,} tenants, {row['acted']:,} acted on",
        "wrote": f"{row['actions']:,} actions",
    }
    for name, value in facts.items():
        if value is not None:
            say(f"{name + ':':9} {value}")
    for reason, n in sorted(row["skipped"].items(), key=lambda item: -item[1]):
        say(f"left:     {n:,} {reason}")
    for failure in row["failures"]:
        say(f"failed:   {failure['tenant_name'] or failure['tenant_id']}: {failure['error']}", style="red")


@app.command()
def start(
    engine: Annotated[
        str, typer.Argument(help="An engine's name; a wrong one lists them all.", autocompletion=engine_names)
    ],
    slot: Annotated[
        str | None, typer.Option(metavar="ISO8601", help="Work this slot of the timetable, unless somebody has.")
    ] = None,
) -> None:
    """Send for a worker that runs an engine now: all that is due, or what is due for those who have this slot."""
    chosen, at = engine_named(engine), instant_of(slot, "--slot")
    if at is not None:
        with database() as connection, transaction(connection):
            their = [one for one in occurrences.timetables(connection) if one.engine == chosen.name]
        if not any(fires_at(one.cron, one.zone, at) for one in their):
            raise UnknownNameError(f"{chosen.name} has no slot at {moment(at)} (`fleet schedule show` says when)")
    kwargs = {"trigger": "manual"} | ({"slot": at.isoformat()} if at else {})
    celery = Celery("fleet", broker=redis_url(), set_as_current=False)
    celery.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0, "socket_connect_timeout": 5}
    try:
        sent = celery.send_task(f"workers.{chosen.name}.run", kwargs=kwargs, queue="engines", retry=False)
    except (KombuError, redis.RedisError, OSError) as error:
        raise FleetError(f"the broker cannot be reached: {first_line(error)}") from None
    say(f"sent for a worker: task {sent.id}; `fleet runs list --engine {chosen.name}` shows what it does")


@app.command()
def cancel(run: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1)], why: Why, by: By = None) -> None:
    """End a run: it leaves off after the batch in hand. A slot is not begun, or taken up again, by itself."""
    with database() as connection:
        with transaction(connection):
            was = ledger.cancel_run(connection, run, decider(by), reason_of(why))
        if was is None:
            rows = _runs(connection, 1, run=run)
            stands = f"run {run} is {rows[0]['status']}: nothing is left of it to cancel" if rows else f"no run {run}"
            raise UnknownNameError(f"{stands} (`fleet runs list` shows them)")
    say(f"run {run} was {was}, and is cancelled")


@app.command()
def backfill(
    since: Annotated[str, typer.Option(metavar="ISO8601", help="The slots from then on.")],
    until: Annotated[str | None, typer.Option(metavar="ISO8601", help="The slots before then; default: now.")] = None,
    engine: OneEngine = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what each would do; change nothing.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Work in this process the slots of a span that were missed, cancelled, or not worked whole.

    Each works what is due now for the tenants whose timetable has it: what one has done, the next one does not find.
    """
    first, last = instant_of(since, "--since") or clock.now(), instant_of(until, "--until") or clock.now()
    with database() as connection:
        with transaction(connection):
            found = occurrences.slots_not_worked(connection, chosen_engine(engine), first, last)
        if found and not dry_run:
            confirm(f"Work {len(found):,} slots, from {moment(found[0]['slot'])} on?", yes=yes)
        with heeding_signals(), transaction(connection, force_rollback=True) if dry_run else nullcontext():
            worked = list(work_slots(connection, found, fetch=not dry_run))
    if as_json:
        print_json([report.as_dict() | {"was": row["status"], "dry_run": dry_run} for row, report in worked])
    else:
        title = "Dry run: nothing was changed" if dry_run else None
        out.print(
            table_of(
                ["engine", "slot", "was", "tenants", "due", "acted", "left"],
                (
                    [
                        row["engine"], minute(row["slot"]), row["status"], len(report.tenants), report.tally.due,
                        report.tally.acted.total(), report.left,
                    ]
                    for row, report in worked
                ),
                title=title,
            )
        )  # fmt: skip
        say_total(len(worked), len(found))
        for _, report in worked:
            say_trouble(report)
    if any(report.failures or report.unfinished for _, report in worked):
        raise typer.Exit(1)


def _runs(connection: Connection, limit: int, **chosen: Any) -> list[dict[str, Any]]:
    named = dict.fromkeys(("run", "engine", "status", "since", "until")) | chosen | {"limit": limit}
    with transaction(connection):
        return connection.execute(
            "SELECT * FROM list_runs(%(run)s, %(engine)s, %(status)s, %(since)s, %(until)s, %(limit)s)", named
        ).fetchall()


def _failed(row: dict[str, Any]) -> str | None:
    number = len(row["failures"])
    return f"{number} tenant{'s' if number > 1 else ''} failed" if number else None


def _late(row: dict[str, Any]) -> str | None:
    late = row["late_seconds"]
    return f"{timedelta(seconds=late)} late" if late is not None and late >= _ON_TIME_SECONDS else None


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "total"}
