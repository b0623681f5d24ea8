"""`fleet conflicts`: decide where found contact data contradicts what the CRM has."""

from typing import Annotated
from uuid import UUID

import typer

from workers.cli.common import By, Json, Limit, OneTenant, chosen_tenant, database, decider
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="Decide where found contact data contradicts the CRM: accept, reject.")

_Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="ids as `fleet conflicts list` shows them")]


@app.command("list")
def list_conflicts(tenant: OneTenant = None, limit: Limit = 50, as_json: Json = False) -> None:
    """List conflicts that nobody decided yet, the oldest first."""
    with database() as connection:
        only = chosen_tenant(connection, tenant)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM list_conflicts(%s, %s)", [only, limit]).fetchall()
    listed = [row | {"id": f"{row['queue_id']}:{row['field']}"} for row in rows]
    if as_json:
        print_json(listed)
        return
    out.print(
        table_of(
            ["id", "whose, and what for what"],
            (
                [
                    row["id"],
                    lines(row["contact"], row["tenant_name"], row["current"], f"-> {row['proposed']}", row["source"]),
                ]
                for row in listed
            ),
        )
    )


@app.command()
def accept(ids: _Ids, by: By = None) -> None:
    """Take the proposed value over, if the contact still has the value it contradicted."""
    _decide(ids, "accepted", by)


@app.command()
def reject(ids: _Ids, by: By = None) -> None:
    """Keep the contact's value; the same proposal is not asked again."""
    _decide(ids, "rejected", by)


def _decide(ids: list[str], decision: str, by: str | None) -> None:
    parsed = [_parse(text) for text in ids]
    refused = []
    with database() as connection:
        # Each in a transaction of its own: what can be decided is, whatever becomes of the others.
        for text, (queue, field) in zip(ids, parsed, strict=True):
            with transaction(connection):
                row = connection.execute(
                    "SELECT decide_conflict(%s, %s, %s, %s) AS problem",
                    [queue, field, decision, decider(by)],
                ).fetchone()
            if row and row["problem"]:
                refused.append(f"{text}: {row['problem']}")
            else:
                say(f"{decision}: {text}")
    if refused:
        raise UnknownNameError("; ".join(refused))


def _parse(text: str) -> tuple[UUID, str]:
    queue, _, field = text.partition(":")
    try:
        return UUID(queue), field
    except ValueError:
        raise UnknownNameError(f"{text!r} is no conflict's id such as `fleet conflicts list` shows") from None
