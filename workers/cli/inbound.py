"""`fleet inbound`: take mail in from files or a pipe."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import psycopg
import typer

from workers.cli.common import Json, chosen_tenant, database, fail, moment
from workers.db.session import Connection, transaction
from workers.errors import FleetError, UnknownNameError, first_line
from workers.inbound.ingest import Aside, Outcome, ingest_batch
from workers.inbound.sources import batches, find_messages, read_file, read_stream
from workers.terminal import out, print_json, progress_bar, say, table_of, visible

_MOST_LISTED: Final = 10_000
_TEMPFAIL: Final = 75  # sysexits.h: anything else but 0 makes a mail server send the message back


def inbound(
    path: Annotated[str | None, typer.Argument(metavar="FILE|MAILDIR|MBOX|DIR|-", help="Mail; - is a pipe.")] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="UUID|NAME", help="Whose mail it is; else the recipients tell.")
    ] = None,
    list_aside: Annotated[
        bool, typer.Option("--list-aside", help="List what was set aside, and read nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take mail in: each message once, however often it is read; what cannot be taken is named with its reason."""
    if list_aside == (path is not None):
        raise UnknownNameError("say what to read, or --list-aside, not both")
    with _deferred(pipe=path == "-"), database() as connection:
        if path is None:
            _show_aside(connection, as_json=as_json)
            return
        owner = chosen_tenant(connection, tenant)
        outcomes = _take_in(connection, path, owner)
    counts = Counter(type(outcome).__name__.lower() for outcome in outcomes)
    aside = [outcome for outcome in outcomes if isinstance(outcome, Aside)]
    if as_json:
        print_json(
            {"stored": counts["stored"], "duplicates": counts["duplicate"], "set_aside": list(map(asdict, aside))}
        )
    else:
        say(f"{counts['stored']} stored, {counts['duplicate']} duplicates, {len(aside)} set aside")
        for problem in aside:
            say(f"{problem.source}: {problem.reason}", style="red")
    if aside and path != "-":  # a mail server would bounce what is kept here already
        raise typer.Exit(1)


@contextmanager
def _deferred(*, pipe: bool) -> Iterator[None]:
    """Let the mail server behind a pipe keep a message that cannot be taken now, and try again."""
    try:
        yield
    except (FleetError, psycopg.Error) as problem:
        if not pipe:
            raise
        fail(first_line(problem))
        raise typer.Exit(_TEMPFAIL) from problem


def _take_in(connection: Connection, path: str, tenant: UUID | None) -> list[Outcome]:
    """Read a pipe, a file or a folder in batches, with a bar for the files."""
    outcomes: list[Outcome] = []
    files: list[Path | None] = [None] if path == "-" else [*find_messages(Path(path))]
    bar = progress_bar()
    with bar:
        messages = (
            message
            for file in bar.track(files, description=visible(path))
            for message in (read_file(file) if file else read_stream(sys.stdin.buffer, "-"))
        )
        for batch in batches(messages):
            outcomes += ingest_batch(connection, batch, tenant=tenant)
    return outcomes


def _show_aside(connection: Connection, *, as_json: bool) -> None:
    with transaction(connection):
        rows = connection.execute("SELECT * FROM list_set_aside(%s)", [_MOST_LISTED]).fetchall()
    if as_json:
        print_json(rows)
        return
    out.print(
        table_of(
            ["received", "source", "Message-ID", "size", "why"],
            (
                [moment(row["received_at"]), row["source"], row["message_id"], row["raw_size"], row["reason"]]
                for row in rows
            ),
        )
    )
