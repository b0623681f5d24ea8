"""`fleet status`: last runs, what is due, what was missed."""

from collections.abc import Iterable, Iterator
from typing import Any

import typer

from workers.cli.common import Json, database, minute
from workers.runtime.status import BEFORE_INSTALLATION, fleet_status
from workers.terminal import lines, out, print_json, say, table_of
from workers.watch.incidents import open_incidents


def status(as_json: Json = False) -> None:
    """Show incidents, last runs, due items, missed slots, actions by status, and what waits for a mended rule.

    Exit code 1 while an incident is open.
    """
    with database() as connection:
        current = {"incidents": open_incidents(connection), **fleet_status(connection)}
    if as_json:
        print_json(current)
    else:
        _say(current)
    if current["incidents"]:
        raise typer.Exit(1)


def _say(current: dict[str, Any]) -> None:
    for incident in current["incidents"]:
        say(f"incident since {minute(incident['opened_at'])}: {incident['what']}; {incident['mend']}", style="red")
    columns = ["engine", "due", "last run", "result", "latest slot"]
    out.print(table_of(columns, map(_engine_row, current["engines"])))
    say("actions: " + (", ".join(f"{n} {name}" for name, n in current["actions"].items()) or "none yet"))
    for line in _refusals(current["refused"]):
        say(line, style="red")
    for fault in current["faults"]:
        say(f"fault: {fault}", style="red")


def _engine_row(row: dict[str, Any]) -> list[object]:
    failures = row["last_failures"]
    result = lines(
        row["last_status"] or "never ran",
        f"{len(failures)} tenants failed" if failures else None,
        f"{row['last_acted']:,} acted on" if row["last_status"] else None,
        f"{row['last_actions']:,} actions" if row["last_status"] else None,
    )
    slot = ["none yet"] if row["slot_state"] == BEFORE_INSTALLATION else [minute(row["latest_slot"]), row["slot_state"]]
    started = row["last_started_at"]
    return [
        row["engine"],
        row["due"],
        lines(minute(started), f"by {row['last_trigger']}") if started else None,
        result,
        lines(*slot),
    ]


def _refusals(refused: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Say each error once, with the tenants it concerns."""
    tenants: dict[tuple[str, str, str], set[str]] = {}
    for one in refused:
        tenants.setdefault((one["engine"], one["what"], one["error"]), set()).add(one["tenant_name"])
    for (engine, what, error), names in tenants.items():
        yield f"{engine} cannot work {what!r} of {', '.join(sorted(names))}: {error}"
