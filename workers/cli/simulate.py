"""`fleet simulate`: the fleet over days or months to come, and what other settings would change; nothing happens."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from workers import clock
from workers.cli.common import Json, database, instant_of, tenant_named
from workers.db.session import Connection, transaction
from workers.db.tenant_settings import read_settings, set_settings
from workers.errors import UnknownNameError
from workers.settings import database_url
from workers.simulate.course import simulate as let_pass
from workers.simulate.plan import Plan
from workers.simulate.plot import plot as picture_of
from workers.simulate.report import MEASURES, difference, report_of
from workers.terminal import out, print_json, progress_bar, say, table_of

_SPAN: Final = timedelta(days=90)
# A longer span is shown by weeks, or nobody reads to its end.
_MOST_DAYS: Final = 31
_MOST_PEOPLE: Final = 10
_TODAY, _CHANGED = "today's settings", "changed settings"


def simulate(
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="ISO8601", help="Begin here; default: now. UTC without an offset."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="ISO8601", help="End before this; default: 90 days later.")
    ] = None,
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", metavar="UUID|NAME", help="Only these tenants.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Compare with this setting of theirs.")
    ] = None,
    *,
    reply_rate: Annotated[
        float, typer.Option(min=0, max=1, help="How likely a message is answered: an assumption.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="What the answers are drawn with.")] = 1,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write messages per day as an SVG picture.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let time pass as the timetable, the rules and the caps have it, and show who would get what; change nothing."""
    begin = instant_of(since, "--from") or clock.now().replace(second=0, microsecond=0)
    end = instant_of(until, "--to") or begin + _SPAN
    if end <= begin:
        raise UnknownNameError(f"--to {end.isoformat()} is not after --from {begin.isoformat()}")
    values = read_settings(changes or [])
    with database() as connection:
        tenants = _tenants(connection, tenant or [])
        with transaction(connection, force_rollback=True):  # what cannot be set is said at once
            for one in tenants if values else ():
                set_settings(connection, one, values, "fleet simulate", None)
        plans = {_TODAY: Plan(begin, end, list(tenants), {}, reply_rate, seed)}
        if values:
            plans[_CHANGED] = Plan(begin, end, list(tenants), values, reply_rate, seed)
        reports = _reports(connection, plans, tenants)
    first = reports[_TODAY]
    if values:
        differs = difference(first, reports[_CHANGED])
        if as_json:
            print_json({"today": first, "changed": reports[_CHANGED], "difference": differs})
        else:
            _show_difference(reports, differs)
    elif as_json:
        print_json(first)
    else:
        _show(first)
    if plot is not None:
        _write(plot, picture_of(reports))
    if any(report["failures"] for report in reports.values()):
        raise typer.Exit(1)


def _write(file: Path, picture: str) -> None:
    try:
        file.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UnknownNameError(f"cannot write {file}: {error.strerror}") from None


def _tenants(connection: Connection, named: list[str]) -> dict[UUID, str]:
    """Return the names of the tenants that are simulated, by their ids.

    Raises:
        UnknownNameError: there are none.
    """
    wanted = [tenant_named(connection, text) for text in named]
    rows = connection.execute("SELECT id, name::text FROM tenants ORDER BY id").fetchall()
    names = {row["id"]: row["name"] for row in rows if not wanted or row["id"] in wanted}
    if not names:
        raise UnknownNameError("there is no tenant yet (`fleet load` brings some)")
    return names


def _reports(connection: Connection, plans: Mapping[str, Plan], names: Mapping[UUID, str]) -> dict[str, dict[str, Any]]:
    reports = {}
    with progress_bar() as bar:
        for name, plan in plans.items():
            task = bar.add_task(name, total=(plan.until - plan.since).total_seconds())
            outcome = let_pass(connection, plan, partial(_show_progress, bar, task, plan), give_way=database_url())
            _show_progress(bar, task, plan, plan.until)
            reports[name] = report_of(plan, outcome, names)
    return reports


def _show_progress(bar: Progress, task: TaskID, plan: Plan, now: datetime) -> None:
    bar.update(task, completed=(now - plan.since).total_seconds())


