"""What a tenant learns from its own history: the views of the last 90 days, as tables, pictures and CSV."""

from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.web.console.charts import bars
from workers.web.console.door import Visit
from workers.web.console.spreadsheet import csv_file

_PERCENT: Final = "{} %"


class View(NamedTuple):
    """A view of schema/functions/analytics.sql, and how it is shown.

    Attributes:
        title: of its part of the page.
        meaning: one sentence about it.
        label: the columns that name a row.
        drawn: the column whose numbers are drawn.
        unit: what these numbers are, with them as {}.
    """

    title: str
    meaning: str
    label: tuple[str, ...]
    drawn: str
    unit: str


VIEWS: Final = {
    "deal_stage_velocity": View(
        "How fast deals move", "Days that deals spent in the stage before, by the stage they reached.", ("to_stage",),
        "median_days", "{} days",
    ),
    "quote_win_rates": View(
        "How quotes end", "How many were won, and what they were worth.", (), "win_rate_pct",
        _PERCENT,
    ),
    "quote_win_rates_by_stage": View(
        "Where quotes are won", "By the stage that the deal was in.", ("stage",), "win_rate_pct", _PERCENT
    ),
    "quote_competitors": View(
        "Against whom", "How quotes end where a competitor was named.", ("competitor",), "win_rate_pct", _PERCENT
    ),
    "quote_decision_times": View(
        "How long a decision takes", "Days from sending a quote to its outcome.", ("outcome",), "median_days", "{} days"
    ),
    "outreach_effect": View(
        "What came of outreach", "E-mails sent by template and step, and what followed.", ("template", "step"),
        "answered_count", "{} answered",
    ),
    "signal_action_rates": View(
        "What came of signals", "Opportunities that were noticed, and how many somebody acted on.", ("signal_type",),
        "action_rate_pct", _PERCENT,
    ),
    "compliance_completion_rates": View(
        "How compliance stands", "Checks by type: completed, overdue and waived.", ("compliance_type",),
        "completion_rate_pct", _PERCENT,
    ),
}  # fmt: skip
_MOST_ROWS: Final = 200
_TIMEOUT: Final = "20s"  # they look through a quarter of a year


def show(visit: Visit) -> Response:
    """Show which views there are; each comes by itself, so that none waits for another."""
    return visit.show("insight.html.j2", views=VIEWS, now=clock.now())


def part(visit: Visit) -> Response:
    """Show a view as a table, its main figure drawn."""
    name, view, rows = _asked(visit)
    whole = 100 if view.unit == _PERCENT else None
    # Tenants beside each other are a table: their figures have nothing to do with each other.
    drawn = bars(_drawn(view, rows), view.title, whole) if visit.person.tenant else ""
    return visit.show("insight_part.html.j2", name=name, view=view, rows=rows, chart=drawn)


def export(visit: Visit) -> Response:
    """Return a view as a file for a spreadsheet."""
    name, _, rows = _asked(visit)
    return csv_file(name, rows)


def _asked(visit: Visit) -> tuple[str, View, list[dict[str, Any]]]:
    """Return the view that the address names, and its rows.

    Raises:
        HTTPException: 404, there is no such view; 503, there is too much to tell it in time.
    """
    name = visit.request.path_params["view"]
    if name not in VIEWS:
        raise HTTPException(404, "There is no such view.")
    try:
        return name, VIEWS[name], _rows(visit, name)
    except psycopg.errors.QueryCanceled:
        raise HTTPException(503, "There is so much of this that it takes too long to tell.") from None


def _rows(visit: Visit, name: str) -> list[dict[str, Any]]:
    """Return the rows of a view: of one tenant without, of all of them with the tenant's name."""
    statement = sql.SQL(
        "SELECT t.name AS tenant, v.* FROM {} AS v JOIN tenants AS t ON t.id = v.tenant_id"
        " WHERE %(tenant)s::uuid IS NULL OR v.tenant_id = %(tenant)s ORDER BY {} LIMIT %(most)s"
    )
    order = sql.SQL(", ").join(map(sql.Identifier, ("tenant", *VIEWS[name].label)))
    visit.connection.execute("SELECT set_config('statement_timeout', %s, true)", [_TIMEOUT])
    found = visit.connection.execute(
        statement.format(sql.Identifier(name), order), {"tenant": visit.person.tenant, "most": _MOST_ROWS}
    ).fetchall()
    hidden = {"tenant_id"} | ({"tenant"} if visit.person.tenant else set())
    return [{column: value for column, value in row.items() if column not in hidden} for row in found]


def _drawn(view: View, rows: list[dict[str, Any]]) -> list[tuple[str, float, str]]:
    return [
        (
            ", ".join(str(row[name]).replace("_", " ") for name in view.label) or "all quotes",
            float(row[view.drawn]),
            view.unit.format(row[view.drawn]),
        )
        for row in rows
        if row[view.drawn] is not None
    ]
