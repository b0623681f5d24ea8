"""`fleet go-live`: from here on a tenant's engines act without being asked first."""

from typing import Annotated

import typer

from workers.cli.common import By, TenantName, chosen_engine, database, decider, engine_names, tenant_named
from workers.db.session import transaction
from workers.terminal import say


def go_live(
    tenant: TenantName,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", help="Only this engine, even if it is off; else all but those.", autocompletion=engine_names
        ),
    ] = None,
    by: By = None,
) -> None:
    """Let a tenant's engines work automatically from their next slot; what was suggested before still waits."""
    chosen = chosen_engine(engine)
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM go_live(%s, %s, %s)", [whose, chosen, decider(by)]).fetchall()
    if live := [row["engine"] for row in rows if row["mode"] == "automatic" and not row["stopped"]]:
        say(f"live for {tenant}: {', '.join(live)}; each starts with its next slot")
    for row in rows:
        if row["stopped"]:
            say(f"{row['engine']} is stopped by the operator, and starts after `fleet tenants resume`")
        elif row["mode"] == "off":
            say(f"{row['engine']} is switched off for this tenant, and starts if it is named with --engine")
    if suggested := sum(row["suggested"] for row in rows):
        say(f"{suggested} suggested before stay to be approved: fleet actions list --status suggested")
