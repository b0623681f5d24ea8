"""What a tenant learns from its own history: figures as tables, pictures and CSV, each down to the rows it counts."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
from markupsafe import Markup
from psycopg import sql
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.web.console.charts import bars
from workers.web.console.door import Visit
from workers.web.console.figures import figures_of
from workers.web.console.show import heading
from workers.web.console.spans import LENGTHS, Span
from workers.web.console.spreadsheet import csv_file
from workers.web.console.views import FACTS, VIEWS, View, path_of

_PAGE: Final = 50
_MOST_EXPORTED: Final = 20_000
_TIMEOUT: Final = "5s"
_NAMES: Final = ("tenant", "engine")  # of a row, beside its label


def show(visit: Visit) -> Response:
    """Show which views there are; each comes by itself, so that none waits for another."""
    return visit.show("insight.html.j2", views=VIEWS, now=clock.now(), span=Span.asked(visit), lengths=LENGTHS)


def part(visit: Visit) -> Response:
    """Show a view as a table, its main figures drawn."""
    name, view, span = _asked(visit)
    figures = figures_of(visit, name, span)
    # Tenants beside each other are a table: their figures have nothing to do with each other.
    charts = [_drawing(view, figures.rows, *one) for one in view.drawn] if visit.person.tenant else []
    rows = [
        [(column, value, _way_of(name, view, span, row, column)) for column, value in row.items()]
        for row in figures.rows
    ]
    response = visit.show(
        "insight_part.html.j2", name=name, view=view, rows=rows, charts=[one for one in charts if one], span=span,
        figures=figures, lengths=LENGTHS, words={*view.label, *_NAMES},
    )  # fmt: skip
    response.background = figures.task
    return response


def export(visit: Visit) -> Response:
    """Return a view as a file for a spreadsheet."""
    name, _, span = _asked(visit)
    figures = figures_of(visit, name, span)
    if figures.is_uncounted:
        raise HTTPException(503, "This takes long to count: open its page, and come back when it shows the figures.")
    return csv_file(name, figures.rows)


def rows(visit: Visit) -> Response:
    """Show the rows that a number counts, the newest first, page by page."""
    name, view, span = _asked(visit)
    found = _facts(visit, name, span, _PAGE + 1)
    shown = found[:_PAGE]
    later = None
    if len(found) > _PAGE:
        last = shown[-1]
        later = urlencode(
            _chosen(visit, view) | {"of": visit.asked("of"), "before": f"{last['at'].isoformat()} {last['id']}"}
        )
    facts = FACTS[view.facts]
    return visit.show(
        "insight_rows.html.j2", name=name, view=view, span=span, columns=facts.columns, later=later,
        chosen=_chosen(visit, view), of=visit.asked("of"), is_later=bool(visit.asked("before")),
        query=urlencode(_chosen(visit, view) | {"of": visit.asked("of")}),
        rows=[row | {"path": path_of(facts, row)} for row in shown],
    )  # fmt: skip


def export_rows(visit: Visit) -> Response:
    """Return the rows that a number counts as a file for a spreadsheet."""
    name, view, span = _asked(visit)
    columns = ("tenant", *FACTS[view.facts].columns) if visit.person.tenant is None else FACTS[view.facts].columns
    found = _facts(visit, name, span, _MOST_EXPORTED)
    return csv_file(f"{name}-rows", ({column: row[column] for column in columns} for row in found))


def _asked(visit: Visit) -> tuple[str, View, Span]:
    """Return the view and the stretch of time that the address names.

    Raises:
        HTTPException: 404, there is no such view, or it is no stretch of time.
    """
    name = visit.request.path_params["view"]
    if name not in VIEWS:
        raise HTTPException(404, "There is no such view.")
    return name, VIEWS[name], Span.asked(visit)


def _drawing(view: View, rows: list[dict[str, Any]], column: str, unit: str) -> Markup:
    """Draw one column of a view's rows."""
    values = []
    for row in rows:
        label = ", ".join(_said(row[name]) for name in view.label) or "all quotes"
        if row[column] is not None:
            values.append((label, float(row[column]), unit.format(row[column])))
    return bars(values, f"{view.title}: {heading(column)}", 100 if "%" in unit else None)


def _said(value: Any) -> str:  # a word or a number
    return f"{value:,}" if isinstance(value, int) else str(value).replace("_", " ")


def _way_of(name: str, view: View, span: Span, row: dict[str, Any], column: str) -> str | None:
    """Return where the rows are that a number counts; None for what names the row."""
    if column in (*view.label, *_NAMES) or row[column] is None:
        return None
    label = {one: row[one] for one in view.label if row[one] is not None}
    return f"/console/insight/{name}/rows?{urlencode({**label, 'of': column})}&{span.query}"


def _chosen(visit: Visit, view: View) -> dict[str, str]:
    """Return what the address says of the group whose rows are asked for."""
    return {column: visit.query[column][-1] for column in view.label if column in visit.query}


def _facts(visit: Visit, name: str, span: Span, most: int) -> list[dict[str, Any]]:
    """Return the newest rows that a number counts, from a place on where the address names one.

    Raises:
        HTTPException: 404, the address makes no sense; 503, there is too much to tell it in time.
    """
    view, of = VIEWS[name], visit.asked("of")
    conditions, values = list[sql.Composable](), dict[str, Any](tenant=visit.person.tenant, most=most)
    chosen = _chosen(visit, view)
    wanted: list[tuple[str, str | None]] = [(column, chosen.get(column)) for column in view.label]
    wanted += [view.parts[of]] if of in view.parts else []
    for place, (column, value) in enumerate(wanted):
        values[f"v{place}"] = value
        conditions.append(
            sql.SQL("f.{} IS NULL").format(sql.Identifier(column)) if value is None
            else sql.SQL("f.{}::text = {}").format(sql.Identifier(column), sql.Placeholder(f"v{place}"))
        )  # fmt: skip
    if view.given:
        conditions.append(sql.SQL("f.{} IS NOT NULL").format(sql.Identifier(view.given)))
    if before := visit.asked("before"):
        instant, _, values["before_id"] = before.partition(" ")
        try:
            values["before_at"] = datetime.fromisoformat(instant)
        except ValueError:
            raise HTTPException(404, "There is no such place in the list.") from None
        conditions.append(sql.SQL("(f.at, f.id::text) < (%(before_at)s, %(before_id)s)"))
    statement = sql.SQL(
        "SELECT t.name AS tenant, f.* FROM {} AS f JOIN tenants AS t ON t.id = f.tenant_id"
        " WHERE (%(tenant)s::uuid IS NULL OR f.tenant_id = %(tenant)s){}"
        " ORDER BY f.at DESC, f.id::text DESC LIMIT %(most)s"
    ).format(sql.Identifier(view.facts), sql.Composed([sql.SQL(" AND {}").format(one) for one in conditions]))
    try:
        with visit.connection.transaction():
            span.hold(visit.connection, _TIMEOUT)
            return visit.connection.execute(statement, values).fetchall()
    except psycopg.errors.QueryCanceled:
        raise HTTPException(503, "There is so much of this that it takes too long to tell.") from None
