"""`fleet actions`: see what the engines wrote, and decide what waits for a person."""

from typing import Annotated, Final

import typer

from workers.cli.common import Json, Limit, completing, database, text_of
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.terminal import out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="See and decide actions: approve, cancel, retry.")

_STATUSES: Final = ("suggested", "scheduled", "sending", "sent", "failed", "dead", "cancelled", "skipped")


@app.command("list")
def list_actions(
    status: Annotated[
        str | None,
        typer.Option(help=", ".join(_STATUSES), autocompletion=lambda incomplete: completing(incomplete, _STATUSES)),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List actions, the newest first."""
    if status is not None and status not in _STATUSES:
        raise UnknownNameError(f"no status {status!r}: an action is {', '.join(_STATUSES)}")
    with database() as connection, transaction(connection):
        rows = connection.execute("SELECT * FROM list_actions(%s, %s)", [status, limit]).fetchall()
    if as_json:
        print_json(rows)
        return
    out.print(
        table_of(
            ["id", "tenant", "to", "subject", "status", "why"],
            (
                [
                    row["action_id"],
                    row["tenant_name"],
                    row["address"] or row["kind"],
                    text_of(row).subject,
                    row["status"],
                    row["reason"] or row["last_error"],
                ]
                for row in rows
            ),
        )
    )


def _decision(name: str, explanation: str) -> None:
    def decide(
        ids: Annotated[
            list[int],
            typer.Argument(metavar="ID...", min=1, max=2**63 - 1, help="ids as `fleet actions list` shows them"),
        ],
    ) -> None:
        with database() as connection, transaction(connection):
            rows = connection.execute("SELECT * FROM decide_actions(%s, %s)", [ids, name]).fetchall()
        done = {row["decide_actions"] for row in rows}
        if done:
            say(f"{name}: {', '.join(map(str, sorted(done)))}")
        if refused := sorted(set(ids) - done):
            raise UnknownNameError(
                f"cannot {name} {', '.join(map(str, refused))}: no such action, or not in a status that allows it"
            )

    app.command(name, help=explanation)(decide)


_decision("approve", "Let suggested actions go out.")
_decision("cancel", "Cancel actions that have not left.")
_decision("retry", "Try failed and dead actions again.")
