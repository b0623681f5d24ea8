"""`fleet run`: one engine in this process, or a dry run of it."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from workers import clock
from workers.cli.common import (
    Json,
    Now,
    OneTenant,
    chosen_tenant,
    database,
    engine_names,
    instant_of,
    moment,
    planned_actions,
    run_now,
    say_trouble,
)
from workers.db.session import Connection, transaction
from workers.engines.registry import engine_named
from workers.stopping import heeding_signals
from workers.terminal import out, print_json, report_table, say, table_of


def run(
    engine: Annotated[
        str, typer.Argument(help="An engine's name; a wrong one lists them all.", autocompletion=engine_names)
    ],
    tenant: OneTenant = None,
    now: Now = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show who would be contacted with what; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run one engine in this process until nothing is due, and print what it did."""
    chosen = engine_named(engine)
    with database() as connection, clock.at(instant_of(now)):
        only = chosen_tenant(connection, tenant)
        with heeding_signals(), transaction(connection, force_rollback=True) if dry_run else nullcontext():
            report = run_now(connection, chosen, only, fetch=not dry_run)
            planned = planned_actions(connection, report.run) if dry_run else []
        idle = not (report.tally.due or report.failures or report.unfinished)
        next_due = _next_due(connection, engine) if idle else None
    if as_json:
        result = report.as_dict() | ({"dry_run": True, "would_write": planned} if dry_run else {})
        print_json(result | ({"next_due": next_due} if idle else {}))
    elif idle:
        say(_what_to_try(engine, next_due))
    else:
        if dry_run:
            out.print(_planned_table(planned))
        out.print(report_table([report.as_dict()]))
        say_trouble(report)
    if report.failures or report.unfinished:
        raise typer.Exit(1)


def _planned_table(planned: list[dict[str, Any]]) -> Table:
    return table_of(
        ["tenant", "to", "subject", "would be refused"],
        ([one["tenant"], one["to"] or one["kind"], one["subject"], one["refused"]] for one in planned),
        title="Dry run: nothing was changed",
    )


def _next_due(connection: Connection, engine: str) -> datetime | None:
    with transaction(connection):
        row = connection.execute("SELECT engine_next_due(%s) AS at", [engine]).fetchone()
    return row["at"] if row else None


def _what_to_try(engine: str, next_due: datetime | None) -> str:
    if next_due is None:
        return f"nothing is due for {engine} now, and nothing waits for a later time"
    # Up to the next full second, or the instant would be just too early.
    after = (next_due.astimezone(UTC) + timedelta(seconds=1)).replace(microsecond=0)
    return (
        f"nothing is due for {engine} now; of all tenants, the next falls due {moment(next_due)}. "
        f"To see it: fleet run {engine} --dry-run --now {after.isoformat()}"
    )
