"""How `fleet actions` chooses actions: by their ids, or by a filter."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from psycopg.types.json import Jsonb

from workers.cli.common import OneEngine, OneTenant, chosen_engine, chosen_tenant, completing, instant_of
from workers.db.session import Connection, transaction
from workers.delivery.shown import STATUSES
from workers.errors import UnknownNameError

Ids = Annotated[
    list[int] | None,
    typer.Argument(metavar="ID...", min=1, max=2**63 - 1, help="ids as `fleet actions list` shows them"),
]
# Each option of a filter: what it takes, and what Typer says about it.
_OPTIONS: Final[dict[str, Any]] = {
    "tenant": OneTenant,
    "engine": OneEngine,
    "status": Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS",
            help=f"Only these, the option once for each: {', '.join(STATUSES)}.",
            autocompletion=lambda incomplete: completing(incomplete, STATUSES),
        ),
    ],
    "template": Annotated[str | None, typer.Option(metavar="NAME", help="Only texts of this template.")],
    "contact": Annotated[str | None, typer.Option(metavar="ADDRESS|UUID", help="Only to this mailbox or contact.")],
    "error": Annotated[str | None, typer.Option(metavar="TEXT", help="Only with this in the reason or last error.")],
    "since": Annotated[
        str | None,
        typer.Option(metavar="ISO8601", help="Only what left, or is to leave, from then on; UTC without an offset."),
    ],
    "until": Annotated[
        str | None, typer.Option(metavar="ISO8601", help="Only what left, or is to leave, before then.")
    ],
}


def with_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a filter; what they say reaches it as the dict `said`."""

    @wraps(command)
    def with_options(**arguments: Any) -> None:
        command(said={name: arguments.pop(name) for name in _OPTIONS}, **arguments)

    own = [parameter for name, parameter in signature(command).parameters.items() if name != "said"]
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in _OPTIONS.items()
    ]
    at = next((n for n, parameter in enumerate(own) if parameter.kind is Parameter.KEYWORD_ONLY), len(own))
    with_options.__signature__ = Signature([*own[:at], *options, *own[at:]])  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in (*own, *options)}
    return with_options


def filter_of(connection: Connection, said: Mapping[str, Any], ids: list[int] | None = None) -> dict[str, Any]:
    """Return what was said about actions as find_actions of the database takes it; what was not said is absent.

    Raises:
        UnknownNameError: no such tenant, engine or status; or no address, id or instant.
    """
    for status in said["status"] or []:
        if status not in STATUSES:
            raise UnknownNameError(f"no status {status!r}: an action is {', '.join(STATUSES)}")
    if said["contact"] and "@" not in said["contact"]:
        try:
            UUID(said["contact"])
        except ValueError:
            raise UnknownNameError(f"--contact {said['contact']!r} is neither an address nor an id") from None
    tenant = chosen_tenant(connection, said["tenant"])
    since, until = (instant_of(said[name], f"--{name}") for name in ("since", "until"))
    understood = {
        **said,
        "ids": ids,
        "tenant": str(tenant) if tenant else None,
        "engine": chosen_engine(said["engine"]),
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
    }
    return {name: value for name, value in understood.items() if value}


def chosen_ids(connection: Connection, chosen: dict[str, Any], decision: str) -> list[int]:
    """Return the ids of the actions to decide about; without ids and a status, those the decision is possible for.

    Raises:
        UnknownNameError: nothing was said, which would mean all of them; or there are none.
    """
    if not chosen:
        raise UnknownNameError(f"say what to {decision}: ids, or a filter such as --engine deals (--help lists them)")
    if "ids" in chosen and len(chosen) == 1:
        return sorted(set(chosen["ids"]))
    with transaction(connection):
        if "ids" not in chosen and "status" not in chosen:
            row = connection.execute("SELECT decidable_statuses(%s) AS statuses", [decision]).fetchone()
            chosen = chosen | {"status": row["statuses"] if row else []}
        rows = connection.execute("SELECT find_actions(%s) AS id ORDER BY id", [Jsonb(chosen)]).fetchall()
    if not rows:
        raise UnknownNameError(f"no such action to {decision} (`fleet actions list` with the same filter shows others)")
    return [row["id"] for row in rows]
