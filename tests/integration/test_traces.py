"""If this fails, nobody can follow a letter from the minute of the timetable to the mail server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from celery import Celery, current_app
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.crm import Crm, days, stalled_deal, wait_until
from workers.delivery.tasks import register as register_delivery
from workers.runtime.beat import SteadyScheduler
from workers.runtime.tasks import register as register_engines
from workers.settings import settings
from workers.tracing import TracedTask


@pytest.fixture
def fleet(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """The engines and the delivery, at work in a thread."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    app = Celery("fleet", broker="memory://", task_cls=TracedTask, set_as_current=False)
    app.conf.beat_schedule = {"deals": {"task": "workers.deals.run", "schedule": 60}}
    register_engines(app)
    register_delivery(app)
    before = current_app._get_current_object()
    setup_logging.connect(leave_logging)
    try:
        with start_worker(app, perform_ping_check=False):
            yield app
    finally:
        setup_logging.disconnect(leave_logging)
        before.set_current()
        before.set_default()


def leave_logging(**_: object) -> None:
    """Keep the worker from setting up the log of this process, which is the other tests' too."""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What an SDK keeps that is set up for this test alone."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    return exporter


def test_a_letter_is_traced_from_beat_to_its_server(
    crm: Crm, fleet: Celery, kept: InMemorySpanExporter, tmp_path: Path
) -> None:
    crm.open_always(stalled_deal(crm, last_activity_at=datetime.now(UTC) - days(20)))
    scheduler = SteadyScheduler(fleet, schedule_filename=str(tmp_path / "beat"))
    scheduler.apply_entry(scheduler.schedule["deals"])
    scheduler.close()

    def ways() -> dict[str, list[str]]:
        spans = {span.context.span_id: span for span in kept.get_finished_spans() if span.context}
        return {span.name: [one.name for one in way(span, spans)] for span in spans.values()}

    wait_until(lambda: "workers.delivery.run" in ways())
    assert ways() == {
        "beat": [],
        "workers.deals.run": ["beat"],
        "batch": ["workers.deals.run", "beat"],
        "workers.delivery.run": ["workers.deals.run", "beat"],
        "action": ["workers.deals.run", "beat"],
        "send": ["action", "workers.deals.run", "beat"],
    }
    [action] = [dict(span.attributes or {}) for span in kept.get_finished_spans() if span.name == "action"]
    assert action == {"fleet.action": str(crm.actions()[0]["id"]), "fleet.template": "deal_follow_up"}


def test_where_nobody_keeps_traces_nothing_is_noted(crm: Crm) -> None:
    crm.open_always(stalled_deal(crm))
    crm.run("deals")
    assert crm.rows("SELECT traceparent FROM engine_runs") == [{"traceparent": None}]


def way(span: ReadableSpan, spans: dict[int, ReadableSpan]) -> list[ReadableSpan]:
    """What a span is a part of, the nearest first."""
    above = spans.get(span.parent.span_id) if span.parent else None
    return [above, *way(above, spans)] if above else []
