"""The fleet's command line: one module per group of commands, each of which parses, calls and prints."""

import io
import logging
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated

import psycopg
import typer

from workers import logs
from workers.cli import (
    actions,
    conflicts,
    console,
    db,
    doctor,
    explain,
    forget,
    go_live,
    inbound,
    load,
    preview,
    run,
    runs,
    schedule,
    settings,
    simulate,
    status,
    suppressions,
    templates,
    tenants,
    tokens,
    up,
    web,
    webhooks,
    words,
)
from workers.cli.common import fail
from workers.errors import ConfigurationError, FleetError, first_line

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
for command in (
    up.up,
    web.web,
    console.console,
    preview.preview,
    simulate.simulate,
    go_live.go_live,
    run.run,
    status.status,
    doctor.doctor,
    explain.explain,
    forget.forget,
    inbound.inbound,
    load.load,
):
    app.command()(command)
app.add_typer(actions.app, name="actions")
app.add_typer(conflicts.app, name="conflicts")
app.add_typer(runs.app, name="runs")
app.add_typer(schedule.app, name="schedule")
app.add_typer(settings.app, name="settings")
app.add_typer(suppressions.app, name="suppressions")
app.add_typer(templates.app, name="templates")
app.add_typer(tenants.app, name="tenants")
app.add_typer(tokens.app, name="tokens")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(words.app, name="words")
app.add_typer(db.app, name="db")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"fleet {version('p1-fleet')}")
        raise typer.Exit


@app.callback()
def fleet(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Five engines that never forget: run them, see what they did, decide what they leave to people."""


def main() -> None:
    """Run the command line; what an operator can mend is one line and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack letters that a text has
            stream.reconfigure(errors="backslashreplace")
    with suppress(ConfigurationError):  # the command itself says so, and --help needs no settings
        # A person reads what the command prints; whoever collects JSON lines wants those of the runs too.
        logs.configure(logging.INFO if logs.as_json() else logging.WARNING)
    try:
        app(prog_name="fleet")
    except FleetError as problem:
        sys.exit(fail(*problem.lines))
    except psycopg.Error as problem:
        sys.exit(fail(f"the database says: {first_line(problem)}"))
    except UnicodeEncodeError:  # of the shell's bytes, which no database takes
        sys.exit(fail("an argument is not UTF-8"))
