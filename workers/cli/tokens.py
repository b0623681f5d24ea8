"""`fleet tokens`: what programs show to the API, for a tenant or for the operator."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import psycopg
import typer

from workers import clock
from workers.cli.common import (
    By,
    Json,
    OneTenant,
    chosen_tenant,
    completing,
    database,
    decider,
    minute,
    moment,
    say_total,
)
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.runtime.roles import RANKS
from workers.runtime.tokens import new_api_token, token_hash
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="Let programs call the API: make tokens, list them, revoke one.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="which program shows it, such as crm-sync")],
    *,
    tenant: OneTenant = None,
    role: Annotated[
        str,
        typer.Option(help=f"{', '.join(RANKS)}.", autocompletion=lambda incomplete: completing(incomplete, RANKS)),
    ] = "reader",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="For how long it is good; default: always.")] = None,
    per_minute: Annotated[int, typer.Option(min=1, max=100_000, help="How often it may be shown in a minute.")] = 600,
    by: By = None,
) -> None:
    """Make a token and print it, once: of a tenant, or (--role operator, without one) for all of them."""
    token, ends_at = new_api_token(), clock.now() + timedelta(days=days) if days else None
    with database() as connection:
        whose = chosen_tenant(connection, tenant)
        try:
            with transaction(connection):
                row = connection.execute(
                    "SELECT make_token(%s, %s, %s, %s, %s, %s, NULL, %s, NULL) AS id",
                    [token_hash(token), whose, name, role, per_minute, ends_at, decider(by)],
                ).fetchone()
        except psycopg.errors.InvalidParameterValue as error:
            raise UnknownNameError(f"{error.diag.message_primary} (--tenant, --role)") from None
    say(f"token {row['id'] if row else ''}, good {f'until {moment(ends_at)}' if ends_at else 'until it is revoked'};")
    say("it is shown this once, as Authorization: Bearer …")
    say(token)


@app.command("list")
def list_tokens(tenant: OneTenant = None, as_json: Json = False) -> None:
    """List the tokens, the newest first: what each may do, and when it was last shown."""
    with database() as connection:
        only = chosen_tenant(connection, tenant)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM list_tokens(%s)", [only]).fetchall()
    if as_json:
        print_json(rows)
        return
    out.print(
        table_of(
            ["token", "whose", "role", "state", "made", "last shown"],
            (
                [
                    lines(row["name"], str(row["token_id"])),
                    row["tenant_name"] or "the operator's",
                    lines(row["role"], f"{row['per_minute']:,} a minute"),
                    lines(row["state"], f"until {minute(row['ends_at'])}" if row["ends_at"] else None),
                    lines(minute(row["made_at"]), f"by {row['made_by']}"),
                    minute(row["seen_at"]) if row["seen_at"] else "never",
                ]
                for row in rows
            ),
        )
    )
    say_total(len(rows), len(rows))


@app.command()
def revoke(
    token: Annotated[UUID, typer.Argument(metavar="ID", help="its id, as `fleet tokens list` shows it")],
    by: By = None,
) -> None:
    """Let a token be good for nothing, from now on."""
    with database() as connection, transaction(connection):
        row = connection.execute("SELECT revoke_token(%s, NULL, %s, NULL) AS done", [token, decider(by)]).fetchone()
    if row is None or not row["done"]:
        raise UnknownNameError(f"no token {token} that is not revoked (`fleet tokens list` shows them)")
    say("it is revoked")
