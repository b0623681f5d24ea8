"""`fleet webhooks`: which addresses are told of what happens, and what of it they did not take."""

import ssl
from typing import Annotated, Any, Final

import psycopg
import typer

from workers import clock
from workers.cli.common import (
    By,
    Json,
    OneTenant,
    TenantName,
    Yes,
    chosen_tenant,
    confirm,
    database,
    decider,
    minute,
    say_total,
    tenant_named,
)
from workers.db.session import Connection, transaction
from workers.delivery.webhook_call import Gone, NotTaken, Taken, WebhookCall, new_secret, require_reachable
from workers.delivery.webhooks import body_of
from workers.errors import FleetError, UnknownNameError
from workers.settings import settings
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="Tell other programs what happens, by signed JSON over https.")

_TEST: Final = "webhook.test"

_Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT", help="its id, or its URL")]


@app.command("list")
def list_webhooks(tenant: OneTenant = None, as_json: Json = False) -> None:
    """List the endpoints: what each is told of, what waits for it, and the latest trouble."""
    with database() as connection:
        only = chosen_tenant(connection, tenant)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM list_webhooks(%s)", [only]).fetchall()
    if as_json:
        print_json(rows)
        return
    out.print(
        table_of(
            ["endpoint", "is told of", "state", "waiting", "dead", "last taken", "latest trouble"],
            (
                [
                    lines(row["url"], row["tenant_name"], str(row["endpoint_id"])),
                    lines(*row["events"]),
                    _state(row),
                    str(row["waiting"]),
                    str(row["dead"]),
                    minute(row["last_delivered_at"]) if row["last_delivered_at"] else "never",
                    row["last_error"],
                ]
                for row in rows
            ),
        )
    )
    say_total(len(rows), len(rows))


@app.command()
def add(
    tenant: TenantName,
    url: Annotated[str, typer.Argument(help="https://…, where the receiver listens")],
    events: Annotated[
        str | None, typer.Option("--events", help="Only these, separated by commas; default: all of them.")
    ] = None,
    by: By = None,
) -> None:
    """Tell an address of what happens at a tenant, from now on; prints the secret that signs it, once."""
    try:
        require_reachable(url, allow_private=settings().fleet_webhook_allow_private)
    except ValueError as error:
        raise UnknownNameError(f"the URL {error}") from None
    secret = new_secret()
    with database() as connection:
        whose = tenant_named(connection, tenant)
        with transaction(connection):
            row = connection.execute("SELECT webhook_events() AS known").fetchone()
        assert row is not None  # noqa: S101  # the function returns one row
        chosen = [name.strip() for name in events.split(",")] if events is not None else row["known"]
        if unknown := [name for name in chosen if name not in row["known"]]:
            raise UnknownNameError(f"no event {unknown[0]!r}: there are {', '.join(row['known'])}")
        try:
            with transaction(connection):
                added = connection.execute(
                    "SELECT add_webhook(%s, %s, %s, %s, %s) AS id", [whose, url, chosen, secret, decider(by)]
                ).fetchone()
        except psycopg.errors.UniqueViolation as error:
            raise UnknownNameError(f"{error.diag.message_primary}") from None
    assert added is not None  # noqa: S101  # the function returns one row
    say(f"endpoint {added['id']} is told of {', '.join(chosen)}")
    say(f"secret: {secret}")
    say("Give the secret to whoever runs the address: it is shown this once.")


@app.command()
def remove(endpoint: _Endpoint, *, by: By = None, yes: Yes = False) -> None:
    """Tell an address of nothing any more; what waits for it is forgotten."""
    with database() as connection:
        row = _endpoint(connection, endpoint)
        confirm(f"Forget {row['url']} of {row['tenant_name']}, and {row['waiting']} events that wait for it?", yes=yes)
        with transaction(connection):
            connection.execute("SELECT remove_webhook(%s, %s)", [row["endpoint_id"], decider(by)])
    say(f"{row['url']} is told of nothing any more")


@app.command()
def on(endpoint: _Endpoint, by: By = None) -> None:
    """Switch an endpoint on again, at once: what waits for it is sent with the next pass."""
    _switch(endpoint, by, active=True)


@app.command()
def off(endpoint: _Endpoint, by: By = None) -> None:
    """Switch an endpoint off: what happens from now on is not kept for it, what waits does so for five days at most."""
    _switch(endpoint, by, active=False)


@app.command()
def retry(endpoint: _Endpoint) -> None:
    """Let the dead events of an endpoint be tried again."""
    with database() as connection:
        row = _endpoint(connection, endpoint)
        with transaction(connection):
            revived = connection.execute("SELECT retry_webhook(%s) AS n", [row["endpoint_id"]]).fetchone()
    say(f"{revived['n'] if revived else 0} events are tried again")


@app.command()
def test(endpoint: _Endpoint) -> None:
    """Send an event webhook.test at once, and say what the endpoint answers."""
    with database() as connection:
        row = _endpoint(connection, endpoint)
        with transaction(connection):
            found = connection.execute(
                "SELECT s.secret FROM webhook_secrets AS s WHERE s.endpoint_id = %s", [row["endpoint_id"]]
            ).fetchone()
    assert found is not None  # noqa: S101  # it is written with its endpoint
    now = clock.now()
    payload = {"type": _TEST, "timestamp": now.isoformat(), "data": {"tenant_id": str(row["tenant_id"])}}
    private = settings().fleet_webhook_allow_private
    with WebhookCall(row["url"], found["secret"], ssl.create_default_context(), allow_private=private) as call:
        answer = call.tell(f"evt_test_{now:%Y%m%dT%H%M%S%f}", body_of(payload))
    match answer:
        case Taken():
            say(f"{row['url']} took the event")
        case Gone():
            raise FleetError(f"{row['url']} did not take the event: it answered 410 (Gone)")
        case NotTaken(error):
            raise FleetError(f"{row['url']} did not take the event: {error}")


def _state(row: dict[str, Any]) -> str:
    if not row["active"]:
        return f"off: {row['note']}"
    return f"left alone until {minute(row['retry_at'])}" if row["retry_at"] else "on"


def _switch(endpoint: str, by: str | None, *, active: bool) -> None:
    with database() as connection:
        row = _endpoint(connection, endpoint)
        with transaction(connection):
            connection.execute("SELECT switch_webhook(%s, %s, %s)", [row["endpoint_id"], active, decider(by)])
    say(f"{row['url']} is {'on' if active else 'off'}")


def _endpoint(connection: Connection, text: str) -> dict[str, Any]:
    """Return the endpoint with this id, or with this URL if one tenant alone has it.

    Raises:
        UnknownNameError: there is none, or more than one.
    """
    with transaction(connection):
        rows = connection.execute("SELECT * FROM list_webhooks(NULL)").fetchall()
    found = [row for row in rows if text in (str(row["endpoint_id"]), row["url"])]
    if len(found) != 1:
        problem = f"{len(found)} tenants have {text!r}: name it by its id" if found else f"no endpoint {text!r}"
        raise UnknownNameError(f"{problem} (`fleet webhooks list` lists them)")
    return found[0]
