"""`fleet doctor`: what is wrong, why it matters, and the command that mends it."""

from importlib.metadata import version
from typing import Annotated

import typer

from workers.cli.common import Json
from workers.db.session import connect, require_current_schema
from workers.errors import DatabaseUnavailableError, SchemaMismatchError
from workers.settings import database_url, redis_url, settings
from workers.terminal import print_json, say
from workers.watch.broker import look_at_broker, look_at_consumers
from workers.watch.database import look_at_schema
from workers.watch.findings import Finding
from workers.watch.incidents import look_safely


def doctor(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="For a probe: only whether this installation can start; asks no server.")
    ] = False,
    ready: Annotated[
        bool, typer.Option("--ready", help="For a probe: only whether database, schema and broker answer.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at everything the fleet needs, and say what is wrong and how to mend it; exit code 1 if something is."""
    settings()
    found = [] if live else _ready() if ready else _whole()
    if as_json:
        print_json([finding.as_dict() for finding in found])
    else:
        for number, finding in enumerate(found, start=1):
            say(f"{number}. {finding.what}", style="red")
            say(f"   why it matters: {finding.why}")
            say(f"   what to do: {finding.mend}")
        if not found:
            say(
                "this installation can start"
                if live
                else "ready"
                if ready
                else f"all is well (fleet {version('p1-fleet')})"
            )
    if found:
        raise typer.Exit(1)


def _ready() -> list[Finding]:
    return [*_reach(), *(finding for finding in look_at_broker(redis_url()) if finding.key == "broker")]


def _whole() -> list[Finding]:
    if found := _reach():
        return [*found, *look_at_broker(redis_url())]
    with connect(database_url()) as connection:
        found = [*look_safely(connection, settings(), redis_url()), *look_at_schema(connection)]
    reachable = not any(finding.key == "broker" for finding in found)
    return [*found, *(look_at_consumers(redis_url()) if reachable else [])]


def _reach() -> list[Finding]:
    """Return why the database cannot be worked with, if it cannot."""
    try:
        with connect(database_url()) as connection:
            require_current_schema(connection)
    except DatabaseUnavailableError as error:
        return [Finding("database", str(error), "nothing works without it", "start it, or mend DATABASE_URL")]
    except SchemaMismatchError as error:
        return [Finding("schema", str(error), "workers of this release refuse to start", "fleet db migrate")]
    return []
