"""Traces of one piece of work: beat, the tasks that it starts, batch, action, send.

They go to whatever the process's OpenTelemetry SDK was set up for; where there is none, nothing is done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from celery import Task
from celery.signals import before_task_publish
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_NAME: Final = "p1-fleet"
_KEY: Final = "traceparent"  # W3C Trace Context
_W3C: Final = TraceContextTextMapPropagator()


def are_kept() -> bool:
    """Say whether an SDK is set up in this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def span(name: str, parent: str | None = None, **about: object) -> Iterator[None]:
    """Trace a block, an exception that leaves it included.

    Args:
        name: what is done.
        parent: of another process, as `present` returned it there; else it is whatever is being traced here.
        about: attributes, under "fleet."; what is None is left out.
    """
    if not are_kept():
        yield
        return
    context = _W3C.extract({_KEY: parent}) if parent else None
    attributes = {f"fleet.{key}": str(value) for key, value in about.items() if value is not None}
    with trace.get_tracer(_NAME).start_as_current_span(name, context, attributes=attributes):
        yield


def present() -> str | None:
    """Return what is being traced here, for another process; None if nothing is."""
    carrier: dict[str, str] = {}
    if are_kept():
        _W3C.inject(carrier)
    return carrier.get(_KEY)


class TracedTask(Task):  # type: ignore[misc]  # Celery is untyped
    """Goes on with the trace of whoever sent the message."""

    abstract = True

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the task."""
        with span(self.name, getattr(self.request, _KEY, None), message=self.request.id):
            return super().__call__(*arguments, **options)


@before_task_publish.connect  # type: ignore[untyped-decorator]
def _carry(headers: dict[str, Any], **_: object) -> None:
    """Let a message bear what is being traced where it is sent."""
    parent = present()
    if parent is not None:
        headers[_KEY] = parent
