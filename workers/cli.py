"""The fleet's command line: `fleet up | run | status | tenants | actions | conflicts | inbound | load | db`."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from jinja2 import TemplateError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table

from workers import cli_conflicts, clock
from workers.db.session import Connection, connect, require_current_schema, transaction
from workers.delivery.render import Text, render
from workers.engines.registry import engine_named
from workers.errors import FleetError, UnknownNameError
from workers.inbound.ingest import Aside, Outcome, ingest_batch
from workers.inbound.sources import batches, find_messages, read_file, read_stream
from workers.runtime.dispatch import run_engine
from workers.runtime.status import fleet_status
from workers.settings import database_url, direct_database_url, settings
from workers.tables import report_table, table_of

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
db = typer.Typer(no_args_is_help=True, help="Migrate, check and roll back the database.")
actions = typer.Typer(no_args_is_help=True, help="See and decide actions: approve, cancel, retry.")
app.add_typer(db, name="db")
app.add_typer(actions, name="actions")
app.add_typer(cli_conflicts.app, name="conflicts")
out = Console() if sys.stdout.isatty() else Console(width=150)  # a pipe has no width of its own

_STATUSES = ("suggested", "scheduled", "sending", "sent", "failed", "dead", "cancelled", "skipped")
_MOST_LISTED = 10_000
_TEMPFAIL = 75  # sysexits.h: anything else but 0 makes a mail server send the message back
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def main() -> None:
    """Run the command line; what an operator can mend is one line and exit code 2, never a traceback."""
    try:
        app()
    except FleetError as problem:
        sys.exit(_fail(str(problem)))
    except psycopg.Error as problem:
        sys.exit(_fail(f"the database says: {str(problem).strip().splitlines()[0]}"))


def _fail(message: str) -> int:
    Console(stderr=True).print(f"fleet: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
    return 2


@contextmanager
def _database() -> Iterator[Connection]:
    with connect(database_url()) as connection:
        require_current_schema(connection)
        yield connection


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Load demo tenants into an empty database.")] = True,
) -> None:
    """Start everything: servers (unless set), migrations, demo data, beat, workers, delivery and Flower."""
    from workers.up import start  # noqa: PLC0415  # servers and supervisor are of no use to the other commands

    raise typer.Exit(start(demo=demo, out=out))


@app.command()
def run(
    engine: Annotated[str, typer.Argument(help="feedback, deals, quotes, enrichment or compliance")],
    tenant: Annotated[str | None, typer.Option(metavar="UUID|NAME", help="Only this tenant.")] = None,
    now: Annotated[str | None, typer.Option(help="Let it be this instant (ISO 8601; UTC without an offset).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show who would be contacted with what; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run one engine in this process until nothing is due, and print what it did."""
    chosen = engine_named(engine)
    with _database() as connection, clock.at(_instant(now)):
        only = _tenant(connection, tenant) if tenant is not None else None
        with transaction(connection, force_rollback=True) if dry_run else nullcontext():
            report = run_engine(
                connection,
                chosen,
                trigger="manual",
                tenant=only,
                batch_size=settings().fleet_batch_size,
                fetch=not dry_run,
            )
            assert report is not None  # noqa: S101  # a run outside the timetable is never refused
            planned = _planned(connection, report.run) if dry_run else []
    if as_json:
        result = report.as_dict() | ({"dry_run": True, "would_write": planned} if dry_run else {})
        out.print_json(json.dumps(result, default=str))
    else:
        if dry_run:
            out.print(_planned_table(planned))
        out.print(report_table([report.as_dict()]))
        for failure in report.failures:
            out.print(f"failed for tenant {failure.tenant}: {failure.error}", style="red", markup=False)
        if report.unfinished:
            out.print("unfinished: rows are held by another session, run it again", style="red")
    if report.failures or report.unfinished:
        raise typer.Exit(1)


@app.command()
def status(as_json: Json = False) -> None:
    """Show last runs, due items, missed slots, and actions by status."""
    with _database() as connection:
        current = fleet_status(connection)
    if as_json:
        out.print_json(json.dumps(current, default=str))
        return
    table = table_of("engine", "due now", "last run", "by", "result", "acted", "actions", "latest slot")
    for row in current["engines"]:
        result = row["last_status"] or "never ran"
        if row["last_failures"]:
            result += f", {len(row['last_failures'])} tenants failed"
        slot = f"{row['latest_slot']:%a %d %b %H:%M} {row['slot_state']}"
        started = f"{row['last_started_at']:%d %b %H:%M:%S}" if row["last_started_at"] else ""
        table.add_row(
            row["engine"], str(row["due"]), started, row["last_trigger"] or "", result,
            str(row["last_acted"] or 0), str(row["last_actions"] or 0), slot,
        )  # fmt: skip
    out.print(table)
    out.print("actions: " + (", ".join(f"{n} {name}" for name, n in current["actions"].items()) or "none yet"))
    for refused in current["refused"]:
        line = f"{refused['engine']}, {refused['tenant_name']}: {refused['what']}: {refused['error']}"
        out.print(line, style="red", markup=False)
    for fault in current["faults"]:
        out.print(f"fault: {fault}", style="red", highlight=False, markup=False, soft_wrap=True)


