"""`fleet db`: migrate, check and roll back the database."""

from typing import Annotated

import typer

from workers.db.session import connect
from workers.settings import direct_database_url
from workers.terminal import say

app = typer.Typer(no_args_is_help=True, help="Migrate, check and roll back the database.")


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema; changes nothing where nothing is missing."""
    from workers.db import migrate as migrations  # noqa: PLC0415  # Alembic is slow to import

    done = migrations.migrate(direct_database_url())
    names = done.revisions + done.functions
    say(f"applied {', '.join(names)} in {done.seconds:.1f} s" if names else "nothing to do, the schema is current")
    if done.adopted:
        rows = ", ".join(f"{table} {taken}" for table, (taken, _) in done.adopted.items())
        say(f"adopted an earlier P1, rows: {rows}")
    for table, (_, left) in done.adopted.items():
        if left:
            say(f"not taken over of {table}: {left}, see fleet_adopted.not_taken for the reasons", style="yellow")


@app.command()
def check() -> None:
    """List applied and pending migrations, what of the CRM stands in the way, what is missing, and what went wrong."""
    from workers.db import check as catalogue  # noqa: PLC0415
    from workers.db import migrate as migrations  # noqa: PLC0415  # Alembic is slow to import
    from workers.db.preflight import adoptable, findings  # noqa: PLC0415

    with connect(direct_database_url()) as connection:
        applied, pending = migrations.applied(connection), migrations.pending(connection)
        say(f"applied: {', '.join(applied) or 'none'}")
        say(f"pending: {', '.join(pending) or 'none'}")
        unfit = findings(connection, installed=bool(applied))
        if not applied and (earlier := adoptable(connection)):
            say(f"an earlier P1 will be adopted: {', '.join(earlier)}")
        missing = catalogue.missing(connection) if applied else []
        faults = catalogue.faults(connection)
    for finding in unfit:
        say(f"unfit: {finding}", style="red")
    for line in missing:
        say(f"missing: {line}", style="red")
    for fault in faults:
        say(f"fault: {fault}", style="red")
    if pending or unfit or missing or faults:
        raise typer.Exit(1)
    say("everything that should exist exists")


@app.command()
def rollback(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove all of P1 and the fleet's own tables; the CRM's tables and rows stay as they were."""
    from workers.db import migrate as migrations  # noqa: PLC0415  # Alembic is slow to import

    if not yes:
        typer.confirm(
            "This deletes every feedback request, quote, check and action of every tenant; "
            "an earlier P1 that was adopted comes back as it was then. Go on?",
            abort=True,
        )
    migrations.rollback(direct_database_url())
    say("P1 and the fleet's tables are removed; the CRM's tables stayed")
