"""The page docs/explanation/messages-per-person.md: what one person gets in a day, before and after.

`PYTHONPATH=. python -m bench.messages` writes it anew. The public deals are looked for in FLEET_CRM_SALES_DIR.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from bench.servers import SQL, empty_database
from workers import clock
from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate
from workers.db.session import Connection, connect
from workers.load import load_directory
from workers.load.demo import load_demo
from workers.simulate.course import simulate
from workers.simulate.plan import Plan

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "messages-per-person.md"
_QUARTER = timedelta(days=90)
_BINS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, None))
_INTRODUCTION = """\
# What one person gets in a day

The outbox makes every action safe; a customer does not receive actions, but a conversation. This page compares, for a
quarter, what would leave if each engine wrote whenever something is due (*before*) with what the fleet sends (*after*).
`PYTHONPATH=. python -m bench.messages` writes it anew; the figures are the same every time.

- **Before** is arithmetic over the rows as they stand on the first morning (`bench/sql/at_once.sql`): each open deal,
  quote and request for feedback whose contact has an address is written to when it is due, and again at its interval up
  to its limit, whatever else the same person gets. Suppressed addresses are left out; checks are not counted.
- **After** is what [`fleet simulate`](../how-to/simulate.md) finds for the same rows, with the settings of a new
  tenant: one message to a mailbox in a day and two in seven days over all engines, one voice for each matter, silence
  while a case is open, no message about a deal that was silent for half a year, working days and hours, hand-over after
  the last step. Nobody is assumed to answer, so that both sides write as much as they can.
"""


class Got(NamedTuple):
    """What is counted: messages to a mailbox on a day."""

    tenant: UUID
    mailbox: str
    day: date


Counts = Counter[Got]


class Data(NamedTuple):
    """A set of rows, when they were loaded, and the morning on which the quarter begins."""

    title: str
    loaded: datetime
    since: datetime
    load: Callable[[Connection], object]


def main() -> None:
    """Simulate both sets and write the page."""
    folder = Path(os.environ["FLEET_CRM_SALES_DIR"])
    sets = (
        Data(
            "The four demo tenants", datetime(2026, 3, 2, 7, tzinfo=UTC), datetime(2026, 3, 2, 7, tzinfo=UTC), load_demo
        ),
        # A week after the set ends every open deal of it has stalled.
        Data(
            "The 8,800 public deals",
            datetime(2017, 12, 31, tzinfo=UTC),
            datetime(2018, 1, 8, 7, tzinfo=UTC),
            lambda connection: load_directory(connection, folder),
        ),
    )
    with (
        tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as home,
        EmbeddedServers(Path(home), valkey=False) as servers,
    ):
        parts = [_part(servers.urls["DATABASE_URL"], data) for data in sets]
    PAGE.write_text("\n".join((_INTRODUCTION, *parts)), encoding="utf-8")
    print(f"written: {PAGE}")


def _part(server: str, data: Data) -> str:
    with _loaded(server, data) as connection:
        tenants = [row["id"] for row in connection.execute("SELECT id FROM tenants ORDER BY id")]
        span = {"since": data.since, "until": data.since + _QUARTER}
        before = Counts()
        with clock.at(data.since):
            for row in connection.execute((SQL / "at_once.sql").read_bytes(), span):
                before[Got(row["tenant_id"], row["mailbox"], row["day"])] += row["n"]
        after = Counts()
        for entry in simulate(connection, Plan(data.since, data.since + _QUARTER, tenants)).entries:
            if entry.what == "message" and entry.tenant:
                after[Got(entry.tenant, entry.person, entry.day)] += entry.n
    lines = [
        f"## {data.title}",
        "",
        f"90 days from {data.since:%d %B %Y}.",
        "",
        "| | before | after |",
        "|---|---:|---:|",
        *(_line(name, [measure(counts) for counts in (before, after)]) for name, measure in _MEASURES),
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def _loaded(server: str, data: Data) -> Iterator[Connection]:
    with empty_database(server, "messages") as url:
        migrate(url)
        with connect(url) as connection:
            with clock.at(data.loaded):
                data.load(connection)
            # The demo's tenants have wishes of their own.
            connection.execute("DELETE FROM engine_settings")
            connection.execute("DELETE FROM tenant_delivery")
            yield connection


def _line(name: str, numbers: Sequence[int]) -> str:
    return f"| {name} | " + " | ".join(f"{number:,}" for number in numbers) + " |"


def _between(least: int, most: int | None) -> Callable[[Counts], int]:
    return lambda counts: len([n for n in counts.values() if least <= n <= (most or n)])


def _in_words(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return f"{least}" if least == most else f"{least} to {most}"


def _busiest(counts: Counts) -> int:
    days = Counter[date]()
    for got, n in counts.items():
        days[got.day] += n
    return max(days.values(), default=0)


def _in_a_week(counts: Counts) -> int:
    """Return the most that one person got in any seven days."""
    weeks = Counts()
    for got, n in counts.items():
        for earlier in range(7):
            weeks[got._replace(day=got.day - timedelta(days=earlier))] += n
    return max(weeks.values(), default=0)


_MEASURES: Sequence[tuple[str, Callable[[Counts], int]]] = (
    ("messages", lambda counts: counts.total()),
    ("people who got any", lambda counts: len({got[:2] for got in counts})),
    ("most messages on one day, to all", _busiest),
    ("**most to one person in a day**", lambda counts: max(counts.values(), default=0)),
    ("**most to one person in seven days**", _in_a_week),
    *((f"days on which a person got {_in_words(*bin_)}", _between(*bin_)) for bin_ in _BINS),
)


if __name__ == "__main__":
    main()