@app.command()
def tenants(as_json: Json = False) -> None:
    """List the tenants: id, name, and the engines that do not work automatically for them."""
    with _database() as connection, transaction(connection):
        rows = connection.execute("SELECT * FROM list_tenants()").fetchall()
    if as_json:
        out.print_json(json.dumps(rows, default=str))
        return
    table = table_of("id", "name", "not automatic")
    table.columns[0].no_wrap = True
    for row in rows:
        modes = ", ".join(f"{engine} {mode}" for engine, mode in sorted(row["modes"].items()))
        table.add_row(str(row["tenant_id"]), escape(row["name"]), modes)
    out.print(table)


@app.command()
def load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of CSV files.")],
    now: Annotated[str | None, typer.Option(help="The load's clock (ISO 8601).")] = None,
) -> None:
    """Import CSV files; good rows go in, each bad one is reported with file, line and reason."""
    from workers.load import load_directory  # noqa: PLC0415  # other commands need no CSV

    bar = _bar()
    with _database() as connection, clock.at(_instant(now)), bar:
        report = load_directory(connection, folder, progress=_progress(bar))
    table = table_of("table", "read", "inserted", "unchanged", "rejected")
    for name, count in report.tables.items():
        table.add_row(name, *map(str, (count.read, count.inserted, count.unchanged, count.rejected)))
    out.print(table)
    for note in report.notes:
        out.print(note, markup=False)
    for problem in report.problems:
        out.print(f"{problem.file}:{problem.line}: {problem.reason}", style="red", markup=False, highlight=False)
    if report.problems:
        raise typer.Exit(1)


@app.command()
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
    with _deferred(pipe=path == "-"), _database() as connection:
        if path is None:
            _show_aside(connection, as_json=as_json)
            return
        owner = _tenant(connection, tenant) if tenant is not None else None
        outcomes = _take_in(connection, path, owner)
    counts = Counter(type(outcome).__name__.lower() for outcome in outcomes)
    aside = [outcome for outcome in outcomes if isinstance(outcome, Aside)]
    if as_json:
        result = {"stored": counts["stored"], "duplicates": counts["duplicate"], "set_aside": list(map(asdict, aside))}
        out.print_json(json.dumps(result))
    else:
        out.print(f"{counts['stored']} stored, {counts['duplicate']} duplicates, {len(aside)} set aside")
        for problem in aside:
            out.print(f"{problem.source}: {problem.reason}", style="red", markup=False, highlight=False, soft_wrap=True)
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
        _fail(str(problem).strip().splitlines()[0])
        raise typer.Exit(_TEMPFAIL) from problem


@db.command()
def migrate() -> None:
    """Bring the database to this release's schema; changes nothing where nothing is missing."""
    from workers.db import migrate as migrations  # noqa: PLC0415  # Alembic is slow to import

    done = migrations.migrate(direct_database_url())
    names = done.revisions + done.functions
    out.print(
        f"applied {', '.join(names)} in {done.seconds:.1f} s" if names else "nothing to do, the schema is current"
    )


@db.command()
def check() -> None:
    """List applied and pending migrations, what of the CRM stands in the way, what is missing, and what went wrong."""
    from workers.db import check as catalogue  # noqa: PLC0415
    from workers.db import migrate as migrations  # noqa: PLC0415  # Alembic is slow to import
    from workers.db.preflight import findings  # noqa: PLC0415

    with connect(direct_database_url()) as connection:
        applied, pending = migrations.applied(connection), migrations.pending(connection)
        out.print(f"applied: {', '.join(applied) or 'none'}")
        out.print(f"pending: {', '.join(pending) or 'none'}")
        unfit = findings(connection, installed=bool(applied))
        missing = catalogue.missing(connection) if applied else []
        faults = catalogue.faults(connection)
    for finding in unfit:
        out.print(f"unfit: {finding}", style="red", highlight=False, markup=False, soft_wrap=True)
    for line in missing:
        out.print(f"missing: {line}", style="red", highlight=False)
    for fault in faults:
        out.print(f"fault: {fault}", style="red", highlight=False, markup=False, soft_wrap=True)
    if pending or unfit or missing or faults:
        raise typer.Exit(1)
    out.print("everything that should exist exists")


