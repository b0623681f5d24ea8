"""`fleet conflicts`: decide where found contact data contradicts what the CRM has."""

import json
import os
import sys
from typing import Annotated
from uuid import UUID

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from workers.db.session import connect, require_current_schema, transaction
from workers.errors import UnknownNameError
from workers.settings import database_url

app = typer.Typer(no_args_is_help=True, help="Decide where found contact data contradicts the CRM: accept, reject.")
out = Console() if sys.stdout.isatty() else Console(width=200)  # a pipe has no width of its own, an id is never cut

_Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="ids as `fleet conflicts list` shows them")]
_By = Annotated[str | None, typer.Option("--by", help="Who decides; default: the user of this shell.")]


@app.command("list")
def list_conflicts(
    tenant: Annotated[UUID | None, typer.Option(help="Only this tenant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List conflicts that nobody decided yet, the oldest first."""
    with connect(database_url()) as connection:
        require_current_schema(connection)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM list_conflicts(%s, %s)", [tenant, limit]).fetchall()
    if as_json:
        out.print_json(json.dumps([row | {"id": f"{row['queue_id']}:{row['field']}"} for row in rows], default=str))
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("id", no_wrap=True)
    for name in ("tenant", "contact", "field", "current", "proposed", "source"):
        table.add_column(name, overflow="fold")
    for row in rows:
        # Values come from strangers: what looks like markup must be shown as it is.
        values = (row[name] or "" for name in ("tenant_name", "contact", "field", "current", "proposed", "source"))
        table.add_row(f"{row['queue_id']}:{row['field']}", *(value.replace("[", r"\[") for value in values))
    out.print(table)


@app.command()
def accept(ids: _Ids, by: _By = None) -> None:
    """Take the proposed value over, if the contact still has the value it contradicted."""
    _decide(ids, "accepted", by)


@app.command()
def reject(ids: _Ids, by: _By = None) -> None:
    """Keep the contact's value; the same proposal is not asked again."""
    _decide(ids, "rejected", by)


def _decide(ids: list[str], decision: str, by: str | None) -> None:
    parsed = [_parse(text) for text in ids]
    refused = []
    with connect(database_url()) as connection:
        require_current_schema(connection)
        # Each in a transaction of its own: what can be decided is, whatever becomes of the others.
        for text, (queue, field) in zip(ids, parsed, strict=True):
            with transaction(connection):
                row = connection.execute(
                    "SELECT decide_conflict(%s, %s, %s, %s) AS problem",
                    [queue, field, decision, by or os.environ.get("USER")],
                ).fetchone()
            if row and row["problem"]:
                refused.append(f"{text}: {row['problem']}")
            else:
                out.print(f"{decision}: {text}", highlight=False, markup=False)
    if refused:
        raise UnknownNameError("; ".join(refused))


def _parse(text: str) -> tuple[UUID, str]:
    queue, _, field = text.partition(":")
    try:
        return UUID(queue), field
    except ValueError:
        raise UnknownNameError(f"{text!r} is no conflict's id such as `fleet conflicts list` shows") from None
