"""`fleet runs`: what ran when, what it did, and for whom it failed."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from workers.cli.common import (
    Json,
    Limit,
    OneEngine,
    chosen_engine,
    completing,
    database,
    instant_of,
    minute,
    moment,
    say_total,
)
from workers.db.session import Connection, transaction
from workers.errors import UnknownNameError
from workers.runtime.ledger import RUN_STATUSES
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="See what ran when, what it did, and for whom it failed.")


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
    """List the engines' runs, the newest first."""
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
            ["id", "engine", "slot", "started", "status", "due", "acted"],
            (
                [
                    row["run_id"],
                    row["engine"],
                    minute(row["slot"]) if row["slot"] else row["trigger"],
                    minute(row["started_at"]),
                    lines(row["status"], _failed(row)),
                    row["due"],
                    row["acted"],
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
        "slot": f"{moment(row['slot'])}, started {timedelta(seconds=row['late_seconds'])} late"
        if row["slot"]
        else None,
        "started": f"{moment(row['started_at'])} by {row['trigger']}",
        "ended": moment(row["finished_at"]) if row["finished_at"] else None,
        "status": ", ".join(filter(None, [row["status"], _failed(row)])),
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


def _runs(connection: Connection, limit: int, **chosen: Any) -> list[dict[str, Any]]:
    named = dict.fromkeys(("run", "engine", "status", "since", "until")) | chosen | {"limit": limit}
    with transaction(connection):
        return connection.execute(
            "SELECT * FROM list_runs(%(run)s, %(engine)s, %(status)s, %(since)s, %(until)s, %(limit)s)", named
        ).fetchall()


def _failed(row: dict[str, Any]) -> str | None:
    number = len(row["failures"])
    return f"{number} tenant{'s' if number > 1 else ''} failed" if number else None


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "total"}
