"""`fleet status`: last runs, what is due, what was missed."""

from collections.abc import Iterable, Iterator
from typing import Any

from workers.cli.common import Json, database, moment
from workers.runtime.status import BEFORE_INSTALLATION, fleet_status
from workers.terminal import out, print_json, say, table_of


def status(as_json: Json = False) -> None:
    """Show last runs, due items, missed slots, actions by status, and what waits for a mended rule."""
    with database() as connection:
        current = fleet_status(connection)
    if as_json:
        print_json(current)
        return
    columns = ["engine", "due now", "last run", "by", "result", "acted", "actions", "latest slot"]
    out.print(table_of(columns, map(_engine_row, current["engines"])))
    say("actions: " + (", ".join(f"{n} {name}" for name, n in current["actions"].items()) or "none yet"))
    for line in _refusals(current["refused"]):
        say(line, style="red")
    for fault in current["faults"]:
        say(f"fault: {fault}", style="red")


def _engine_row(row: dict[str, Any]) -> list[object]:
    result = row["last_status"] or "never ran"
    if row["last_failures"]:
        result += f", {len(row['last_failures'])} tenants failed"
    return [
        row["engine"],
        row["due"],
        moment(row["last_started_at"]) if row["last_started_at"] else None,
        row["last_trigger"],
        result,
        row["last_acted"] or 0,
        row["last_actions"] or 0,
        "none yet" if row["slot_state"] == BEFORE_INSTALLATION else f"{moment(row['latest_slot'])} {row['slot_state']}",
    ]


def _refusals(refused: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Say each error once, with the tenants it concerns."""
    tenants: dict[tuple[str, str, str], set[str]] = {}
    for one in refused:
        tenants.setdefault((one["engine"], one["what"], one["error"]), set()).add(one["tenant_name"])
    for (engine, what, error), names in tenants.items():
        yield f"{engine} cannot work {what!r} of {', '.join(sorted(names))}: {error}"
