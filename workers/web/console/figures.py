"""The rows of a view of figures: counted at once where that is quick, else as they were last counted."""

import json
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from starlette.background import BackgroundTask

from workers import clock
from workers.db.session import connect, transaction
from workers.settings import database_url
from workers.web.console.door import Visit
from workers.web.console.spans import Span
from workers.web.console.views import VIEWS

_MOST_ROWS: Final = 200
_QUICK: Final = "60ms"  # so long a reader waits: a page takes a tenth of a second at most
_LONG: Final = timedelta(minutes=2)  # so long it may take when nobody waits
_FRESH: Final = timedelta(hours=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Figures:
    """The rows of a view.

    Attributes:
        rows: none where they have not been counted yet.
        counted_at: when they were; None: just now.
        is_counting: whether they are being counted anew.
        has_failed: whether that took too long.
        task: what counts them once the page is on its way.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    counted_at: datetime | None = None
    is_counting: bool = False
    has_failed: bool = False
    task: BackgroundTask | None = None

    @property
    def is_uncounted(self) -> bool:
        """Whether nothing can be shown yet."""
        return not self.rows and self.counted_at is None and (self.is_counting or self.has_failed)


def figures_of(visit: Visit, name: str, span: Span) -> Figures:
    """Return a view's rows for the person's tenant: of one without, of all of them with the tenant's name."""
    tenant = visit.person.tenant
    kept = visit.called("console_figures", name, span.query)
    if not kept:
        try:
            with visit.connection.transaction():
                span.hold(visit.connection, _QUICK)
                rows = visit.connection.execute(_statement(name), {"tenant": tenant, "most": _MOST_ROWS}).fetchall()
            return Figures(_shown(rows, tenant))
        except psycopg.errors.QueryCanceled:
            return Figures(is_counting=True, task=BackgroundTask(count_anew, tenant, name, span))
    [row] = kept
    since_asked = clock.now() - row["asked_at"]
    if row["counted_at"] is None:
        has_failed = since_asked > _LONG
        task = BackgroundTask(count_anew, tenant, name, span) if has_failed else None
        return Figures(is_counting=not has_failed, has_failed=has_failed, task=task)
    is_stale = clock.now() - row["counted_at"] > _FRESH
    return Figures(
        _shown(json.loads(row["figures"], parse_float=Decimal), tenant), row["counted_at"],
        is_counting=is_stale and since_asked <= _LONG,
        task=BackgroundTask(count_anew, tenant, name, span) if is_stale else None,
    )  # fmt: skip


def count_anew(tenant: UUID | None, name: str, span: Span) -> None:
    """Count a view and keep its rows, unless another process is at it; nobody waits for this."""
    place = {"tenant": tenant, "view": name, "span": span.query, "most": _MOST_ROWS}
    keep = sql.SQL(
        "SELECT keep_figures(%(tenant)s, %(view)s, %(span)s, (SELECT coalesce(json_agg(x), '[]') FROM ({}) AS x))"
    )
    with connect(database_url()) as connection:
        with transaction(connection):
            row = connection.execute("SELECT begin_figures(%(tenant)s, %(view)s, %(span)s) AS begun", place).fetchone()
        if row is None or not row["begun"]:
            return
        try:
            with transaction(connection):
                span.hold(connection, f"{_LONG.total_seconds():.0f}s")
                connection.execute(keep.format(_statement(name)), place)
        except psycopg.errors.QueryCanceled:
            logger.warning("%s (%s) could not be counted within %s", name, span.said, _LONG)


def _statement(name: str) -> sql.Composed:
    view = VIEWS[name]
    placed: sql.Composable = sql.SQL("")
    places = list[sql.Composable]()
    if view.stage:
        placed = sql.SQL(
            "LEFT JOIN stage_places(%(tenant)s) AS p ON p.tenant_id = v.tenant_id AND p.stage = v.{}"
        ).format(sql.Identifier(view.stage))
        # Won and lost deals come from the same stages.
        places = [
            sql.SQL("p.place NULLS FIRST"),
            sql.SQL("word_meaning(v.tenant_id, 'deal_stage', v.{}) IS NOT DISTINCT FROM 'lost'").format(
                sql.Identifier(view.stage)
            ),
        ]
    order = [sql.SQL("t.name"), *places, *(sql.Identifier("v", column) for column in view.label)]
    return sql.SQL(
        "SELECT t.name AS tenant, v.* FROM {} AS v JOIN tenants AS t ON t.id = v.tenant_id {}"
        " WHERE %(tenant)s::uuid IS NULL OR v.tenant_id = %(tenant)s ORDER BY {} LIMIT %(most)s"
    ).format(sql.Identifier(name), placed, sql.SQL(", ").join(order))


def _shown(rows: list[dict[str, Any]], tenant: UUID | None) -> list[dict[str, Any]]:
    hidden = {"tenant_id"} | ({"tenant"} if tenant else set())
    return [{column: value for column, value in row.items() if column not in hidden} for row in rows]
