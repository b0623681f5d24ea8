"""`fleet tenants`: who is served, and how; an operator stops one, or one of its engines, whatever it wishes itself."""

from typing import Annotated

import typer

from workers.cli.common import By, Json, TenantName, chosen_engine, database, decider, engine_names, tenant_named
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(invoke_without_command=True, help="List the tenants; stop one, or one of its engines, and resume it.")

_Engine = Annotated[
    str | None,
    typer.Option("--engine", help="Only this engine; else every engine and all mail.", autocompletion=engine_names),
]


@app.callback()
def tenants(context: typer.Context, as_json: Json = False) -> None:
    """List the tenants: id, name, the engines not working automatically for them, and what the operator stopped."""
    if context.invoked_subcommand is not None:
        return
    with database() as connection, transaction(connection):
        rows = connection.execute("SELECT * FROM list_tenants()").fetchall()
    if as_json:
        print_json(rows)
        return
    out.print(
        table_of(
            ["id", "name, and what is not automatic"],
            (
                [
                    row["tenant_id"],
                    lines(
                        row["name"],
                        *(f"{engine} {mode}" for engine, mode in sorted(row["modes"].items())),
                        *(f"stopped, {stop['engine'] or 'all'}: {stop['reason']}" for stop in row["stops"]),
                    ),
                ]
                for row in rows
            ),
        )
    )


@app.command()
def stop(
    tenant: TenantName,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown wherever somebody asks.")],
    engine: _Engine = None,
    by: By = None,
) -> None:
    """Stop a tenant's engine, or all of its engines and mail; its own people cannot undo that. Nothing is lost."""
    if not reason.strip():
        raise UnknownNameError("a stop needs a reason")
    chosen = chosen_engine(engine)
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            connection.execute("SELECT stop_tenant(%s, %s, %s, %s)", [whose, chosen, reason, decider(by)])
    say(f"{chosen or 'everything'} of {tenant} is stopped: {reason}")


@app.command()
def resume(tenant: TenantName, engine: _Engine = None) -> None:
    """Lift a stop; what waited goes on."""
    chosen = chosen_engine(engine)
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            row = connection.execute("SELECT resume_tenant(%s, %s) AS lifted", [whose, chosen]).fetchone()
    if row is None or not row["lifted"]:
        raise UnknownNameError(f"{chosen or 'everything'} of {tenant} is not stopped (`fleet tenants` shows what is)")
    say(f"{chosen or 'everything'} of {tenant} is resumed")
