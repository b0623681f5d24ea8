"""`fleet load`: import CSV files and workbooks."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from workers import clock
from workers.cli.common import Json, Now, database, instant_of
from workers.terminal import out, print_json, progress_bar, say, table_of, visible


def load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of CSV files and workbooks.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")] = False,
    tenant: Annotated[
        str | None, typer.Option(metavar="UUID|NAME", help="Whose rows they are in files without a column for it.")
    ] = None,
    dates: Annotated[str | None, typer.Option(metavar="dmy|mdy|ymd", help="What 03/04/2026 means.")] = None,
    decimal: Annotated[str | None, typer.Option(metavar=".|,", help="What 12.500 means.")] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Such as windows-1250.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What columns mean; else mapping.toml of the folder.")
    ] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Import CSV files and workbooks; good rows go in, each bad one is reported with file, line and reason."""
    from workers.load import Hints, load_directory  # noqa: PLC0415  # other commands need no CSV

    bar = progress_bar()
    hints = Hints(dates, decimal, encoding)
    with database() as connection, clock.at(instant_of(now)), bar:
        report = load_directory(
            connection,
            folder,
            tenant=tenant,
            hints=hints,
            mapping=mapping,
            dry_run=dry_run,
            progress=_progress(bar),
        )
    if as_json:
        print_json(report.as_dict() | ({"dry_run": True} if dry_run else {}))
    else:
        out.print(
            table_of(
                ["table", "read", "inserted", "unchanged", "rejected"],
                (
                    [name, count.read, count.inserted, count.unchanged, count.rejected]
                    for name, count in report.tables.items()
                ),
                title="Dry run: nothing was changed" if dry_run else None,
            )
        )
        for note in report.notes:
            say(note)
        for problem in report.problems:
            say(str(problem), style="red")
    if report.problems:
        raise typer.Exit(1)


def _progress(bar: Progress) -> Callable[[str, int, int], None]:
    """Return the loader's callback (file, bytes done, bytes in all), which draws one bar per file."""
    tasks: dict[str, TaskID] = {}

    def show(file: str, done: int, total: int) -> None:
        if file not in tasks:
            tasks[file] = bar.add_task(visible(file), total=total)
        bar.update(tasks[file], completed=done, total=total)

    return show