@db.command()
def rollback(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove all of P1 and the fleet's own tables; the CRM's tables and rows stay as they were."""
    from workers.db import migrate as migrations  # noqa: PLC0415  # Alembic is slow to import

    if not yes:
        typer.confirm(
            "This deletes every feedback request, quote, check and action of every tenant. Go on?", abort=True
        )
    migrations.rollback(direct_database_url())
    out.print("P1 and the fleet's tables are removed; the CRM's tables stayed")


@actions.command("list")
def list_actions(
    status: Annotated[str | None, typer.Option(help=", ".join(_STATUSES))] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """List actions, the newest first."""
    if status is not None and status not in _STATUSES:
        raise UnknownNameError(f"no status {status!r}: an action is {', '.join(_STATUSES)}")
    with _database() as connection, transaction(connection):
        rows = connection.execute("SELECT * FROM list_actions(%s, %s)", [status, limit]).fetchall()
    if as_json:
        out.print_json(json.dumps(rows, default=str))
        return
    table = table_of("id", "tenant", "to", "subject", "status", "why")
    for row in rows:
        subject = _text_of(row).subject
        why = row["reason"] or row["last_error"] or ""
        table.add_row(
            str(row["action_id"]), row["tenant_name"], row["address"] or row["kind"], subject, row["status"], why
        )
    out.print(table)


def _decision(name: str, explanation: str) -> None:
    def decide(
        ids: Annotated[
            list[int],
            typer.Argument(metavar="ID...", min=1, max=2**63 - 1, help="ids as `fleet actions list` shows them"),
        ],
    ) -> None:
        with _database() as connection, transaction(connection):
            rows = connection.execute("SELECT * FROM decide_actions(%s, %s)", [ids, name]).fetchall()
        done = {row["decide_actions"] for row in rows}
        if done:
            out.print(f"{name}: {', '.join(map(str, sorted(done)))}")
        if refused := sorted(set(ids) - done):
            raise UnknownNameError(
                f"cannot {name} {', '.join(map(str, refused))}: no such action, or not in a status that allows it"
            )

    actions.command(name, help=explanation)(decide)


_decision("approve", "Let suggested actions go out.")
_decision("cancel", "Cancel actions that have not left.")
_decision("retry", "Try failed and dead actions again.")


def _planned(connection: Connection, run: int) -> list[dict[str, Any]]:
    rows = connection.execute("SELECT * FROM actions_of_run(%s)", [run]).fetchall()
    planned = []
    for row in rows:
        text = _text_of(row)
        planned.append(
            {
                "tenant": row["tenant_name"],
                "kind": row["kind"],
                "to": row["address"],
                "subject": text.subject,
                "body": text.body,
                "refused": row["reason"],
            }
        )
    return planned


def _text_of(row: dict[str, Any]) -> Text:
    try:
        return render(row["template"], row["variables"], row["tenant_name"])
    except TemplateError as error:  # the rest of the list must still be seen
        return Text(f"template {row['template']} cannot be rendered: {error}", "")


def _planned_table(planned: list[dict[str, Any]]) -> Table:
    table = table_of("tenant", "to", "subject", "would be refused", title="Dry run: nothing was changed")
    for action in planned:
        table.add_row(action["tenant"], action["to"] or action["kind"], action["subject"], action["refused"] or "")
    return table


def _progress(bar: Progress) -> Callable[[str, int, int], None]:
    """Return the loader's callback (file, bytes done, bytes in all), which draws one bar per file."""
    tasks: dict[str, TaskID] = {}

    def show(file: str, done: int, total: int) -> None:
        if file not in tasks:
            tasks[file] = bar.add_task(file, total=total)
        bar.update(tasks[file], completed=done, total=total)

    return show


def _bar() -> Progress:
    """A bar for people: nothing of it goes into a log, and a file's name is shown as it is."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


def _take_in(connection: Connection, path: str, tenant: UUID | None) -> list[Outcome]:
    """Read a pipe, a file or a folder in batches, with a bar for the files."""
    outcomes: list[Outcome] = []
    files: list[Path | None] = [None] if path == "-" else [*find_messages(Path(path))]
    bar = _bar()
    with bar:
        messages = (
            message
            for file in bar.track(files, description=path)
            for message in (read_file(file) if file else read_stream(sys.stdin.buffer, "-"))
        )
        for batch in batches(messages):
            outcomes += ingest_batch(connection, batch, tenant=tenant)
    return outcomes


def _show_aside(connection: Connection, *, as_json: bool) -> None:
    with transaction(connection):
        rows = connection.execute("SELECT * FROM list_set_aside(%s)", [_MOST_LISTED]).fetchall()
    if as_json:
        out.print_json(json.dumps(rows, default=str))
        return
    table = table_of("received", "source", "Message-ID", "size", "why")
    for row in rows:
        received = f"{row['received_at']:%d %b %Y %H:%M}"
        table.add_row(received, row["source"], row["message_id"] or "", str(row["raw_size"]), row["reason"])
    out.print(table)


def _tenant(connection: Connection, text: str) -> UUID:
    """Return the id of the tenant with this id or name."""
    rows = connection.execute("SELECT id FROM tenants WHERE id::text = lower(%s) OR name = %s", [text, text]).fetchall()
    if len(rows) != 1:
        problem = f"{len(rows)} tenants are called {text!r}: name one by its id" if rows else f"no tenant {text!r}"
        raise UnknownNameError(f"{problem} (`fleet tenants` lists them)")
    found: UUID = rows[0]["id"]
    return found


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UnknownNameError(f"--now {text!r} is no ISO 8601 instant such as 2026-03-02T09:00:00+00:00") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