def _show(report: dict[str, Any]) -> None:
    if len(report["days"]) > _MOST_DAYS:
        _print(_measures("week from", report["weeks"], "monday"))
    else:
        _print(_measures("day", report["days"], "day"))
    _print(_measures("engine", report["engines"], "engine"))
    _print(_measures("tenant", report["tenants"], "tenant"))
    _print(
        table_of(
            ["those who get most", "tenant", "messages", "most in a day"],
            (
                [row["person"], row["tenant"], f"{row['messages']:,}", row["most_to_one_person_in_a_day"]]
                for row in _most(report["people"], "messages")
            ),
        )
    )
    _print(
        table_of(
            ["those who have most to do", "tenant", "tasks", "cases"],
            (
                [row["person"], row["tenant"], f"{row['tasks']:,}", f"{row['cases']:,}"]
                for row in _most(report["colleagues"], "tasks")
            ),
        )
    )
    _print(
        table_of(
            ["n", "engine", "what", "text"],
            ([f"{row['n']:,}", row["engine"], row["what"], row["text"]] for row in report["texts"]),
        )
    )
    _print(
        table_of(
            ["times", "engine", "what", "because"],
            (
                [f"{row['n']:,}", row["engine"], row["what"], row["reason"]]
                for row in sorted(report["reasons"], key=lambda row: -int(row["n"]))
            ),
        )
    )
    _print(table_of(["at the end", "are", "n"], ([*key, f"{n:,}"] for key, n in _state(report))))
    _show_failures(report)
    say(_summary(report))
    say("nothing was changed")


def _print(table: Table) -> None:
    if table.row_count:
        out.print(table)


def _most(rows: list[dict[str, Any]], of: str) -> list[dict[str, Any]]:
    return sorted((row for row in rows if row[of]), key=lambda row: -int(row[of]))[:_MOST_PEOPLE]


def _show_difference(reports: dict[str, dict[str, Any]], differs: dict[str, Any]) -> None:
    for title, key in (("days", "day"), ("engines", "engine"), ("tenants", "tenant")):
        rows = differs[title]
        shown = [name for name in MEASURES.values() if any(row[name] for row in rows)]
        if rows:
            out.print(
                table_of(
                    [f"more (or less) by {key}", *map(_in_words, shown)],
                    ([row[key], *(f"{row[name]:+,}" if row[name] else "" for name in shown)] for row in rows),
                )
            )
    for name, report in reports.items():
        _show_failures(report)
        say(f"{name}: {_summary(report)}")
    if not differs["days"]:
        say("the settings make no difference")
    say("nothing was changed")


def _measures(title: str, rows: list[dict[str, Any]], key: str) -> Table:
    """Return a table of what was counted, without the columns in which nothing was."""
    names = [*MEASURES.values(), "people", "most_to_one_person_in_a_day"]
    shown = [name for name in names if any(row[name] for row in rows)]
    return table_of(
        [title, *map(_in_words, shown)], ([row[key], *(f"{row[name]:,}" for name in shown)] for row in rows)
    )


def _state(report: dict[str, Any]) -> list[tuple[tuple[str, str], int]]:
    """Return how things stand at the end, of all tenants together."""
    together: Counter[tuple[str, str]] = Counter()
    for row in report["state"]:
        together[row["about"], row["state"]] += row["n"]
    return sorted(together.items())


def _summary(report: dict[str, Any]) -> str:
    total, state = report["total"], dict(_state(report))
    words = (
        f"{total['messages']:,} messages to {total['people']:,} people, at most"
        f" {total['most_to_one_person_in_a_day']} to one of them in a day; {total['tasks']:,} tasks,"
        f" {total['cases']:,} cases; {total['answers']:,} answers are assumed; {total['refused']:,} messages refused,"
        f" {total['put_off']:,} put off"
    )
    if suggested := state.get(("outbox", "suggested")):
        words += f"; {suggested:,} wait for a person's approval at the end"
    return words


def _show_failures(report: dict[str, Any]) -> None:
    for row in report["failures"]:
        say(f"{row['engine']} failed for {row['tenant']}, {row['n']} times: {row['error']}", style="red")


def _in_words(name: str) -> str:
    return name.replace("_", " ")
