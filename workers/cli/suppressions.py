"""`fleet suppressions`: whom nobody writes to, who said so and why."""

from typing import Annotated, Final

import typer

from workers.cli.common import (
    By,
    Json,
    Limit,
    OneEngine,
    OneTenant,
    TenantName,
    Why,
    Yes,
    chosen_engine,
    chosen_tenant,
    confirm,
    database,
    decider,
    minute,
    moment,
    reason_of,
    say_total,
    tenant_named,
)
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="See whom nobody writes to; add somebody, or remove one.")

_LONGEST_ADDRESS: Final = 320

_Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="an e-mail address, in any spelling of its mailbox")]


@app.command("list")
def list_suppressions(
    tenant: OneTenant = None,
    engine: OneEngine = None,
    address: Annotated[str | None, typer.Option("--address", help="Only this mailbox.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List who is not written to, the newest first."""
    chosen = chosen_engine(engine)
    with database() as connection:
        only = chosen_tenant(connection, tenant)
        with transaction(connection):
            rows = connection.execute(
                "SELECT * FROM list_suppressions(%s, %s, %s, %s)", [only, chosen, address, limit]
            ).fetchall()
    if as_json:
        print_json([{name: value for name, value in row.items() if name != "total"} for row in rows])
        return
    out.print(
        table_of(
            ["since", "who is not written to", "why"],
            (
                [
                    minute(row["created_at"]),
                    lines(row["address"], row["tenant_name"]),
                    lines(
                        row["reason"],
                        f"only {', '.join(row['engines'])}" if row["engines"] else None,
                        f"by {row['added_by']}" if row["added_by"] else None,
                    ),
                ]
                for row in rows
            ),
        )
    )
    say_total(len(rows), rows[0]["total"] if rows else 0)


@app.command()
def add(tenant: TenantName, address: _Address, why: Why, engine: OneEngine = None, by: By = None) -> None:
    """Let nobody write to a mailbox any more, or one engine not; what waits for it is refused when it would leave."""
    if "@" not in address or len(address) > _LONGEST_ADDRESS:
        raise UnknownNameError(f"{address!r} is no e-mail address")
    chosen, reason = chosen_engine(engine), reason_of(why)
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            rows = connection.execute(
                "SELECT * FROM add_suppression(%s, %s, %s, %s, %s)", [whose, address, chosen, decider(by), reason]
            ).fetchall()
    for row in rows:
        if row["was"] is None:
            say(f"{row['address']} gets nothing from {chosen or 'any engine'} of {tenant} any more")
        else:
            say(f"{row['address']} is suppressed already: {row['was']}")


@app.command()
def remove(
    tenant: TenantName, address: _Address, *, why: Why, engine: OneEngine = None, by: By = None, yes: Yes = False
) -> None:
    """Let a mailbox be written to again, or by one engine for which it was suppressed."""
    chosen, reason = chosen_engine(engine), reason_of(why)
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            found = connection.execute("SELECT * FROM suppressions_of(%s, %s, %s)", [whose, address, chosen]).fetchall()
        if not found:
            name = f"for {chosen} by its name" if chosen else "at all"
            raise UnknownNameError(f"{address} is not suppressed {name} (`fleet suppressions list` shows who is)")
        for row in found:
            say(f"{row['address']} is suppressed since {moment(row['created_at'])}: {row['reason']}")
        confirm(f"Let {chosen or 'every engine'} of {tenant} write there again?", yes=yes)
        with transaction(connection):
            connection.execute(
                "SELECT remove_suppression(%s, %s, %s, %s, %s)", [whose, address, chosen, decider(by), reason]
            )
    for row in found:
        say(f"{row['address']} may be written to again")
