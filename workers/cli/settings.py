"""`fleet settings`: everything that is set per tenant, shown, set, and who set it."""

from itertools import groupby
from typing import Annotated

import typer

from workers.cli.common import (
    By,
    Json,
    Limit,
    WhyIfAny,
    database,
    decider,
    minute,
    say_total,
    tenant_named,
)
from workers.db.session import transaction
from workers.db.tenant_settings import read_settings, set_settings
from workers.terminal import out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="Show and set what holds for a tenant, and see who set it.")

_Whose = Annotated[str, typer.Option("--tenant", metavar="UUID|NAME", help="Whose settings.")]


@app.command()
def show(tenant: _Whose, as_json: Json = False) -> None:
    """Show every setting of a tenant as it holds now, what it takes and what it means."""
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM show_tenant_settings(%s)", [whose]).fetchall()
    if as_json:
        print_json(rows)
        return
    for meaning, group in groupby(rows, key=lambda row: f"{row['meaning']} ({row['takes']})"):
        say(f"# {meaning}")
        for row in group:
            notes = ["default"] * (not row["is_set"]) + ["read only"] * (not row["settable"])
            say(f"{row['name']}={row['value'] or ''}{'   # ' + ', '.join(notes) if notes else ''}")


@app.command("set")
def set_some(
    values: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="an empty value sets back to the default")
    ],
    *,
    tenant: _Whose,
    by: By = None,
    why: WhyIfAny = None,
) -> None:
    """Set one or more settings of a tenant, all of them or none; who did it and what was there before is kept."""
    chosen = read_settings(values)
    with database() as connection:
        changed = set_settings(connection, tenant_named(connection, tenant), chosen, decider(by), why)
    for row in changed:
        say(f"{row['name']}: {row['before'] or 'nothing'} -> {row['after'] or 'nothing'}")
    if not changed:
        say("nothing was changed: that is how it is")


@app.command()
def history(tenant: _Whose, limit: Limit = 50, as_json: Json = False) -> None:
    """List who changed which setting of a tenant, from what to what and why, the newest first."""
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM tenant_setting_history(%s, %s)", [whose, limit]).fetchall()
    if as_json:
        print_json([{name: value for name, value in row.items() if name != "total"} for row in rows])
        return
    columns = ["name", "before", "after", "decided_by", "why"]
    out.print(
        table_of(
            ["when", "setting", "before", "after", "who", "why"],
            ([minute(row["decided_at"]), *(row[name] for name in columns)] for row in rows),
        )
    )
    say_total(len(rows), rows[0]["total"] if rows else 0)
