"""Figures for Prometheus, read from the database at each scrape: whichever process answers, they are the fleet's."""

import hmac
from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from workers.db.session import connect, require_current_schema, transaction
from workers.settings import database_url, settings

# By the figure's name in watch_figures(): its name here, what it tells, and what its labels are called.
_FIGURES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "due": ("fleet_due_items", "Items that are due now", ("engine",)),
    "tenant_due": ("fleet_tenant_due_items", "Items due now of the twenty tenants with the most", ("engine", "tenant")),
    "actions_open": ("fleet_actions", "Actions that have not ended, and those that failed", ("engine", "status")),
    "action_oldest_seconds": (
        "fleet_action_oldest_seconds", "For how long the oldest action that is due has waited", ("engine", "kind"),
    ),
    "sent_day": ("fleet_sent_day", "Messages sent, tasks and cases filed in the last 24 hours", ("engine", "kind")),
    "runs_day": ("fleet_runs_day", "Runs begun in the last 24 hours", ("engine", "status")),
    "slot_late_seconds": ("fleet_slot_late_seconds", "How late the latest slot was begun", ("engine",)),
    "slot_seconds": ("fleet_slot_seconds", "How long the latest slot took", ("engine",)),
    "slot_acted": ("fleet_slot_acted_items", "Items acted on in the latest slot", ("engine",)),
    "pass_age_seconds": ("fleet_pass_age_seconds", "Time since a pass was last begun", ("name",)),
    "incidents_open": ("fleet_incidents_open", "Incidents that are open", ()),
    "inbound_unread": ("fleet_inbound_unread_mails", "Mails of people that enrichment has not read", ()),
}  # fmt: skip


class _Figures(Collector):
    """Rows of watch_figures() as gauges."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return every figure, those without a row too."""
        gauges = {name: GaugeMetricFamily(*about[:2], labels=about[2]) for name, about in _FIGURES.items()}
        for row in self._rows:
            labels = [row[column] for column in ("engine", "label") if row[column] is not None]
            gauges[row["name"]].add_metric(labels, row["value"])
        yield from gauges.values()


def metrics(request: Request) -> Response:
    """Answer a scrape that bears FLEET_METRICS_TOKEN; there is no such page where that is not set."""
    token = settings().fleet_metrics_token
    if token is None:
        return PlainTextResponse("not found\n", status_code=404)
    if not hmac.compare_digest(
        request.headers.get("Authorization", "").encode(), f"Bearer {token.get_secret_value()}".encode()
    ):
        return PlainTextResponse("unauthorized\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})
    with connect(database_url()) as connection:
        require_current_schema(connection)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM watch_figures()").fetchall()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(rows))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
