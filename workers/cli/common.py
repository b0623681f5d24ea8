"""What the commands share: options, the connection, and how tenants, instants and texts are written and read."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from workers import logs
from workers.db.session import Connection, connect, require_current_schema
from workers.delivery.facts import with_facts
from workers.delivery.shown import text_of
from workers.engines.base import Engine
from workers.engines.registry import all_engines, engine_named
from workers.errors import ConfigurationError, UnknownNameError
from workers.runtime.console_links import operator_name
from workers.runtime.dispatch import Report, run_engine
from workers.settings import database_url, settings
from workers.terminal import err, say, visible

logger = logging.getLogger(__name__)


def engine_names(incomplete: str) -> list[str]:
    """Return the engines' names that a shell may complete to."""
    return completing(incomplete, all_engines())


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OneTenant = Annotated[str | None, typer.Option("--tenant", metavar="UUID|NAME", help="Only this tenant.")]
OneEngine = Annotated[
    str | None, typer.Option("--engine", metavar="NAME", help="Only this engine.", autocompletion=engine_names)
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")]
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="its id or name")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; default: the user of this shell.")]
Why = Annotated[str, typer.Option("--why", help="Why; kept with who decided it and when.")]
WhyIfAny = Annotated[str | None, typer.Option("--why", help="Why; kept with who decided it and when.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Now = Annotated[
    str | None, typer.Option("--now", metavar="ISO8601", help="Let it be this instant; UTC without an offset.")
]


def fail(*lines: str) -> int:
    """Say on stderr why a command was not done, nearly always in one line; returns its exit code, 2."""
    try:
        if logs.as_json():
            logger.error("\n".join(lines))
            return 2
    except ConfigurationError:  # then this is what the message is about
        pass
    for line in ("fleet: " + lines[0], *lines[1:]):
        say(line, style="red", console=err)
    return 2


@contextmanager
def database() -> Iterator[Connection]:
    """Connect to the fleet's database, which must have this release's schema."""
    with connect(database_url()) as connection:
        require_current_schema(connection)
        yield connection


def tenant_named(connection: Connection, text: str) -> UUID:
    """Return the id of the tenant with this id or name.

    Raises:
        UnknownNameError: there is none, or more than one.
    """
    rows = connection.execute("SELECT id FROM tenants WHERE id::text = lower(%s) OR name = %s", [text, text]).fetchall()
    if len(rows) != 1:
        problem = f"{len(rows)} tenants are called {text!r}: name one by its id" if rows else f"no tenant {text!r}"
        raise UnknownNameError(f"{problem} (`fleet tenants` lists them)")
    found: UUID = rows[0]["id"]
    return found


def chosen_tenant(connection: Connection, text: str | None) -> UUID | None:
    """Return the id of the tenant that an option names, None for all of them."""
    return None if text is None else tenant_named(connection, text)


def chosen_engine(name: str | None) -> str | None:
    """Return the engine that an option names, None for all of them.

    Raises:
        UnknownNameError: there is none of that name.
    """
    return None if name is None else engine_named(name).name


def run_now(connection: Connection, engine: Engine, tenant: UUID | None, *, fetch: bool) -> Report:
    """Run an engine in this process until nothing is due, outside the timetable."""
    report = run_engine(
        connection, engine, trigger="manual", tenant=tenant, batch_size=settings().fleet_batch_size, fetch=fetch
    )
    assert report is not None  # noqa: S101  # such a run is never refused
    return report


def say_trouble(report: Report) -> None:
    """Say what a run could not do."""
    for failure in report.failures:
        say(f"{report.engine} failed for tenant {failure.tenant}: {failure.error}", style="red")
    if report.cancelled:
        say(f"{report.engine} was cancelled before it was through", style="red")
    elif report.unfinished:
        why = "rows are held by another session, run it again" if report.held else "it was told to stop, run it again"
        if report.spent:
            why = "of a tenant so much was worked as may be in a minute, run it again in the next"
        say(f"{report.engine} is unfinished: {why}", style="red")


def decider(by: str | None) -> str:
    """Return who decides: whom --by names, else the user of this shell."""
    return by or operator_name()


def reason_of(why: str) -> str:
    """Return a reason without the spaces around it.

    Raises:
        UnknownNameError: nothing is left of it.
    """
    if not why.strip():
        raise UnknownNameError("--why is empty: a decision needs a reason")
    return why.strip()


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless --yes has answered already; everything but yes ends the command with exit code 1."""
    if not yes:
        typer.confirm(visible(question), abort=True)


def say_total(shown: int, total: int) -> None:
    """Say how many rows a table shows of how many there are: `50 of 1,112`."""
    say(f"{shown:,} of {total:,}" if total else "none")


def instant_of(text: str | None, option: str = "--now") -> datetime | None:
    """Return the instant that was written after an option, in UTC where it says no offset.

    Raises:
        UnknownNameError: it is no ISO 8601 instant.
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UnknownNameError(f"{option} {text!r} is no ISO 8601 instant such as 2026-03-02T09:00:00+00:00") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def moment(instant: datetime) -> str:
    """Return an instant for people, in the timetable's zone: `Mon 02 Mar 2026 09:00 UTC`."""
    return f"{instant.astimezone(settings().time_zone):%a %d %b %Y %H:%M %Z}"


def minute(instant: datetime) -> str:
    """Return an instant for a narrow column, in the timetable's zone: `2026-03-02 09:00`."""
    return f"{instant.astimezone(settings().time_zone):%Y-%m-%d %H:%M}"


def planned_actions(connection: Connection, run: int) -> list[dict[str, Any]]:
    """Return what a run wrote: to whom, in what words, and what the guards would refuse."""
    planned = []
    for row in with_facts(connection, connection.execute("SELECT * FROM actions_of_run(%s)", [run]).fetchall()):
        text = text_of(row)
        planned.append(
            {
                "tenant": row["tenant_name"],
                "kind": row["kind"],
                "template": row["template"],
                "to": row["address"],
                "subject": text.subject,
                "body": text.body,
                "refused": row["reason"],
            }
        )
    return planned


def completing(incomplete: str, words: Iterable[str]) -> list[str]:
    """Return the words that a shell may complete to."""
    return [word for word in words if word.startswith(incomplete)]
